/**
 * Team: what threads share that search the states of one program together.
 *
 *     leader                                   helper
 *     searches alone                           is idle, and says so
 *     puts what it knows into shared memory    makes a machine of the same program
 *     each takes what is left to try of some state, or waits until somebody gives it something
 *     nobody has anything left: the pass is over. All compare what they relied upon with what all have seen
 *     somebody was wrong: the next pass begins; else that was the last one
 *
 * Memory is shared: the keys of visited states, what processes were seen to touch, the numbers of entry values. Machines are not: what is
 * handed over is a path, and the steps that are left to try behind it.
 */
import { locked } from '../shared.ts';
import type { Path } from './path.ts';
import { sharedKeys, type SharedKeys } from './shared-visited.ts';
import type { Rest } from './stack.ts';

/** How a search becomes a team's. */
export interface TeamOptions {
  /** Threads that may take part, at most, the searching one with them. */
  readonly members: number;
  /** Asked some thousand times a second: does anybody want to help? */
  readonly wanted: () => boolean;
  /** Hands helpers what they share. They pass it to `help`, with a machine of the same program. */
  readonly open: (memory: TeamMemory) => void;
  /** What this thread has seen that others must know of, a bit each; and takes note of what all have seen. */
  readonly notes?: Notes;
}

/** What a member has counted, or several. */
export interface Counted {
  /** States. */
  readonly states: number;
  /** Steps. */
  readonly steps: number;
}

/** What members tell each other beside the search. */
export interface Notes {
  /** Most bits. */
  readonly count: number;
  /** Numbers of those that this thread has seen. */
  seen(): Iterable<number>;
  /** Somebody has seen this one. */
  note(bit: number): void;
}

/** Shared memory of a team; it can be sent to other threads. */
export interface TeamMemory {
  /** The words below, and those of each member. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** What members have to give away. */
  readonly offers: Int32Array<SharedArrayBuffer>;
  /** States. */
  readonly keys: SharedKeys;
  /** The last position at which processes were seen to touch words. */
  readonly touches: Int32Array<SharedArrayBuffer>;
  /** What machines number alike. */
  readonly numbers: Int32Array<SharedArrayBuffer>;
  /** Bits of {@link Notes}. */
  readonly notes: Int32Array<SharedArrayBuffer>;
}

// Words of `control`.
const LOCK = 0;
/** Number of the pass, from 1; 0 after the last one. */
const PASS = 1;
/** The pass that is over but for its count. */
const PASS_OVER = 2;
const MEMBERS = 3;
const IDLE = 4;
const OFFERS = 5;
const WRONG = 6;
/** Members that have ended the pass. */
const ARRIVED = 7;
/** Why all of it ends early; one of {@link ENDS}, or 0. */
const END = 8;
/** Goes up when something changes that somebody may wait for. */
const WAKE = 9;
/** The key of the first state: all machines begin alike. */
const KEY_LOW = 10;
const KEY_HIGH = 11;
const FIRST_MEMBER = 12;
/** Words of each member: states and steps of its part of the pass. */
const STATES = 0;
const STEPS = 1;
const MEMBER_WORDS = 2;

/** Words of an offer: a path of eight thousand steps. */
const OFFER_WORDS = 1 << 14;
/** A member that waits looks around so often, in milliseconds. */
const LOOK = 50;

/** Why a team stops before its last pass is over. */
export const ENDS = {
  /** A violation was found: the leader alone finds the first one. */
  found: 1,
  /** A limit was met, or somebody stopped it. */
  limit: 2,
  /** A member cannot go on: the leader goes on alone. */
  failed: 3,
} as const;

/** What a team's memory is made for. */
export interface TeamSizes {
  readonly members: number;
  readonly touches: number;
  readonly numbers: number;
  readonly notes: number;
  /** Key of the first state. */
  readonly key: readonly [low: number, high: number];
}

/** Makes the memory of a team whose leader is in the middle of a pass. */
export function teamMemory({ members, touches, numbers, notes, key }: TeamSizes): TeamMemory {
  const words = (count: number): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(4 * count));
  const control = words(FIRST_MEMBER + MEMBER_WORDS * members);
  control[PASS] = 1;
  control[MEMBERS] = 1;
  [control[KEY_LOW], control[KEY_HIGH]] = key;
  return {
    control,
    offers: words(OFFER_WORDS * members),
    keys: sharedKeys(members),
    touches: words(touches),
    numbers: words(numbers),
    notes: words(Math.ceil(notes / 31)),
  };
}

/** One member's way to its team. */
export class Team {
  readonly memory: TeamMemory;
  readonly number: number;
  readonly #control: Int32Array<SharedArrayBuffer>;
  /** The pass that this member is in. */
  #pass: number;
  #isIdle = false;

  private constructor(memory: TeamMemory, number: number, pass: number) {
    this.memory = memory;
    this.number = number;
    this.#control = memory.control;
    this.#pass = pass;
  }

  /** The leader's. */
  static lead(memory: TeamMemory): Team {
    return new Team(memory, 0, 1);
  }

  /** A helper's, in the present pass or the next one; undefined if nothing is left to do, there is no room, or machines differ. */
  static join(memory: TeamMemory, [low, high]: readonly [number, number]): Team | undefined {
    const { control } = memory;
    const most = (control.length - FIRST_MEMBER) / MEMBER_WORDS;
    if (control[KEY_LOW] !== low || control[KEY_HIGH] !== high) return undefined;
    for (;;) {
      const wake = Atomics.load(control, WAKE);
      const joined = locked(control, LOCK, () => {
        const pass = control[PASS]!;
        if (pass === 0 || control[END] !== 0 || control[MEMBERS] === most) return 'never';
        if (control[PASS_OVER] === pass) return 'later';
        const team = new Team(memory, control[MEMBERS]!, pass);
        control[MEMBERS] = team.number + 1;
        return team;
      });
      if (joined === 'never') return undefined;
      if (joined !== 'later') return joined;
      Atomics.wait(control, WAKE, wake, LOOK);
    }
  }

