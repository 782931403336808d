/**
 * Errata of CPUs whose TLBIs must be repeated (ARM64_WORKAROUND_REPEAT_TLBI: Cortex-A76 1286807 and others; 4118414, which most recent cores have):
 * behind TLBI and DSB accesses through what was dropped may still be under way elsewhere. They are over behind one more TLBI, of anything, and DSB:
 *
 *     TLBI                    issued
 *     DSB ISH                 waited: not over everywhere
 *     TLBI                    repeated
 *     DSB ISH                 over
 *
 * On a machine that has them the first DSB waits for no TLBI here: the worst that can come of them. It is what hardware does, so nobody else looks at
 * the word of its CPU.
 */
import type { Cpu, Scope, Steps } from '@mmu-gather/core/stepped';
import { arm64Of, thisCpuAsid } from './asid-state.ts';

/** What this CPU has issued since a DSB was worth something: nothing, */
const SETTLED = 0;
/** TLBIs, */
const ISSUED = 1;
/** TLBIs, and a DSB, */
const WAITED = 2;
/** and again a TLBI. */
const REPEATED = 3;

/** A TLBI is issued. @returns it */
export function issued(cpu: Cpu, scope: Scope): Scope {
  if (scope.broadcast && arm64Of(cpu).switches.repeatTlbi !== 'none') {
    const { tlbis } = thisCpuAsid(cpu);
    cpu.write(tlbis, cpu.read(tlbis) === WAITED ? REPEATED : ISSUED);
  }
  return scope;
}

/** DSB ISH: waits for the TLBIs that this CPU has broadcast, if it is worth something. Earlier accesses of this CPU are over in any case. */
export function waitForTlbis(cpu: Cpu): Steps<void> {
  const { tlbis } = thisCpuAsid(cpu);
  const state = arm64Of(cpu).switches.repeatTlbi === 'none' ? SETTLED : cpu.read(tlbis);
  if (state === ISSUED) cpu.write(tlbis, WAITED);
  else if (state === REPEATED) cpu.write(tlbis, SETTLED);
  return state === ISSUED || state === WAITED ? cpu.smpMb() : cpu.invalidationBarrier();
}
