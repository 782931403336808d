/**
 * Barrier: where all CPUs meet. Who waits there serves the others.
 */
import type { ThreadCpu } from './cpu.ts';
import type { Memory } from './memory.ts';

/** Waits until every CPU of the machine has come here. */
export function meet(memory: Memory, cpu: ThreadCpu): void {
  const { control, global } = memory;
  const { cpus } = memory.kernel;
  const round = Math.floor(Atomics.add(control, global.arrived, 1) / cpus) + 1;
  for (let turn = 0; Atomics.load(control, global.arrived) < round * cpus; turn++) cpu.idle(turn);
}
