/**
 * Quiet: a state in which all is done, as a program's oracle of end states (O17) sees it: every CPU's code has returned, and nothing is
 * left to deliver or to drain.
 *
 * It is asked at the ends of executions alone, so steps are still taken to be local, and to commute: a reduced search leaves out paths, and
 * every end that the full one comes to it comes to as well (search/locality.ts).
 */
import type { Address, CacheName, Cell, Entry } from '@mmu-gather/core/stepped';
import type { Layout } from './layout.ts';
import type { Objects } from './objects.ts';
import type { Text } from './text.ts';
import { CPU, type Words } from './words.ts';

/** What there is when all is quiet. */
export interface Quiet {
  /** A word. */
  readonly peek: (cell: Cell) => number;
  /** Visits the objects of a kind that were allocated and not given back, lowest address first. */
  forLive(cache: CacheName, visit: (object: Address) => void): void;
  /** Is there an allocated object at this address? */
  readonly live: (object: Address) => boolean;
  /** Visits the locks that are held, whatever object they are in. */
  forHeldLocks(visit: (lock: Cell) => void): void;
  /** Does a CPU take no interrupts? */
  interruptsOff(cpu: number): boolean;
  /** Is a CPU in an RCU section? */
  inRcu(cpu: number): boolean;
  /** Name of an object for people. */
  objectName(object: Address): string;
  /** Name of a word. */
  cellName(cell: Cell): string;
  /** A page-table entry in words. */
  entryName(entry: Entry): string;
}

/** The words that code has ever locked, in any execution: one that this execution did not lock is 0, whatever another one did. */
export class Locks {
  readonly #seen: Uint8Array;
  readonly #cells: Cell[] = [];

  /** @param words of the arena */
  constructor(words: number) {
    this.#seen = new Uint8Array(words);
  }

  /** Code takes or drops a lock. */
  note(lock: Cell): void {
    if (this.#seen[lock] === 1) return;
    this.#seen[lock] = 1;
    this.#cells.push(lock);
  }

  /** All of them. */
  get cells(): readonly Cell[] {
    return this.#cells;
  }
}

/** What a machine's quiet states are read from. */
export interface QuietParts {
  readonly words: Words;
  readonly layout: Layout;
  readonly objects: Objects;
  readonly locks: Locks;
  readonly text: Text;
}

/** The machine's state, as far as it is of interest when all is quiet. */
export function quietOf({ words, layout, objects, locks, text }: QuietParts): Quiet {
  const { state } = words;
  return {
    peek: (cell) => state.words[cell]!,
    forLive(cache, visit) {
      const { base, size, count } = layout.pool(cache);
      for (let i = 0; i < count; i++) if (objects.live(base + i * size)) visit(base + i * size);
    },
    live: (object) => objects.live(object),
    forHeldLocks(visit) {
      for (const lock of locks.cells) if (state.words[lock] !== 0) visit(lock);
    },
    interruptsOff: (cpu) => words.cpu(cpu, CPU.irqOff) !== 0,
    inRcu: (cpu) => words.cpu(cpu, CPU.rcuNesting) !== 0,
    objectName: (object) => text.object(object),
    cellName: (cell) => text.cell(cell),
    entryName: (entry) => text.entry(entry),
  };
}
