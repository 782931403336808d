/**
 * H_RPT_INVALIDATE: a guest that may not use tlbie (GTSE=0) asks the hypervisor, which flushes everywhere and returns when that is done
 * (pseries_rpt_invalidate). Only flushes of other CPUs go this way; this CPU alone is flushed with tlbiel as ever.
 *
 * The page sizes of a range are named; here they are its levels. Of the page walk cache always the whole PID goes.
 */
import { ALL, type Cpu, type Extent, NOTHING, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { RADIX_KERNEL_PID } from './isa.ts';
import { radixOf } from './state.ts';
import { ptesync } from './tlbie.ts';

/** Opcode of H_RPT_INVALIDATE in hcall_entry and hcall_exit, which show nothing else. */
export const H_RPT_INVALIDATE: number = 0x448;
/** H_RPTI_TYPE_TLB. */
export const H_RPTI_TYPE_TLB: number = 2;
/** H_RPTI_TYPE_PWC. */
export const H_RPTI_TYPE_PWC: number = 4;
/** H_RPTI_TYPE_PRT: what is cached of the process table. */
export const H_RPTI_TYPE_PRT: number = 8;

/** All three. */
export const H_RPTI_TYPE_ALL: number = H_RPTI_TYPE_TLB | H_RPTI_TYPE_PWC | H_RPTI_TYPE_PRT;

/**
 * pseries_rpt_invalidate.
 * @param type H_RPTI_TYPE_* bits
 * @param levels levels of leaves in the range; all if empty
 */
export function* rptInvalidate(
  cpu: Cpu,
  pid: number,
  type: number,
  range: Extent = ALL,
  levels: readonly number[] = [],
): Steps<void> {
  const { tlbsync, kernelTlbsync } = radixOf(cpu).switches;
  const kernel = pid === RADIX_KERNEL_PID;
  const walks = (type & H_RPTI_TYPE_PWC) !== 0 ? ALL : NOTHING;
  const roots = (type & H_RPTI_TYPE_PRT) !== 0;
  const scope: Scope = { asid: pid, leaves: range, walks, globals: kernel, broadcast: true, roots };
  cpu.trace('hcall_entry', H_RPT_INVALIDATE);
  yield* ptesync(cpu);
  if (levels.length === 0) yield* cpu.invalidate(scope);
  for (const level of levels) yield* cpu.invalidate({ ...scope, level });
  if (kernel ? kernelTlbsync : tlbsync) yield* cpu.invalidationBarrier();
  cpu.trace('hcall_exit', H_RPT_INVALIDATE, 0);
}
