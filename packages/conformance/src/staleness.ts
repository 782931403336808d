/**
 * Staleness: what deferring costs in time. For how many steps of an execution could a CPU use an entry that memory did not have any
 * more, summed over CPUs and pages?
 *
 * Memory is page tables, also where the hardware looks into another table: until a change has reached that one it is deferred. What stands
 * there has fewer bits, so an entry is old if it leads elsewhere, or allows a store that the page table does not.
 */
import type { Machine, Path } from '@mmu-gather/checker';
import { RW } from '@mmu-gather/core/stepped';

/** Takes a machine, in its first state, along a path. It is back in its first state afterwards. */
export function staleness(machine: Machine, path: Path): number {
  const start = machine.mark();
  let sum = 0;
  try {
    for (const [actor, choice] of path) {
      machine.perform(actor, choice);
      sum += staleNow(machine);
      if (machine.violation !== undefined) break;
    }
    return sum;
  } finally {
    machine.undo(start);
  }
}

/** Pages of which a CPU may hold an old entry on the context that it has loaded. */
function staleNow({ mmu, actors, kernel }: Machine): number {
  const copied = kernel.backend.translationTable !== null;
  let sum = 0;
  for (let cpu = 0; cpu < actors / 3; cpu++) {
    const root = mmu.liveRoot(cpu);
    if (root === 0) continue;
    for (let page = 0; page < mmu.pages; page++) {
      let stale = false;
      const now = mmu.inMemory(root, page);
      const frame = mmu.frameInMemory(root, page);
      mmu.leaves(cpu, page, (entry, _number, held) => {
        stale ||= copied ? held !== frame || (entry & ~now & RW) !== 0 : entry !== now;
      });
      if (stale) sum++;
    }
  }
  return sum;
}
