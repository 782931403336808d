/**
 * Which CPU an mm has run on, so that flushes of one that has run on a single CPU stay there (R. Roberts, "arm64: mm: Don't broadcast if
 * mm was only active on local cpu", RFC of August 2025; not merged).
 *
 *     CPU 0 (flush)                             CPU 1 (switch_mm)
 *     store to page tables
 *     read active_cpu: CPU 0?
 *     DSB ISH                                   active_cpu = MULTIPLE
 *     read active_cpu again                     DSB ISHST
 *     still CPU 0: local TLBI; else broadcast   load TTBR0, walk
 *     // one of the two sees the other: CPU 0 sees MULTIPLE, or CPU 1's walks see the store
 *
 * The first look is there for speed: who finds another CPU goes on with DSB ISHST. Before the second look that would do, too (`activeCpuLook`), for
 * it stands before later loads.
 *
 * It moves one way: from nobody to one CPU to MULTIPLE. The task that flushes must stay on its CPU until it has.
 *
 * With `reset` it starts anew when the mm gets an ASID of a new generation. Nobody runs the mm then, and what CPUs hold under its old ASID
 * answers nobody. The CPU that gives the ASID notes itself afterwards, like every other.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { arm64Of, mmActiveCpu } from './asid-state.ts';
import { dsbIsh, dsbIshst } from './barriers.ts';

/** ACTIVE_CPU_NONE. */
const NONE = 0;
/** ACTIVE_CPU_MULTIPLE. */
export const ACTIVE_CPU_MULTIPLE: number = -1;

/** This CPU in an mm's active_cpu. */
export function activeCpuOf(cpu: Cpu): number {
  return cpu.id + 1;
}

/** Has an mm run anywhere else than on this CPU? */
function* activeElsewhere(cpu: Cpu, mm: Mm): Steps<boolean> {
  const active = yield* cpu.readOnce(mmActiveCpu(mm));
  return active !== activeCpuOf(cpu);
}

/**
 * The barrier between page-table stores and a flush.
 * @param ordered there is one; without it is wrong
 * @returns whether other CPUs must be told of the flush
 */
export function* orderAndLook(cpu: Cpu, mm: Mm, ordered: boolean): Steps<boolean> {
  const { localFlush, activeCpuLook } = arm64Of(cpu).switches;
  const elsewhere = yield* activeElsewhere(cpu, mm);
  if (!ordered) return elsewhere;
  if (elsewhere || localFlush === 'unordered') {
    yield* dsbIshst(cpu);
    return elsewhere;
  }
  // Pairs with the barrier in noteActiveCpu.
  if (activeCpuLook === 'ish') yield* dsbIsh(cpu);
  else yield* dsbIshst(cpu);
  return yield* activeElsewhere(cpu, mm);
}

/** Before TTBR0 is loaded: from here on flushes find this CPU. Pairs with the barrier before the read in a flush. */
export function* noteActiveCpu(cpu: Cpu, mm: Mm): Steps<void> {
  if (arm64Of(cpu).switches.localFlush === 'off') return;
  const cell = mmActiveCpu(mm);
  const self = activeCpuOf(cpu);
  let seen = yield* cpu.readOnce(cell);
  if (seen === self || seen === ACTIVE_CPU_MULTIPLE) return;
  if (seen === NONE) seen = yield* cpu.cmpxchg(cell, NONE, self, 'relaxed');
  if (seen !== NONE) yield* cpu.writeOnce(cell, ACTIVE_CPU_MULTIPLE);
  if (arm64Of(cpu).switches.activeCpuBarrier) yield* dsbIshst(cpu);
}

/** The mm has a new ASID: under that one it has run nowhere. Under the allocator's lock. */
export function* forgetActiveCpus(cpu: Cpu, mm: Mm): Steps<void> {
  const { localFlush } = arm64Of(cpu).switches;
  if (localFlush === 'reset' || localFlush === 'reset-late') yield* cpu.writeOnce(mmActiveCpu(mm), NONE);
}
