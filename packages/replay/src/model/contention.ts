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
import { firstFrom } from './ordered.ts';

/** Operations that change entries of one address space. */
interface Changes {
  operations: Operation[];
  /** They stand in the order in which they began, and `longest` is true of them. */
  sorted: boolean;
  /** How long the longest of them took. */
  longest: number;
}

/** Where an address space's flushes were changed from outside. */
export class Contention {
  /** By address of the mm. */
  readonly #spaces = new Map<number, Changes>();
  /** Times of which the recorder lost events. */
  #gaps: { readonly time: number; readonly until: number }[] = [];

  /** An operation changes entries of an address space. */
  note(operation: Operation, space: number): void {
    if (operation.space === space) return;
    operation.space = space;
    const there = this.#spaces.get(space);
    if (there === undefined) {
      this.#spaces.set(space, { operations: [operation], sorted: false, longest: 0 });
    } else {
      there.operations.push(operation);
      there.sorted = false;
    }
  }

  /** Events between two times were lost: what overlaps with them may overlap with an operation that nobody saw. */
  lost(time: number, until: number): void {
    this.#gaps.push({ time, until });
  }

  /** Does another task's operation overlap with it, or may one do? */
  overlaps(operation: Operation): boolean {
    const there = this.#spaces.get(operation.space);
    if (there === undefined) return false;
    if (this.#gaps.some(({ time, until }) => time <= operation.until && until >= operation.time)) return true;
    if (!there.sorted) sort(there);
    const { operations, longest } = there;
    for (let at = firstFrom(operations, operation.time - longest, timeOf); at < operations.length; at++) {
      const other = operations[at]!;
      if (other.time > operation.until) return false;
      if (other.pid !== operation.pid && other.until >= operation.time) return true;
    }
    return false;
  }

  /** Operations that ended before this time are not asked for any more. */
  forget(before: number): void {
    this.#gaps = this.#gaps.filter(({ until }) => until >= before);
    for (const [space, there] of this.#spaces) {
      there.operations = there.operations.filter(({ until }) => until >= before);
      // Those that are under way take longer by now.
      there.sorted = false;
      if (there.operations.length === 0) this.#spaces.delete(space);
    }
  }
}

const timeOf = ({ time }: Operation): number => time;

/** By their beginning. Most are in that order already: they are noted when they take effect. */
function sort(there: Changes): void {
  there.operations.sort((a, b) => timeOf(a) - timeOf(b));
  there.longest = there.operations.reduce((longest, { time, until }) => Math.max(longest, until - time), 0);
  there.sorted = true;
}
