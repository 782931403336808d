/**
 * Options of the commands that run scenarios: which go together, and what they ask for.
 */
import type { StrategyName } from '@mmu-gather/conformance';
import type { MemoryModel } from '@mmu-gather/core/stepped';
import { Misuse } from '../misuse.ts';
import type { Files } from '../reports/files.ts';
import type { PagesOptions } from '../pages/pages.ts';
import type { Request } from './request.ts';
import type { How } from './run.ts';
import type { Shard } from './shard.ts';

/** How searches are made smaller: by local steps (`states`), by changes that commute (`dpor`), or not at all. */
export const REDUCTIONS = ['local', 'commute', 'none'] as const;
/** One of them. */
export type ReductionName = (typeof REDUCTIONS)[number];

/** As they are typed. */
export interface SuiteOptions extends PagesOptions, Files {
  readonly backend?: readonly string[];
  readonly arch?: readonly string[];
  readonly profile?: readonly string[];
  readonly with?: readonly string[];
  readonly scenario?: readonly string[];
  readonly memoryModel?: MemoryModel;
  readonly strategy?: Exclude<StrategyName, 'rerun'>;
  readonly reduce?: ReductionName;
  readonly maxStates?: number;
  readonly maxExecutions?: number;
  readonly timeLimit?: number;
  readonly totalTimeLimit?: number;
  readonly seed?: number;
  readonly jobs?: number;
  readonly shard?: Shard;
  readonly checkpoint?: string;
  readonly rerun?: string;
  readonly compare?: boolean;
  readonly full?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Does this strategy count states? */
export function countsStates(strategy: StrategyName): boolean {
  return strategy === 'states' || strategy === 'bounded';
}

/**
 * Refuses options that would have no effect: somebody would take an unlimited search for a limited one.
 * @throws Misuse
 */
export function mustFit(options: SuiteOptions): void {
  const { strategy = 'states', reduce, maxStates, maxExecutions, timeLimit, seed, rerun, compare } = options;
  const refuse = (what: string): never => {
    throw new Misuse(what);
  };
  const searching = options.strategy ?? reduce ?? maxStates ?? maxExecutions ?? timeLimit ?? seed;
  const running = (['jobs', 'shard', 'checkpoint', 'totalTimeLimit', 'junit', 'coverage'] as const).find(
    (name) => options[name] !== undefined,
  );
  if (compare === true && (rerun ?? searching) !== undefined)
    refuse('--compare searches nothing: leave out strategy, limits, seed and --rerun');
  if (compare === true && options.html !== undefined) refuse('--compare finds no counterexamples: leave out --html');
  if (rerun !== undefined && searching !== undefined)
    refuse('--rerun takes one execution again: leave out strategy, limits and seed');
  if ((compare === true || rerun !== undefined) && running !== undefined)
    refuse(`${option(running)} is for searches: leave it out, or --${compare === true ? 'compare' : 'rerun'}`);
  if (maxStates !== undefined && !countsStates(strategy))
    refuse(`--max-states does not limit ${strategy}: give --max-executions`);
  if (maxExecutions !== undefined && countsStates(strategy))
    refuse(`--max-executions does not limit ${strategy}: give --max-states`);
  if (reduce === 'local' && strategy !== 'states') refuse(`--reduce local is for --strategy states, not ${strategy}`);
  if (reduce === 'commute' && strategy !== 'dpor') refuse(`--reduce commute is for --strategy dpor, not ${strategy}`);
  if (reduce === 'none' && strategy !== 'states')
    refuse(`--reduce none is for --strategy states: ${strategy} takes all orders, unless --reduce commute is given`);
  if (seed !== undefined && strategy !== 'random') refuse(`--seed is for --strategy random, not ${strategy}`);
}

/** What is run. @param width columns of diagrams */
export function requestOf(files: readonly string[], options: SuiteOptions, width: number): Request {
  const { arch, profile, scenario, memoryModel, strategy, reduce, maxStates, maxExecutions, timeLimit, seed, rerun } =
    options;
  const { full } = options;
  return {
    files,
    backends: options.backend ?? [],
    selection: {
      ...(arch !== undefined && { archs: arch }),
      ...(profile !== undefined && { profiles: profile }),
      ...(options.with !== undefined && { settings: options.with }),
      ...(scenario !== undefined && { scenarios: scenario }),
      ...(memoryModel !== undefined && { memoryModel }),
    },
    run: {
      width,
      ...(strategy !== undefined && { strategy }),
      ...(reduce === 'none' && { reduce: false }),
      ...(reduce === 'commute' && { commute: true }),
      ...(maxStates !== undefined && { maxStates }),
      ...(maxExecutions !== undefined && { maxExecutions }),
      ...(timeLimit !== undefined && { timeLimit }),
      ...(seed !== undefined && { seed }),
      ...(full !== undefined && { full }),
      ...(options.coverage !== undefined && { coverage: true }),
    },
    ...(rerun !== undefined && { rerun }),
  };
}

/** How it is run. @param cores number of threads if none is given */
export function howOf({ jobs, totalTimeLimit, shard, checkpoint }: SuiteOptions, cores: number): How {
  return {
    jobs: jobs ?? cores,
    ...(totalTimeLimit !== undefined && { totalTimeLimit }),
    ...(shard !== undefined && { shard }),
    ...(checkpoint !== undefined && { checkpoint }),
  };
}

/** `totalTimeLimit` as it is typed. */
function option(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
