/**
 * flush_count: the handshake of a CPU that changes an entry with one that attaches to the mm (asm/mmu_context.h, mm/pgtable.c).
 *
 *     CPU 0 (changes an entry)                   CPU 1 (attaches, switch.ts)
 *     flush_count += 1                           set own bit in attach_mask
 *     read a mask: am I alone?                   load the invalid ASCE        // serialises
 *       change the entry, lazily or locally      wait for flush_count == 0
 *     flush_count -= 1                           set own bit in mm_cpumask, pay the debt, load the ASCE
 *
 * One of the two sees the other, if on each side the store comes before the load. CPU 1 loads a control register in between, which
 * serialises. CPU 0 has the increment alone: an interlocked update without a serialising branch (BCR), for atomic_inc has no result. The kernel
 * takes it for a barrier (smp_mb__after_atomic is empty); the architecture promises that only for its operand. Without it (`atomicFence:
 * 'none'`) the load may come first, which is how it is explored then.
 *
 * Which mask says what, and when CPU 1 enters it, has changed over the years (profiles.ts, `era`).
 */
import { type Cpu, type Mm, type Steps, thisRq } from '@mmu-gather/core/stepped';
import type { Clearing } from './isa.ts';
import { attachMask, flushCount, s390Of } from './state.ts';

/** What a flusher asks of the masks once it is counted: {@link mayFlushLazily} or {@link mayClearLocally}. */
export type FlushTest = (cpu: Cpu, mm: Mm) => Steps<boolean>;

/** Is no other CPU in a mask? What a CPU alone has attached, or nobody, passes. */
function noOther(cpu: Cpu, mask: number): boolean {
  return (mask & ~(1 << cpu.id)) === 0;
}

/**
 * May the entry be made invalid by a store, and purged with the debt? Since 4.9 if this CPU alone is attached: who reclaims from an mm that runs
 * nowhere has no entries of his own to care for, and gets no.
 */
export function* mayFlushLazily(cpu: Cpu, mm: Mm): Steps<boolean> {
  const { era, lazyFlush } = s390Of(cpu).switches;
  if (!lazyFlush) return false;
  if (era === 'E0') return cpu.read(thisRq(cpu).activeMm) === mm.address && (yield* cpu.readOnce(mm.mmUsers)) <= 1;
  const attached = yield* cpu.readOnce(attachMask(mm));
  return era === 'E1' ? noOther(cpu, attached) : attached === 1 << cpu.id;
}

/** May the purge be one of this CPU? If no other can hold entries. Without local clearing every purge is one of all. */
export function* mayClearLocally(cpu: Cpu, mm: Mm): Steps<boolean> {
  const { era, tlbLc, attachRepair } = s390Of(cpu).switches;
  if (!tlbLc || era === 'E0') return false;
  const attachedToo = era === 'E1' || attachRepair === 'test-attach';
  if (attachedToo && !noOther(cpu, yield* cpu.readOnce(attachMask(mm)))) return false;
  return (yield* cpu.readOnce(mm.cpumask)) === 1 << cpu.id;
}

/** flush_count += 1, and the question. Pairs with the wait of {@link awaitFlushes}. Ends with {@link endFlush}. */
export function* beginFlush(cpu: Cpu, mm: Mm, test: FlushTest): Steps<boolean> {
  const { atomicFence, era } = s390Of(cpu).switches;
  const early = atomicFence === 'none' && (yield* test(cpu, mm));
  if (era !== 'E0') yield* cpu.atomicAdd(flushCount(mm), 1);
  return atomicFence === 'none' ? early : yield* test(cpu, mm);
}

/** As {@link beginFlush}, with the question where to purge. */
export function* beginDirectFlush(cpu: Cpu, mm: Mm): Steps<Clearing> {
  return (yield* beginFlush(cpu, mm, mayClearLocally)) ? 'local' : 'global';
}

/** flush_count -= 1. */
export function* endFlush(cpu: Cpu, mm: Mm): Steps<void> {
  if (s390Of(cpu).switches.era !== 'E0') yield* cpu.atomicAdd(flushCount(mm), -1);
}

/** The wait of finish_arch_post_lock_switch. Preemption is off, interrupts are on: flushers never wait for who attaches. */
export function* awaitFlushes(cpu: Cpu, mm: Mm): Steps<void> {
  const { era, attachWait } = s390Of(cpu).switches;
  if (era !== 'E0' && attachWait) yield* cpu.waitFor(flushCount(mm), 'equal', 0);
}