  /** Why all of it ends early, or 0. */
  get ending(): number {
    return Atomics.load(this.#control, END);
  }

  /** Ends all of it early. */
  end(why: number): void {
    Atomics.compareExchange(this.#control, END, 0, why);
    this.#wake();
  }

  /** Does anybody wait for something to do? */
  get hungry(): boolean {
    return Atomics.load(this.#control, IDLE) > Atomics.load(this.#control, OFFERS);
  }

  /** Gives away a part of what is left to try. @returns false if its path is too long */
  offer({ path, actor, choice }: Rest): boolean {
    if (2 * path.length + 3 > OFFER_WORDS) return false;
    const { offers } = this.memory;
    locked(this.#control, LOCK, () => {
      const at = OFFER_WORDS * this.#control[OFFERS]!;
      offers[at] = path.length;
      path.forEach(([a, c], i) => offers.set([a, c], at + 1 + 2 * i));
      offers.set([actor, choice], at + 1 + 2 * path.length);
      Atomics.add(this.#control, OFFERS, 1);
    });
    this.#wake();
    return true;
  }

  /** Something to do; waits for it. `look` is called while it does. Undefined if the pass is over, or all of it ends. */
  take(look: () => void): Rest | undefined {
    const control = this.#control;
    while (this.ending === 0) {
      const wake = Atomics.load(control, WAKE);
      const rest = locked(control, LOCK, () => this.#takeLocked());
      if (rest === 'over') {
        this.#wake();
        return undefined;
      }
      if (rest !== undefined) return rest;
      look();
      Atomics.wait(control, WAKE, wake, LOOK);
    }
    return undefined;
  }

  #takeLocked(): Rest | 'over' | undefined {
    const control = this.#control;
    if (control[OFFERS]! > 0) {
      if (this.#isIdle) Atomics.sub(control, IDLE, 1);
      this.#isIdle = false;
      return this.#last();
    }
    if (!this.#isIdle) Atomics.add(control, IDLE, 1);
    this.#isIdle = true;
    if (control[IDLE] === control[MEMBERS]) control[PASS_OVER] = this.#pass;
    return control[PASS_OVER] === this.#pass ? 'over' : undefined;
  }

  #last(): Rest {
    const { offers } = this.memory;
    const at = OFFER_WORDS * (Atomics.sub(this.#control, OFFERS, 1) - 1);
    const length = offers[at]!;
    const step = (i: number): readonly [number, number] => [offers[at + 1 + 2 * i]!, offers[at + 2 + 2 * i]!];
    const path: Path = Array.from({ length }, (_, i) => step(i));
    const [actor, choice] = step(length);
    return { path, actor, choice };
  }

  /** Says how far this member is. */
  count(states: number, steps: number): void {
    const at = FIRST_MEMBER + MEMBER_WORDS * this.number;
    this.#control[at + STATES] = states;
    this.#control[at + STEPS] = steps;
  }

  /** States and steps of all members in this pass. */
  counts(): Counted {
    return this.#sum(-1);
  }

  /** Those of all but this one. */
  others(): Counted {
    return this.#sum(this.number);
  }

  #sum(but: number): Counted {
    let [states, steps] = [0, 0];
    for (let at = FIRST_MEMBER; at < this.#control.length; at += MEMBER_WORDS) {
      if (at === FIRST_MEMBER + MEMBER_WORDS * but) continue;
      states += this.#control[at + STATES]!;
      steps += this.#control[at + STEPS]!;
    }
    return { states, steps };
  }

  /**
   * This member has ended the pass, and counted. Waits for the others.
   * @param wrong it relied on what is not so
   * @param again makes ready for another pass, while nobody does anything
   * @returns whether there is another pass
   */
  endPass(wrong: boolean, again: () => void, look: () => void): boolean {
    const control = this.#control;
    locked(control, LOCK, () => {
      if (wrong) control[WRONG] = 1;
      if (++control[ARRIVED]! < control[MEMBERS]!) return;
      const next = control[WRONG] === 1 ? control[PASS]! + 1 : 0;
      if (next !== 0) again();
      for (const word of [WRONG, ARRIVED, IDLE]) control[word] = 0;
      Atomics.store(control, PASS, next);
      if (next !== 0) this.#offerRoot();
    });
    this.#wake();
    for (;;) {
      const wake = Atomics.load(control, WAKE);
      const pass = Atomics.load(control, PASS);
      if (pass !== this.#pass || this.ending !== 0) {
        this.#pass = pass;
        this.#isIdle = false;
        return pass !== 0 && this.ending === 0;
      }
      look();
      Atomics.wait(control, WAKE, wake, LOOK);
    }
  }

  /** The first state, of which nothing was tried. */
  #offerRoot(): void {
    this.memory.offers.set([0, 0, -1]);
    Atomics.store(this.#control, OFFERS, 1);
  }

  /** Notes a bit that this member has seen. */
  note(bit: number): void {
    Atomics.or(this.memory.notes, Math.floor(bit / 31), 1 << (bit % 31));
  }

  /** Has anybody seen it? */
  noted(bit: number): boolean {
    return (Atomics.load(this.memory.notes, Math.floor(bit / 31)) & (1 << (bit % 31))) !== 0;
  }

  #wake(): void {
    Atomics.add(this.#control, WAKE, 1);
    Atomics.notify(this.#control, WAKE);
  }
}
