/** A thread that helps with the cells that it is told of. */
import { parentPort } from 'node:worker_threads';
import { ARCHITECTURES, assist, cells, SCENARIOS } from '../src/index.ts';
import type { Told } from './team.test.ts';

parentPort!.on('message', ({ scenario, arch, profile, memory }: Told) => {
  const [cell] = cells(SCENARIOS, ARCHITECTURES, { scenarios: [scenario], archs: [arch], profiles: [profile] });
  assist(cell!, {}, memory);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort!.postMessage('helped');
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort!.postMessage('ready');
