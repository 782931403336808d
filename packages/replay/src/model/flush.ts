/**
 * A flush as the recording shows it, or as the running code made it.
 */

/** One tlb_flush event, or what an architecture's recordings have in its place (arch/), recorded or predicted. */
export interface Flush {
  readonly time: number;
  readonly cpu: number;
  readonly reason: number;
  readonly pages: number;
  /** Addresses and operands, where they are recorded. */
  readonly where?: string | undefined;
  /** Before the workload proper began. */
  readonly early: boolean;
}

/** Stands for a reason in a ledger of interrupts, whose pages are the CPU that is asked. */
export const INTERRUPT: number = -1;
