/**
 * Locality: which steps of the `states` search are taken alone. Stoller and Cohen's optimistic reduction ("Optimistic
 * synchronization-based state-space reduction", TACAS 2003) with the sharing of words for an assumption.
 *
 * A step is *local* if it commutes with all that other actors can do before it, neither enables nor disables any of that, and no
 * oracle sees when it is taken. At a state that has one, it is enough to take that step and none of the others. Which words
 * processes share decides about it, and nobody knows that beforehand. So it is assumed, and looked at while the search runs:
 *
 *     pass 1    nothing is shared that nobody was seen to share    small, and wrong: it ends with some words shared after all
 *     pass 2    what is known now is shared                        ...
 *     last      no word that a step's locality relied on turned out to be shared any further: what was assumed is so
 *
 * A violation that any pass finds is one: each of its steps is a step of the machine. That the last pass finds none proves
 * `holds`. The argument, in which executions are those of the full search:
 *
 * 1. *The assumption is true.* Call an execution bad if two of its processes touch, or are about to touch, a word in conflict,
 *    and its level as known at the end does not say so. Take a shortest bad one, E. All of it but its last touch keeps to the
 *    assumption, so at each state of the reduced search from which the rest of E is possible, either E's next step is taken,
 *    or a local step t alone. If t is in the rest, it moves to the front of it, past steps that do not touch what it
 *    touches. If it is not, it goes before the rest: the rest stays possible as far as it does not touch what t touches, and
 *    where it first does, both touches are seen. Either way the reduced search reaches a state at which the last touch of E is
 *    seen, beside the one that it conflicts with: touches are noted when a process comes to its step, blocked or not, and not
 *    only when it takes it. Then the level does say so.
 * 2. *Nothing is missed.* In the same way a shortest execution that violates an oracle, or gets stuck, has one beside it in the
 *    reduced search, with the same steps and some local ones more. Local steps change nothing that oracles look at, a step
 *    with a claim or a plain access to a shared word is none, and nobody waits for one.
 * 3. *Nobody is put off for ever.* A step that leads back to a state of the search's own path is not taken alone. Of the states
 *    along local steps each is then left for good before the one it came from, so such a row ends at a state where all is taken.
 *
 * Early drains of stores that CPUs do not share are a case for themselves: they do not commute with plain stores of the owner,
 * which may go past a buffer that is already empty (memory.ts). What holds of them is that the state after them can do whatever
 * the one before could: a buffer with less in it never makes anybody wait, and the owner loads the same values.
 */
import { type Explorable, type Locality, type Sharing, TOUCH } from '../explorable.ts';

/** Ways to touch a word. */
const WAYS: number = Object.keys(TOUCH).length;
/** No process was seen to touch the word. */
const NEVER = -1;
/** Nothing relies on anything. */
const ANYWHERE = 0x7fffffff;

/** The touches of the processes of one machine. */
export class Touches implements Sharing {
  /** Whether something that was relied on turned out wrong. */
  wrong = false;
  readonly #words: number;
  /** The last position at which a process was seen to touch a word, by process, word and way. */
  readonly #last: Int32Array;
  /** The first position from which on it was relied upon not to. */
  readonly #relied: Int32Array;

  constructor(processes: number, words: number) {
    this.#words = words;
    this.#last = new Int32Array(processes * words * WAYS).fill(NEVER);
    this.#relied = new Int32Array(processes * words * WAYS);
  }

  /** A pass begins: nothing relies on anything. */
  begin(): void {
    this.wrong = false;
    this.#relied.fill(ANYWHERE);
  }

  touch(process: number, word: number, how: number, position: number): void {
    const at = (process * this.#words + word) * WAYS + how;
    if (position <= this.#last[at]!) return;
    this.#last[at] = position;
    if (position >= this.#relied[at]!) this.wrong = true;
  }

  mayTouch(process: number, word: number, how: number, position: number): boolean {
    const at = (process * this.#words + word) * WAYS + how;
    if (this.#last[at]! >= position) return true;
    if (position < this.#relied[at]!) this.#relied[at] = position;
    return false;
  }
}

/** What `states` reduces by: none, if the machine cannot tell which steps are local. */
export class Reduction {
  readonly #locality: Locality | undefined;
  readonly #touches: Touches | undefined;

  constructor(machine: Explorable, wanted: boolean) {
    this.#locality = wanted ? machine.locality : undefined;
    this.#touches = this.#locality && new Touches((2 * machine.actors) / 3, this.#locality.words);
  }

  /** A pass over the states begins. */
  begin(): void {
    if (this.#touches === undefined) return;
    this.#touches.begin();
    this.#locality!.watch(this.#touches);
  }

  /** May an actor's enabled step, the only outcome of it, be taken alone? Perform it, and ask `stays`. */
  mayBeAlone(actor: number): boolean {
    return this.#locality !== undefined && this.#locality.mayBeLocal(actor);
  }

  /** That step was performed: is it enough to take it? `onPath`: it led back to a state of the path. */
  stays(onPath: boolean): boolean {
    return this.#locality!.wasLocal() && !onPath;
  }

  /** Was something assumed in this pass that is not so? Then another one is needed. */
  get wrong(): boolean {
    return this.#touches !== undefined && this.#touches.wrong;
  }

  /** The last pass is over. */
  end(): void {
    this.#locality?.watch(undefined);
  }
}
