/**
 * Graph: which event is ordered before which (ob), closed under composition, and kept so while events are added.
 *
 * A new event mostly comes last. A load of an old value does not: it comes before the stores that it did not see.
 *
 *     before(e)      all events that are ordered before e
 *     edge(a, b)     everything at or after b comes after a and all before a; false if b was before a
 */
import type { State } from '../state.ts';
import { EVENT, EVENT_WORDS, THREAD_EVENTS } from './event.ts';

/** Bits of a word that sets use. */
const BITS = 31;

/** A set of events of one thread: two words. */
export type LocalSet = readonly [low: number, high: number];

/** No event. */
export const NONE: LocalSet = [0, 0];

/** Does a set hold the i-th event of its thread? */
export function holds(set: LocalSet, i: number): boolean {
  return (set[i < BITS ? 0 : 1] & (1 << (i % BITS))) !== 0;
}

/** A set with the i-th event of its thread. */
export function plus(set: LocalSet, i: number): LocalSet {
  return i < BITS ? [set[0] | (1 << i), set[1]] : [set[0], set[1] | (1 << (i - BITS))];
}

/** The events of two sets. */
export function union(a: LocalSet, b: LocalSet): LocalSet {
  return [a[0] | b[0], a[1] | b[1]];
}

/** The events of all threads. The last thread is nobody's: updates that hardware makes of its own accord. */
export class Graph {
  /** Number of threads, with the last one. */
  readonly threads: number;
  /** Events that each thread may have. */
  readonly room: number;
  readonly #state: State;
  readonly #base: number;
  readonly #size: number;
  readonly #setWords: number;

  /** Words that the events of so many threads need. */
  static words(threads: number, room: number): number {
    return threads + threads * room * (EVENT_WORDS + Math.ceil((threads * room) / BITS));
  }

  constructor(state: State, base: number, threads: number, room: number) {
    this.#state = state;
    this.#base = base + threads;
    this.threads = threads;
    this.room = Math.min(room, THREAD_EVENTS);
    this.#setWords = Math.ceil((threads * room) / BITS);
    this.#size = EVENT_WORDS + this.#setWords;
  }

  /** Number of events of a thread. */
  count(thread: number): number {
    return this.#state.words[this.#base - this.threads + thread]!;
  }

  /** Adds an event to a thread. Returns its number, or -1 if there is no room. */
  add(thread: number, is: number, cell: number, value: number, instruction: number): number {
    const i = this.count(thread);
    if (i >= this.room) return -1;
    this.#state.set(this.#base - this.threads + thread, i + 1);
    const event = thread * this.room + i;
    this.set(event, EVENT.is, is);
    this.set(event, EVENT.cell, cell + 1);
    this.set(event, EVENT.value, value);
    this.set(event, EVENT.instruction, instruction);
    return event;
  }

  /** A word of an event. */
  get(event: number, word: number): number {
    return this.#state.words[this.#base + event * this.#size + word]!;
  }
  /** Changes it. */
  set(event: number, word: number, value: number): void {
    this.#state.set(this.#base + event * this.#size + word, value);
  }
  /** What an event is. */
  is(event: number): number {
    return this.#state.words[this.#base + event * this.#size]!;
  }
  /** The thread of an event. */
  threadOf(event: number): number {
    return Math.floor(event / this.room);
  }
  /** A local set of an event. */
  local(event: number, word: number): LocalSet {
    const at = this.#base + event * this.#size + word;
    return [this.#state.words[at]!, this.#state.words[at + 1]!];
  }
  /** Changes it. */
  setLocal(event: number, word: number, set: LocalSet): void {
    this.set(event, word, set[0]);
    this.set(event, word + 1, set[1]);
  }

  /** Is `a` ordered before `b`? */
  before(a: number, b: number): boolean {
    const word = this.#base + b * this.#size + EVENT_WORDS + Math.floor(a / BITS);
    return (this.#state.words[word]! & (1 << (a % BITS))) !== 0;
  }

  /** Calls back with every event, thread by thread. */
  forEach(visit: (event: number) => void): void {
    for (let thread = 0; thread < this.threads; thread++) {
      const first = thread * this.room;
      const end = first + this.count(thread);
      for (let event = first; event < end; event++) visit(event);
    }
  }

  /** Orders all events of a set of its own thread before an event that nothing follows yet. */
  after(event: number, set: LocalSet): void {
    const first = this.threadOf(event) * this.room;
    for (let i = 0; i < this.room; i++) if (holds(set, i)) this.#join(event, first + i);
  }

  /** Orders `a` before `b`. Returns false if that closes a cycle. */
  edge(a: number, b: number): boolean {
    if (a === b || this.before(b, a)) return false;
    if (this.before(a, b)) return true;
    this.#join(b, a);
    this.forEach((event) => {
      if (this.before(b, event)) this.#join(event, a);
    });
    return true;
  }

  /** Puts `a` and all before it before `b`. */
  #join(b: number, a: number): void {
    const to = this.#base + b * this.#size + EVENT_WORDS;
    const from = this.#base + a * this.#size + EVENT_WORDS;
    const own = Math.floor(a / BITS);
    for (let w = 0; w < this.#setWords; w++) {
      const bit = w === own ? 1 << (a % BITS) : 0;
      this.#state.set(to + w, this.#state.words[to + w]! | this.#state.words[from + w]! | bit);
    }
  }
}
