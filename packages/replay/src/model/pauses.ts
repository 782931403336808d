/**
 * Pauses: who unmaps lets go of a table's lock where another task waits for its CPU, and goes on behind. What was unmapped until then is counted then
 * (rss_stat), and flushed if a page of a shared file was written to; the hash MMU flushes in any case.
 *
 *     munmap of 12 pages             rss_stat, need-resched: 11 pages less      flush
 *                                    rss_stat: 1 page less                      flush
 */

/** Counts what a call unmaps. */
export class Pauses {
  readonly #after: readonly number[];
  #unmapped = 0;
  #next = 0;

  /** @param after how many pages it unmaps before it pauses; in order */
  constructor(after: readonly number[]) {
    this.#after = after;
  }

  /** Another page is about to be unmapped. @returns whether it pauses before */
  due(): boolean {
    if (this.#after[this.#next] === this.#unmapped) {
      this.#next++;
      return true;
    }
    this.#unmapped++;
    return false;
  }
}
