/**
 * Thread: the command's end of one worker thread (serve.ts has the other), and the answer that is waited for.
 */
import { Worker } from 'node:worker_threads';
import type { TeamMemory } from '@mmu-gather/checker';
import { Misuse } from '../misuse.ts';
import type { CellProgress, Order, Reply, Request, WorkerData } from './request.ts';
import type { Stop } from './stop.ts';

/** How long a search may take to notice that it was stopped, in milliseconds. It looks ten times a second. */
const GRACE = 1_000;

/** Hears what a thread says before it answers. */
export interface ThreadEar {
  /** How far it is. */
  progress?(progress: CellProgress): void;
  /** Others may help. */
  opened?(memory: TeamMemory): void;
}

/** The thread went away before it answered. */
class Gone extends Error {}

/** A worker thread. */
export class Thread {
  readonly #worker: Worker;
  #onReply: (reply: Reply) => void = () => {};
  #onGone: (reason: Error) => void = () => {};
  #gone: Error | undefined;
  #closed = false;
  readonly #wanted = new Int32Array(new SharedArrayBuffer(4));

  /**
   * @param members threads that may search one cell, at most
   * @param again not the first one: files were loaded before
   */
  constructor(request: Request, stop: Stop, members: number, again = false) {
    const workerData: WorkerData = { request, stop: stop.word, wanted: this.#wanted, members, again };
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

  /** Others want to help with the cell that it runs. */
  want(cell: number): void {
    Atomics.store(this.#wanted, 0, cell + 1);
  }

  /**
   * The next answer, all else aside; undefined if the run was stopped before it came.
   * @throws Misuse if that is the answer
   */
  async answer(ear: ThreadEar = {}): Promise<Reply | undefined> {
    try {
      if (this.#gone !== undefined) throw this.#gone;
      const reply = await new Promise<Reply>((resolve, reject) => {
        this.#onGone = reject;
        this.#onReply = (message) => {
          if (message.kind === 'progress') ear.progress?.(message.progress);
          else if (message.kind === 'opened') ear.opened?.(message.memory);
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
