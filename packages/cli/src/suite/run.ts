/**
 * Run: plans and runs a request, and hands over what is known of each cell in the order of the plan, whatever order threads take them
 * in. Ends early if the user interrupts, or when the time for all of it is over.
 */
import type { CellResult, NotApplicable, Ran, RunInfo } from '@mmu-gather/conformance';
import { Status } from '../human/status.ts';
import { number } from '../human/text.ts';
import { onInterrupt } from '../interrupt.ts';
import { Checkpoint } from './checkpoint.ts';
import { Costs } from './costs.ts';
import { groupsOf } from './groups.ts';
import { identityOf } from './identity.ts';
import type { CellProgress, PlannedCell, Request } from './request.ts';
import { dealt, type Shard } from './shard.ts';
import { Stop } from './stop.ts';
import { type Ear, Suite } from './suite.ts';

/** The longest time that a timer takes. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** How a request is run; nothing of this changes a result. */
export interface How {
  /** Number of threads, at most; one if not given. */
  readonly jobs?: number;
  /** Most milliseconds for all of it. */
  readonly totalTimeLimit?: number;
  /** Only this part. */
  readonly shard?: Shard;
  /** Keeps what is finished in this file, and goes on from what is in it. */
  readonly checkpoint?: string;
}

/** What was run. */
export interface Outcome {
  readonly run: RunInfo;
  /** Those that were to be run here. */
  readonly cells: readonly PlannedCell[];
  /** Of these cells; undefined where there is none because the run was stopped. */
  readonly results: readonly (CellResult | undefined)[];
  /** What was asked for and does not apply. */
  readonly notApplicable: readonly NotApplicable[];
}

/** Hears of a run; whatever it returns is printed. */
export interface Listener {
  /** The cells are known. */
  planned?(cells: readonly PlannedCell[]): string;
  /** A cell came to an end; called in the order of the cells. */
  finished?(cell: PlannedCell, result: CellResult | undefined): string;
}

/**
 * Plans and runs.
 * @throws Misuse if there is nothing to run, or a file is not what it should be
 */
export async function run(request: Request, listener: Listener = {}, how: How = {}): Promise<Outcome> {
  const started = performance.now();
  const stop = new Stop();
  const deaf = onInterrupt(() => stop.ask());
  const limit = how.totalTimeLimit;
  const timer = limit === undefined ? undefined : setTimeout(() => stop.ask(), Math.min(limit, LONGEST_TIMER));
  let suite: Suite | undefined;
  try {
    suite = await Suite.start(request, stop, how.jobs ?? 1);
    const part = suite === undefined ? NOTHING : await runPart(suite, { request, listener, how, stop });
    const info: RunInfo = {
      identity: identityOf(request),
      planned: suite?.cells.length ?? 0,
      ...(how.shard !== undefined && { shard: { ...how.shard, cells: placesOf(part) } }),
      stopped: stop.asked,
      milliseconds: Math.round(performance.now() - started),
    };
    return { run: info, cells: part.cells, results: part.results, notApplicable: suite?.notApplicable ?? [] };
  } finally {
    clearTimeout(timer);
    deaf();
    await suite?.close();
  }
}

/** The cells of a run that are run here. */
interface Part {
  /** Where they stand in the plan. */
  readonly numbers: readonly number[];
  readonly cells: readonly PlannedCell[];
  readonly results: readonly (CellResult | undefined)[];
}

/** Where the results stand in the plan. */
function placesOf({ numbers, results }: Part): number[] {
  return numbers.filter((_, i) => results[i] !== undefined);
}

const NOTHING: Part = { numbers: [], cells: [], results: [] };

interface Parts {
  readonly request: Request;
  readonly listener: Listener;
  readonly how: How;
  readonly stop: Stop;
}

