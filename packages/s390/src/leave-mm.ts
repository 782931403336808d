/**
 * Leaving an mm everywhere: no s390 kernel does it; it is here for teardowns without a flush (core's fullmm.ts, F2). Each CPU that has the mm
 * attached, this one and lazy ones included, loads the invalid ASCE.
 */
import { type Address, type Cpu, Mm, onEachCpuCondMask, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { attachMask, s390Of, thisLowcore } from './state.ts';
import { switchMm } from './switch.ts';

/** Id of {@link leaveMmFunc} among the backend's handlers. */
export const LEAVE_MM_FUNC: number = 0;

/** Leaves the mm at an address if it is attached. Interrupts off. */
export function* leaveMmFunc(cpu: Cpu, argument: Address): Steps<void> {
  if (cpu.read(thisLowcore(cpu).attached) !== argument) return;
  if (!s390Of(cpu).switches.leaveReachesLazy && cpu.read(thisRq(cpu).mm) === 0) return;
  yield* switchMm(cpu, Mm.at(cpu.kernel.initMm));
}

/** See core's `Backend.leaveMmEverywhere`. What CPUs that left hold under the ASCE is purged before the ASCE is another mm's. */
export function* leaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void> {
  const mask = yield* cpu.readOnce(attachMask(mm));
  yield* onEachCpuCondMask(cpu, mask, null, LEAVE_MM_FUNC, mm.address, s390Of(cpu).switches.leaveWaits);
}
