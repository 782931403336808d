/**
 * Worker: the thread that writes pages. Source maps are switched on before anything is loaded, so that pages name the lines that people wrote.
 */
process.setSourceMapsEnabled(true);
const { serve } = await import('./serve.ts');
await serve();
