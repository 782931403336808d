/**
 * tlbbatch: reclaim clears entries of many mms and flushes once (arch/x86/include/asm/tlbflush.h: arch_tlbbatch_*).
 *
 * A deferral takes its generation at once and only then remembers the CPUs that may use the mm:
 *
 *     reclaim (PTL held)                    CPU 1 (switch_mm_irqs_off)
 *     clear entry                           set bit in mm_cpumask  (LOCK)
 *     inc mm.tlbGen          (LOCK)         read mm.tlbGen
 *     read mm_cpumask                       // one of the two sees the other (trace T6 reads first)
 *
 * The flush belongs to no mm and no generation: every CPU brings whatever it runs up to date.
 *
 * The CPUs are remembered in the batch. In RFC 20 (`batchedPending: 'cpumask'`) they are in one mask of the machine, too, which they leave
 * by themselves when they flush (batched-ack.ts). If that mask alone is what a batch flushes (`batchedTargets: 'shared'`), a flush
 * that somebody else did for his own reasons saves this one.
 */
import { type Cpu, hasRing, type Mm, pageSize, ringEnqueue, type Steps, type TlbBatch } from '@mmu-gather/core/stepped';
import { broadcasts, broadcastTlbFlush } from './flush-broadcast.ts';
import { flushTlbLocal, flushTlbMulti, flushTlbOthers } from './flush-multi.ts';
import { getFlushTlbInfo, TLB_GENERATION_INVALID } from './flush-tlb-info.ts';
import { newTlbGen } from './flush.ts';
import { hasGlobalAsids } from './global-asid.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { x86Of } from './tlbstate.ts';

/** arch_tlbbatch_should_defer: only IPIs are worth saving. */
export function* tlbbatchShouldDefer(cpu: Cpu, mm: Mm): Steps<boolean> {
  return ((yield* cpu.readOnce(mm.cpumask)) & ~(1 << cpu.id)) !== 0;
}

/**
 * arch_tlbbatch_add_pending (arch_tlbbatch_add_mm, tlbbatch_add_mm): under the PTL of the entry that was cleared.
 * @returns the generation of the deferral. A CPU that is not in the mask yet compares with it when it switches in
 */
export function* tlbbatchAddPending(cpu: Cpu, batch: TlbBatch, mm: Mm, address: number): Steps<number> {
  const maskFirst =
    x86Of(cpu).switches.maskRead === 'before-generation' || cpu.kernel.profile.batchedOrder === 'mask-first';
  if (maskFirst) yield* addMask(cpu, batch, mm);
  const gen = yield* newTlbGen(cpu, mm);
  const { geometry } = cpu.kernel;
  const end = address + pageSize(geometry);
  if (hasRing(cpu))
    yield* ringEnqueue(cpu, mm, gen, { start: address, end, shift: geometry.pageShift, freedTables: false });
  if (!maskFirst) yield* addMask(cpu, batch, mm);
  return gen;
}

/** Are the CPUs of all batches together in the machine's mask? */
function sharesMask(cpu: Cpu): boolean {
  const { batchedPending, batchedTargets } = cpu.kernel.profile;
  return batchedPending === 'cpumask' && batchedTargets === 'shared';
}

/** The CPUs that may use the mm must flush (cpumask_or, cpumask_atomic_or). */
function* addMask(cpu: Cpu, batch: TlbBatch, mm: Mm): Steps<void> {
  const { batchedCpumask } = cpu.kernel;
  const mask = yield* cpu.readOnce(mm.cpumask);
  if (!sharesMask(cpu)) batch.cpumask |= mask;
  if (cpu.kernel.profile.batchedPending !== 'cpumask') return;
  // RFC 19: an exchange less. The bits may be about to go: somebody else has set them, and their CPUs may be flushing for him.
  if (cpu.kernel.profile.batchedOr === 'if-missing' && (mask & ~(yield* cpu.readOnce(batchedCpumask))) === 0) return;
  yield* cpu.atomicOr(batchedCpumask, mask);
}

/** arch_tlbbatch_flush: everything, on every CPU of the batch. Lazy CPUs are left out: no tables were freed. */
export function* tlbbatchFlush(cpu: Cpu, batch: TlbBatch): Steps<void> {
  const info = getFlushTlbInfo(cpu, 0, 0, TLB_FLUSH_ALL, 0, false, TLB_GENERATION_INVALID);
  const mask = sharesMask(cpu) ? yield* cpu.readOnce(cpu.kernel.batchedCpumask) : batch.cpumask;
  const self = (mask & (1 << cpu.id)) !== 0;
  const others = (mask & ~(1 << cpu.id)) !== 0;
  if (broadcasts(cpu) || hasGlobalAsids(cpu)) {
    yield* broadcastTlbFlush(cpu, null, info);
  } else if (x86Of(cpu).switches.flushOrder === 'local-first') {
    if (self) yield* flushTlbLocal(cpu, info);
    if (others) yield* flushTlbOthers(cpu, mask, info);
  } else if (others) {
    yield* flushTlbMulti(cpu, mask, info);
  } else if (self) {
    yield* flushTlbLocal(cpu, info);
  }
  batch.cpumask = 0;
}
