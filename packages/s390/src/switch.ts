/**
 * switch_mm and finish_arch_post_lock_switch (asm/mmu_context.h): how a CPU attaches to an mm. flush-count.ts has the other side.
 *
 *     switch_mm, interrupts off                  finish_arch_post_lock_switch
 *       own bit in next.attach_mask                wait for next.flush_count == 0
 *       load the invalid ASCE                      own bit in mm_cpumask
 *       own bit out of prev.attach_mask            pay what is owed (__tlb_flush_mm_lazy)
 *                                                  load next's ASCE
 *
 * It runs at every switch, to the mm that is attached as well: so a debt is paid before another thread of the same mm runs on this CPU.
 *
 * enter_lazy_tlb is empty: a kernel thread keeps the ASCE, and the bit; the CPU may form entries, and is in nobody's way, except that while it is
 * attached no other CPU is alone.
 */
import { type Address, type Cpu, Mm, type Steps } from '@mmu-gather/core/stepped';
import { awaitFlushes } from './flush-count.ts';
import { INVALID_ASCE } from './isa.ts';
import { attachMask, isInitMm, mmAsce, s390Of, thisLowcore } from './state.ts';
import { tlbFlushMmLazy } from './tlb.ts';

/** Loads the invalid ASCE. Serialises. */
function loadInvalid(cpu: Cpu): Steps<void> {
  return cpu.loadContext(0, INVALID_ASCE, true);
}

/** Loads an mm's ASCE from lowcore. */
function loadUserAsce(cpu: Cpu, mm: Mm): Steps<void> {
  return cpu.loadContext(cpu.read(mm.pgd), cpu.read(mmAsce(mm)), true);
}

/** switch_mm_irqs_off. */
export function* switchMm(cpu: Cpu, next: Mm): Steps<void> {
  const { era, attachRepair, attachBit, detachBit, invalidBetween } = s390Of(cpu).switches;
  const { attached } = thisLowcore(cpu);
  const bit = 1 << cpu.id;
  const prev = cpu.read(attached);
  if (detachBit === 'before-load') yield* detach(cpu, prev, next);
  cpu.write(attached, next.address);
  if (attachBit === 'before-wait') yield* cpu.atomicOr(attachMask(next), bit);
  if (era === 'E2' || attachRepair === 'mask-twice') yield* cpu.atomicOr(next.cpumask, bit);
  if (invalidBetween) yield* loadInvalid(cpu);
  if (detachBit === 'after-load') yield* detach(cpu, prev, next);
}

/** Own bit out of the attach_mask of the mm of before. */
function* detach(cpu: Cpu, prev: Address, next: Mm): Steps<void> {
  if (prev !== next.address) yield* cpu.atomicAndNot(attachMask(Mm.at(prev)), 1 << cpu.id);
}

/** finish_arch_post_lock_switch. Interrupts are on. */
export function* finishArchPostLockSwitch(cpu: Cpu, mm: Mm): Steps<void> {
  const { era, attachBit, attachPays, attachRepair } = s390Of(cpu).switches;
  yield* awaitFlushes(cpu, mm);
  if (attachBit === 'after-wait') yield* cpu.atomicOr(attachMask(mm), 1 << cpu.id);
  if (era !== 'E2') yield* cpu.atomicOr(mm.cpumask, 1 << cpu.id);
  if (attachRepair === 'wait-twice') {
    yield* cpu.smpMbAfterAtomic();
    yield* awaitFlushes(cpu, mm);
  }
  if (attachPays) yield* tlbFlushMmLazy(cpu, mm);
  if (!isInitMm(cpu, mm)) yield* loadUserAsce(cpu, mm);
}

/** activate_mm of exec: nobody flushes a new mm, so there is nothing to wait for. */
export function* activateMm(cpu: Cpu, next: Mm): Steps<void> {
  yield* switchMm(cpu, next);
  yield* cpu.atomicOr(next.cpumask, 1 << cpu.id);
  yield* loadUserAsce(cpu, next);
}

/** enter_lazy_tlb: nothing. */
export function* enterLazyTlb(_cpu: Cpu, _mm: Mm): Steps<void> {}
