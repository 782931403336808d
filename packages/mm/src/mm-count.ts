/**
 * References to the struct of an address space (include/linux/sched/mm.h, kernel/fork.c): mm_count, see mm.ts.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';

/** mmgrab: keeps the struct and the top-level table. init_mm is not counted. */
export function* mmgrab(cpu: Cpu, mm: Mm): Steps<void> {
  if (mm.address !== cpu.kernel.initMm) yield* cpu.atomicAdd(mm.mmCount, 1);
}

/** mmdrop: with the last reference __mmdrop gives the context back, and frees the top-level table. */
export function* mmdrop(cpu: Cpu, mm: Mm): Steps<void> {
  if (mm.address === cpu.kernel.initMm) return;
  const left = yield* cpu.atomicAddReturn(mm.mmCount, -1);
  cpu.claim.that(left >= 0, 'O16', 'mm_count dropped below 0');
  if (left !== 0) return;
  const { cleanupLazyTlbs, destroyContext } = cpu.kernel.backend;
  if (cleanupLazyTlbs !== null) yield* cleanupLazyTlbs(cpu, mm);
  if (destroyContext !== null) yield* destroyContext(cpu, mm);
  yield* cpu.free('table', cpu.read(mm.pgd));
  yield* cpu.free('mm', mm.address);
}

/** mmgrab_lazy_tlb: a task without an mm borrows this one. No reference where lazy CPUs are made to leave before it goes. */
export function* mmgrabLazyTlb(cpu: Cpu, mm: Mm): Steps<void> {
  if (cpu.kernel.backend.cleanupLazyTlbs === null) yield* mmgrab(cpu, mm);
}

/** mmdrop_lazy_tlb: it borrows it no more. */
export function* mmdropLazyTlb(cpu: Cpu, mm: Mm): Steps<void> {
  if (cpu.kernel.backend.cleanupLazyTlbs === null) yield* mmdrop(cpu, mm);
}
