/**
 * Suite: the command's side of a run. One worker thread plans and runs; this side orders cells and can stop at any time.
 */
import { Worker } from 'node:worker_threads';
import type { CellResult, Comparison, NotApplicable } from '@mmu-gather/conformance';
import { Misuse } from '../misuse.ts';
import type { CellProgress, Order, PlannedCell, Reply, Request, WorkerData } from './request.ts';

/** How long a search may take to notice that it was stopped, in milliseconds. It looks ten times a second. */
const GRACE = 1_000;

/** The thread went away before it answered. */
class Gone extends Error {}

/** A planned run. */
export class Suite {
  /** What there is to run. */
  readonly cells: readonly PlannedCell[];
  /** What was asked for and does not apply. */
  readonly notApplicable: readonly NotApplicable[];
  readonly #thread: Thread;

  private constructor(thread: Thread, { cells, notApplicable }: Pick<Suite, 'cells' | 'notApplicable'>) {
    this.#thread = thread;
    this.cells = cells;
    this.notApplicable = notApplicable;
  }

  /**
   * Loads and plans.
   * @returns undefined if it was stopped meanwhile
   * @throws Misuse if there is nothing to run
   */
  static async start(request: Request, onStop: (stop: () => void) => void): Promise<Suite | undefined> {
    const thread = new Thread(request);
    onStop(() => thread.stop());
    const reply = await thread.answer(() => {});
    return reply?.kind === 'planned' ? new Suite(thread, reply) : undefined;
  }

  /** Runs a cell. Its result is `incomplete` if it was stopped, and undefined if it did not even notice. */
  async run(cell: number, onProgress: (progress: CellProgress) => void): Promise<CellResult | undefined> {
    this.#thread.order({ run: cell });
    const reply = await this.#thread.answer(onProgress);
    return reply?.kind === 'finished' ? reply.result : undefined;
  }

  /** Was {@link Suite.start}'s stop called, or did the memory not suffice? */
  get stopped(): boolean {
    return this.#thread.stopped;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#thread.close();
  }
}

/**
 * Compares profiles, in a thread of its own.
 * @returns undefined if it was stopped meanwhile
 * @throws Misuse if there is nothing to run
 */
export async function comparison(
  request: Request,
  onStop: (stop: () => void) => void,
  onProgress: (progress: CellProgress) => void,
): Promise<Comparison | undefined> {
  const thread = new Thread(request);
  onStop(() => thread.stop());
  const reply = await thread.answer(onProgress);
  const { stopped } = thread;
  await thread.close();
  return reply?.kind === 'compared' && !stopped ? reply.comparison : undefined;
}

/** The worker thread, and the answer that is waited for. */
class Thread {
  stopped = false;
  readonly #worker: Worker;
  readonly #stop: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4));
  #onReply: (reply: Reply) => void = () => {};
  #onGone: (reason: Error) => void = () => {};
  #gone: Error | undefined;

  constructor(request: Request) {
    const workerData: WorkerData = { request, stop: this.#stop };
    // What a user's file prints must not end up between the results.
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, stdout: true });
    this.#worker.stdout.pipe(process.stderr);
    this.#worker.on('message', (reply: Reply) => this.#onReply(reply));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return this.#goes(error);
      this.stopped = true;
      this.#goes(new Gone());
      process.stderr.write('mmu-gather: out of memory: limit the search with --max-states\n');
    });
    this.#worker.on('exit', (code) => {
      const files = [...request.files, ...request.backends].join(', ');
      // 13: the file waits at its top level for what never comes.
      const ended = code === 13 ? 'its import never ends' : `ended the process (exit code ${code})`;
      this.#goes(
        this.stopped
          ? new Gone()
          : new Misuse(`${files}: ${ended}: a file of scenarios or backends may only define them`),
      );
    });
  }

  order(order: Order): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(order);
  }

  /** The next answer, progress aside; undefined if the thread was stopped before it came. */
  async answer(onProgress: (progress: CellProgress) => void): Promise<Reply | undefined> {
    try {
      if (this.#gone !== undefined) throw this.#gone;
      const reply = await new Promise<Reply>((resolve, reject) => {
        this.#onGone = reject;
        this.#onReply = (message) => {
          if (message.kind === 'progress') onProgress(message.progress);
          else resolve(message);
        };
      });
      if (reply.kind !== 'misuse') return reply;
      await this.close();
      throw new Misuse(reply.message);
    } catch (error) {
      if (error instanceof Gone) return undefined;
      throw error;
    }
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    Atomics.store(this.#stop, 0, 1);
    setTimeout(() => void this.#worker.terminate(), GRACE).unref();
  }

  async close(): Promise<void> {
    this.stopped = true;
    await this.#worker.terminate();
  }

  #goes(reason: Error): void {
    this.#gone ??= reason;
    this.#onGone(this.#gone);
  }
}
