/**
 * The suite in a test runner: one test per cell, named as in tables; a failure prints the race.
 *
 *     import { test } from 'vitest';
 *     import { conformanceTests } from '@mmu-gather/conformance';
 *     conformanceTests(test, { archs: [myArchitecture] });
 */
import type { Architecture } from './architecture.ts';
import { ARCHITECTURES } from './architectures/index.ts';
import { unmatched } from './applies.ts';
import { type Cell, cells, type Selection } from './matrix.ts';
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

/** Declares one test per cell, and one per architecture: what it says of scenarios, it says of some that are there. */
export function conformanceTests(test: TestFunction, options: ConformanceOptions = {}): void {
  const { archs = ARCHITECTURES, suite = SCENARIOS, profiles, settings, scenarios, memoryModel, ...run } = options;
  const sharing = new Sharing(run);
  const selection: Selection = {
    ...(profiles === undefined ? {} : { profiles }),
    ...(settings === undefined ? {} : { settings }),
    ...(scenarios === undefined ? {} : { scenarios }),
    ...(memoryModel === undefined ? {} : { memoryModel }),
  };
  // Patterns are for the whole suite: one's own scenarios need not be among them.
  if (suite === SCENARIOS) {
    for (const arch of archs) {
      test(`${arch.id}: its skips and mends match`, () => {
        const problems = unmatched(arch, suite);
        if (problems.length > 0) throw new Error(problems.join('\n'));
      });
    }
  }
  for (const cell of cells(suite, archs, selection)) {
    test(`${cell.id} ${cell.arch.id} ${cell.profile.id} ${cell.memoryModel}: ${expectation(cell)}`, () => {
      const result = sharing.run(cell);
      if (result.ok) return;
      const found =
        result.verdict === 'violated'
          ? `violated (${result.oracle}: ${result.message})`
          : `${result.verdict}${result.vacuous === undefined ? '' : `, and that proves nothing: ${result.vacuous}`}`;
      throw new Error(`expected: ${expectation(cell)}, found: ${found}\n${result.counterexample?.diagram ?? ''}`);
    });
  }
}

function expectation({ expected, oracles, bound }: Cell): string {
  if (expected === 'violated') return `violates ${oracles.join(' or ')}`;
  return bound === undefined ? 'holds' : `holds, or nothing is found in ${bound.states} states`;
}
