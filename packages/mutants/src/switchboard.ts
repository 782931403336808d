/**
 * Switchboard: what instrumented code asks. `$m` is global, for code that is loaded through hooks has no imports of its own.
 *
 *     $m(17) ? undefined : yield* cpu.smpMb()        is mutant 17 on? whoever asks has reached it
 *
 * At most two mutants are on. What is asked again and again without an end is a loop that a mutant has made endless.
 */
import type { Cell, Cpu, Steps } from '@mmu-gather/core/stepped';
import { split } from './split.ts';

/** A mutant made a loop endless. */
export class Endless extends Error {
  /** Name in messages. */
  override readonly name = 'Endless';
}

/** So often is a mutant asked for in the largest cell that is run, and a hundred times more. */
const MOST_ASKED = 50_000_000;

/** Both neighbours of a swap, or the site of another mutant. */
const REACHED = 3;

/** Which mutants are on, and what is reached. */
export class Switchboard {
  #first = -1;
  #second = -1;
  #asked = 0;
  #reached: Uint8Array;
  /** Locks that a mutant left out, by process: their unlock is left out, too. */
  readonly #leftOut = new WeakMap<Cpu, Set<Cell>>();

  /** @param count number of mutants */
  constructor(count: number) {
    this.#reached = new Uint8Array(count);
  }

  /** Switches mutants on, and all others off. */
  turn(first = -1, second = -1): void {
    this.#first = first;
    this.#second = second;
    this.#asked = 0;
  }

  /** Forgets what was reached. */
  clear(): void {
    this.#reached.fill(0);
  }

  /** The mutants that were asked for since {@link Switchboard.clear}. */
  reached(): number[] {
    return Array.from(this.#reached.keys()).filter((id) => this.#reached[id] === REACHED);
  }

  /** Is a mutant on? Whoever asks has reached it. */
  readonly reach = (id: number): boolean => {
    this.#reached[id] = REACHED;
    return this.isOn(id);
  };

  /** One of the two neighbours of a swap takes effect: a swap is reached by who reaches both. */
  readonly note = (id: number, which: 1 | 2): void => {
    this.#reached[id]! |= which;
  };

  /** Is a mutant on? */
  readonly isOn = (id: number): boolean => {
    if (id !== this.#first && id !== this.#second) return false;
    if (++this.#asked > MOST_ASKED) throw new Endless('the mutant runs in a circle');
    return true;
  };

  /** Takes a lock, or with the mutant notes that it was not taken. */
  readonly lock = (id: number, cpu: Cpu, method: LockMethod, lock: Cell): Steps<unknown> => {
    const on = this.reach(id);
    let leftOut = this.#leftOut.get(cpu);
    if (on && leftOut === undefined) this.#leftOut.set(cpu, (leftOut = new Set()));
    // A process that is made anew passes all its locks again: whatever was noted of this one is what it does now.
    if (!on) {
      leftOut?.delete(lock);
      return cpu[method](lock);
    }
    leftOut!.add(lock);
    return TAKEN;
  };

  /** Lets a lock go that was taken. */
  readonly unlock = (cpu: Cpu, method: UnlockMethod, lock: Cell): Steps<void> => {
    const leftOut = this.#leftOut.get(cpu);
    if (this.#first < 0 || leftOut === undefined || !leftOut.has(lock)) return cpu[method](lock);
    if (method !== 'downgradeWrite') leftOut.delete(lock);
    return TAKEN as Steps<never>;
  };
}

type LockMethod = 'spinLock' | 'downRead' | 'downWrite' | 'downReadTrylock';
type UnlockMethod = 'spinUnlock' | 'upRead' | 'upWrite' | 'downgradeWrite';

/** No steps. A try succeeds. */
const TAKEN: Steps<number> = {
  next: () => ({ done: true, value: 1 }),
  [Symbol.iterator]: () => TAKEN,
};

/** Puts a switchboard where instrumented code looks for it. */
export function install(board: Switchboard): void {
  const $m = Object.assign((id: number) => board.reach(id), {
    isOn: board.isOn,
    note: board.note,
    lock: board.lock,
    unlock: board.unlock,
    split,
    nothing: TAKEN,
  });
  Object.assign(globalThis, { $m });
}
