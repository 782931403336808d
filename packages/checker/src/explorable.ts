/**
 * Explorable: what a search sees of a machine. One noun: a state that can be stepped forward and back.
 *
 * The state holds a fixed number of *actors*. With n CPUs: actor c < n is the main code of CPU c, n + c its interrupt side
 * (delivery, then the handler's steps), 2n + c the drain of its store buffer. An actor has at most one next step at a
 * time; the step may have several outcomes (`choices`), for instance which cached entry a user access takes.
 *
 *     for each actor a with choices(a) > 0, for each choice k:   perform(a, k) ... undo(mark)
 *
 * The machine keeps a journal: `undo` costs what `perform` changed. Keys are incremental.
 */

/** A broken oracle, or the end of an execution that may not end so. */
export interface Violation {
  /** The oracle (O1 ... O17), or `deadlock`, `assert` (a scenario's own), `race` (data race), `livelock`. */
  readonly oracle: string;
  /** One line for people. */
  readonly message: string;
}

/**
 * How a step touches a location; what {@link Explorable.footprint} reports. `add`, `or` and `andNot` change it and learn nothing of it:
 * two of the same kind have the same effect in either order.
 */
export type TouchMode = 'read' | 'write' | 'add' | 'or' | 'andNot';

/** Receives the locations that an actor's next step will touch. */
export type Touch = (location: number, mode: TouchMode) => void;

/** Ways to touch a word, for {@link Sharing}. */
export const TOUCH = {
  /** It is read. */
  read: 0,
  /** It is written. */
  write: 1,
  /** It is read or written by a plain access. */
  plain: 2,
  /** It is accessed otherwise than as a spinlock, by a step; or let go by who does not hold it. */
  unlike: 3,
  /** It is read to be written: of a step that does more than store. */
  modify: 4,
} as const;

/**
 * What processes were seen to touch, over all executions so far, and where in their code. search/locality.ts has it, machines
 * fill it and ask it. A *process* is the main code of a CPU or its interrupt side, numbered like their actors. A *position* is
 * how far its code is: it never goes down along an execution, and follows from the state.
 */
export interface Sharing {
  /** Notes that a process touches a word, or is about to. */
  touch(process: number, word: number, how: number, position: number): void;
  /** May a process touch a word at a position or after it? A `no` is relied on: if it turns out wrong, the search begins anew. */
  mayTouch(process: number, word: number, how: number, position: number): boolean;
}

/**
 * Which steps are *local*: whatever other actors can still do before such a step, they can do after it, with the same
 * results, and every violation that they would run into is found all the same. A search may then take it alone
 * (search/locality.ts).
 */
export interface Locality {
  /** Number of words that processes may touch. */
  readonly words: number;
  /** Fills `sharing` from now on, beginning with where every process stands; `undefined` ends that. */
  watch(sharing: Sharing | undefined): void;
  /** Is the actor's next step local, as far as can be said before it is performed? Asked for enabled steps with one outcome. */
  mayBeLocal(actor: number): boolean;
  /** Is it still, now that it was performed and the code behind it has run to its next step? */
  wasLocal(): boolean;
}

/** CPUs that run the same code, and that nothing else tells apart. */
export interface AlikeCpus {
  /** Their numbers. */
  readonly cpus: readonly number[];
}

/** CPUs that may be taken for one another (symmetry.ts). */
export interface Alike {
  /** The groups. */
  readonly groups: readonly AlikeCpus[];
  /** First half of a key that is the same in states that differ in which of them is which; as `look` found it. */
  readonly low: number;
  /** Second half. */
  readonly high: number;
  /** Looks at the present state. */
  look(): void;
}

/** Numbers that a machine gives to what comes up. */
export interface Numbers {
  /** Words of a table of them. */
  readonly words: number;
  /** From now on they are those of a table that machines share; its words are 0 at first. */
  share(table: Int32Array<SharedArrayBuffer>): void;
}

/** A machine in some state. */
export interface Explorable {
  /** Number of actors; constant. */
  readonly actors: number;
  /** Number of outcomes of the actor's next step now; 0 if it has none or is blocked. */
  choices(actor: number): number;
  /** True if every CPU's code has returned and nothing is left to deliver or drain. */
  finished(): boolean;
  /** Performs the next step of an actor. Sets {@link Explorable.violation} if that breaks an oracle. */
  perform(actor: number, choice: number): void;
  /** What the last `perform` broke, if anything. Cleared by `undo`. */
  readonly violation: Violation | undefined;
  /** To be asked in a state without enabled steps: final oracles, and deadlock if not `finished`. */
  checkEnd(): Violation | undefined;
  /** A point to come back to. */
  mark(): number;
  /** Goes back to a mark taken on the current path. */
  undo(mark: number): void;
  /** First half (32 bits, signed) of the state's key. Equal states have equal keys. */
  readonly keyLow: number;
  /** Second half of the key. */
  readonly keyHigh: number;
  /**
   * Calls back while keys do not follow the state, so that steps cost less: for searches that ask for none. The machine comes back to the
   * state that it is in. A machine without it always has keys.
   */
  withoutKeys?<T>(work: () => T): T;
  /** Lets code run also where it is known what it does, or stops it; a machine that always does has no need of it. */
  runCode?(always: boolean): void;
  /**
   * The next step of every actor, as text. A key must determine it: searches with `checkKeys` compare it wherever two paths
   * meet in one key.
   */
  nextSteps(): string;
  /**
   * What the actor's next step touches, for dependence: two steps of different actors are dependent if they share a location
   * and do not both only read it, or both change it in the same commuting way. A lock is written by who takes it and who lets it go; a wait reads its cell.
   * A step also touches whatever decides whether it is enabled and what its outcomes are; an actor without a next step touches
   * nothing.
   */
  footprint(actor: number, touch: Touch): void;
  /** Which steps are local; a machine without it is explored without reduction. */
  readonly locality?: Locality | undefined;
  /** Which CPUs are alike, if some are. */
  readonly alike?: Alike | undefined;
  /**
   * No step taken so far could be one of a cycle: of all states that were reached, none is reached again from itself. A machine without it
   * may have cycles.
   */
  readonly neverRepeats?: boolean;
  /** What it numbers as it comes up, and machines of one program are to number alike. */
  readonly numbers?: Numbers;
  /** The final observation of a finished execution (shared memory and results), for comparing strategies in tests. */
  observation(): string;
}
