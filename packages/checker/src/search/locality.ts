/**
 * Locality: which steps of the `states` search are taken alone. Stoller and Cohen's optimistic reduction ("Optimistic
 * synchronization-based state-space reduction", TACAS 2003), with what processes still touch for an assumption.
 *
 * A step is *local* if whatever other actors can still do before it, they can do after it, with the same results, and every
 * violation that they would run into is found all the same (explorable.ts; local-steps.ts says which steps are). At a state that has
 * one, it is enough to take that step and none of the others. It depends on what others will touch, and nobody knows that
 * beforehand. So it is assumed, and looked at while the search runs:
 *
 *     pass 1    no process touches what none was seen to touch        small, and wrong somewhere
 *     pass 2    no process touches, from where it is on, what none was seen to touch so late      ...
 *     last      nothing was seen that a local step relied on not to be
 *
 * A violation that any pass finds is one if its path is one of the machine when nothing is assumed: a machine may also forget what nobody
 * is seen to look at (weak/weak-memory.ts). That the last pass finds none proves
 * `holds`. The argument, in which executions are those of the full search, and *seen* is what the last pass had seen in the end:
 *
 * 1. *All touches are seen.* Else take a shortest execution E that ends with a touch which is not: by this process, of this word, at this
 *    position or a later one. All that comes before is seen. At a state of the reduced search from which the rest of E is
 *    possible, either E's next step is taken, or a local step t alone. If t is in the rest, it moves to the front, past steps that
 *    touch nothing that t touches, for their touches are seen, and t would not be local. If t is the last step, its touch is
 *    seen now. If t is not in the rest, it goes before it: the rest stays possible, up to its last touch. So the search comes to
 *    that touch, and sees it: a touch is noted when a process comes to its step, blocked or not, and not only when it takes it.
 * 2. *Nothing is missed.* In the same way a shortest execution that violates an oracle, or gets stuck, or ends, has one beside it in
 *    the reduced search, with the same steps in each process and perhaps some local ones more.
 * 3. *Nobody is put off for ever.* A step that leads back to a state of the search's own path is not taken alone. A state is left for
 *    good after those that its local step leads to, so a row of local steps comes to a state where all steps are taken.
 *
 * A position follows from the state, so it is the same on whatever path the state was reached: what was seen from one of them on
 * holds for all.
 *
 * Early drains of stores that no other CPU touches are a case for themselves: they do not commute with plain stores of the
 * owner, which go past a buffer that holds no older store of the cell (memory.ts). What holds is that the state after the drain
 * can do whatever the one before could: a buffer with less in it never makes anybody wait, and the owner loads the same values.
 *
 * Identical CPUs that are taken for one another: of an execution the search has one in which some of them have changed places. So what one of
 * them was seen to touch counts as seen of all. (No program is known in which that makes a difference.)
 *
 * Livelocks: a cycle that this search closes is one of the full search, and is judged by the same rule. As there, only cycles that
 * are closed by one edge are looked at.
 */
import { type Explorable, type Locality, type Sharing, TOUCH } from '../explorable.ts';

/** Ways to touch a word. */
const WAYS: number = Object.keys(TOUCH).length;
/** No process was seen to touch the word. */
const NEVER = -1;
/** Nothing relies on anything. */
const ANYWHERE = 0x7fffffff;

/** What was seen and assumed until now; to go on with, or to share. */
export interface Seen {
  /** The last position at which a process was seen to touch a word, by process, word and way. */
  readonly last: Int32Array;
  /** The first position from which on it was relied upon not to. */
  readonly relied: Int32Array;
  /** Whether something that was relied on turned out wrong. */
  readonly wrong: boolean;
}

/** The touches of the processes of one machine. */
export class Touches implements Sharing {
  /** Whether something that was relied on turned out wrong. */
  wrong: boolean;
  readonly #words: number;
  /** For each process all that are taken for one another with it. */
  readonly #alike: readonly (readonly number[])[];
  // See Seen.
  readonly #last: Int32Array;
  readonly #relied: Int32Array;

