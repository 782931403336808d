/**
 * Flushes of a whole mm and of the kernel's addresses (asm/tlbflush.h). There are no others: single entries are purged where they change
 * (pte.ts), so flush_tlb_page is empty, and flush_tlb_range pays what is owed and no more.
 *
 *     __tlb_flush_mm_lazy                        a CPU that attaches, or flushes as well
 *       lock context.lock
 *         flush_mm = 0                           sets flush_mm again meanwhile: another debt
 *         __tlb_flush_mm
 *       unlock                                   sees 0 under the lock: the purge is done
 *
 * If the flag were cleared after the purge, a debt that was made in between would be forgotten; without the lock, who sees 0 would go on before
 * the purge (B44, 60f07c8ec5fa).
 *
 *     __tlb_flush_mm                             CPU 1
 *       mm_cpumask = attach_mask                 detaches: its bit in attach_mask goes, its entries stay
 *       IDTE
 *
 * The copy comes first: what CPU 1 cached before the purge is gone, and afterwards it may only be found where the mask has it (B79,
 * b3e5dc45fd1e).
 */
import { ALL_ASIDS, type Cpu, EVERYTHING, type Mm, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { type Clearing, csp, idteAsce, INVALID_ASCE } from './isa.ts';
import { attachMask, contextLock, flushCount, flushMm, mmAsce, mmOldAsce, s390Of, thisLowcore } from './state.ts';
import { ALL_PAGES, FLUSH_KERNEL, FLUSH_MM, traceFlush } from './trace.ts';

/** An instruction that purges and changes no entry. */
export function* purge(cpu: Cpu, scope: Scope): Steps<void> {
  yield* cpu.cmpxchgAndInvalidate(thisLowcore(cpu).operand, 0, 0, scope);
}

/** mm_cpumask = attach_mask: a copy in two steps, for nobody who attaches goes on while flush_count is not 0. Up to 4.8 bits stay. */
function* copyAttachMask(cpu: Cpu, mm: Mm): Steps<void> {
  const { era } = s390Of(cpu).switches;
  if (era === 'E0' || era === 'E1') return;
  yield* cpu.writeOnce(mm.cpumask, yield* cpu.readOnce(attachMask(mm)));
}

/** __tlb_flush_mm. */
export function* tlbFlushMm(cpu: Cpu, mm: Mm): Steps<void> {
  const { idte, maskCopy, era, payCounts } = s390Of(cpu).switches;
  const counts = era !== 'E0' && payCounts;
  if (counts) yield* cpu.atomicAdd(flushCount(mm), 1);
  if (maskCopy === 'before-purge') yield* copyAttachMask(cpu, mm);
  const everywhere = idte ? idteAsce(cpu.read(mmAsce(mm)), false) : csp();
  yield* purge(cpu, { ...everywhere, broadcast: reachOf(cpu, 'global') === 'global' });
  if (maskCopy === 'after-purge') yield* copyAttachMask(cpu, mm);
  if (counts) yield* cpu.atomicAdd(flushCount(mm), -1);
  traceFlush(cpu, FLUSH_MM, 'global', 0, ALL_PAGES);
}

/** __tlb_flush_mm_lazy: pays the debt of an mm, if there is one. When it returns nothing that was owed before is cached. */
export function* tlbFlushMmLazy(cpu: Cpu, mm: Mm): Steps<void> {
  const { debtClear, payDebt } = s390Of(cpu).switches;
  if (!payDebt) return;
  if (debtClear !== 'locked') {
    yield* payUnlocked(cpu, mm, debtClear === 'purge-first');
    return;
  }
  yield* cpu.spinLock(contextLock(mm));
  if ((yield* cpu.readOnce(flushMm(mm))) !== 0) {
    yield* cpu.writeOnce(flushMm(mm), 0);
    yield* tlbFlushMm(cpu, mm);
  }
  yield* cpu.spinUnlock(contextLock(mm));
}

/** Wrong (up to 4.12): without a lock neither order is right. */
function* payUnlocked(cpu: Cpu, mm: Mm, purgeFirst: boolean): Steps<void> {
  if ((yield* cpu.readOnce(flushMm(mm))) === 0) return;
  if (!purgeFirst) yield* cpu.writeOnce(flushMm(mm), 0);
  yield* tlbFlushMm(cpu, mm);
  if (purgeFirst) yield* cpu.writeOnce(flushMm(mm), 0);
}

/** flush_tlb_mm. */
export function flushTlbMm(cpu: Cpu, mm: Mm): Steps<void> {
  return tlbFlushMmLazy(cpu, mm);
}

/** flush_tlb_range: the debt has no addresses. */
export function flushTlbRange(cpu: Cpu, mm: Mm, _start: number, _end: number, _level: number): Steps<void> {
  return tlbFlushMmLazy(cpu, mm);
}

/** flush_tlb_page: empty. ptep_clear_flush purges as it clears. */
export function* flushTlbPage(_cpu: Cpu, _mm: Mm, _address: number): Steps<void> {}

/** There are no generations; what was recorded under one was purged where it changed, or is owed. */
export function flushTlbGen(
  cpu: Cpu,
  mm: Mm,
  _start: number,
  _end: number,
  _level: number,
  _freedTables: boolean,
  _gen: number,
): Steps<void> {
  return tlbFlushMmLazy(cpu, mm);
}

/**
 * flush_tlb_kernel_range (__tlb_flush_kernel): everything of the kernel's ASCE, whatever the range. flush_tlb_all is empty in Linux: who relies
 * on it (HugeTLB's vmemmap optimisation, 64e2f60f355e) gets nothing.
 */
export function* flushTlbKernelRange(cpu: Cpu, _start: number, end: number): Steps<void> {
  const { idte, flushTlbAll, kernelFlush } = s390Of(cpu).switches;
  if (end === EVERYTHING && flushTlbAll === 'empty') return;
  const everywhere = idte ? idteAsce(INVALID_ASCE, true) : csp();
  yield* purge(cpu, kernelFlush === 'local' ? { ...everywhere, broadcast: false } : everywhere);
  traceFlush(cpu, FLUSH_KERNEL, 'global', 0, ALL_PAGES);
}

/** Where a purge of user addresses acts that is to act there. */
export function reachOf(cpu: Cpu, where: Clearing): Clearing {
  return s390Of(cpu).switches.globalPurge === 'here' ? 'local' : where;
}

/**
 * The tag under which CPUs cache entries of an mm; that of the kernel's own is the invalid ASCE, under which none are. For IPTE and IDTE of an entry, which go by the
 * table that the entry stands in: where two ASCEs lead to it, entries of both are named (crst-upgrade.ts), and those of other mms with them.
 */
export function tagOf(cpu: Cpu, mm: Mm): number {
  return cpu.read(mmOldAsce(mm)) === 0 ? cpu.read(mmAsce(mm)) : ALL_ASIDS;
}
