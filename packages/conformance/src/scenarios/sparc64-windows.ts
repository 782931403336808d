/**
 * Register windows: when they overflow, a trap stores them to the user's stack, at trap level 1 with PSTATE.IE = 0, so that cross calls wait
 * (the spill traps, arch/sparc/kernel/winfixup.S). What the CPU does by itself is here, what senders do is in sparc's cross-call.ts.
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
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import {
  demapVaddr,
  INTERRUPTS_HELD,
  INTERRUPTS_TAKEN,
  MONDO_HELD,
  sparc64Of,
  thisCpuState,
} from '@mmu-gather/sparc/stepped';

/** A window spill: one store to user memory while mondos are held. From user mode, on a machine with the switch windowTraps. */
export function* spillWindow(cpu: Cpu, address: number, value: number): Steps<void> {
  const { trap } = thisCpuState(cpu);
  yield* cpu.xchg(trap, INTERRUPTS_HELD);
  // Interrupts with a priority level wait, too.
  yield* cpu.localIrqDisable();
  yield* cpu.userWrite(address, value);
  yield* leaveTrap(cpu);
  yield* cpu.localIrqEnable();
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