  /**
   * @param alike for each process all that are taken for one another with it: what one touches, the others may touch
   * @param seen what was seen and assumed before; `last` may be shared by threads
   */
  constructor(processes: number, words: number, alike: readonly (readonly number[])[] = [], seen?: Seen) {
    this.#words = words;
    this.#alike = alike;
    this.#last = seen?.last ?? new Int32Array(processes * words * WAYS).fill(NEVER);
    this.#relied = seen?.relied ?? new Int32Array(processes * words * WAYS);
    this.wrong = seen?.wrong ?? false;
  }

  /** What was seen and assumed. */
  get seen(): Seen {
    return { last: this.#last, relied: this.#relied, wrong: this.wrong };
  }

  /** Looks whether others have seen what this one relied on not to be. */
  compare(): void {
    for (let at = 0; at < this.#relied.length; at++)
      if (this.#relied[at] !== ANYWHERE && this.#last[at]! >= this.#relied[at]!) this.wrong = true;
  }

  /** A pass begins: nothing relies on anything. */
  begin(): void {
    this.wrong = false;
    this.#relied.fill(ANYWHERE);
  }

  touch(process: number, word: number, how: number, position: number): void {
    const alike = this.#alike[process];
    if (alike === undefined) this.#note(process, word, how, position);
    else for (const other of alike) this.#note(other, word, how, position);
  }

  #note(process: number, word: number, how: number, position: number): void {
    const at = (process * this.#words + word) * WAYS + how;
    if (position <= this.#last[at]!) return;
    raise(this.#last, at, position);
    if (position >= this.#relied[at]!) this.wrong = true;
  }

  mayTouch(process: number, word: number, how: number, position: number): boolean {
    const at = (process * this.#words + word) * WAYS + how;
    if (this.#last[at]! >= position) return true;
    if (position < this.#relied[at]!) this.#relied[at] = position;
    return false;
  }
}

/** A word becomes at least so much, whoever else raises it. */
function raise(words: Int32Array, at: number, value: number): void {
  for (let old = words[at]!; old < value; ) {
    const now = Atomics.compareExchange(words, at, old, value);
    if (now === old) return;
    old = now;
  }
}

/** What `states` reduces by; nothing, if it is not wanted or the machine cannot tell which steps are local. */
export class Reduction {
  readonly #locality: Locality | undefined;
  readonly #alike: readonly (readonly number[])[];
  readonly #processes: number;
  #touches: Touches | undefined;

  /** @param symmetric identical CPUs are taken for one another */
  constructor(machine: Explorable, wanted: boolean, symmetric = false) {
    this.#locality = wanted ? machine.locality : undefined;
    this.#alike = symmetric ? processesAlike(machine) : [];
    this.#processes = (2 * machine.actors) / 3;
    this.#touches = this.#locality && new Touches(this.#processes, this.#locality.words, this.#alike);
  }

  /** A pass over the states begins. */
  begin(): void {
    if (this.#touches === undefined) return;
    this.#touches.begin();
    this.#locality!.watch(this.#touches);
  }

  /** Number of words of what was seen. */
  get words(): number {
    return this.#touches?.seen.last.length ?? 0;
  }

  /** What was seen and assumed until now. */
  get seen(): Seen | undefined {
    return this.#touches?.seen;
  }

  /** Goes on, in the middle of a pass, with what was seen and assumed elsewhere. The machine is at its first state. */
  goOn(seen: Seen | undefined): void {
    if (this.#touches === undefined || seen === undefined) return;
    this.#touches = new Touches(this.#processes, this.#locality!.words, this.#alike, seen);
    this.#locality!.watch(this.#touches);
  }

  /** Looks at what other threads have seen. */
  compare(): void {
    this.#touches?.compare();
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

/** For each process of a CPU that is like others: its own number and theirs. */
function processesAlike(machine: Explorable): readonly (readonly number[])[] {
  const alike: (readonly number[])[] = [];
  for (const { cpus } of machine.alike?.groups ?? []) {
    const interrupts = cpus.map((cpu) => machine.actors / 3 + cpu);
    for (const cpu of cpus) alike[cpu] = cpus;
    for (const process of interrupts) alike[process] = interrupts;
  }
  return alike;
}
