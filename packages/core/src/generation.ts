/**
 * TLB generations of an mm: change page tables, then take a new generation, then flush to it.
 *
 *     mutator                                   any CPU, later
 *     write PTE                                 local generation < mm.tlbGen ?
 *     gen = ++mm.tlbGen      (full barrier)       yes: flush before using the mm
 *     ... PTL may be released ...                 no:  nothing older than mm.tlbGen is cached
 *     flush to gen
 *     completed = max(completed, gen)
 *
 * Generations count from 1 where deferral is recorded, so that a stored 0 reads "never deferred" (RFC 08). `completed` is
 * about what can be observed: an inactive ASID may keep old entries, and its own generation is compared before it is used.
 * It may lag behind, which costs flushes and never misses one.
 */
import type { Cpu } from './cpu.ts';
import type { Mm } from './mm.ts';
import type { Steps } from './steps.ts';
import type { Cell } from './struct.ts';

/** No generation: nothing was deferred. */
export const NO_GENERATION: number = 0;

/**
 * inc_mm_tlb_gen: a new generation that covers every page-table write before the call, and none after it.
 * A full barrier: orders those writes before the read of mm_cpumask that follows. Pairs with the barrier between setting
 * the CPU's bit in mm_cpumask and reading the generation in switch_mm.
 */
export function incMmTlbGen(cpu: Cpu, mm: Mm): Steps<number> {
  return cpu.atomicAddReturn(mm.tlbGen, 1);
}

/** tlb_update_generation (RFC 08): atomic maximum. */
export function* tlbUpdateGeneration(cpu: Cpu, cell: Cell, gen: number): Steps<void> {
  let seen = yield* cpu.readOnce(cell);
  while (seen < gen) {
    const old = yield* cpu.cmpxchg(cell, seen, gen);
    if (old === seen) return;
    seen = old;
  }
}

/** mark_mm_tlb_gen_done (RFC 08): every CPU has flushed up to `gen`. Only after the remote CPUs acknowledged. */
export function markMmTlbGenDone(cpu: Cpu, mm: Mm, gen: number): Steps<void> {
  return tlbUpdateGeneration(cpu, mm.tlbGenCompleted, gen);
}

/**
 * Records a deferral under a PTL: what was changed under it is covered by the returned generation, which the table or VMA
 * that was changed must remember before the PTL is released (contract C2 of the RFC's tracking).
 * One new generation for every deferral: reusing one that is not flushed yet is a bug (traces T1 and T2).
 */
export function* deferTlbFlush(cpu: Cpu, mm: Mm): Steps<number> {
  const gen = yield* incMmTlbGen(cpu, mm);
  yield* tlbUpdateGeneration(cpu, mm.tlbGenDeferred, gen);
  return gen;
}

/**
 * The RFC's own form (patch 15, as posted): takes a new generation only if somebody moved it since this gather's last
 * deferral. Wrong, and kept as the twin that shows why: see traces T1 and T2.
 */
export function* deferTlbFlushReusing(cpu: Cpu, mm: Mm, previous: number): Steps<number> {
  const gen = yield* cpu.readOnce(mm.tlbGen);
  if (gen === previous && previous !== NO_GENERATION) return previous;
  return yield* deferTlbFlush(cpu, mm);
}

/** Is a change recorded under generation `deferred` possibly unflushed? Under the PTL of what recorded it. */
export function* tlbGenPending(cpu: Cpu, mm: Mm, deferred: number): Steps<boolean> {
  if (deferred === NO_GENERATION) return false;
  return deferred > (yield* cpu.readOnce(mm.tlbGenCompleted));
}
