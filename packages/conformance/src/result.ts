/**
 * Results as other programs read them: schema 1. Names and meanings are stable; later versions only add.
 */
import type { Exercise, Limit } from '@mmu-gather/checker';
import type { MemoryModel } from '@mmu-gather/core/stepped';
import type { NotApplicable } from './matrix.ts';

/** Search strategies. */
export type StrategyName = 'states' | 'dpor' | 'bounded' | 'random' | 'rerun';

/** An execution that violates an oracle. */
export interface Counterexample {
  /** Reruns it: `mmu-gather conformance --rerun ID`. */
  readonly id: string;
  /** Switches away from a CPU that could have gone on. */
  readonly preemptions: number;
  /** Steps of the execution. */
  readonly steps: number;
  /** The race, drawn. */
  readonly diagram: string;
  /** Present if a shorter one may exist. */
  readonly note?: string;
}

/** What a run was limited to. Absent bounds did not limit it. */
export interface Bounds {
  /** Number of CPUs. */
  readonly cpus: number;
  /** User pages of the page table's shape. */
  readonly pages: number;
  /** Most states to visit. */
  readonly maxStates?: number;
  /** Most executions to run. */
  readonly maxExecutions?: number;
  /** Most milliseconds. */
  readonly timeLimit?: number;
}

/** One cell of the matrix, run. */
export interface CellResult {
  /** Id of the scenario or twin. */
  readonly scenario: string;
  /** Of a twin: the scenario that it is the wrong form of. */
  readonly twinOf?: string;
  /** What it is, in one line. */
  readonly title: string;
  /** Id of the architecture. */
  readonly arch: string;
  /** Id of the profile. */
  readonly profile: string;
  /** The memory model. */
  readonly memoryModel: MemoryModel;
  /**
   * Present if it was not searched: the profile whose cell of this scenario (same architecture and memory model) read the same values
   * of all switches that it looked at, so that its result is this one's, too.
   */
  readonly sharedWith?: string;
  /** How it was searched. */
  readonly strategy: StrategyName;
  /** What it was limited to. */
  readonly bounds: Bounds;
  /** What had to come out. */
  readonly expected: 'holds' | 'violated';
  /** Oracles of which one had to be violated. */
  readonly oracles: readonly string[];
  /** `holds` only if everything within the bounds was explored; a limited run that found nothing is `incomplete`. */
  readonly verdict: 'holds' | 'violated' | 'incomplete';
  /** Everything within the bounds was explored. */
  readonly exhaustive: boolean;
  /** The verdict is the expected one, by an expected oracle, and not vacuous; or it is incomplete where the scenario says so ({@link CellResult.bound}). */
  readonly ok: boolean;
  /** Present if it ended, incomplete, at the bound that its scenario states: nothing was found in so many states. */
  readonly bound?: {
    /** The bound. */
    readonly states: number;
    /** Why there is one. */
    readonly why: string;
  };
  /** Present if it holds and that proves nothing: why. */
  readonly vacuous?: string;
  /** What the search has exercised, where coverage was asked for. */
  readonly exercise?: Exercise;
  /** Present if it is incomplete: what ended the search; `stopped` if somebody did. */
  readonly limit?: Limit;
  /** What was violated. */
  readonly oracle?: string;
  /** One line on it. */
  readonly message?: string;
  /** The property in the bug catalogue's words. */
  readonly property?: string;
  /** Distinct states. */
  readonly states?: number;
  /** Complete executions. */
  readonly executions?: number;
  /** Executions given up because another one covers them. */
  readonly blocked?: number;
  /** Steps performed by the search. */
  readonly steps: number;
  /** Time of the cell; 0 if its result is shared. */
  readonly milliseconds: number;
  /** Odds that two different states had one key, for `states`. */
  readonly collisionOdds?: number;
  /** The violation, explained. */
  readonly counterexample?: Counterexample;
}

/** Counts of cells. */
export interface Summary {
  /** All cells. */
  readonly total: number;
  /** Those with the expected verdict. */
  readonly ok: number;
  /** The others. */
  readonly failed: number;
  /** Those that took the result of an equal cell. */
  readonly shared: number;
  /** Those of the ok ones that ended, incomplete, at the bound that their scenario states. */
  readonly bounded: number;
}

/** A file as it was. */
export interface GivenFile {
  /** As it was named. */
  readonly name: string;
  /** Hash of its text. */
  readonly hash: string;
}

/** What a run was asked for, and of which code: two parts of one run have the same. */
export interface Identity {
  /** Version of the command. */
  readonly version: string;
  /** Hash of the sources of all packages. */
  readonly code: string;
  /** The command, without options: `mmu-gather check mine.ts`. */
  readonly command: string;
  /** The files of scenarios that it was given. */
  readonly files: readonly GivenFile[];
  /** The files of backends that it was given. */
  readonly backends: readonly GivenFile[];
  /** What selects cells, by option. */
  readonly selection: Readonly<Record<string, unknown>>;
  /** How cells are run, by option. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A part of a run. */
export interface ShardInfo {
  /** Number of the part, from 1. */
  readonly index: number;
  /** Number of parts. */
  readonly count: number;
  /** Where its cells stand among those of the whole run, from 0. */
  readonly cells: readonly number[];
}

/** Which run a report is of. */
export interface RunInfo {
  /** What makes it this run. */
  readonly identity: Identity;
  /** Number of cells of the whole run. */
  readonly planned: number;
  /** Present if it is a part of it. */
  readonly shard?: ShardInfo;
  /** It ended before its time: by a limit on all of it, or somebody stopped it. */
  readonly stopped: boolean;
  /** Time that it took; of a run in parts, of all of them. */
  readonly milliseconds: number;
}

/** A whole report. */
export interface Report {
  /** Version of this form. */
  readonly schema: 1;
  /** Which run it is of. */
  readonly run: RunInfo;
  /** One for each cell that was run, in their order. */
  readonly results: readonly CellResult[];
  /** All of them together. */
  readonly summary: Summary;
  /** What was asked for and does not apply to an architecture, and why. */
  readonly notApplicable: readonly NotApplicable[];
}

/** Sums results up. */
export function summaryOf(results: readonly CellResult[]): Summary {
  const ok = results.filter((r) => r.ok).length;
  const shared = results.filter((r) => r.sharedWith !== undefined).length;
  const bounded = results.filter((r) => r.bound !== undefined).length;
  return { total: results.length, ok, failed: results.length - ok, shared, bounded };
}
