/**
 * Result: what a search found, and how far it looked. The one rule: `holds` is said only of what was explored exhaustively;
 * a search that was limited or sampled and found nothing is `incomplete`.
 */
import type { Violation } from '../explorable.ts';
import type { Path } from './path.ts';
import type { Counted, TeamOptions } from './team.ts';

/** What is known after a search. */
export type Verdict = 'holds' | 'violated' | 'incomplete';

/** What ended a search before everything was explored. */
export type Limit = 'states' | 'executions' | 'time' | 'depth' | 'preemptions' | 'stopped';

/** Counts of a search that goes on. */
export interface Progress {
  /** Distinct states so far (`states`, `bounded`). */
  readonly states: number;
  /** Complete executions so far (`dpor`, `brute`, `random`). */
  readonly executions: number;
  /** Transitions performed so far. */
  readonly steps: number;
  /** Time so far. */
  readonly milliseconds: number;
}

/** Options that every search has. */
export interface SearchOptions {
  /** Stop after this many distinct states (`states`, `bounded`). */
  readonly maxStates?: number;
  /** Stop after this many executions (`dpor`, `brute`, `random`). */
  readonly maxExecutions?: number;
  /** Stop after this many milliseconds. */
  readonly timeLimit?: number;
  /** End the search at the first violation (the default), or go on and count. */
  readonly stopAtFirst?: boolean;
  /**
   * Debug mode of `states`: wherever two paths meet in one key, their next steps must be the same. Throws if not: the key
   * leaves out something that the code depends on. Slow, and takes memory for every state.
   */
  readonly checkKeys?: boolean;
  /**
   * Of `states`: take local steps alone instead of in every order (the default). Verdicts are the same, and the ends of
   * programs without violation. Without effect with `checkKeys`, and where `stopAtFirst` is false: all orders are wanted there.
   */
  readonly reduce?: boolean;
  /**
   * Of `states`: states that differ only in which of some identical CPUs is which count as one (Explorable.alike). Not by default. The
   * ends are those of one of them. Without effect with `checkKeys`, and where `stopAtFirst` is false.
   */
  readonly symmetry?: boolean;
  /** Of `states`: how other threads may come to help (team.ts). Changes nothing of what is found. */
  readonly team?: TeamOptions;
  /** Called at most every 100 ms. Return false to stop the search. */
  readonly onProgress?: (progress: Progress) => boolean | void;
  /** Collect the observations of all executions that end without a violation on their way. */
  readonly collectEnds?: boolean;
}

/** What a search found. */
export interface Result {
  /** What is known now. */
  readonly verdict: Verdict;
  /** True if every behaviour was explored (up to key collisions, see `collisionOdds`). */
  readonly exhaustive: boolean;
  /** Distinct states (`states`, `bounded`). */
  readonly states?: number;
  /** Executions that came to an end: finished, stuck, or violated (`dpor`, `brute`, `random`). */
  readonly executions?: number;
  /** Executions given up because another one covers them (`dpor`). */
  readonly blocked?: number;
  /** Transitions performed; of `states`, in its last pass. */
  readonly steps: number;
  /** Time taken. */
  readonly milliseconds: number;
  /** Executions or transitions that violate something; 1 if the search stopped there. */
  readonly violations: number;
  /** The first violation. */
  readonly violation?: Violation;
  /** The execution that shows it, from the state in which the search began. */
  readonly path?: Path;
  /** Preemptions of that path (`bounded`: no violating path has fewer, and among those none is shorter). */
  readonly preemptions?: number;
  /** Odds that two different states were taken for one (`states`, `bounded`). */
  readonly collisionOdds?: number;
  /** What ended the search early. */
  readonly limit?: Limit;
  /** The observations at the ends, if they were asked for. */
  readonly ends?: ReadonlySet<string>;
  /** Runs that found a violation, by scheduler (`random`). */
  readonly hits?: Readonly<Record<string, number>>;
}

