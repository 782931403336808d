/**
 * switch_mm, in and out of lazy mode, and leaving an mm everywhere (arch/arm64/include/asm/mmu_context.h, kernel/process.c).
 *
 *     switch_mm                        __switch_to
 *     prev == next: nothing            DSB ISH: TLBIs that the task has issued are done before it can run, and wait, elsewhere
 *     ASID (context.c)
 *     TTBR1 (ASID), TTBR0, ISB
 *
 * A CPU is in no mask: TLBIs are broadcast to all. A lazy one keeps TTBR0 and may walk on, and its ASID with it, so it misses nothing.
 *
 * Left out: SW PAN, which takes user mappings away from the kernel between its accesses to them and so only narrows what may be
 * walked; CnP, by which CPUs share what they hold: it needs TLBs of more than one CPU.
 */
import {
  type Address,
  type Cpu,
  Mm,
  onEachCpuCondMask,
  powerOfTwo,
  RESERVED_ASID,
  type Steps,
  thisRq,
} from '@mmu-gather/core/stepped';
import { noteActiveCpu } from './active-cpu.ts';
import { arm64Of, thisCpuAsid } from './asid-state.ts';
import { dsbIsh, dsbIshst } from './barriers.ts';
import { checkContext } from './context.ts';

/** Id of {@link leaveMmFunc} among the backend's handlers. */
export const LEAVE_MM_FUNC: number = 0;

/** cpu_set_reserved_ttbr0: a table without entries. */
function setReservedTtbr0(cpu: Cpu): Steps<void> {
  return cpu.loadContext(0, RESERVED_ASID, true);
}

/** This CPU is on record with the mm's ASID, and in its active_cpu: after the ASID, for whoever gives a new one forgets who has noted himself. */
function* announce(cpu: Cpu, mm: Mm): Steps<number> {
  if (arm64Of(cpu).switches.localFlush === 'reset-late') {
    yield* noteActiveCpu(cpu, mm);
    return yield* checkContext(cpu, mm);
  }
  const asid = yield* checkContext(cpu, mm);
  yield* noteActiveCpu(cpu, mm);
  // Pairs with the DSB ISHST before a flush reads the ASID (flush.ts).
  if (arm64Of(cpu).switches.asidBarrier) yield* dsbIshst(cpu);
  return asid;
}

/**
 * switch_mm: loads `next`. Interrupts off. The table changes after the CPU is on record with the ASID: in between it still walks that of
 * before, under the ASID of before.
 */
export function* switchMm(cpu: Cpu, next: Mm): Steps<void> {
  const { initMm } = arm64Of(cpu);
  const { loadedMm } = thisCpuAsid(cpu);
  if (cpu.read(loadedMm) === next.address) return;
  if (next.address === initMm) {
    yield* setReservedTtbr0(cpu);
  } else {
    const asid = yield* announce(cpu, next);
    yield* cpu.loadContext(cpu.read(next.pgd), asid, true);
  }
  cpu.write(loadedMm, next.address);
}

/** enter_lazy_tlb: nothing changes. TTBR0 still leads to the mm, and TLBIs reach this CPU as before. */
export function* enterLazyTlb(_cpu: Cpu, _mm: Mm): Steps<void> {}

/** The DSB ISH of __switch_to. Pairs with the TLBI of arch_tlbbatch_add_pending, whose task may be waiting for it on another CPU. */
export function* switchTo(cpu: Cpu): Steps<void> {
  if (arm64Of(cpu).switches.switchToBarrier) yield* dsbIsh(cpu);
}

/** Leaves the mm at an address if it is loaded. Interrupts off. */
export function* leaveMmFunc(cpu: Cpu, argument: Address): Steps<void> {
  const { initMm, switches } = arm64Of(cpu);
  if (cpu.read(thisCpuAsid(cpu).loadedMm) !== argument) return;
  if (!switches.leaveReachesLazy && cpu.read(thisRq(cpu).mm) === 0) return;
  yield* switchMm(cpu, Mm.at(initMm));
}

/**
 * See core's `Backend.leaveMmEverywhere`. Nobody knows who has the mm loaded, so every CPU is interrupted. What stays under its ASID
 * answers nobody: the next owner of that ASID comes after a rollover, and each CPU flushes itself before it runs it.
 */
export function leaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void> {
  const { leaveWaits } = arm64Of(cpu).switches;
  const everyCpu = powerOfTwo(cpu.kernel.cpus) - 1;
  return onEachCpuCondMask(cpu, everyCpu, null, LEAVE_MM_FUNC, mm.address, leaveWaits);
}
