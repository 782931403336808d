/**
 * One cell, run: builds the machine, searches, and explains what was found.
 *
 * What a search finds (Finding) and what that means for a cell (CellResult) are two things: cells may share a finding.
 */
import {
  type Body,
  counterexample,
  draw,
  encodeId,
  type Exercise,
  Exercised,
  explain,
  help,
  Machine,
  type MachineOptions,
  type Path,
  type Program,
  type Result,
  type Search,
  search,
  SetupError,
  type TeamMemory,
  type TeamOptions,
} from '@mmu-gather/checker';
import { type BackendSpec, type Kernel, type OracleId, TINY } from '@mmu-gather/core/stepped';
import { CellNotes } from './cell-notes.ts';
import type { Cell } from './matrix.ts';
import { whenQuiet } from './quiet/index.ts';
import { Reads } from './reads.ts';
import type { CellResult, StrategyName } from './result.ts';
import { type Scenario, ScenarioError, type Twin } from './scenario.ts';
import { Unmet, whyVacuous } from './vacuity.ts';

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
  /** Of `states`: take local steps alone (the default). */
  readonly reduce?: boolean;
  /** Of `dpor`: additions without result commute. */
  readonly commute?: boolean;
  /** Columns for diagrams. */
  readonly width?: number;
  /** Show steps that concern one CPU only. */
  readonly full?: boolean;
  /** Oracles that report nothing: for tests of what only one of them sees. */
  readonly oraclesOff?: readonly OracleId[];
  /** Note which sites were exercised, and which racing pairs in which orders. */
  readonly coverage?: boolean;
  /** How other threads may come to help, with {@link assist}. Changes nothing of what is found. */
  readonly team?: Omit<TeamOptions, 'notes'>;
  /** Called now and then during the search. */
  readonly onProgress?: NonNullable<Search['onProgress']>;
}

/** What is noted of a cell's executions. */
export interface Watch {
  /** Conditions, of which those that an end meets are crossed off. */
  readonly unmet?: Unmet<unknown>;
  /** Where steps are called from. */
  readonly sites?: boolean;
}

/**
 * The machine of a cell, before its first step.
 * @param reads notes which switches it looks at, and will
 * @param oraclesOff oracles that report nothing
 */
