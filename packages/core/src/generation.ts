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

/**
 * mark_mm_tlb_gen_done (RFC 08): every CPU has flushed up to `gen`. Only after the remote CPUs acknowledged.
 * With `completedUpdate: 'conditional'` (RFC 17) nothing is written while nobody has deferred more than is completed.
 */
export function* markMmTlbGenDone(cpu: Cpu, mm: Mm, gen: number): Steps<void> {
  if (cpu.kernel.profile.completedUpdate === 'conditional') {
    const deferred = yield* cpu.readOnce(mm.tlbGenDeferred);
    if (deferred <= (yield* cpu.readOnce(mm.tlbGenCompleted))) return;
  }
  yield* tlbUpdateGeneration(cpu, mm.tlbGenCompleted, gen);
}

/**
 * Takes the generation of a deferral, under a PTL: what was changed under it is covered, and the table or VMA that was changed
 * must remember it before the PTL is released (contract C2 of the RFC's tracking).
 */
export function* deferTlbFlush(cpu: Cpu, mm: Mm): Steps<number> {
  const gen = yield* incMmTlbGen(cpu, mm);
  // Before the generation can be found in a table: who flushes it and sees an older value here reports less than it did.
  if (cpu.kernel.profile.completedUpdate === 'conditional') yield* tlbUpdateGeneration(cpu, mm.tlbGenDeferred, gen);
  return gen;
}

/**
 * The same as posted (RFC 15): a new generation only if somebody moved the mm's since this gather's last deferral. Wrong:
 *
 *     gather                                     CPU 1 (switch_mm, or a flush)
 *     change p0; gen = 2
 *                                                reads 2; caches p1
 *     change p1; gen is still 2
 *     flush to 2                                 has 2: nothing to do
 *     free p1                                    uses it
 */
export function* deferTlbFlushReusing(cpu: Cpu, mm: Mm, previous: number): Steps<number> {
  const gen = yield* cpu.readOnce(mm.tlbGen);
  if (gen === previous && previous !== NO_GENERATION) return previous;
  return yield* deferTlbFlush(cpu, mm);
}

/**
 * Is a change recorded under generation `deferred` possibly unflushed? Under the PTL of what recorded it. The inverted form is
 * that of RFC 15 and 16: it reads pending where nothing ever was deferred, and settled where something just was (D1).
 */
export function* tlbGenPending(cpu: Cpu, mm: Mm, deferred: number): Steps<boolean> {
  const inverted = cpu.kernel.profile.genPending === 'inverted';
  if (deferred === NO_GENERATION && !inverted) return false;
  const completed = yield* cpu.readOnce(mm.tlbGenCompleted);
  return inverted ? deferred < completed : deferred > completed;
}

/** flush_to_gen: everything that was recorded up to a generation is invalidated everywhere when it returns; others may have done it. */
export function* flushToGen(cpu: Cpu, mm: Mm, start: number, end: number, gen: number): Steps<void> {
  if ((yield* cpu.readOnce(mm.tlbGenCompleted)) >= gen) return;
  yield* cpu.kernel.backend.flushTlbGen(cpu, mm, start, end, 0, false, gen);
}
