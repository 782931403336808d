/**
 * Leaving an mm everywhere: every CPU that may still have a dead mm loaded switches to init_mm, so that its tables can be freed
 * without a flush (J. Fitzhardinge, March 2009; drop_other_mm_ref of Xen did this before it unpinned an mm).
 *
 *     CPU 0 (exit_mmap, mm_users is 0)        CPU 1 (lazy)
 *     read mm_cpumask: whoever has the mm
 *     loaded is in it
 *     IPI, leave itself, wait                 loads init_mm: no walk starts at the mm's tables any more
 *
 * Nobody loads it again: that takes a task with the mm. Entries stay in its ASID slot on each CPU. They answer nobody: the
 * slot is the mm's until another mm takes it, with a flush, and no later mm has its ctx_id.
 */
import { type Address, type Cpu, type Mm, onEachCpuCondMask, type Steps } from '@mmu-gather/core/stepped';
import { tlbIsNotLazy } from './flush-multi.ts';
import { switchMmIrqsOff } from './switch.ts';
import { thisCpuTlbstate, x86Of } from './tlbstate.ts';

/** Id of {@link leaveMmFunc} among the backend's handlers. */
export const LEAVE_MM_FUNC: number = 2;

/** Leaves the mm at an address if it is loaded. Interrupts off. */
export function* leaveMmFunc(cpu: Cpu, argument: Address): Steps<void> {
  const state = thisCpuTlbstate(cpu);
  if (cpu.read(state.loadedMm) !== argument) return;
  cpu.claim.that(cpu.read(state.isLazy) !== 0, 'O16', 'an mm that is in use is left everywhere');
  yield* switchMmIrqsOff(cpu, x86Of(cpu).initMm);
}

/** See core's `Backend.leaveMmEverywhere`. */
export function* leaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void> {
  const { switches } = x86Of(cpu);
  const mask = yield* cpu.readOnce(mm.cpumask);
  const condition = switches.leaveReachesLazy ? null : tlbIsNotLazy;
  yield* onEachCpuCondMask(cpu, mask, condition, LEAVE_MM_FUNC, mm.address, switches.waitForIpis);
}
