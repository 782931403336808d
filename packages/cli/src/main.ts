#!/usr/bin/env node
/**
 * The `mmu-gather` command.
 */
process.setSourceMapsEnabled(true);
for (const stream of [process.stdout, process.stderr]) {
  // Whoever reads from us has seen enough: `mmu-gather ... | head`.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}
const { main } = await import('./program.ts');
process.exitCode = await main(process.argv.slice(2));