async function runPart(suite: Suite, { request, listener, how, stop }: Parts): Promise<Part> {
  const { jobs = 1, shard } = how;
  const groups = dealt(suite.cells, groupsOf(suite.cells), shard);
  const numbers = groups.flat().toSorted((a, b) => a - b);
  const cells = numbers.map((cell) => suite.cells[cell]!);
  const checkpoint =
    how.checkpoint === undefined ? undefined : Checkpoint.open(how.checkpoint, identityOf(request), shard);
  const known = checkpoint?.known ?? new Map<number, Ran>();
  if (checkpoint !== undefined) announce(how.checkpoint!, checkpoint, numbers.length);
  const costs = new Costs(suite.cells, request.run);
  const status = new Status(numbers.length);
  const output = new InOrder(suite.cells, numbers, listener, status);
  const ear: Ear = {
    working(cell, progress) {
      costs.began(cell);
      output.begun.add(cell);
      status.update(output.done, doing(suite.cells[cell]!, progress), () => costs.left(output.missing(), jobs));
    },
    finished(cell, ran) {
      if (ran !== undefined && ran.result.limit !== 'stopped') {
        checkpoint?.add(cell, ran);
        costs.took(cell, ran.result.milliseconds);
      }
      output.add(cell, ran?.result);
    },
  };
  const started = performance.now();
  try {
    for (const [cell, { result }] of known) output.add(cell, result);
    await suite.run({ groups, known, cost: (group) => costs.of(group) }, ear);
    if (stop.asked) output.rest();
    costs.keep(performance.now() - started);
  } finally {
    status.end();
    checkpoint?.close();
  }
  return { numbers, cells, results: numbers.map((cell) => output.results.get(cell)) };
}

/** Says what a checkpoint holds. */
function announce(file: string, { known, torn }: Checkpoint, planned: number): void {
  if (torn) process.stderr.write(`${file}: its last line was cut short, and is dropped: that cell runs again\n`);
  if (known.size > 0) process.stderr.write(`${file}: ${number(known.size)} of ${number(planned)} cells are done\n`);
}

function doing({ id, profile }: PlannedCell, progress: CellProgress | undefined): string {
  const { states = 0, executions = 0 } = progress ?? {};
  const far = states > 0 ? `${number(states)} states` : `${number(executions)} executions`;
  return `${id} ${profile}${progress === undefined ? '' : `: ${far}`}`;
}

/** Results as they come in, shown in the order of the cells. */
class InOrder {
  readonly results: Map<number, CellResult | undefined> = new Map<number, CellResult | undefined>();
  /** Cells that were begun. */
  readonly begun: Set<number> = new Set<number>();
  readonly #cells: readonly PlannedCell[];
  readonly #numbers: readonly number[];
  readonly #listener: Listener;
  readonly #status: Status;
  #shown = 0;
  #head: string;

  constructor(cells: readonly PlannedCell[], numbers: readonly number[], listener: Listener, status: Status) {
    this.#cells = cells;
    this.#numbers = numbers;
    this.#listener = listener;
    this.#status = status;
    this.#head = listener.planned?.(numbers.map((cell) => cells[cell]!)) ?? '';
  }

  /** Number of cells that are done. */
  get done(): number {
    return this.results.size;
  }

  /** Cells that are not. */
  missing(): number[] {
    return this.#numbers.filter((cell) => !this.results.has(cell));
  }

  /** A result, or that there will be none. */
  add(cell: number, result: CellResult | undefined): void {
    this.results.set(cell, result);
    while (this.#shown < this.#numbers.length && this.results.has(this.#numbers[this.#shown]!))
      this.#show(this.#numbers[this.#shown++]!);
  }

  /** Shows what is known of the others: nothing more will come. */
  rest(): void {
    for (const cell of this.#numbers.slice(this.#shown))
      if (this.begun.has(cell) || this.results.has(cell)) this.#show(cell);
  }

  #show(cell: number): void {
    this.#status.write(this.#head + (this.#listener.finished?.(this.#cells[cell]!, this.results.get(cell)) ?? ''));
    this.#head = '';
  }
}
