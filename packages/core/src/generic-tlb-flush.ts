/**
 * The default tlb_flush of architectures that have none (include/asm-generic/tlb.h): a range flush of the hull, or of the whole mm.
 *
 * flush_tlb_range wants a VMA, and a gather may span several, or flush after the last one has ended: for the page tables that
 * free_pgtables unlinks. Linux makes one up that has flags and an mm and nothing else. RFC 12 passes the gather's VMA
 * instead, which is gone by then (D13).
 */
import type { Cpu } from './cpu.ts';
import type { MmuGather } from './mmu-gather.ts';
import type { Steps } from './steps.ts';
import { tlbGetUnmapLevel } from './unmap-level.ts';

/** tlb_flush, by flush_tlb_mm and flush_tlb_range of the backend. The range of an empty hull is not flushed. */
export function* genericTlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const { backend, profile } = cpu.kernel;
  if (tlb.fullmm || tlb.needFlushAll) {
    yield* backend.flushTlbMm(cpu, tlb.mm);
  } else if (tlb.end !== 0) {
    const vma = profile.defaultFlushVma === 'fabricated' || tlb.vma !== null;
    cpu.claim.that(vma, 'O16', 'tlb_flush after tlb_end_vma: the gather has no VMA to pass to flush_tlb_range');
    yield* backend.flushTlbRange(cpu, tlb.mm, tlb.start, tlb.end, tlbGetUnmapLevel(tlb));
  }
}
