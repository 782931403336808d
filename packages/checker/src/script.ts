/**
 * Script: what the code of a process does, as far as it was seen. A process is a function of the values that it is fed, so this is a
 * tree, and code that was seen need not be run again:
 *
 *     passage    what it does between two of these values: plain stores, claims and the like, and at last what it is fed the next value for
 *     value      leads to the next passage
 *
 * A passage is believed when it was seen twice: code that does something else the second time fails loudly (process.ts).
 */
import type { Cell, Claims } from '@mmu-gather/core/stepped';
import { ARGUMENTS, OP } from './op.ts';

/** How a passage ends. */
export const ENDING = {
  /** Before a step: `word` is its number among all {@link Pauses}. */
  step: 0,
  /** At a plain load: `word` is the cell. */
  read: 1,
  /** The code returned `what`. */
  returned: 2,
  /** The code threw `what`. */
  thrown: 3,
} as const;

/** A plain store. */
export interface WriteDeed {
  /** Which deed. */
  readonly kind: 'write';
  /** Where. */
  readonly cell: Cell;
  /** What. */
  readonly value: number;
}

/** Code says what it still knows (bare.ts). */
export interface ForgetDeed {
  /** Which deed. */
  readonly kind: 'forget';
  /** Where it is. */
  readonly progress: number;
  /** What it knows. */
  readonly live: readonly number[];
}

/** A claim. */
export interface ClaimDeed {
  /** Which deed. */
  readonly kind: 'claim';
  /** Asks the oracles. */
  readonly check: (claims: Claims) => void;
}

/** A tracepoint. */
export interface TraceDeed {
  /** Which deed. */
  readonly kind: 'trace';
  /** Its name. */
  readonly event: string;
  /** Its values. */
  readonly values: readonly number[];
}

/** What code does without being fed anything for it. */
export type Deed = WriteDeed | ForgetDeed | ClaimDeed | TraceDeed;

/** One passage. */
export class Passage {
  /** What comes before its end, in order. */
  readonly deeds: Deed[] = [];
  /** One of {@link ENDING}; -1 while the code is still in it for the first time. */
  ending = -1;
  /** See {@link ENDING}. */
  word = 0;
  /** See {@link ENDING}. */
  what: unknown;
  /** It was seen twice. */
  certain = false;
  // Most are left with one value only.
  #value = 0;
  #next: Passage | undefined;
  #others: Map<number, Passage> | undefined;

  /** What comes after a value; undefined if that was not seen yet. */
  after(value: number): Passage | undefined {
    return this.#value === value && this.#next !== undefined ? this.#next : this.#others?.get(value);
  }

  /** Makes room for what comes after a value. */
  add(value: number): Passage {
    const next = new Passage();
    if (this.#next === undefined) {
      this.#value = value;
      this.#next = next;
    } else (this.#others ??= new Map()).set(value, next);
    return next;
  }
}

/** Words of a pause: kind of the step, and arguments. */
const PAUSE_WORDS = 1 + ARGUMENTS;

/** The steps before which processes were seen to pause, by number: one for each passage that ends so. */
export class Pauses {
  /** A process that has nothing to do. */
  static readonly NONE = 0;
  /** An interrupt side whose code has returned. */
  static readonly IRQ_RETURN = 1;
  readonly #passages: (Passage | undefined)[] = [];
  readonly #sites: string[] = [];
  #words: Int32Array = new Int32Array(PAUSE_WORDS << 8);

  constructor() {
    this.add(OP.none, new Int32Array(ARGUMENTS), undefined);
    this.add(OP.irqReturn, new Int32Array(ARGUMENTS), undefined);
  }

  /** A new pause. Returns its number. */
  add(kind: number, args: Int32Array, passage: Passage | undefined): number {
    const number = this.#passages.length;
    const at = number * PAUSE_WORDS;
    if (at + PAUSE_WORDS > this.#words.length) {
      const bigger = new Int32Array(2 * this.#words.length);
      bigger.set(this.#words);
      this.#words = bigger;
    }
    this.#passages.push(passage);
    this.#words[at] = kind;
    this.#words.set(args, at + 1);
    return number;
  }

  /** Notes where the code calls the step. */
  note(number: number, site: string): void {
    this.#sites[number] = site;
  }

  /** Where the code calls the step; '' if that was not noted. */
  site(number: number): string {
    return this.#sites[number] ?? '';
  }

  /** Kind of the step. */
  kind(number: number): number {
    return this.#words[number * PAUSE_WORDS]!;
  }

  /** An argument of the step. */
  arg(number: number, i: number): number {
    return this.#words[number * PAUSE_WORDS + 1 + i]!;
  }

  /** The passage that ends there. */
  passage(number: number): Passage {
    const passage = this.#passages[number];
    if (passage === undefined) throw new Error('a process that is not paused in its code is asked to go on');
    return passage;
  }
}
