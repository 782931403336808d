/**
 * The tracepoint tlb:tlb_flush (include/trace/events/tlb.h): `cpu.trace('tlb_flush', reason, pages)`.
 */

/** A context load in switch_mm: 0 pages if its slot was clean. */
export const TLB_FLUSH_ON_TASK_SWITCH: number = 0;
/** A CPU flushed for another one. */
export const TLB_REMOTE_SHOOTDOWN: number = 1;
/** The initiator flushed without an mm (reclaim's batches). */
export const TLB_LOCAL_SHOOTDOWN: number = 2;
/** The initiator flushed its mm. */
export const TLB_LOCAL_MM_SHOOTDOWN: number = 3;
/** The initiator is about to interrupt others; traced even if none turns out to be a target. */
export const TLB_REMOTE_SEND_IPI: number = 4;
/** A CPU was asked to flush an mm that it does not run, and left its mask (6.13 on). */
export const TLB_REMOTE_WRONG_CPU: number = 5;

/** All pages; also the end of a range that covers everything, and TLB_FLUSH_ALL in traces. */
export const TLB_FLUSH_ALL: number = -1;
