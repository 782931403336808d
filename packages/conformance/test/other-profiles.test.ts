// Every profile on the whole suite, each cell up to some two hundred states; what is larger is run by `mmu-gather conformance --profile P`.
import { expect, test } from 'vitest';
import { cells, DEFAULT_PROFILES, PROFILES, runCell, SCENARIOS, X86 } from '../src/index.ts';

const MAX_STATES = 200;
/** The share of cells that are decided within it. */
const DECIDED = 0.6;

const others = PROFILES.map((spec) => spec.id).filter((id) => !DEFAULT_PROFILES.includes(id));

test.each(others)('%s: no cell comes out wrong', { timeout: 300_000 }, (id) => {
  const all = cells(SCENARIOS, [X86], { profiles: [id] });
  const results = all.map((cell) => runCell(cell, { maxStates: MAX_STATES }));
  const decided = results.filter(({ verdict }) => verdict !== 'incomplete');
  expect(
    decided.filter(({ ok }) => !ok).map(({ scenario, verdict, oracle }) => ({ scenario, verdict, oracle })),
  ).toEqual([]);
  expect(decided.length / results.length).toBeGreaterThan(DECIDED);
});
