/**
 * switch_mm, in and out of lazy mode, and leaving an mm everywhere (arch/riscv/mm/context.c).
 *
 *     with ASIDs                                without
 *     set bit in mm_cpumask(next)               set bit in mm_cpumask(next), clear it in mm_cpumask(prev)
 *     ASID (context.ts)                         (full barrier)
 *     (full barrier)                            satp
 *     satp                                      SFENCE.VMA of ASID 0
 *     SFENCE.VMA if a rollover asks for it
 *
 * With ASIDs a hart stays in the mask of what it has run: its entries stay, too. A lazy hart keeps satp and its bit, and is flushed as before.
 *
 * Simplification: after a rollover, loading satp drops what another mm has left under the ASID. On hardware that goes with the fence behind
 * it; in between the kernel uses no user address, and speculation finds nothing new: an mm's tables are freed after a flush of every
 * hart that ever ran it.
 */
import {
  type Address,
  contextAsid,
  contextFlush,
  type Cpu,
  Mm,
  onEachCpuCondMask,
  type Steps,
  thisRq,
} from '@mmu-gather/core/stepped';
import { checkContext } from './context.ts';
import { announceAsid } from './deferred.ts';
import { localFlushTlbAll } from './flush-local.ts';
import { BOOT_ASID, riscvOf, thisHart } from './state.ts';

/** Id of {@link leaveMmFunc} among the backend's handlers. */
export const LEAVE_MM_FUNC: number = 1;

/** switch_mm: loads `next`. Interrupts off. */
export function* switchMm(cpu: Cpu, next: Mm): Steps<void> {
  const { initMm, switches } = riscvOf(cpu);
  const { loadedMm } = thisHart(cpu);
  const prev = cpu.read(loadedMm);
  if (prev === next.address) return;
  const user = next.address !== initMm;
  if (user && switches.arrival === 'mask-first') yield* cpu.atomicOr(next.cpumask, 1 << cpu.id);
  const leaves = prev !== initMm && (!switches.asidAllocator || !switches.stickyMask);
  if (leaves) yield* cpu.atomicAndNot(Mm.at(prev).cpumask, 1 << cpu.id);
  if (!user) yield* loadKernel(cpu);
  else if (switches.asidAllocator) yield* setMmAsid(cpu, next);
  else yield* loadUntagged(cpu, next);
  if (user && switches.arrival === 'satp-first') yield* cpu.atomicOr(next.cpumask, 1 << cpu.id);
  cpu.write(loadedMm, next.address);
}

/** Bit and ASID before the first walk. Pairs with the barrier before a flush reads them (flush.ts). Linux has none. */
function* announced(cpu: Cpu): Steps<void> {
  if (riscvOf(cpu).switches.arrivalFence) yield* cpu.smpMb();
}

/** set_mm_noasid. */
function* loadUntagged(cpu: Cpu, next: Mm): Steps<void> {
  yield* announced(cpu);
  yield* cpu.loadContext(cpu.read(next.pgd), BOOT_ASID, false);
}

/** set_mm_asid. */
function* setMmAsid(cpu: Cpu, next: Mm): Steps<void> {
  const { switches } = riscvOf(cpu);
  const context = yield* checkContext(cpu, next);
  const asid = contextAsid(context);
  yield* announced(cpu);
  if (switches.drain === 'before-satp') yield* announceAsid(cpu, asid);
  yield* cpu.loadContext(cpu.read(next.pgd), asid, !contextFlush(context));
  if (switches.drain === 'after-satp') yield* announceAsid(cpu, asid);
  if (contextFlush(context)) yield* localFlushTlbAll(cpu);
}

/** The kernel's own tables: no user addresses. The ASID that was announced last stays: who flushes it interrupts this hart. */
function loadKernel(cpu: Cpu): Steps<void> {
  return cpu.loadContext(0, BOOT_ASID, riscvOf(cpu).switches.asidAllocator);
}

/** enter_lazy_tlb: nothing changes. */
export function* enterLazyTlb(_cpu: Cpu, _mm: Mm): Steps<void> {}

/** Leaves the mm at an address if it is loaded. Interrupts off. */
export function* leaveMmFunc(cpu: Cpu, argument: Address): Steps<void> {
  const { initMm, switches } = riscvOf(cpu);
  if (cpu.read(thisHart(cpu).loadedMm) !== argument) return;
  if (!switches.leaveReachesLazy && cpu.read(thisRq(cpu).mm) === 0) return;
  yield* switchMm(cpu, Mm.at(initMm));
}

/** See core's `Backend.leaveMmEverywhere`. Entries stay under the mm's ASID, which is given out again after a rollover only. */
export function* leaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void> {
  const mask = yield* cpu.readOnce(mm.cpumask);
  yield* onEachCpuCondMask(cpu, mask, null, LEAVE_MM_FUNC, mm.address, riscvOf(cpu).switches.waitForIpis);
}
