/**
 * A flush as the recording shows it, or as the running code made it.
 */

/** One tlb_flush event, recorded or predicted. */
export interface Flush {
  readonly time: number;
  readonly cpu: number;
  readonly reason: number;
  readonly pages: number;
  /** Before the workload proper began. */
  readonly early: boolean;
}

/** Stands for a reason in a ledger of interrupts, whose pages are the CPU that is asked. */
export const INTERRUPT: number = -1;
