/**
 * Races: plain accesses do not pause, and so they are not explored; they are checked instead.
 *
 * What a process accessed plainly since its last step is remembered until it takes the next one. An access of another CPU to
 * the same cell in that time, one of the two a store, has no ordering step between them: a data race, whatever was read.
 * Accesses of a CPU's own interrupt side do not count: a CPU sees its own program order.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import { QUIET, SEGMENT, type Words } from './words.ts';

/** Race checks of one machine. */
export class Races {
  readonly #words: Words;
  readonly #report: (cell: Cell, other: number, otherWrites: boolean, cpu: number, writes: boolean) => void;

  /** @param report called with the cell, the CPU that accessed it plainly, and the CPU that accesses it now */
  constructor(
    words: Words,
    report: (cell: Cell, other: number, otherWrites: boolean, cpu: number, writes: boolean) => void,
  ) {
    this.#words = words;
    this.#report = report;
  }

  /** A process takes a step: what it accessed before is ordered now. */
  stepped(process: number): void {
    this.#words.setQuiet(process, QUIET.segmentLength, 0);
  }

  /** A plain access of a process. */
  plain(process: number, cell: Cell, write: boolean): void {
    this.check(process, cell, write);
    const length = this.#words.quiet(process, QUIET.segmentLength);
    if (length >= SEGMENT) return;
    this.#words.setQuiet(process, QUIET.segment + length, cell * 2 + (write ? 1 : 0));
    this.#words.setQuiet(process, QUIET.segmentLength, length + 1);
  }

  /** Any access of a process: does it race with a plain one elsewhere? */
  check(process: number, cell: Cell, write: boolean): void {
    const { cpus } = this.#words;
    for (let other = 0; other < 2 * cpus; other++) {
      if (other % cpus === process % cpus || !this.#words.running(other)) continue;
      const length = this.#words.quiet(other, QUIET.segmentLength);
      for (let i = 0; i < length; i++) {
        const access = this.#words.quiet(other, QUIET.segment + i);
        const stored = (access & 1) !== 0;
        if (access >> 1 === cell && (write || stored)) this.#report(cell, other % cpus, stored, process % cpus, write);
      }
    }
  }
}
