#!/usr/bin/env node
/**
 * The `mmu-gather` command.
 */
import nodeModule from 'node:module';

// A replay shows no lines of source, and is short: without maps, and with what V8 compiled the last time, it spends 0.2 s less. Node 20 keeps nothing.
const replays = process.argv[2] === 'replay';
if (replays) nodeModule.enableCompileCache?.();
process.setSourceMapsEnabled(!replays);
for (const stream of [process.stdout, process.stderr]) {
  // Whoever reads from us has seen enough: `mmu-gather ... | head`.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}
const { main } = await import('./program.ts');
process.exitCode = await main(process.argv.slice(2));
