/**
 * Held locks: which locks each process has taken and not let go yet. A lock's own word does not say whose it is.
 *
 *     spinLock, downWrite              the cell, and that it is alone, in a free word of the process
 *     downRead, downReadTrylock        the same, and that others may have it, too
 *     downgradeWrite                   from the one to the other
 *     spinUnlock, upRead, upWrite      takes it out; whoever has none there lets go what is not its own
 */
import { OP } from './op.ts';
import { HELD, PROCESS, type Words } from './words.ts';

const FREE = 0;

function alone(cell: number): number {
  return 2 * cell + 1;
}

function shared(cell: number): number {
  return 2 * cell + 2;
}

/** The locks of all processes. */
export class HeldLocks {
  readonly #words: Words;

  constructor(words: Words) {
    this.#words = words;
  }

  /** A process has done something with a lock. With no word free this is forgotten, as if the lock were not its own. @param result of the step */
  did(process: number, kind: number, cell: number, result: number): void {
    switch (kind) {
      case OP.spinLock:
      case OP.downWrite:
        this.#replace(process, FREE, alone(cell));
        return;
      case OP.downRead:
        this.#replace(process, FREE, shared(cell));
        return;
      case OP.downReadTrylock:
        if (result === 1) this.#replace(process, FREE, shared(cell));
        return;
      case OP.downgradeWrite:
        this.#replace(process, alone(cell), shared(cell));
        return;
      case OP.spinUnlock:
      case OP.upWrite:
        this.#replace(process, alone(cell), FREE);
        return;
      case OP.upRead:
        this.#replace(process, shared(cell), FREE);
    }
  }

  /** Does a process hold a spinlock, or another lock for write? */
  holds(process: number, cell: number): boolean {
    return this.#find(process, alone(cell)) >= 0;
  }

  /** Might it, as far as is known? @param write not for read only */
  mayHold(process: number, cell: number, write: boolean): boolean {
    if (this.holds(process, cell) || this.#find(process, FREE) < 0) return true;
    return !write && this.#find(process, shared(cell)) >= 0;
  }

  /** Does a process hold a lock that is one of these words? */
  anyIn(process: number, first: number, count: number): boolean {
    return this.find(process, (cell) => cell >= first && cell < first + count) !== undefined;
  }

  /** A lock of those that a process holds. */
  find(process: number, which: (lock: number) => boolean): number | undefined {
    const at = this.#words.processAt(process, PROCESS.held);
    for (let i = at; i < at + HELD; i++) {
      const word = this.#words.state.words[i]!;
      const cell = Math.floor((word - 1) / 2);
      if (word !== FREE && which(cell)) return cell;
    }
    return undefined;
  }

  #replace(process: number, old: number, value: number): void {
    const at = this.#find(process, old);
    if (at >= 0) this.#words.state.set(at, value);
  }

  #find(process: number, value: number): number {
    const first = this.#words.processAt(process, PROCESS.held);
    for (let at = first; at < first + HELD; at++) if (this.#words.state.words[at] === value) return at;
    return -1;
  }
}
