/**
 * What flushes cost, where somebody has measured it, in cycles unless the name says otherwise. All depend on the machine; they set orders of
 * magnitude.
 *
 * Shape: an INVLPG costs about as much as a CR3 write, which is followed by misses; both are small beside an interrupt and its
 * acknowledgement, of which a flush of many CPUs waits for the slowest.
 */

/** A measured figure and where it comes from. */
export interface Measured {
  /** The figure, in the unit that its name says. */
  readonly value: number;
  /** Who measured it, on what. */
  readonly source: string;
}

const INGO = 'Ingo Molnar, boot microbenchmark, LKML 2015-06-08, Intel';
const HANSEN = 'Dave Hansen, RFC of 2014-02-18, kernel compile, Intel';
const GUEST = 'Linux 6.18 in a nested guest, EPYC of family 19h, 2.6 GHz';

/** One INVLPG. */
export const INVLPG: Measured = { value: 260, source: INGO };
/** One write of CR3, without the misses that follow. */
export const CR3_WRITE: Measured = { value: 96, source: INGO };
/** flush_tlb_mm_range of one page, remote part included. */
export const FLUSH_1_PAGE: Measured = { value: 1276, source: HANSEN };
/** The same of as many pages as the ceiling allows. */
export const FLUSH_33_PAGES: Measured = { value: 8534, source: HANSEN };
/** The same of everything. */
export const FLUSH_ALL: Measured = { value: 2283, source: HANSEN };
/** Share of flushes that are of one page. */
export const SHARE_1_PAGE: Measured = { value: 0.57, source: HANSEN };
/** One miss after a full flush, walks overlapping. */
export const REFILL: Measured = { value: 5, source: GUEST };
/** mprotect of a page that changes no right, with another thread running: the median. */
export const MPROTECT_NO_FLUSH: Measured = { value: 1040, source: GUEST };
/** The same with a flush on its own CPU. */
export const MPROTECT_LOCAL: Measured = { value: 5200, source: GUEST };
/** The same with a flush on the other CPU, too: nearly all of it is the interrupt. */
export const MPROTECT_REMOTE: Measured = { value: 35_500, source: GUEST };
/** Nanoseconds to deliver an interrupt: 2 sockets, 16 cores. */
export const IPI_2_SOCKETS_NS: Measured = { value: 2700, source: 'LATR (ASPLOS 2018), quoted' };
/** The same: 8 sockets, 120 cores. */
export const IPI_8_SOCKETS_NS: Measured = { value: 6600, source: 'LATR (ASPLOS 2018), quoted' };
