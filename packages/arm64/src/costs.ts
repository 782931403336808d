/**
 * What flushes cost, where somebody has measured it. All depend on the machine; they set orders of magnitude.
 *
 * Shape: issuing a TLBI is cheap and pipelined, a DSB ISH waits for the slowest CPU of the domain, and the TLBIs of all CPUs share one
 * message network (DVM). How the wait grows with the number of CPUs is published nowhere that was found: a parameter.
 */

/** A measured figure and where it comes from. */
export interface Measured {
  /** The figure, in the unit that its name says. */
  readonly value: number;
  /** Who measured it, on what. */
  readonly source: string;
}

/** Nanoseconds of one flush of a page and its wait, with nothing else going on. */
export const FLUSH_AND_WAIT_NS: Measured = {
  value: 350,
  source: 'commit message of c320dbb7c80d: mprotect none -> rw takes 3.2 us with the flush and 2.85 us without',
};

/** Share of CPU time in ptep_clear_flush when single pages are paged out in a loop, with a wait for each: on 8 cores. */
export const CLEAR_FLUSH_SHARE_8_CORES: Measured = { value: 0.0536, source: 'Barry Song, 2022, Snapdragon 888' };
/** The same on a server. Deferring the wait (tlbbatch) takes most of it away. */
export const CLEAR_FLUSH_SHARE_100_CORES: Measured = { value: 0.1699, source: 'Barry Song, 2022, about 100 cores' };

/** Throughput gained by not waiting when pages are aged: reads from fast storage, lower bound. */
export const AGING_WITHOUT_WAIT_READ: Measured = { value: 0.1, source: 'NVIDIA, 2018: 10 to 15 %' };
/** The same for writes, lower bound. */
export const AGING_WITHOUT_WAIT_WRITE: Measured = { value: 0.2, source: 'NVIDIA, 2018: 20 to 40 %' };
