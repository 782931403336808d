/**
 * switch_mm: from whatever is loaded to another mm, and in and out of lazy mode (arch/x86/mm/tlb.c).
 *
 * A CPU becomes a target of the mm's flushes first and reads the generation then; a flusher makes the generation first and
 * looks for targets then. One of the two sees the other, and nobody has to lock:
 *
 *     CPU 0 (flush_tlb_mm_range)                    CPU 1 (switch_mm_irqs_off)
 *     write page tables                             loadedMm = SWITCHING
 *     inc mm.tlbGen              (LOCK)             set bit in mm_cpumask  (LOCK, or smp_mb if it is set)
 *     read mm_cpumask, then loadedMm, isLazy        read mm.tlbGen
 *     a target is interrupted                       slot older than that? load CR3 and flush
 *
 * Interrupts are off throughout, so an IPI sent in this window is handled after loadedMm = next. CR3 loads serialise:
 * no page walk on the new mm runs before the generation was read.
 */
import { type Cpu, Mm, type Steps } from '@mmu-gather/core/stepped';
import { chooseNewAsid, mkNewAsid, type NewAsid, needFlush, newAsid } from './asid.ts';
import { hasGlobalAsids, isGlobalAsid, mmNeedsGlobalAsid } from './global-asid.ts';
import { userTag } from './pti.ts';
import { TLB_FLUSH_ALL, TLB_FLUSH_ON_TASK_SWITCH } from './reason.ts';
import {
  type CpuTlbstate,
  ctxCtxId,
  ctxTlbGen,
  LOADED_MM_SWITCHING,
  mmCtxId,
  thisCpuTlbstate,
  x86Of,
} from './tlbstate.ts';

/**
 * switch_mm_irqs_off: loads `next`. Interrupts off. When it returns, nothing that this CPU can reach through `next` is older
 * than the generation it read, and flushes of later generations interrupt this CPU.
 */
export function* switchMmIrqsOff(cpu: Cpu, next: Mm): Steps<void> {
  cpu.claim.irqsOff();
  const { switches, initMm } = x86Of(cpu);
  const state = thisCpuTlbstate(cpu);
  const prev = cpu.read(state.loadedMm);
  const prevAsid = cpu.read(state.loadedMmAsid);
  const wasLazy = cpu.read(state.isLazy) !== 0;
  if (wasLazy) yield* cpu.writeOnce(state.isLazy, 0);

  let nextTlbGen: number;
  let choice: NewAsid;
  if (prev === next.address) {
    claimLoadedSlot(cpu, state, prevAsid, next);
    if (yield* mmNeedsGlobalAsid(cpu, next, prevAsid)) {
      nextTlbGen = yield* cpu.readOnce(next.tlbGen);
      yield* loadSlot(cpu, next, yield* chooseNewAsid(cpu, next, nextTlbGen), nextTlbGen);
      return;
    }
    if (!wasLazy || !switches.lazyExitCheck || isGlobalAsid(cpu, prevAsid)) return;
    // isLazy = 0 before the generation is read. Pairs with LOCK inc before the read of isLazy in should_flush_tlb.
    yield* cpu.smpMb();
    nextTlbGen = yield* cpu.readOnce(next.tlbGen);
    if (cpu.read(ctxTlbGen(state, prevAsid)) === nextTlbGen) return;
    choice = mkNewAsid(prevAsid, true);
  } else {
    if (switches.switchingMark === 'before-generation') yield* cpu.writeOnce(state.loadedMm, LOADED_MM_SWITCHING);
    if (switches.clearPrevBit && prev !== initMm.address) yield* cpu.atomicAndNot(Mm.at(prev).cpumask, 1 << cpu.id);
    yield* startRemoteFlushes(cpu, next);
    nextTlbGen = yield* cpu.readOnce(next.tlbGen);
    choice = yield* chooseNewAsid(cpu, next, nextTlbGen);
    if (switches.switchingMark === 'after-choice') yield* cpu.writeOnce(state.loadedMm, LOADED_MM_SWITCHING);
  }
  yield* loadSlot(cpu, next, choice, nextTlbGen);
}

