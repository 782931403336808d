/**
 * Leaving an mm everywhere: no sparc64 kernel does it; it is here for teardowns without a flush (core's fullmm.ts, F2). Each CPU that has the
 * mm's context loaded, this one and lazy ones included, gives up its user part.
 */
import { type Address, type Cpu, type Mm, onEachCpuCondMask, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { sparc64Of, thisCpuState } from './state.ts';
import { loadNucleus } from './switch.ts';

/** Id of {@link leaveMmFunc} among the backend's handlers. */
export const LEAVE_MM_FUNC: number = 4;

/** Leaves the mm at an address if it is loaded. Interrupts off. */
export function* leaveMmFunc(cpu: Cpu, argument: Address): Steps<void> {
  if ((yield* cpu.readOnce(thisCpuState(cpu).secondaryMm)) !== argument) return;
  cpu.claim.that(cpu.read(thisRq(cpu).mm) !== argument, 'O16', 'an mm that is in use is left everywhere');
  yield* loadNucleus(cpu);
}

/** See core's `Backend.leaveMmEverywhere`. */
export function* leaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void> {
  const mask = yield* cpu.readOnce(mm.cpumask);
  yield* onEachCpuCondMask(cpu, mask, null, LEAVE_MM_FUNC, mm.address, sparc64Of(cpu).switches.waitForIpis);
}
