/**
 * One cell, run: builds the machine, searches, and explains what was found.
 */
import {
  type Body,
  type Counterexample as Shortest,
  counterexample,
  draw,
  encodeId,
  explain,
  Machine,
  type MachineOptions,
  type Program,
  type Result,
  type Search,
  search,
} from '@mmu-gather/checker';
import { type BackendSpec, type Kernel, TINY } from '@mmu-gather/core/stepped';
import type { Cell } from './matrix.ts';
import type { CellResult, StrategyName } from './result.ts';
import { type Scenario, ScenarioError, type Twin } from './scenario.ts';

/** How to run a cell. */
export interface RunOptions {
  /** How to search; `states` if not given. */
  readonly strategy?: StrategyName;
  /** Most states; the run is incomplete beyond. */
  readonly maxStates?: number;
  /** Most executions. */
  readonly maxExecutions?: number;
  /** Most milliseconds. */
  readonly timeLimit?: number;
  /** Seed of `random`. */
  readonly seed?: number;
  /** Columns for diagrams. */
  readonly width?: number;
  /** Show steps that concern one CPU only. */
  readonly full?: boolean;
  /** Called now and then during the search. */
  readonly onProgress?: NonNullable<Search['onProgress']>;
}

/** The machine of a cell, before its first step. */
export function machineOf(cell: Cell): Machine {
  const scenario = cell.scenario as unknown as Scenario;
  const backend: BackendSpec = cell.arch.backend(cell.profile.id, cell.backendSwitches);
  const options: MachineOptions = {
    cpus: scenario.cpus,
    geometry: scenario.geometry ?? TINY,
    backend,
    profile: cell.profile,
    memoryModel: cell.memoryModel,
    ...(scenario.pools === undefined ? {} : { pools: scenario.pools }),
  };
  const twin = cell.twin as Twin | undefined;
  const program: Program<unknown> = {
    setup: (run, kernel) => scenario.setup(run, kernel),
    threads(env: unknown, kernel: Kernel): readonly (Body | undefined)[] {
      return twin?.threads === undefined ? scenario.threads(env, kernel) : twin.threads(env, kernel);
    },
    ...(scenario.reserve === undefined ? {} : { reserve: (layout) => scenario.reserve!(layout) }),
    ...(scenario.final === undefined ? {} : { final: (peek, env) => scenario.final!(peek, env) }),
  };
  try {
    return new Machine(options, program);
  } catch (error) {
    throw new ScenarioError(
      `scenario '${cell.id}' on ${cell.arch.id}, ${cell.profile.id}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** What ties a counterexample's id to its cell: a path means nothing elsewhere. */
export function cellKey(cell: Cell): string {
  return `${cell.id}@${cell.arch.id}@${cell.profile.id}@${cell.memoryModel}`;
}

/** Runs a cell. A violation is explained by the execution with the fewest preemptions. */
export function runCell(cell: Cell, options: RunOptions = {}): CellResult {
  const started = performance.now();
  const strategy = options.strategy ?? 'states';
  const machine = machineOf(cell);
  const found = search(machine, searchOptions(strategy, options));
  const shortest = found.path === undefined ? undefined : counterexample(machine, found.path);
  return result(cell, strategy, options, machine, found, shortest, performance.now() - started);
}

function searchOptions(strategy: StrategyName, options: RunOptions): Search {
  const { maxStates, maxExecutions, timeLimit, seed, onProgress } = options;
  return {
    strategy,
    ...(maxStates === undefined ? {} : { maxStates }),
    ...(maxExecutions === undefined ? {} : { maxExecutions }),
    ...(timeLimit === undefined ? {} : { timeLimit }),
    ...(seed === undefined ? {} : { seed }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

function result(
  cell: Cell,
  strategy: StrategyName,
  options: RunOptions,
  machine: Machine,
  found: Result,
  shortest: Shortest | undefined,
  milliseconds: number,
): CellResult {
  // What is said is what is shown: the shortest execution may violate another oracle than the first one found.
  const violation = shortest?.violation ?? found.violation;
  const expectedOracle =
    cell.oracles.length === 0 || (violation !== undefined && cell.oracles.includes(violation.oracle));
  const ok = cell.expected === 'holds' ? found.verdict === 'holds' : found.verdict === 'violated' && expectedOracle;
  const { maxStates, maxExecutions, timeLimit } = options;
  return {
    scenario: cell.id,
    ...(cell.twinOf === undefined ? {} : { twinOf: cell.twinOf }),
    arch: cell.arch.id,
    profile: cell.profile.id,
    memoryModel: cell.memoryModel,
    strategy,
    bounds: {
      cpus: cell.scenario.cpus,
      pages: machine.mmu.pages,
      ...(maxStates === undefined ? {} : { maxStates }),
      ...(maxExecutions === undefined ? {} : { maxExecutions }),
      ...(timeLimit === undefined ? {} : { timeLimit }),
    },
    expected: cell.expected,
    verdict: found.verdict,
    exhaustive: found.exhaustive,
    ok,
    ...(violation === undefined ? {} : { oracle: violation.oracle, message: violation.message }),
    ...(violation === undefined || cell.property === undefined ? {} : { property: cell.property }),
    ...(found.states === undefined ? {} : { states: found.states }),
    ...(found.executions === undefined ? {} : { executions: found.executions }),
    ...(found.blocked === undefined ? {} : { blocked: found.blocked }),
    steps: found.steps,
    milliseconds: Math.round(milliseconds * 10) / 10,
    ...(found.collisionOdds === undefined ? {} : { collisionOdds: found.collisionOdds }),
    ...(shortest === undefined
      ? {}
      : {
          counterexample: {
            id: encodeId(shortest.path, cellKey(cell)),
            preemptions: shortest.preemptions,
            steps: shortest.path.length,
            diagram: draw(explain(machine, shortest.path), options),
            ...(shortest.note === undefined ? {} : { note: shortest.note }),
          },
        }),
  };
}
