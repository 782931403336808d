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
  /** The oracle (O1 ... O16), or `deadlock`, `assert` (a scenario's own), `race` (data race), `livelock`. */
  readonly oracle: string;
  /** One line for people. */
  readonly message: string;
}

/** How a step touches a location; what {@link Explorable.footprint} reports. */
export type TouchMode = 'read' | 'write';

/** Receives the locations that an actor's next step will touch. */
export type Touch = (location: number, mode: TouchMode) => void;

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
   * The next step of every actor, as text. A key must determine it: searches with `checkKeys` compare it wherever two paths
   * meet in one key.
   */
  nextSteps(): string;
  /**
   * What the actor's next step touches, for dependence: two steps of different actors are dependent if they share a location
   * and not both only read it. A lock is written by who takes it and who lets it go; a wait reads its cell.
   * A step also touches whatever decides whether it is enabled and what its outcomes are; an actor without a next step touches
   * nothing.
   */
  footprint(actor: number, touch: Touch): void;
  /** The final observation of a finished execution (shared memory and results), for comparing strategies in tests. */
  observation(): string;
}