export function machineOf(
  cell: Cell,
  reads: Reads = new Reads(),
  oraclesOff: readonly OracleId[] = [],
  { unmet, sites = false }: Watch = {},
): Machine {
  const scenario = cell.scenario as unknown as Scenario;
  const backend: BackendSpec = cell.arch.backend(reads.watch('backend', cell.backendSwitches));
  const options: MachineOptions = {
    cpus: scenario.cpus,
    geometry: scenario.geometry ?? TINY,
    backend,
    profile: reads.watch('profile', cell.profile),
    memoryModel: cell.memoryModel,
    oraclesOff,
    strict: scenario.strict === true,
    noteSites: sites,
    ...(scenario.hugeZeroPage === undefined ? {} : { hugeZeroPage: scenario.hugeZeroPage }),
    ...(scenario.pools === undefined ? {} : { pools: scenario.pools }),
  };
  const twin = cell.twin as Twin | undefined;
  const program: Program<unknown> = {
    setup: (run, kernel) => scenario.setup(run, kernel),
    threads(env: unknown, kernel: Kernel): readonly (Body | undefined)[] {
      return twin?.threads === undefined ? scenario.threads(env, kernel) : twin.threads(env, kernel);
    },
    ...(scenario.reserve === undefined ? {} : { reserve: (layout) => scenario.reserve!(layout) }),
    final(peek, env) {
      unmet?.ended(peek, env);
      return scenario.final?.(peek, env);
    },
    quiet: (begin, env, kernel) => whenQuiet(begin, { kernel, holds: scenario.holds?.(env, begin.peek) ?? [] }),
    ...(scenario.invariant === undefined ? {} : { invariant: (now, env) => scenario.invariant!(now, env) }),
  };
  try {
    return new Machine(options, program);
  } catch (error) {
    if (error instanceof SetupError) throw error;
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

/** What a search of a cell found, whatever was expected. */
export interface Finding {
  /** What the search says. */
  readonly result: Result;
  /** User pages of the page table's shape. */
  readonly pages: number;
  /** Conditions of the scenario that no end met. */
  readonly never: readonly string[];
  /** What was exercised, where coverage was asked for. */
  readonly exercise?: Exercise;
  /** The execution with the fewest preemptions, if one violates something. */
  readonly shortest?: {
    /** The execution. */
    readonly path: Path;
    /** What it violates. */
    readonly violation: Result['violation'];
    /** Switches away from a CPU that could have gone on. */
    readonly preemptions: number;
    /** Present if a shorter one may exist. */
    readonly note?: string;
    /** The race, drawn. */
    readonly diagram: string;
  };
  /** Time that it took. */
  readonly milliseconds: number;
}

/** Runs a cell. A violation is explained by the execution with the fewest preemptions. */
export function runCell(cell: Cell, options: RunOptions = {}): CellResult {
  return resultOf(cell, options, explore(cell, options));
}

/** Conditions that some end of a cell must meet. */
function conditionsOf(cell: Cell): Unmet<unknown> {
  return new Unmet((cell.twin === undefined ? (cell.scenario as unknown as Scenario).sometimes : undefined) ?? []);
}

/**
 * Helps another thread with the cell that it searches, until that is done.
 * @param options those of the other thread
 * @param memory what it has opened (RunOptions.team)
 */
export function assist(cell: Cell, options: RunOptions, memory: TeamMemory): void {
  const { reduce, onProgress } = options;
  const unmet = conditionsOf(cell);
  const reads = new Reads();
  const machine = machineOf(cell, reads, options.oraclesOff, { unmet });
  help(machine, memory, {
    notes: new CellNotes(unmet, reads),
    ...(reduce === undefined ? {} : { reduce }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}

/** Searches a cell. @param reads notes which switches were looked at */
export function explore(cell: Cell, options: RunOptions, reads: Reads = new Reads()): Finding {
  const started = performance.now();
  const unmet = conditionsOf(cell);
  let machine: Machine;
  try {
    machine = machineOf(cell, reads, options.oraclesOff, { unmet, sites: options.coverage === true });
  } catch (error) {
    if (error instanceof SetupError) return setupFinding(error, started);
    throw error;
  }
  const watched = options.coverage === true ? new Exercised(machine) : undefined;
  const team = options.team && { ...options.team, notes: new CellNotes(unmet, reads) };
  const result = search(watched ?? machine, { ...searchOptions(limited(cell, options)), ...(team && { team }) });
  const found = result.path === undefined ? undefined : counterexample(machine, result.path);
  const known = {
    result,
    pages: machine.mmu.pages,
    never: unmet.what,
    ...(watched === undefined ? {} : { exercise: watched.exercise }),
    milliseconds: performance.now() - started,
  };
  if (found === undefined) return known;
  const { path, violation, preemptions, note } = found;
  const diagram = draw(explain(machine, path), options);
  return { ...known, shortest: { path, violation, preemptions, diagram, ...(note === undefined ? {} : { note }) } };
}

/** A backend that is wrong without any race: a line among the others, which no twin takes for its refutation. */
function setupFinding({ message }: SetupError, started: number): Finding {
  const milliseconds = performance.now() - started;
  const violation = { oracle: 'setup', message };
  return {
    result: { verdict: 'violated', exhaustive: false, steps: 0, milliseconds, violations: 1, violation },
    pages: 0,
    never: [],
    milliseconds,
  };
}

/** The options with the bound that the cell itself states, which is one of states. */
function limited({ bound }: Cell, options: RunOptions): RunOptions {
  const { strategy = 'states', maxStates = Infinity } = options;
  if (bound === undefined || (strategy !== 'states' && strategy !== 'bounded')) return options;
  return { ...options, maxStates: Math.min(bound.states, maxStates) };
}

function searchOptions(options: RunOptions): Search {
  const { strategy = 'states', maxStates, maxExecutions, timeLimit, seed, reduce, commute, onProgress } = options;
  return {
    strategy,
    ...(maxStates === undefined ? {} : { maxStates }),
    ...(maxExecutions === undefined ? {} : { maxExecutions }),
    ...(timeLimit === undefined ? {} : { timeLimit }),
    ...(seed === undefined ? {} : { seed }),
    ...(reduce === undefined ? {} : { reduce }),
    ...(commute === undefined ? {} : { commute }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
}

/** What a finding means for a cell. @param sharedWith profile of the cell whose search it is, if that was another */
export function resultOf(cell: Cell, options: RunOptions, finding: Finding, sharedWith?: string): CellResult {
  const { result: found, pages, shortest, never, exercise } = finding;
  // What is said is what is shown: the shortest execution may violate another oracle than the first one found.
  const violation = shortest?.violation ?? found.violation;
  const expectedOracle =
    cell.oracles.length === 0 || (violation !== undefined && cell.oracles.includes(violation.oracle));
  const bound = found.verdict === 'incomplete' && (found.states ?? 0) >= (cell.bound?.states ?? Infinity);
  const { sequential } = cell.scenario;
  const vacuous = found.verdict === 'holds' ? whyVacuous({ never, exercise, sequential }) : undefined;
  const ok =
    cell.expected === 'holds'
      ? (found.verdict === 'holds' && vacuous === undefined) || bound
      : found.verdict === 'violated' && expectedOracle;
  const { strategy = 'states', maxStates, maxExecutions, timeLimit } = limited(cell, options);
  return {
    scenario: cell.id,
    ...(cell.twinOf === undefined ? {} : { twinOf: cell.twinOf }),
    title: cell.title,
    arch: cell.arch.id,
    profile: cell.profile.id,
    memoryModel: cell.memoryModel,
    ...(sharedWith === undefined ? {} : { sharedWith }),
    strategy,
    bounds: {
      cpus: cell.scenario.cpus,
      pages,
      ...(maxStates === undefined ? {} : { maxStates }),
      ...(maxExecutions === undefined ? {} : { maxExecutions }),
      ...(timeLimit === undefined ? {} : { timeLimit }),
    },
    expected: cell.expected,
    oracles: cell.oracles,
    verdict: found.verdict,
    exhaustive: found.exhaustive,
    ok,
    ...(vacuous === undefined ? {} : { vacuous }),
    ...(exercise === undefined ? {} : { exercise }),
    ...(bound ? { bound: { states: cell.bound!.states, why: cell.bound!.why } } : {}),
    ...(found.verdict === 'incomplete' && found.limit !== undefined ? { limit: found.limit } : {}),
    ...(violation === undefined ? {} : { oracle: violation.oracle, message: violation.message }),
    ...(violation === undefined || cell.property === undefined ? {} : { property: cell.property }),
    ...(found.states === undefined ? {} : { states: found.states }),
    ...(found.executions === undefined ? {} : { executions: found.executions }),
    ...(found.blocked === undefined ? {} : { blocked: found.blocked }),
    steps: found.steps,
    milliseconds: sharedWith === undefined ? Math.round(finding.milliseconds * 10) / 10 : 0,
    ...(found.collisionOdds === undefined ? {} : { collisionOdds: found.collisionOdds }),
    ...(shortest === undefined
      ? {}
      : {
          counterexample: {
            id: encodeId(shortest.path, cellKey(cell)),
            preemptions: shortest.preemptions,
            steps: shortest.path.length,
            diagram: shortest.diagram,
            ...(shortest.note === undefined ? {} : { note: shortest.note }),
          },
        }),
  };
}
