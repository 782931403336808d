/**
 * Crew: worker threads, each with one order at a time. Who does not answer is replaced, and its mutant is one that runs without an end.
 */
import { Worker } from 'node:worker_threads';
import type { Part } from './campaign.ts';
import type { Answer, Assignment, Order } from './orders.ts';

/** Milliseconds without a word after which a worker has lost its way: no cell of a campaign takes as long. */
const PATIENCE = 180_000;

/** No answer. */
export const LOST: unique symbol = Symbol('lost');

/** Worker threads that answer orders. */
export class Crew {
  readonly #assignment: Assignment;
  readonly #idle: Hand[] = [];
  readonly #waiting: ((hand: Hand) => void)[] = [];
  readonly #hands = new Set<Hand>();
  /** What each group of cells is for. */
  groups: readonly Part[] = [];
  /** Is the memory model of some cell weak? */
  weak = false;

  private constructor(assignment: Assignment) {
    this.#assignment = assignment;
  }

  /** Starts so many workers, and waits until they are ready. */
  static async start(assignment: Assignment, jobs: number): Promise<Crew> {
    const crew = new Crew(assignment);
    await Promise.all(Array.from({ length: jobs }, () => crew.#hire()));
    return crew;
  }

  /** Gives an order to whoever is free next, and waits for the answer. */
  async ask(order: Order): Promise<Answer | typeof LOST> {
    const hand = this.#idle.pop() ?? (await new Promise<Hand>((resolve) => this.#waiting.push(resolve)));
    const answer = await hand.ask(order);
    if (answer === LOST) {
      this.#hands.delete(hand);
      await hand.dismiss();
      void this.#hire();
    } else {
      this.#release(hand);
    }
    return answer;
  }

  /** Ends all threads. */
  async dismiss(): Promise<void> {
    await Promise.all([...this.#hands].map((hand) => hand.dismiss()));
  }

  async #hire(): Promise<void> {
    const hand = new Hand(this.#assignment);
    this.#hands.add(hand);
    const ready = await hand.answer();
    if (ready === LOST || ready.kind !== 'ready') throw new Error('a worker of the campaign does not start');
    this.groups = ready.groups;
    this.weak = ready.weak;
    this.#release(hand);
  }

  #release(hand: Hand): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(hand);
    else next(hand);
  }
}

/** One thread. */
class Hand {
  readonly #worker: Worker;
  #answer: (answer: Answer | typeof LOST) => void = () => {};
  #fail: (error: unknown) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(workerData: Assignment) {
    // Node's stripping of types is experimental in the oldest version that is supported, and says so each time.
    const execArgv = ['--disable-warning=ExperimentalWarning'];
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, execArgv });
    this.#worker.on('message', (answer: Answer) => {
      this.#watch();
      if (answer.kind !== 'alive') this.#answer(answer);
    });
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') this.#answer(LOST);
      else this.#fail(error);
    });
  }

  ask(order: Order): Promise<Answer | typeof LOST> {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(order);
    return this.answer();
  }

  async answer(): Promise<Answer | typeof LOST> {
    try {
      return await new Promise((resolve, reject) => {
        this.#answer = resolve;
        this.#fail = reject;
        this.#watch();
      });
    } finally {
      clearTimeout(this.#timer);
    }
  }

  async dismiss(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#worker.terminate();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#answer(LOST), PATIENCE);
  }
}
