/**
 * Merges the records of all CPUs by time; of equal times the first CPU's comes first, as the kernel prints them.
 */
import type { Records } from './records.ts';

/** A heap of CPUs: the first one has the earliest record. */
export class Merge {
  readonly #heap: Records[] = [];

  constructor(cpus: readonly Records[]) {
    for (const records of cpus) {
      if (!records.next()) continue;
      this.#heap.push(records);
      this.#up(this.#heap.length - 1);
    }
  }

  /** The CPU whose record is the earliest; null if no CPU has any more. */
  get first(): Records | null {
    return this.#heap[0] ?? null;
  }

  /** Goes on behind that record. */
  next(): void {
    const heap = this.#heap;
    if (!heap[0]!.next()) {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      heap[0] = last;
    }
    this.#down();
  }

  #up(at: number): void {
    const heap = this.#heap;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at]!, heap[parent]!)) return;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let least = 2 * at + 1;
      if (least >= heap.length) return;
      if (least + 1 < heap.length && before(heap[least + 1]!, heap[least]!)) least++;
      if (!before(heap[least]!, heap[at]!)) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }
}

function before(a: Records, b: Records): boolean {
  return a.time < b.time || (a.time === b.time && a.cpu < b.cpu);
}
