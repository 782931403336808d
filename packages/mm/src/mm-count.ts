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
  const { destroyContext } = cpu.kernel.backend;
  if (destroyContext !== null) yield* destroyContext(cpu, mm);
  yield* cpu.free('table', cpu.read(mm.pgd));
  yield* cpu.free('mm', mm.address);
}
