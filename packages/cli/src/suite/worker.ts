/**
 * Worker: the thread that loads scenarios and searches. Source maps are switched on before anything is loaded, so that diagrams
 * name the lines that people wrote.
 */
process.setSourceMapsEnabled(true);
const { serve } = await import('./serve.ts');
await serve();
