/**
 * Register windows: when they overflow, a trap handler stores them to the user's stack, at trap level 1 with PSTATE.IE = 0, so that cross
 * calls wait (arch/sparc/kernel/winfixup.S and the spill and fill traps).
 *
 *     CPU 0 (flushes one page of the stack)       CPU 1 (spill)
 *                                                 trap: mondos are held
 *     clears the entry, cleans the TSB
 *     mondo: accepted, not taken
 *     drops the PTL, frees or copies the page     stores through the old entry
 *                                                 trap ends: mondo is taken
 *
 * D-S3: the flush of a single page waits until its mondo is accepted (f36391d2790d), not until it was taken (`singlePage`). A batch is a
 * call that is waited for, and comes in after the trap.
 */
import { type Cpu, type Steps } from '@mmu-gather/core/stepped';
import { demapVaddr } from './cross-call.ts';
import { INTERRUPTS_HELD, INTERRUPTS_TAKEN, MONDO_HELD, sparc64Of, thisCpuState } from './state.ts';

/**
 * A window spill: one store to user memory while mondos are held. From user mode, on a machine with the switch windowTraps.
 * @returns what the store returns: 0, or FAULT
 */
export function* spillWindow(cpu: Cpu, address: number, value: number): Steps<number> {
  const { trap } = thisCpuState(cpu);
  yield* cpu.xchg(trap, INTERRUPTS_HELD);
  // Interrupts with a priority level wait, too.
  yield* cpu.localIrqDisable();
  const result = yield* cpu.userWrite(address, value);
  yield* leaveTrap(cpu);
  yield* cpu.localIrqEnable();
  return result;
}

/** The end of the trap: a mondo that waits is taken first. */
function* leaveTrap(cpu: Cpu): Steps<void> {
  const { trap } = thisCpuState(cpu);
  const seen = yield* cpu.cmpxchg(trap, INTERRUPTS_HELD, INTERRUPTS_TAKEN);
  if (seen < MONDO_HELD) return;
  const call = sparc64Of(cpu).cpuStates[seen - MONDO_HELD]!;
  const ctx = yield* cpu.readOnce(call.callCtx);
  const start = yield* cpu.readOnce(call.callStart);
  yield* cpu.invalidate(demapVaddr(cpu, ctx, start, yield* cpu.readOnce(call.callBytes)));
  yield* cpu.xchg(trap, INTERRUPTS_TAKEN);
}
