/**
 * Made events: what `record` lets the kernel write besides its own events, where it can (event probes, 5.15 on).
 *
 *     sys_enter_process_madvise(vec) ── process_madvise_ranges: s0=... l0=... s1=... l1=...
 */

/** The event with the ranges of a process_madvise. */
export const RANGES_EVENT: string = 'process_madvise_ranges';
/** How many ranges it shows. */
export const RANGES: number = 8;
