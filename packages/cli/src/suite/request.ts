/**
 * What the command asks its worker threads to run, and what they answer: plain data.
 *
 *     command                              each worker
 *     Request (its workerData)        ->   loads scenarios, plans cells
 *                                     <-   planned | misuse
 *     run i                           ->   runs cell i
 *                                     <-   progress ..., then finished | misuse
 *     wanted (a word of the worker's) ->   the search under way opens its team
 *                                     <-   opened
 *     help i                          ->   helps another worker with cell i
 *                                     <-   helped
 *     stop (a word that all share)    ->   the search under way ends, and its cell is incomplete
 *
 * A request to compare is answered by progress ..., then compared.
 */
import type { TeamMemory } from '@mmu-gather/checker';
import type { Comparison, Made, NotApplicable, Ran, RunOptions, Selection } from '@mmu-gather/conformance';

/** A run of scenarios. */
export interface Request {
  /** Files that hold the scenarios; this repository's suite if there are none. */
  readonly files: readonly string[];
  /** Files that hold backends of a third party. */
  readonly backends: readonly string[];
  readonly selection: Selection;
  readonly run: Omit<RunOptions, 'onProgress'>;
  /** Instead of searching: the id of an execution to take once more. */
  readonly rerun?: string;
  /** Instead of searching: count what profiles cost. */
  readonly compare?: boolean;
}

/** A cell, as far as tables need it. */
export interface PlannedCell {
  /** Id of the scenario or twin. */
  readonly id: string;
  /** Of a twin: the scenario's id. */
  readonly twinOf?: string;
  /** What it is, in one line. */
  readonly title: string;
  readonly arch: string;
  readonly profile: string;
  readonly memoryModel: string;
  readonly expected: 'holds' | 'violated';
  /** Oracles of which one must be violated. */
  readonly oracles: readonly string[];
}

/** How far the cell under way is. */
export interface CellProgress {
  readonly states: number;
  readonly executions: number;
}

/** What there is to run. */
export interface Plan {
  readonly cells: readonly PlannedCell[];
  /** What was asked for and does not apply. */
  readonly notApplicable: readonly NotApplicable[];
}

/** What a worker is started with. */
export interface WorkerData {
  readonly request: Request;
  /** Not 0: stop the search under way. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  /** One more than the number of the cell that others want to help with; or 0. */
  readonly wanted: Int32Array<SharedArrayBuffer>;
  /** Threads that may search one cell, at most. */
  readonly members: number;
  /** Another worker has loaded the files, too, and what they print while they are loaded was printed. */
  readonly again: boolean;
}

/** What a worker is told. */
export type Order = RunOrder | HelpOrder;

/** To run a cell. */
export interface RunOrder {
  /** Number of the cell to run. */
  readonly run: number;
  /** Searches of its group that were made before, by number of the cell. */
  readonly known?: readonly (readonly [cell: number, made: Made])[];
}

/** To help with one that another worker runs. */
export interface HelpOrder {
  /** Its number. */
  readonly help: number;
  /** What the other one has opened. */
  readonly memory: TeamMemory;
}

/** What a worker says. */
export type Reply =
  | ({ readonly kind: 'planned' } & Plan)
  | { readonly kind: 'progress'; readonly progress: CellProgress }
  | { readonly kind: 'finished'; readonly ran: Ran }
  | { readonly kind: 'opened'; readonly memory: TeamMemory }
  | { readonly kind: 'helped' }
  | { readonly kind: 'compared'; readonly comparison: Comparison }
  | { readonly kind: 'misuse'; readonly message: string };
