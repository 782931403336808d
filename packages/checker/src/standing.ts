/**
 * Standing: what a CPU is at between two steps, for people who look at one state.
 */
import type { Cell } from '@mmu-gather/core/stepped';

/** What a CPU is at between two steps. */
export interface Standing {
  /** Where its next instruction is. */
  readonly mode: 'user' | 'kernel' | 'interrupt';
  /** Whether it takes no interrupts. */
  readonly interruptsOff: boolean;
  /** Interrupts that wait for it. */
  readonly queued: number;
  /** Stores in its buffer, the oldest first. */
  readonly buffered: readonly (readonly [cell: Cell, value: number])[];
  /** Its next step, as text; undefined if its code has returned. */
  readonly next: string | undefined;
}
