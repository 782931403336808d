/**
 * Contention: which operations overlap in time with others on their address space.
 *
 * A recording tells when a call begins and ends, and not where in between it clears entries and flushes. So where two overlap,
 * either may find the other's gather open (then it flushes everything), or its work done (then it flushes nothing).
 *
 *     task 1    |---- madvise: 2 pages ----|
 *     task 2            |---- munmap: 5 pages ----|
 *     flushes   2 or everything or nothing;  5 or everything or nothing
 */
import type { Operation } from '../schedule/action.ts';

/** Where an address space's flushes were changed from outside. */
export class Contention {
  readonly #bySpace = new Map<number, Operation[]>();
  readonly #spaces = new Map<number, number>();
  /** Times of which the recorder lost events. */
  #gaps: { readonly time: number; readonly until: number }[] = [];

  /** An operation changes entries of an address space. */
  note(operation: Operation, space: number): void {
    if (this.#spaces.get(operation.id) === space) return;
    this.#spaces.set(operation.id, space);
    const there = this.#bySpace.get(space);
    if (there === undefined) this.#bySpace.set(space, [operation]);
    else there.push(operation);
  }

  /** Events between two times were lost: what overlaps with them may overlap with an operation that nobody saw. */
  lost(time: number, until: number): void {
    this.#gaps.push({ time, until });
  }

  /** Does another task's operation overlap with it, or may one do? */
  overlaps(operation: Operation): boolean {
    const space = this.#spaces.get(operation.id);
    if (space === undefined) return false;
    if (this.#gaps.some(({ time, until }) => time <= operation.until && until >= operation.time)) return true;
    return this.#bySpace
      .get(space)!
      .some(({ pid, time, until }) => pid !== operation.pid && time <= operation.until && until >= operation.time);
  }

  /** Operations that ended before this time are not asked for any more. */
  forget(before: number): void {
    this.#gaps = this.#gaps.filter(({ until }) => until >= before);
    for (const [space, operations] of this.#bySpace) {
      const kept = operations.filter(({ until }) => until >= before);
      for (const operation of operations) if (operation.until < before) this.#spaces.delete(operation.id);
      if (kept.length === 0) this.#bySpace.delete(space);
      else this.#bySpace.set(space, kept);
    }
  }
}
