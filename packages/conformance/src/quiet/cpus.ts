/**
 * CPUs that are quiet: every section is left, every lock is free, every count is back at 0.
 */
import { type Cell, Mm, Runqueue } from '@mmu-gather/core/stepped';
import type { Books } from './books.ts';
import type { Clause } from './clause.ts';

/** Of a CPU's runqueue, counts of sections that its code is in, each with what it means if it is not 0. */
const SECTIONS: readonly [
  field: 'gathers' | 'lazyMmu' | 'lazyMmuPaused' | 'preemptCount' | 'hardirqCount',
  what: string,
][] = [
  ['gathers', 'has a gather open'],
  ['lazyMmu', 'is in a lazy MMU section'],
  ['lazyMmuPaused', 'has paused lazy MMU mode'],
  ['preemptCount', 'has preemption disabled'],
  ['hardirqCount', 'counts as being in an interrupt'],
];

/** Sections of CPUs. */
export const SECTIONS_LEFT: Clause = {
  id: 'sections',
  says: 'every CPU takes interrupts and is in no section',
  find({ now, kernel }) {
    for (let cpu = 0; cpu < kernel.cpus; cpu++) {
      if (now.interruptsOff(cpu)) return `CPU ${cpu} has interrupts off`;
      if (now.inRcu(cpu)) return `CPU ${cpu} is in an RCU section`;
      const rq = Runqueue.at(kernel.runqueues + cpu * Runqueue.words);
      const open = SECTIONS.find(([field]) => now.peek(rq[field]) !== 0);
      if (open !== undefined) return `CPU ${cpu} ${open[1]}`;
    }
    return undefined;
  },
};

/** Locks of all kinds. */
export const LOCKS_FREE: Clause = {
  id: 'locks',
  says: 'every lock is free',
  find({ now, kernel, mms, vmas }) {
    let held: string | undefined;
    now.forHeldLocks((lock) => (held ??= `${now.cellName(lock)} is still locked`));
    if (held !== undefined || !kernel.profile.perVmaLocks) return held;
    // A VMA is locked for write by its number, until that of its mm goes on (vma-lock.ts).
    for (const mm of mms) {
      const locked = vmas.get(mm.address)!.find((vma) => now.peek(vma.lockSeq) === now.peek(mm.vmaLockSeq) + 1);
      if (locked !== undefined) return `${now.objectName(locked.address)} is still locked for write`;
    }
    return undefined;
  },
};

/** Counts of what is pending. tlb_flush_pending is O16's. */
export const NOTHING_PENDING: Clause = {
  id: 'pending',
  says: 'no gather, no epoch of gathers and no invalidation of a secondary MMU counts as open',
  find(end) {
    for (const mm of end.mms) {
      const cell = counts(end, mm).find((count) => end.now.peek(count) !== 0);
      if (cell !== undefined) return `${end.now.cellName(cell)} is ${end.now.peek(cell)}`;
    }
    return undefined;
  },
};

function counts({ kernel: { profile, designs, geometry } }: Books, mm: Mm): Cell[] {
  const cells = [mm.notifierCount];
  // Behind the epoch and what is drained: open gathers of even and odd epochs, and those that nobody waits for.
  if (profile.finishSync === 'epoch') for (const i of [2, 3, 4]) cells.push(mm.address + designs.sync + i);
  if (profile.nestedFinish === 'level-counters')
    for (let level = 0; level < geometry.bits.length; level++) cells.push(mm.address + designs.levels + level);
  return cells;
}
