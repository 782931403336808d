/**
 * Suite: a planned run, and the worker threads that do it. This side only orders cells, so that it can stop at any time.
 *
 * The first thread plans. Others join when it has been at work for a while and more is left: they load everything anew, which short
 * runs are not worth. Threads take whole groups (groups.ts), and of these one cell after the other. One that finds no group left helps
 * another with its cell (underway.ts).
 */
import { setTimeout as after } from 'node:timers/promises';
import type { Comparison, Made, NotApplicable, Ran } from '@mmu-gather/conformance';
import { Misuse } from '../misuse.ts';
import { type Group, Queue } from './groups.ts';
import type { CellProgress, Plan, PlannedCell, Request, RunOrder } from './request.ts';
import type { Stop } from './stop.ts';
import { Thread } from './thread.ts';
import { Underway } from './underway.ts';

/** After so many milliseconds other threads join. */
const JOIN = 500;
/** After so many, if they can do nothing but help. */
const JOIN_TO_HELP = 2_000;

/** What is to be done. */
export interface Work {
  /** What to run. */
  readonly groups: readonly Group[];
  /** Cells that are done. */
  readonly known: ReadonlyMap<number, Ran>;
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
  readonly #jobs: number;
  readonly #underway = new Underway();

  private constructor(request: Request, stop: Stop, jobs: number, first: Thread, plan: Plan) {
    this.cells = plan.cells;
    this.notApplicable = plan.notApplicable;
    this.#request = request;
    this.#stop = stop;
    this.#jobs = jobs;
    this.#threads = [first];
  }

  /**
   * Loads and plans.
   * @param jobs threads, at most
   * @returns undefined if it was stopped meanwhile
   * @throws Misuse if there is nothing to run
   */
  static async start(request: Request, stop: Stop, jobs: number): Promise<Suite | undefined> {
    const members = mayBeHelped(request) ? jobs : 1;
    const thread = new Thread(request, stop, members);
    const reply = await thread.answer();
    return reply?.kind === 'planned' ? new Suite(request, stop, jobs, thread, reply) : undefined;
  }

  /** Runs cells until all are done, or it is stopped. */
  async run({ groups, known, cost }: Work, ear: Ear): Promise<void> {
    const open = groups.filter((group) => group.some((cell) => !known.has(cell)));
    if (open.length === 0) return;
    const queue = new Queue(open, this.#jobs, cost);
    const helps = mayBeHelped(this.#request);
    const over = new AbortController();
    over.signal.addEventListener('abort', () => this.#underway.close());
    this.#stop.onAsked(() => over.abort());
    let left = open.length;
    const work = async (thread: Thread): Promise<void> => {
      for (let group = queue.take(); group !== undefined; group = queue.take()) {
        await this.#run(thread, group, known, ear);
        if (--left === 0) over.abort();
      }
      if (helps) await this.#help(thread);
    };
    const pause = (time: number): Promise<void> => after(time, undefined, { signal: over.signal }).catch(() => {});
    const join = async (): Promise<void> => {
      await pause(JOIN);
      if (helps && queue.length === 0) await pause(JOIN_TO_HELP - JOIN);
      if (!over.signal.aborted && (helps || queue.length > 0)) await work(await this.#another());
    };
    const others = (helps ? this.#jobs : Math.min(this.#jobs, open.length)) - 1;
    try {
      await Promise.all([work(this.#threads[0]!), ...Array.from({ length: Math.max(0, others) }, join)]);
    } finally {
      queue.clear();
      over.abort();
    }
  }

  /** Ends its threads. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  /** Runs what is left of a group. */
  async #run(thread: Thread, group: Group, known: ReadonlyMap<number, Ran>, ear: Ear): Promise<void> {
    let order: Pick<RunOrder, 'known'> = { known: madeOf(group, known) };
    for (const cell of group) {
      if (this.#stop.asked) return;
      if (known.has(cell)) continue;
      ear.working(cell);
      thread.order({ run: cell, ...order });
      const one = this.#underway.begin(cell, () => thread.want(cell));
      const reply = await thread.answer({
        progress: (progress) => ear.working(cell, progress),
        opened: (memory) => this.#underway.opened(one, memory),
      });
      this.#underway.end(one);
      ear.finished(cell, reply?.kind === 'finished' ? reply.ran : undefined);
      order = {};
    }
  }

  /** Helps other threads until nothing is under way any more. */
  async #help(thread: Thread): Promise<void> {
    for (let one = await this.#underway.toHelp(); one !== undefined; one = await this.#underway.toHelp()) {
      thread.order({ help: one.cell, memory: one.memory! });
      if ((await thread.answer()) === undefined) return;
      this.#underway.helped(one);
    }
  }

  /** One more thread, which must plan the same. */
  async #another(): Promise<Thread> {
    const thread = new Thread(this.#request, this.#stop, this.#jobs, true);
    this.#threads.push(thread);
    const reply = await thread.answer();
    if (reply?.kind === 'planned' && JSON.stringify(reply.cells) !== JSON.stringify(this.cells))
      throw new Misuse(
        `${[...this.#request.files, ...this.#request.backends].join(', ')}: other scenarios each time they are loaded: give --jobs 1`,
      );
    return thread;
  }
}

/** May several threads search one cell? Other strategies, limits and coverage are of one search. */
function mayBeHelped({ run: { strategy = 'states', maxStates, coverage }, rerun }: Request): boolean {
  return strategy === 'states' && maxStates === undefined && coverage !== true && rerun === undefined;
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
  const thread = new Thread(request, stop, 1);
  const reply = await thread.answer({ progress: onProgress });
  await thread.close();
  return reply?.kind === 'compared' && !stop.asked ? reply.comparison : undefined;
}
