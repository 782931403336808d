/**
 * Underway: the cells that threads run now, for threads that have nothing to run and may help.
 *
 *     idle thread        this                      the thread that runs the cell
 *     toHelp       ->    the cell is wanted   ->   its search opens a team (or never does, or ends)
 *                  <-    opened               <-
 *     helps, with the memory of the team
 */
import { setTimeout as after } from 'node:timers/promises';
import type { TeamMemory } from '@mmu-gather/checker';

/** A cell that ends before it has run so long, in milliseconds, is not worth help. */
const WORTH = 500;

/** A cell under way. */
export interface Cell {
  /** Its number. */
  readonly cell: number;
  /** What its team shares, if it has one. */
  readonly memory: TeamMemory | undefined;
}

interface Entry extends Cell {
  memory: TeamMemory | undefined;
  readonly since: number;
  readonly want: () => void;
  isWanted: boolean;
  /** A thread that helped is done: so is what there was to help with. */
  isOver: boolean;
}

/** The cells of one run. */
export class Underway {
  readonly #entries = new Set<Entry>();
  #waiting: (() => void)[] = [];
  #isClosed = false;

  /** A thread begins a cell. @param want asks it to open a team */
  begin(cell: number, want: () => void): Cell {
    const entry: Entry = { cell, want, memory: undefined, since: performance.now(), isWanted: false, isOver: false };
    this.#entries.add(entry);
    this.#change();
    return entry;
  }

  /** Others may help with it. */
  opened(cell: Cell, memory: TeamMemory): void {
    (cell as Entry).memory = memory;
    this.#change();
  }

  /** It has ended. */
  end(cell: Cell): void {
    this.#entries.delete(cell as Entry);
    this.#change();
  }

  /** What there was to help with is done. */
  helped(cell: Cell): void {
    (cell as Entry).isOver = true;
  }

  /** Nothing will be under way any more. */
  close(): void {
    this.#isClosed = true;
    this.#change();
  }

  /** A cell to help with, once there is one; undefined if there will be none. */
  async toHelp(): Promise<Cell | undefined> {
    while (!this.#isClosed) {
      const open = [...this.#entries].find(({ memory, isOver }) => memory !== undefined && !isOver);
      if (open !== undefined) return open;
      const early = this.#want();
      const changed = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await Promise.race([changed, ...(early === undefined ? [] : [after(early)])]);
    }
    return undefined;
  }

  /** Wants all cells that have run for a while. Returns how long to wait for the next one, if there is any. */
  #want(): number | undefined {
    let early: number | undefined;
    for (const entry of this.#entries) {
      if (entry.isWanted) continue;
      const left = entry.since + WORTH - performance.now();
      if (left > 0) {
        early = Math.min(left, early ?? left);
        continue;
      }
      entry.isWanted = true;
      entry.want();
    }
    return early;
  }

  #change(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }
}
