/**
 * Timeline: events of some kinds over time, in bins that get wider as the recording gets longer, so that their number is limited.
 */

/** Most bins. */
const BINS = 240;

/** Counts over time. */
export class Timeline {
  /** Events of each kind, bin by bin. */
  readonly counts: readonly number[][];
  #start = Number.NaN;
  #width = 1;

  /** @param kinds number of kinds */
  constructor(kinds: number) {
    this.counts = Array.from({ length: kinds }, () => []);
  }

  /** Time of the first event; NaN before it. */
  get start(): number {
    return this.#start;
  }

  /** Ticks of a bin. */
  get width(): number {
    return this.#width;
  }

  /** An event. Times go forward, but for what was under way on several CPUs. */
  add(time: number, kind: number): void {
    if (Number.isNaN(this.#start)) this.#start = time;
    let bin = Math.max(0, Math.floor((time - this.#start) / this.#width));
    while (bin >= BINS) {
      this.#widen();
      bin = Math.floor(bin / 2);
    }
    const counts = this.counts[kind]!;
    while (counts.length <= bin) counts.push(0);
    counts[bin]!++;
  }

  #widen(): void {
    this.#width *= 2;
    for (const counts of this.counts) {
      const halves = counts.splice(0);
      for (let i = 0; i < halves.length; i += 2) counts.push(halves[i]! + (halves[i + 1] ?? 0));
    }
  }
}
