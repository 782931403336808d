/**
 * Suite: a planned run, and the worker threads that do it. This side only orders cells, so that it can stop at any time.
 *
 * The first thread plans. Others join when it has been at work for a while and more is left: they load everything anew, which short
 * runs are not worth. Threads take whole groups (groups.ts), and of these one cell after the other.
 */
import { setTimeout as after } from 'node:timers/promises';
import type { Comparison, Made, NotApplicable, Ran } from '@mmu-gather/conformance';
import { Misuse } from '../misuse.ts';
import { type Group, Queue } from './groups.ts';
import type { CellProgress, Order, Plan, PlannedCell, Request } from './request.ts';
import type { Stop } from './stop.ts';
import { Thread } from './thread.ts';

/** After so many milliseconds other threads join. */
const JOIN = 500;

/** What is to be done. */
export interface Work {
  /** What to run. */
  readonly groups: readonly Group[];
  /** Cells that are done. */
  readonly known: ReadonlyMap<number, Ran>;
  /** Number of threads, at most. */
  readonly jobs: number;
  /** What a group takes, in any unit. */
  readonly cost: (group: Group) => number;
}

/** Hears of the work. */
export interface Ear {
  /** A cell begins, or goes on. */
  working(cell: number, progress?: CellProgress): void;
  /** A cell is done. It is `incomplete` if the run was stopped, and undefined if it did not even notice. */
  finished(cell: number, ran: Ran | undefined): void;
}

/** A planned run. */
export class Suite implements Plan {
  readonly cells: readonly PlannedCell[];
  readonly notApplicable: readonly NotApplicable[];
  readonly #request: Request;
  readonly #stop: Stop;
  readonly #threads: Thread[];

  private constructor(request: Request, stop: Stop, first: Thread, plan: Plan) {
    this.cells = plan.cells;
    this.notApplicable = plan.notApplicable;
    this.#request = request;
    this.#stop = stop;
    this.#threads = [first];
  }

  /**
   * Loads and plans.
   * @returns undefined if it was stopped meanwhile
   * @throws Misuse if there is nothing to run
   */
  static async start(request: Request, stop: Stop): Promise<Suite | undefined> {
    const thread = new Thread(request, stop);
    const reply = await thread.answer();
    return reply?.kind === 'planned' ? new Suite(request, stop, thread, reply) : undefined;
  }

  /** Runs cells until all are done, or it is stopped. */
  async run({ groups, known, jobs, cost }: Work, ear: Ear): Promise<void> {
    const open = groups.filter((group) => group.some((cell) => !known.has(cell)));
    const queue = new Queue(open, jobs, cost);
    const drained = new AbortController();
    const work = async (thread: Thread): Promise<void> => {
      for (let group = queue.take(); group !== undefined; group = queue.take())
        await this.#run(thread, group, known, ear);
      drained.abort();
    };
    const join = async (): Promise<void> => {
      await after(JOIN, undefined, { signal: drained.signal }).catch(() => {});
      if (queue.length > 0 && !this.#stop.asked) await work(await this.#another());
    };
    const others = Math.min(jobs, open.length) - 1;
    try {
      await Promise.all([work(this.#threads[0]!), ...Array.from({ length: Math.max(0, others) }, join)]);
    } finally {
      queue.clear();
      drained.abort();
    }
  }

  /** Ends its threads. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  /** Runs what is left of a group. */
  async #run(thread: Thread, group: Group, known: ReadonlyMap<number, Ran>, ear: Ear): Promise<void> {
    let order: Pick<Order, 'known'> = { known: madeOf(group, known) };
    for (const cell of group) {
      if (this.#stop.asked) return;
      if (known.has(cell)) continue;
      ear.working(cell);
      thread.order({ run: cell, ...order });
      const reply = await thread.answer((progress) => ear.working(cell, progress));
      ear.finished(cell, reply?.kind === 'finished' ? reply.ran : undefined);
      order = {};
    }
  }

  /** One more thread, which must plan the same. */
  async #another(): Promise<Thread> {
    const thread = new Thread(this.#request, this.#stop, true);
    this.#threads.push(thread);
    const reply = await thread.answer();
    if (reply?.kind === 'planned' && JSON.stringify(reply.cells) !== JSON.stringify(this.cells))
      throw new Misuse(
        `${[...this.#request.files, ...this.#request.backends].join(', ')}: other scenarios each time they are loaded: give --jobs 1`,
      );
    return thread;
  }
}

/** What was searched of a group before. */
function madeOf(group: Group, known: ReadonlyMap<number, Ran>): (readonly [cell: number, made: Made])[] {
  return group.flatMap((cell) => {
    const made = known.get(cell)?.made;
    return made === undefined ? [] : [[cell, made] as const];
  });
}

/**
 * Compares profiles, in a thread of its own.
 * @returns undefined if it was stopped meanwhile
 * @throws Misuse if there is nothing to run
 */
export async function comparison(
  request: Request,
  stop: Stop,
  onProgress: (progress: CellProgress) => void,
): Promise<Comparison | undefined> {
  const thread = new Thread(request, stop);
  const reply = await thread.answer(onProgress);
  await thread.close();
  return reply?.kind === 'compared' && !stop.asked ? reply.comparison : undefined;
}