/** Progress is reported at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 100;
/** The clock is looked at once in this many transitions: 0.1 ms or so, and not measurable. */
const CLOCK_INTERVAL = 256;

/** Counts for one search, and the limits on them. */
export class Tally {
  steps = 0;
  states = 0;
  executions = 0;
  blocked = 0;
  violations = 0;
  /** The first violation, with its path. */
  violation: Violation | undefined;
  path: Path | undefined;
  /** Why the search ends early; set, the search must return. */
  limit: Limit | undefined;
  /** True once the search must return: a limit was met, or a violation if that ends it. */
  over = false;
  readonly ends: Set<string> | undefined;
  /** What other threads have counted of the same search; progress tells of that, too. */
  others: (() => Counted) | undefined;
  readonly #options: SearchOptions;
  readonly #start = performance.now();
  #nextProgress: number;
  #full = false;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.ends = options.collectEnds === true ? new Set() : undefined;
    this.#nextProgress = this.#start + PROGRESS_INTERVAL;
  }

  /** One more transition. */
  step(): void {
    if (++this.steps % CLOCK_INTERVAL === 0) this.look();
  }

  /** A pass begins: what it counts, the ones before did not. */
  begin(): void {
    this.states = 0;
    this.steps = 0;
  }

  /** Forgets what was counted and found since then. */
  goBack({ states, steps }: Counted): void {
    this.states = states;
    this.steps = steps;
    this.violations = 0;
    this.violation = undefined;
    this.path = undefined;
    this.limit = undefined;
    this.over = false;
  }

  /** One more state, which is explored now unless the search is over. */
  state(): void {
    if (this.states >= (this.#options.maxStates ?? Infinity)) this.stop('states');
    else this.states++;
  }

  /** One more execution came to an end. */
  execution(): void {
    if (++this.executions >= (this.#options.maxExecutions ?? Infinity)) this.#full = true;
  }

  /** To be asked before another execution is begun. */
  mayGoOn(): boolean {
    if (this.#full && !this.over) this.stop('executions');
    return !this.over;
  }

  /** A violation was found at the end of a path. */
  found(violation: Violation, path: () => Path): void {
    this.violations++;
    if (this.violation !== undefined) return;
    this.violation = violation;
    this.path = path();
    if (this.#options.stopAtFirst !== false) this.over = true;
  }

  /** Ends the search. */
  stop(limit: Limit): void {
    this.limit ??= limit;
    this.over = true;
  }

  /** A part is left out, and the search goes on elsewhere. */
  leaveOut(limit: Limit): void {
    this.limit ??= limit;
  }

  /** Looks at the clock. */
  look(): void {
    const now = performance.now();
    const milliseconds = now - this.#start;
    if (milliseconds > (this.#options.timeLimit ?? Infinity)) this.stop('time');
    if (now < this.#nextProgress || this.#options.onProgress === undefined) return;
    this.#nextProgress = now + PROGRESS_INTERVAL;
    const { executions } = this;
    const others = this.others?.() ?? { states: 0, steps: 0 };
    const [states, steps] = [this.states + others.states, this.steps + others.steps];
    if (this.#options.onProgress({ states, executions, steps, milliseconds }) === false) this.stop('stopped');
  }

  /** The result. `sampled`: the search could not have been exhaustive. */
  result(more: Partial<Result> = {}, sampled = false): Result {
    const { violation, path, limit, ends } = this;
    const exhaustive = !sampled && !this.over && limit === undefined;
    return {
      verdict: violation !== undefined ? 'violated' : exhaustive ? 'holds' : 'incomplete',
      exhaustive,
      ...more,
      steps: this.steps,
      milliseconds: performance.now() - this.#start,
      violations: this.violations,
      ...(violation !== undefined && { violation }),
      ...(path !== undefined && { path }),
      ...(limit !== undefined && { limit }),
      ...(ends !== undefined && { ends }),
    };
  }
}
