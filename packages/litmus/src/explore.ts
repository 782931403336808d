/**
 * Explores a test: every final state that the exploring machine can reach.
 */
import { type Explorable, type Progress, type Result, search, type WalkRule } from '@mmu-gather/checker';
import { satisfies } from './condition.ts';
import { Unsupported } from './errors.ts';
import { Final } from './final.ts';
import type { Limits } from './limits.ts';
import { type Model, onMachine, type Run } from './on-machine.ts';
import { onSets } from './on-sets.ts';
import { onTables } from './on-tables.ts';
import type { LitmusTest } from './test.ts';
import { Words } from './values.ts';

/** How to explore. */
export interface ExploreOptions {
  /**
   * Instead of the language's own: `tso` of X86_64, `weak-mca` of AArch64, `weak` of C. A test with page tables can run under `sc`, `tso` and
   * `weak-mca`.
   */
  readonly model?: Model;
  /** Pick translations from the MMU's sets as kernel scenarios do, also under `weak-mca`; under other models it is always so. */
  readonly sets?: boolean;
  /** FEAT_ETS2, for AArch64 tests with page tables. */
  readonly ets2?: boolean;
  /** Rules of walks to leave out: for tests of what each is for. */
  readonly without?: readonly WalkRule[];
  /** Stop after so many states of the search. */
  readonly maxStates?: number;
  /** Stop after so many milliseconds. */
  readonly timeLimit?: number;
  /** Called now and then; return false to stop. */
  readonly onProgress?: (progress: Progress) => boolean | void;
}

/** A final state, as text, and whether it satisfies the condition's proposition. */
export interface Outcome {
  /** As herd7 shows it: `1:X0=1; [x]=2; fault(P0:L0,x);`. */
  readonly text: string;
  /** Whether it satisfies the proposition. */
  readonly positive: boolean;
}

/** What was found. */
export interface Exploration {
  /** The final states, sorted by their texts. */
  readonly outcomes: readonly Outcome[];
  /** True if these are all; false if the search was stopped, or a loop was cut. */
  readonly complete: boolean;
  /** Why not. */
  readonly limit: 'loop' | 'states' | 'time' | 'stopped' | undefined;
  /** States of the search. */
  readonly states: number;
  /** Time taken. */
  readonly milliseconds: number;
}

/** Explores a test. */
export function explore(test: LitmusTest, options: ExploreOptions = {}): Exploration {
  const words = new Words();
  const final = new Final(test, words);
  const limits: Limits = { limited: false, unsupported: undefined };
  const { ends, result, cut } = finalStates(test, words, final, limits, options);
  const outcomes = new Map<string, Outcome>();
  for (const end of ends) {
    const state = final.state(end.split(',').map(Number));
    if (test.filter !== undefined && !satisfies(state, test.filter)) continue;
    const text = final.line(state);
    outcomes.set(text, { text, positive: satisfies(state, test.condition.proposition) });
  }
  const limit =
    result.limit === 'states' || result.limit === 'time' || result.limit === 'stopped' ? result.limit : undefined;
  return {
    outcomes: [...outcomes.values()].toSorted((a, b) => (a.text < b.text ? -1 : 1)),
    complete: result.exhaustive && !cut,
    limit: limit ?? (cut ? 'loop' : undefined),
    states: result.states ?? 0,
    milliseconds: result.milliseconds,
  };
}

/** What a search found. */
interface Found {
  readonly ends: ReadonlySet<string>;
  readonly result: Result;
  /** Some executions were cut off. */
  readonly cut: boolean;
}

function finalStates(test: LitmusTest, words: Words, final: Final, limits: Limits, options: ExploreOptions): Found {
  const { machine, ends } = runOf(test, words, final, limits, options);
  const result = explored(machine, options);
  if (limits.unsupported !== undefined) throw limits.unsupported;
  if (result.violation !== undefined)
    throw new Unsupported(test.file, 0, `${result.violation.oracle}: ${result.violation.message}`);
  return { ends, result, cut: limits.limited };
}

function runOf(test: LitmusTest, words: Words, final: Final, limits: Limits, options: ExploreOptions): Run {
  const model = modelOf(test, options);
  if (!test.vmsa) return onMachine(test, words, final, model, limits);
  if (model === 'weak-mca' && options.sets !== true) return onTables(test, words, final, limits, options);
  if (model === 'weak') throw new Unsupported(test.file, 0, 'page tables where stores are not multi-copy atomic');
  return onSets(test, words, final, model, limits);
}

/** Under which memory model a test runs: its language's, unless the options say another one. */
export function modelOf({ language }: LitmusTest, { model }: ExploreOptions = {}): Model {
  return model ?? (language === 'X86_64' ? 'tso' : language === 'AArch64' ? 'weak-mca' : 'weak');
}

function explored(machine: Explorable, { maxStates, timeLimit, onProgress }: ExploreOptions): Result {
  return search(machine, {
    strategy: 'states',
    ...(maxStates !== undefined && { maxStates }),
    ...(timeLimit !== undefined && { timeLimit }),
    ...(onProgress !== undefined && { onProgress }),
  });
}
