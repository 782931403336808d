/**
 * The suite in a test runner: one test per cell, named as in tables; a failure prints the race.
 *
 *     import { test } from 'vitest';
 *     import { conformanceTests } from '@mmu-gather/conformance';
 *     conformanceTests(test, { archs: [myArchitecture] });
 */
import { type Architecture, ARCHITECTURES } from './architecture.ts';
import { cells, type Selection } from './matrix.ts';
import type { RunOptions } from './run.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { Sharing } from './sharing.ts';
import type { AnyScenario } from './scenario.ts';

/** What the binding needs of a test runner: vitest's and node:test's `test` both fit. */
export type TestFunction = (name: string, body: () => void) => unknown;

/** What to run. */
export interface ConformanceOptions extends Omit<Selection, 'archs'>, RunOptions {
  /** Architectures, a third party's own included; this repository's if not given. */
  readonly archs?: readonly Architecture[];
  /** Scenarios; the suite's if not given. */
  readonly suite?: readonly AnyScenario[];
}

/** Declares one test per cell. */
export function conformanceTests(test: TestFunction, options: ConformanceOptions = {}): void {
  const { archs = ARCHITECTURES, suite = SCENARIOS, profiles, settings, scenarios, memoryModel, ...run } = options;
  const sharing = new Sharing(run);
  const selection: Selection = {
    ...(profiles === undefined ? {} : { profiles }),
    ...(settings === undefined ? {} : { settings }),
    ...(scenarios === undefined ? {} : { scenarios }),
    ...(memoryModel === undefined ? {} : { memoryModel }),
  };
  for (const cell of cells(suite, archs, selection)) {
    test(`${cell.id} ${cell.arch.id} ${cell.profile.id} ${cell.memoryModel}: ${cell.expected === 'holds' ? 'holds' : `violates ${cell.oracles.join(' or ')}`}`, () => {
      const result = sharing.run(cell);
      if (result.ok) return;
      const found = result.verdict === 'violated' ? `violated (${result.oracle}: ${result.message})` : result.verdict;
      throw new Error(`expected: ${cell.expected}, found: ${found}\n${result.counterexample?.diagram ?? ''}`);
    });
  }
}
