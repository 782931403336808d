/**
 * Histories: a process's part of the key, the hash of what it was fed, and its position, which follows from that.
 *
 * Both grow with every step. A system call makes the history shorter when it ends, and code may say what it still knows (`forget`).
 */
import { OP } from './op.ts';
import { chain, type State } from './state.ts';
import { PROCESS, QUIET, type Words } from './words.ts';

/** Positions of a process that one system call takes: more than any has steps and plain loads. */
const SYSCALL = 1 << 16;
/** Positions from one `forget` to the next that follows it at once. */
const STRETCH = 1 << 12;
/** Largest progress that a `forget` may state. */
const MAX_PROGRESS = 1023;

/** The histories of all processes. */
export class Histories {
  readonly #words: Words;
  readonly #state: State;

  constructor(words: Words) {
    this.#words = words;
    this.#state = words.state;
  }

  /** A process begins a body. */
  begin(number: number): void {
    const at = this.#words.processAt(number, PROCESS.history);
    this.#words.setQuiet(number, QUIET.position, 0);
    this.#state.set(at, 0);
    this.#state.set(at + 1, 0);
  }

  /** The result of a plain load. */
  loaded(number: number, value: number): void {
    this.#extend(number, value);
    this.#advance(number);
  }

  /** The result of a step. */
  stepped(number: number, kind: number, value: number): void {
    const words = this.#words;
    const { position, savedHistory, savedPosition } = QUIET;
    if (kind === OP.enterUser && words.arg(number, 1) !== 0) {
      // The system call returns one word, and nothing else of it lives on.
      const [low, high] = [words.quiet(number, savedHistory), words.quiet(number, savedHistory + 1)];
      this.#restart(number, low, high, words.arg(number, 0));
      words.setQuiet(number, position, words.quiet(number, savedPosition) + SYSCALL);
      return;
    }
    this.loaded(number, value);
    if (kind !== OP.enterKernel) return;
    const at = words.processAt(number, PROCESS.history);
    words.setQuiet(number, savedHistory, this.#state.words[at]!);
    words.setQuiet(number, savedHistory + 1, this.#state.words[at + 1]!);
    words.setQuiet(number, savedPosition, words.quiet(number, position));
  }

  /** The history becomes what the process says that it still knows. Its position must follow from that, too. */
  forget(number: number, progress: number, live: readonly number[]): void {
    const words = this.#words;
    const position = STRETCH * progress;
    if (progress > MAX_PROGRESS || position <= words.quiet(number, QUIET.position))
      throw new Error(
        `forget: progress is ${progress}; it grows, to ${MAX_PROGRESS} at most, and from one call to the next there are less than ${STRETCH} steps and plain loads`,
      );
    words.setQuiet(number, QUIET.position, position);
    this.#restart(number, 0, 0, progress);
    for (const value of live) this.#extend(number, value);
  }

  #advance(number: number): void {
    this.#words.setQuiet(number, QUIET.position, this.#words.quiet(number, QUIET.position) + 1);
  }

  #extend(number: number, value: number): void {
    const at = this.#words.processAt(number, PROCESS.history);
    this.#restart(number, this.#state.words[at]!, this.#state.words[at + 1]!, value);
  }

  /** The history becomes that of two hashes and a value. */
  #restart(number: number, low: number, high: number, value: number): void {
    const at = this.#words.processAt(number, PROCESS.history);
    this.#state.set(at, chain(low, value + 0x51, 0));
    this.#state.set(at + 1, chain(high, value + 0x51, 1));
  }
}
