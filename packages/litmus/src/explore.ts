/**
 * Explores a test: every final state that the exploring machine can reach.
 */
import { type Explorable, type Progress, type Result, search, type VmsaRule } from '@mmu-gather/checker';
import { satisfies } from './condition.ts';
import { Unsupported } from './errors.ts';
import { Final } from './final.ts';
import type { Limits } from './limits.ts';
import { type Model, onMachine } from './on-machine.ts';
import { onMmu } from './on-mmu.ts';
import { onVmsa } from './on-vmsa.ts';
import type { LitmusTest } from './test.ts';
import { Words } from './values.ts';

/** How to explore. */
export interface ExploreOptions {
  /**
   * Instead of the language's own: `tso` of X86_64, `weak-mca` of AArch64, `weak` of C. A test with page tables then runs on the MMU of
   * kernel scenarios.
   */
  readonly model?: Model;
  /** FEAT_ETS2, for AArch64 tests with page tables. */
  readonly ets2?: boolean;
  /** Rules of the VMSA machine to leave out: for tests of what each is for. */
  readonly without?: readonly VmsaRule[];
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
    if (end === '') continue;
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
  const model = modelOf(test, options);
  if (model !== 'vmsa') {
    const run = test.vmsa ? onMmu : onMachine;
    const { machine, ends } = run(test, words, final, model, limits);
    const result = explored(machine, options, false);
    if (limits.unsupported !== undefined) throw limits.unsupported;
    if (result.violation !== undefined)
      throw new Unsupported(test.file, 0, `${result.violation.oracle}: ${result.violation.message}`);
    return { ends, result, cut: limits.limited };
  }
  const machine = onVmsa(test, words, final, limits, options);
  const result = explored(machine, options, true);
  return { ends: result.ends ?? new Set(), result, cut: limits.limited || machine.limited };
}

/** Under which model a test runs: its language's, `vmsa` if it has page tables, unless the options say another one. */
export function modelOf({ language, vmsa }: LitmusTest, { model }: ExploreOptions = {}): Model | 'vmsa' {
  if (model !== undefined) return model;
  if (vmsa) return 'vmsa';
  return language === 'X86_64' ? 'tso' : language === 'AArch64' ? 'weak-mca' : 'weak';
}

function explored(
  machine: Explorable,
  { maxStates, timeLimit, onProgress }: ExploreOptions,
  collectEnds: boolean,
): Result {
  return search(machine, {
    strategy: 'states',
    collectEnds,
    ...(maxStates !== undefined && { maxStates }),
    ...(timeLimit !== undefined && { timeLimit }),
    ...(onProgress !== undefined && { onProgress }),
  });
}
