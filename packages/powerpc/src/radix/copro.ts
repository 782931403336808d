/**
 * Coprocessors (nest MMU: NX, CAPI): they walk an mm's tables on their own, take no interrupts, and hear tlbie alone
 * (mm_context_add_copro, mm_context_remove_copro in asm/mmu_context.h).
 *
 *     attach     active_cpus + 1 with the first one: from here every flush is global
 *     detach     flush, then copros - 1, then active_cpus - 1: once it is not counted nobody would flush it any more
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { radixFlushAllMm } from './flush.ts';
import { mmActiveCpus, mmCopros } from './state.ts';
import { radixOf } from './state.ts';

/** mm_context_add_copro. */
export function* mmContextAddCopro(cpu: Cpu, mm: Mm): Steps<void> {
  if ((yield* cpu.atomicAddReturn(mmCopros(mm), 1)) === 1) yield* cpu.atomicAdd(mmActiveCpus(mm), 1);
}

/** mm_context_remove_copro: the coprocessor has been told to stop. */
export function* mmContextRemoveCopro(cpu: Cpu, mm: Mm): Steps<void> {
  const { coproFlush } = radixOf(cpu).switches;
  if (coproFlush === 'before-detach') yield* radixFlushAllMm(cpu, mm, false);
  const left = yield* cpu.atomicAddReturn(mmCopros(mm), -1);
  cpu.claim.that(left >= 0, 'O16', 'a coprocessor is detached that was not attached');
  if (left === 0) yield* cpu.atomicAdd(mmActiveCpus(mm), -1);
  if (coproFlush === 'after-detach') yield* radixFlushAllMm(cpu, mm, false);
}
