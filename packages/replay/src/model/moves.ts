/**
 * Moves: which CPUs switched tasks while an operation was under way.
 *
 *     CPU 0                          CPU 1
 *     munmap: who runs this mm?      a thread of it
 *                                    switches to idle
 *     interrupt CPU 1                finds itself lazy: leaves the mm, and flushes nothing
 *
 * Had it switched a moment earlier it would not have been asked; a moment later it would have flushed. And in between, where it has neither mm loaded
 * (LOADED_MM_SWITCHING), it is asked by everybody in whose mask it is.
 *
 * A switch is over where a probe shows it (enter_lazy_tlb, switch_mm_irqs_off), else where it is recorded. Of others only the time is known between
 * whose ends they were: those that the recording lacks, and what execve and exit load.
 */
import type { Operation } from '../schedule/action.ts';
import { firstFrom } from './ordered.ts';

/** A switch was between these times. */
interface Move {
  readonly from: number;
  readonly until: number;
}

/** Stamps tell apart what is further from each other than this, in ticks of the clock. */
const NEAR = 1;

/** Remembers switches. */
export class Moves {
  /** By CPU, in the order in which they began and ended. */
  #moves: Move[][];

  constructor(cpus: number) {
    this.#moves = Array.from({ length: cpus }, () => []);
  }

  /** A CPU switches, not before those that were noted. @param until time by which it had done so */
  note(cpu: number, from: number, until: number = from): void {
    const moves = this.#moves[cpu]!;
    // One that is inside of the last says nothing new.
    if (until >= (moves.at(-1)?.until ?? -Infinity)) moves.push({ from, until });
  }

  /** The other CPUs that switched while an operation was under way. */
  during({ cpu: own, time, until }: Operation): number[] {
    const moved: number[] = [];
    for (const [cpu, moves] of this.#moves.entries()) {
      const first = moves[firstFrom(moves, time - NEAR, (move) => move.until)];
      if (cpu !== own && first !== undefined && first.from <= until + NEAR) moved.push(cpu);
    }
    return moved;
  }

  /** What was before this time is not asked for any more. */
  forget(before: number): void {
    this.#moves = this.#moves.map((moves) => moves.filter(({ until }) => until >= before));
  }
}
