/**
 * One cell on one thread, and on two. CPU time of each thread: what the longer one takes is what the search takes on idle cores.
 */
import { once as event } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import type { TeamMemory } from '@mmu-gather/checker';
import { ARCHITECTURES, assist, type Cell, cells, explore, SCENARIOS } from '@mmu-gather/conformance';
import { once, print, type Value } from './table.ts';

/** Cells that take a second or more: architecture, scenario. */
const CELLS = [
  ['x86', 'global-asid/published'],
  ['x86', 'generations/batch-completes'],
  ['riscv', 'generations/batch-completes'],
  ['arm64', 'arm64/active-cpu-reset'],
] as const;

function cellOf(arch: string, scenario: string): Cell {
  return cells(SCENARIOS, ARCHITECTURES, { archs: [arch], scenarios: [scenario], profiles: ['linux-6.18'] })[0]!;
}

/** What the helper is told. */
interface Told {
  readonly arch: string;
  readonly scenario: string;
  readonly memory: TeamMemory;
}

if (isMainThread) {
  const helper = new Worker(new URL(import.meta.url));
  await event(helper, 'message');
  const rows: Value[][] = [];
  for (const [arch, scenario] of CELLS) {
    const one = once(() => explore(cellOf(arch, scenario), {}).result);
    const helped = event(helper, 'message') as Promise<[number]>;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    const open = (memory: TeamMemory): void => helper.postMessage({ arch, scenario, memory } satisfies Told);
    const two = once(() => explore(cellOf(arch, scenario), { team: { members: 2, wanted: () => true, open } }).result);
    const [other] = await helped;
    if (one.result.states !== two.result.states || one.result.steps !== two.result.steps)
      throw new Error(`${scenario} on ${arch}: two threads count something else than one`);
    const longer = Math.max(two.milliseconds, other);
    rows.push([
      scenario,
      arch,
      one.result.states!,
      one.milliseconds,
      two.milliseconds,
      other,
      one.milliseconds / longer,
    ]);
  }
  print(['cell', 'of', 'states', 'one thread, CPU ms', 'two: leader', 'helper', 'times as fast'], rows);
  await helper.terminate();
} else {
  parentPort!.on('message', ({ arch, scenario, memory }: Told) => {
    const { milliseconds } = once(() => assist(cellOf(arch, scenario), {}, memory));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    parentPort!.postMessage(milliseconds);
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort!.postMessage(0);
}
