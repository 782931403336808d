/**
 * Dynamic ASIDs: which slot an mm gets on this CPU (choose_new_asid in arch/x86/mm/tlb.c).
 *
 * Slots are handed out round robin (1, 2, ..., last, 0, 1, ...) and kept until the cursor comes round; a hit does not
 * refresh a slot. init_mm competes like any other mm.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { mmGlobalAsid } from './global-asid.ts';
import { ctxCtxId, ctxTlbGen, mmCtxId, thisCpuTlbstate, x86Of } from './tlbstate.ts';

/** A slot, and whether it must be flushed when it is loaded: one number, so that choosing allocates nothing. */
export type NewAsid = number;

/** The slot of a choice. */
export function newAsid(choice: NewAsid): number {
  return choice >> 1;
}
/** Whether a choice must be flushed when it is loaded (struct new_asid, need_flush). */
export function needFlush(choice: NewAsid): boolean {
  return (choice & 1) !== 0;
}
/** Makes a choice. */
export function mkNewAsid(asid: number, flush: boolean): NewAsid {
  return asid * 2 + (flush ? 1 : 0);
}

/**
 * choose_new_asid: the slot of `next` on this CPU, or one taken over from another mm. Interrupts off.
 * @param nextTlbGen generation of `next`, read after this CPU became a target of its flushes: what is flushed up to it is
 *   clean now, and whatever comes later sends an IPI
 */
export function* chooseNewAsid(cpu: Cpu, next: Mm, nextTlbGen: number): Steps<NewAsid> {
  const { pcid, dynAsids } = x86Of(cpu).switches;
  if (!pcid) return mkNewAsid(0, true);
  // What is there is kept up to date by broadcasts.
  const global = yield* mmGlobalAsid(cpu, next);
  if (global !== 0) return mkNewAsid(global, false);
  const state = thisCpuTlbstate(cpu);
  const id = cpu.read(mmCtxId(next));
  for (let asid = 0; asid < dynAsids; asid++) {
    if (cpu.read(ctxCtxId(state, asid)) === id) return mkNewAsid(asid, cpu.read(ctxTlbGen(state, asid)) < nextTlbGen);
  }
  let asid = cpu.read(state.nextAsid);
  if (asid >= dynAsids) asid = 0;
  cpu.write(state.nextAsid, asid + 1);
  return mkNewAsid(asid, true);
}
