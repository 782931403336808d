/**
 * flush_tlb_kernel_range: kernel addresses on every CPU, whatever it runs (arch/x86/mm/tlb.c).
 *
 * Kernel entries are global: they stand in no mm's generations, no CPU compares anything before it uses them, and a lazy CPU uses
 * them like any other. So every CPU is interrupted, and nothing is traced. Few pages are dropped one by one (INVLPG drops global
 * entries, too); beyond the ceiling everything goes, users' entries included.
 */
import {
  type Address,
  ALL,
  type Cpu,
  onEachCpuCondMask,
  pageSize,
  powerOfTwo,
  type Steps,
} from '@mmu-gather/core/stepped';
import { FlushTlbInfo, getFlushTlbInfo, TLB_GENERATION_INVALID } from './flush-tlb-info.ts';
import { hasGlobalAsids } from './global-asid.ts';
import { invlpg, invlpgbGlobal, invpcidAll, movCr3 } from './isa.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { thisCpuTlbstate, x86Of } from './tlbstate.ts';

/** Id of {@link doKernelRangeFlush} among the backend's handlers. */
export const DO_KERNEL_RANGE_FLUSH: number = 3;

/** do_kernel_range_flush, do_flush_tlb_all: one CPU's part. */
export function* doKernelRangeFlush(cpu: Cpu, argument: Address): Steps<void> {
  const info = FlushTlbInfo.at(argument);
  const { invlpgGlobals, kernelFlush } = x86Of(cpu).switches;
  const end = cpu.read(info.end);
  if (end === TLB_FLUSH_ALL && kernelFlush === 'global') {
    yield* cpu.invalidate(invpcidAll());
    return;
  }
  const asid = cpu.read(thisCpuTlbstate(cpu).loadedMmAsid);
  if (kernelFlush === 'cr3') {
    yield* cpu.invalidate(movCr3(asid));
    return;
  }
  const page = pageSize(cpu.kernel.geometry);
  for (let address = cpu.read(info.start); address < end; address += page) {
    yield* cpu.invalidate({ ...invlpg(asid, address), globals: invlpgGlobals });
  }
}

/** flush_tlb_kernel_range; see core's `Backend.flushTlbKernelRange`. */
export function* flushTlbKernelRange(cpu: Cpu, start: number, end: number): Steps<void> {
  const { cpus, geometry } = cpu.kernel;
  const info = getFlushTlbInfo(cpu, 0, start, end, geometry.pageShift, false, TLB_GENERATION_INVALID);
  if (hasGlobalAsids(cpu)) {
    yield* cpu.invalidate(invlpgbGlobal(cpu.read(info.end) === TLB_FLUSH_ALL ? ALL : { start, end }));
    if (x86Of(cpu).switches.tlbsync) yield* cpu.invalidationBarrier();
    return;
  }
  const everyCpu = powerOfTwo(cpus) - 1;
  yield* onEachCpuCondMask(cpu, everyCpu, null, DO_KERNEL_RANGE_FLUSH, info.address, x86Of(cpu).switches.waitForIpis);
}
