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
  /** By CPU, in the order in which they ended. */
  #moves: Move[][];

  constructor(cpus: number) {
    this.#moves = Array.from({ length: cpus }, () => []);
  }

  /** A CPU switches. @param until time by which it had done so */
  note(cpu: number, from: number, until: number = from): void {
    const moves = this.#moves[cpu]!;
    const last = moves.at(-1);
    // What is noted later was over later, but for what is inside of one that took long.
    if (last === undefined || until >= last.until) moves.push({ from, until });
    else if (from < last.from) moves[moves.length - 1] = { from, until: last.until };
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