/** Loads CR3 with a slot, and says so. */
function* loadSlot(cpu: Cpu, next: Mm, choice: NewAsid, nextTlbGen: number): Steps<void> {
  const { switches } = x86Of(cpu);
  const state = thisCpuTlbstate(cpu);
  const asid = newAsid(choice);
  const tag = userTag(cpu, asid);
  if (needFlush(choice)) {
    const sameMm = cpu.read(ctxCtxId(state, asid)) === cpu.read(mmCtxId(next));
    // The slot is renamed before it is flushed: legal only because no flush_tlb_func can run on this CPU in between.
    cpu.write(ctxCtxId(state, asid), cpu.read(mmCtxId(next)));
    if (sameMm) raiseCtxTlbGen(cpu, state, asid, nextTlbGen);
    else cpu.write(ctxTlbGen(state, asid), nextTlbGen);
    yield* cpu.loadContext(cpu.read(next.pgd), tag, !sameMm && !switches.flushReusedSlot);
    cpu.trace('tlb_flush', TLB_FLUSH_ON_TASK_SWITCH, TLB_FLUSH_ALL);
  } else {
    yield* cpu.loadContext(cpu.read(next.pgd), tag, true);
    cpu.trace('tlb_flush', TLB_FLUSH_ON_TASK_SWITCH, 0);
  }

  if (!isGlobalAsid(cpu, asid)) cpu.claim.caughtUp(cpu.read(next.pgd), tag, cpu.read(ctxTlbGen(state, asid)));

  // After CR3: who reads `next` here may count on this CPU's being on it.
  yield* cpu.writeOnce(state.loadedMm, next.address);
  // Others read it only where ASIDs may be global.
  if (hasGlobalAsids(cpu)) yield* cpu.writeOnce(state.loadedMmAsid, asid);
  else cpu.write(state.loadedMmAsid, asid);
}

/**
 * From here flushes of `next` find this CPU: its bit in mm_cpumask, and loadedMm, are visible before the generation is read.
 * Pairs with LOCK inc of the generation before the reads of mm_cpumask and loadedMm (flush_tlb_mm_range).
 */
function* startRemoteFlushes(cpu: Cpu, next: Mm): Steps<void> {
  const { switches, initMm } = x86Of(cpu);
  const bit = 1 << cpu.id;
  // Nobody flushes init_mm by its mask. Linux has the barrier for it, too (6.16): one condition less, and nothing that it orders.
  if (next.address === initMm.address) return;
  if (switches.setOwnBit === 'always') {
    yield* cpu.atomicOr(next.cpumask, bit);
    return;
  }
  const mask = yield* cpu.readOnce(next.cpumask);
  if (switches.setOwnBit === 'unlocked') {
    yield* cpu.writeOnce(next.cpumask, mask | bit);
  } else if ((mask & bit) === 0) {
    yield* cpu.atomicOr(next.cpumask, bit);
  } else if (switches.fenceIfBitSet) {
    yield* cpu.smpMb();
  }
}

/** The slot that CR3 names is that of the loaded mm. */
export function claimLoadedSlot(cpu: Cpu, state: CpuTlbstate, asid: number, mm: Mm): void {
  cpu.claim.that(
    isGlobalAsid(cpu, asid) || cpu.read(ctxCtxId(state, asid)) === cpu.read(mmCtxId(mm)),
    'O8',
    'the loaded slot is not of the loaded mm',
  );
}

/** Raises ctxs[asid].tlb_gen: for one mm it never goes down. */
export function raiseCtxTlbGen(cpu: Cpu, state: CpuTlbstate, asid: number, gen: number): void {
  cpu.claim.that(cpu.read(ctxTlbGen(state, asid)) <= gen, 'O11', 'the generation of a slot went down');
  cpu.write(ctxTlbGen(state, asid), gen);
}

/**
 * enter_lazy_tlb: a task without an mm runs on whatever is loaded. No CR3 load, no event; the generation is compared before
 * user code runs again. Hence flushes may leave this CPU out, unless tables were freed: it may still speculate through them.
 */
export function* enterLazyTlb(cpu: Cpu, _mm: Mm): Steps<void> {
  cpu.claim.irqsOff();
  const state = thisCpuTlbstate(cpu);
  if (cpu.read(state.loadedMm) === x86Of(cpu).initMm.address) return;
  yield* cpu.writeOnce(state.isLazy, 1);
}

/** leave_mm: gives up a borrowed mm for init_mm, before an idle state that loses the TLB or before the CPU goes down. */
export function* leaveMm(cpu: Cpu): Steps<void> {
  const state = thisCpuTlbstate(cpu);
  const { initMm } = x86Of(cpu);
  if (cpu.read(state.loadedMm) === initMm.address) return;
  cpu.claim.that(cpu.read(state.isLazy) !== 0, 'O16', 'leave_mm while the mm is in use');
  yield* cpu.localIrqDisable();
  yield* switchMmIrqsOff(cpu, initMm);
  yield* cpu.localIrqEnable();
}
