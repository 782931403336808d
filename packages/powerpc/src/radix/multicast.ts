/**
 * Flushes by interrupt: where tlbie does not reach other CPUs, each CPU of mm_cpumask runs tlbiel for itself (radix_tlb.c:
 * _tlbiel_pid_multicast, _tlbiel_va_range_multicast). Coprocessors take no interrupts: for them a tlbie follows.
 */
import { type Address, type Cpu, type Mm, onEachCpuCondMask, powerOfTwo, type Steps } from '@mmu-gather/core/stepped';
import { RADIX_KERNEL_PID, type Ric, RIC_FLUSH_ALL } from './isa.ts';
import { mmCopros, mmPid, onlineUsers, RadixCpu, radixOf, thisRadixCpu } from './state.ts';
import { broadcastPid, broadcastVaRange, type VaRange } from './tlbie.ts';
import { localPid, localVaRange } from './tlbiel.ts';

/** Id of {@link doTlbielPid} among the backend's handlers. */
export const DO_TLBIEL_PID: number = 0;
/** Id of {@link doTlbielVaRange}. */
export const DO_TLBIEL_VA_RANGE: number = 1;

/** do_tlbiel_pid: one CPU's part. */
export function doTlbielPid(cpu: Cpu, argument: Address): Steps<void> {
  const request = RadixCpu.at(argument);
  return localPid(cpu, cpu.read(request.pid), cpu.read(request.ric) as Ric);
}

/** do_tlbiel_va_range: one CPU's part. */
export function doTlbielVaRange(cpu: Cpu, argument: Address): Steps<void> {
  const request = RadixCpu.at(argument);
  return localVaRange(cpu, {
    pid: cpu.read(request.pid),
    start: cpu.read(request.start),
    end: cpu.read(request.end),
    level: cpu.read(request.level),
    alsoPwc: cpu.read(request.alsoPwc) !== 0,
  });
}

/** on_each_cpu_mask of a mask that is read now. */
function* onEachUser(cpu: Cpu, mm: Mm, handler: number): Steps<void> {
  const { ownPart, waitForIpis } = radixOf(cpu).switches;
  const mask = (yield* onlineUsers(cpu, mm)) & ~(ownPart ? 0 : 1 << cpu.id);
  yield* onEachCpuCondMask(cpu, mask, null, handler, thisRadixCpu(cpu).address, waitForIpis);
}

/** _tlbiel_pid_multicast. */
export function* multicastPid(cpu: Cpu, mm: Mm, ric: Ric): Steps<void> {
  const request = thisRadixCpu(cpu);
  const pid = cpu.read(mmPid(mm));
  cpu.write(request.pid, pid);
  cpu.write(request.ric, ric);
  yield* onEachUser(cpu, mm, DO_TLBIEL_PID);
  if (yield* hasCopros(cpu, mm)) yield* broadcastPid(cpu, pid, RIC_FLUSH_ALL);
}

/** _tlbiel_va_range_multicast; also of one page. */
export function* multicastVaRange(cpu: Cpu, mm: Mm, range: VaRange): Steps<void> {
  const request = thisRadixCpu(cpu);
  cpu.write(request.pid, range.pid);
  cpu.write(request.start, range.start);
  cpu.write(request.end, range.end);
  cpu.write(request.level, range.level);
  cpu.write(request.alsoPwc, range.alsoPwc ? 1 : 0);
  yield* onEachUser(cpu, mm, DO_TLBIEL_VA_RANGE);
  if (yield* hasCopros(cpu, mm)) yield* broadcastVaRange(cpu, range);
}

/** Id of {@link doTlbielKernel} among the backend's handlers. */
export const DO_TLBIEL_KERNEL: number = 6;

/** do_tlbiel_kernel: one CPU's part. */
export function doTlbielKernel(cpu: Cpu, _argument: Address): Steps<void> {
  return localPid(cpu, RADIX_KERNEL_PID, RIC_FLUSH_ALL);
}

/** The kernel's own addresses, on every CPU. Linux lets a tlbie follow where it would work (disable_tlbie), for coprocessors: not modelled. */
export function* multicastKernel(cpu: Cpu): Steps<void> {
  const { waitForIpis, kernelTlbsync } = radixOf(cpu).switches;
  const everyCpu = powerOfTwo(cpu.kernel.cpus) - 1;
  yield* onEachCpuCondMask(cpu, everyCpu, null, DO_TLBIEL_KERNEL, 0, waitForIpis && kernelTlbsync);
}

/** Do coprocessors use the mm? */
export function* hasCopros(cpu: Cpu, mm: Mm): Steps<boolean> {
  return radixOf(cpu).switches.countCopros && (yield* cpu.readOnce(mmCopros(mm))) > 0;
}

/** Id of {@link doSerialize} among the backend's handlers. */
export const DO_SERIALIZE: number = 5;

/** do_serialize: nothing. That it ran says that the CPU had interrupts on. */
export function* doSerialize(_cpu: Cpu, _argument: Address): Steps<void> {}

/**
 * serialize_against_pte_lookup: an interrupt of every other CPU of the mm, waited for. A flush that is a broadcast interrupts nobody, so it does not
 * wait for walkers with interrupts off.
 *
 *     CPU 0 (collapse)                         CPU 1 (switch_mm_irqs_off, then GUP-fast)
 *     clear the upper entry                    set bit in mm_cpumask
 *     smp_mb                                   smp_mb
 *     read mm_cpumask: whom to interrupt       interrupts off: read the upper entry
 *     // CPU 0 waits for CPU 1, or CPU 1 finds no table
 */
export function* serializeAgainstPteLookup(cpu: Cpu, mm: Mm): Steps<void> {
  // Pairs with smp_mb in switch_mm_irqs_off.
  yield* cpu.smpMb();
  const others = (yield* onlineUsers(cpu, mm)) & ~(1 << cpu.id);
  yield* onEachCpuCondMask(cpu, others, null, DO_SERIALIZE, mm.address);
}
