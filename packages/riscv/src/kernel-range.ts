/**
 * flush_tlb_kernel_range and flush_tlb_all: kernel addresses, on every hart, whatever it runs. No ASID is named, so global entries go.
 */
import { ALL_ASIDS, type Cpu, EVERYTHING, pageSize, powerOfTwo, type Steps } from '@mmu-gather/core/stepped';
import { flushOnMask } from './remote.ts';
import { FLUSH_TLB_MAX_SIZE } from './state.ts';

/** flush_tlb_kernel_range; see core's `Backend.flushTlbKernelRange`. */
export function flushTlbKernelRange(cpu: Cpu, start: number, end: number): Steps<void> {
  const stride = pageSize(cpu.kernel.geometry);
  const size = end === EVERYTHING ? FLUSH_TLB_MAX_SIZE : end - start;
  const everyCpu = powerOfTwo(cpu.kernel.cpus) - 1;
  return flushOnMask(cpu, everyCpu, { asid: ALL_ASIDS, start, size, stride, freedTables: false });
}
