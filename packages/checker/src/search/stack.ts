/**
 * Stack: the path that a depth-first search is on: at each depth a state, and the step that is being tried there.
 */
import type { Explorable } from '../explorable.ts';
import type { Path } from './path.ts';

/** Depth that the stack has room for at first. */
const FIRST_DEPTH = 256;

/** A state whose steps are tried from one on: the path to it, and that step. What one search hands over to another. */
export interface Rest {
  /** The path to the state. */
  readonly path: Path;
  /** The last step that was tried there. */
  readonly actor: number;
  /** Its outcome; the next one to try comes after it. */
  readonly choice: number;
}

/** What is being tried at each depth of a stack. */
export interface Trials {
  readonly actor: Int32Array;
  readonly choice: Int32Array;
  readonly alone: Uint8Array;
}

/** The path of one search. */
export class Stack {
  /** States on the path. */
  depth = 0;
  /** Outcomes of each actor's step, `actors` words a state. */
  choices: Int32Array;
  /** The actor that steps next, or was stepping. */
  actor: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Its outcome. */
  choice: Int32Array = new Int32Array(FIRST_DEPTH);
  /** Where to come back to. */
  mark: Float64Array = new Float64Array(FIRST_DEPTH);
  /** 1 if that step is enough, and no other is tried. */
  alone: Uint8Array = new Uint8Array(FIRST_DEPTH);
  readonly #actors: number;

  constructor(actors: number) {
    this.#actors = actors;
    this.choices = new Int32Array(FIRST_DEPTH * actors);
  }

  /** Puts the machine's state on top. Returns false if no actor can step there. */
  push(machine: Explorable): boolean {
    if (this.depth === this.actor.length) this.#grow();
    const top = this.depth++;
    const base = top * this.#actors;
    let enabled = false;
    for (let a = 0; a < this.#actors; a++) {
      const n = machine.choices(a);
      this.choices[base + a] = n;
      if (n > 0) enabled = true;
    }
    this.actor[top] = 0;
    this.choice[top] = -1;
    this.alone[top] = 0;
    return enabled;
  }

  /** Can the actor step at the top, in one way? */
  hasOneStep(actor: number): boolean {
    return this.choices[(this.depth - 1) * this.#actors + actor] === 1;
  }

  /** At the top one step is enough. */
  takeAlone(actor: number): void {
    const top = this.depth - 1;
    this.actor[top] = actor;
    this.choice[top] = 0;
    this.alone[top] = 1;
  }

  /** At the top a step is being tried, and steps before it were. @param alone no other is to be tried */
  goOnFrom(actor: number, choice: number, alone: boolean): void {
    const top = this.depth - 1;
    this.actor[top] = actor;
    this.choice[top] = choice;
    this.alone[top] = alone ? 1 : 0;
  }

  /** Moves the top on to the next step to try. Returns false if there is none left. */
  advance(): boolean {
    const top = this.depth - 1;
    const next = this.#next(top);
    if (next < 0) return false;
    const same = next === this.actor[top];
    this.actor[top] = next;
    this.choice[top] = same ? this.choice[top]! + 1 : 0;
    return true;
  }

  /** Gives away what is left to try at the lowest state below the top at which something is; undefined if nothing is. */
  give(): Rest | undefined {
    for (let d = 0; d < this.depth - 1; d++) {
      if (this.#next(d) < 0) continue;
      this.alone[d] = 1;
      return { path: this.path().slice(0, d), actor: this.actor[d]!, choice: this.choice[d]! };
    }
    return undefined;
  }

  /** The steps that are being tried, from the first state on. */
  path(): Path {
    return Array.from({ length: this.depth }, (_, i) => [this.actor[i]!, this.choice[i]!] as const);
  }

  /** Is the cycle from the state at a depth to itself fair? See states.ts. */
  isFair(from: number): boolean {
    for (let a = 0; a < this.#actors; a++) {
      let always = true;
      for (let d = from; d < this.depth && always; d++)
        always = this.choices[d * this.#actors + a]! > 0 && this.actor[d] !== a;
      if (always) return false;
    }
    return true;
  }

  /** A copy of what is being tried, and of where nothing else is to be. */
  save(): Trials {
    const { depth } = this;
    return {
      actor: this.actor.slice(0, depth),
      choice: this.choice.slice(0, depth),
      alone: this.alone.slice(0, depth),
    };
  }

  /** The actor of the next step to try at a depth, -1 if there is none. */
  #next(depth: number): number {
    if (this.alone[depth] === 1) return -1;
    const base = depth * this.#actors;
    let actor = this.actor[depth]!;
    if (this.choice[depth]! + 1 < this.choices[base + actor]!) return actor;
    while (++actor < this.#actors) if (this.choices[base + actor]! > 0) return actor;
    return -1;
  }

  #grow(): void {
    const grown = <T extends Int32Array | Float64Array | Uint8Array>(old: T, bigger: T): T => {
      bigger.set(old);
      return bigger;
    };
    this.choices = grown(this.choices, new Int32Array(2 * this.choices.length));
    this.actor = grown(this.actor, new Int32Array(2 * this.actor.length));
    this.choice = grown(this.choice, new Int32Array(2 * this.choice.length));
    this.mark = grown(this.mark, new Float64Array(2 * this.mark.length));
    this.alone = grown(this.alone, new Uint8Array(2 * this.alone.length));
  }
}
