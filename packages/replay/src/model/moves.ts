/**
 * Moves: which CPUs switched tasks while an operation was under way.
 *
 *     CPU 0                          CPU 1
 *     munmap: who runs this mm?      a thread of it
 *                                    switches to idle
 *     interrupt CPU 1                finds itself lazy: leaves the mm, and flushes nothing
 *
 * Had it switched a moment earlier it would not have been asked; a moment later it would have flushed. A switch is over where a probe shows it
 * (enter_lazy_tlb, switch_mm_irqs_off), else where it is recorded.
 */
import type { Operation } from '../schedule/action.ts';
import { firstFrom } from './ordered.ts';

/** Stamps tell apart what is further from each other than this, in ticks of the clock. */
const NEAR = 1;

/** Remembers switches. */
export class Moves {
  #times: number[][];

  constructor(cpus: number) {
    this.#times = Array.from({ length: cpus }, () => []);
  }

  /** A CPU switches. */
  note(cpu: number, time: number): void {
    this.#times[cpu]!.push(time);
  }

  /** The other CPUs that switched while an operation was under way. */
  during({ cpu: own, time, until }: Operation): number[] {
    const moved: number[] = [];
    for (const [cpu, times] of this.#times.entries()) {
      const first = times[firstFrom(times, time - NEAR, (at) => at)];
      if (cpu !== own && first !== undefined && first <= until + NEAR) moved.push(cpu);
    }
    return moved;
  }

  /** What was before this time is not asked for any more. */
  forget(before: number): void {
    this.#times = this.#times.map((times) => times.filter((at) => at >= before));
  }
}
