/**
 * Thread: the command's end of one worker thread (serve.ts has the other), and the answer that is waited for.
 */
import { Worker } from 'node:worker_threads';
import { Misuse } from '../misuse.ts';
import type { CellProgress, Order, Reply, Request, WorkerData } from './request.ts';
import type { Stop } from './stop.ts';

/** How long a search may take to notice that it was stopped, in milliseconds. It looks ten times a second. */
const GRACE = 1_000;

/** The thread went away before it answered. */
class Gone extends Error {}

/** A worker thread. */
export class Thread {
  readonly #worker: Worker;
  #onReply: (reply: Reply) => void = () => {};
  #onGone: (reason: Error) => void = () => {};
  #gone: Error | undefined;
  #closed = false;

  /** @param again not the first one: files were loaded before */
  constructor(request: Request, stop: Stop, again = false) {
    const workerData: WorkerData = { request, stop: stop.word, again };
    // What a user's file prints must not end up between the results.
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, stdout: true });
    this.#worker.stdout.pipe(process.stderr);
    this.#worker.on('message', (reply: Reply) => this.#onReply(reply));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return this.#goes(error);
      stop.ask();
      this.#goes(new Gone());
      process.stderr.write('mmu-gather: out of memory: limit the search with --max-states, or take fewer --jobs\n');
    });
    this.#worker.on('exit', (code) => {
      const files = [...request.files, ...request.backends].join(', ');
      // 13: the file waits at its top level for what never comes.
      const ended = code === 13 ? 'its import never ends' : `ended the process (exit code ${code})`;
      this.#goes(
        stop.asked || this.#closed
          ? new Gone()
          : new Misuse(`${files}: ${ended}: a file of scenarios or backends may only define them`),
      );
    });
    stop.onAsked(() => setTimeout(() => void this.#worker.terminate(), GRACE).unref());
  }

  /** Tells it what to do next. */
  order(order: Order): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(order);
  }

  /**
   * The next answer, progress aside; undefined if the run was stopped before it came.
   * @throws Misuse if that is the answer
   */
  async answer(onProgress: (progress: CellProgress) => void = () => {}): Promise<Reply | undefined> {
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

  /** Ends it. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker.terminate();
  }

  #goes(reason: Error): void {
    this.#gone ??= reason;
    this.#onGone(this.#gone);
  }
}
