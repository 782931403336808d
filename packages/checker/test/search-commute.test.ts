/**
 * Commuting changes (`commute` of dpor) against brute force, on generated programs. Wrong dependences are told by the same comparison.
 */
import { describe, expect, test } from 'vitest';
import type { Explorable } from '../src/explorable.ts';
import { chance } from '../src/search/chance.ts';
import { dpor } from '../src/search/dpor.ts';
import { COMMUTING, type Dependence, PLAIN, WRITE } from '../src/search/footprint.ts';
import { search } from '../src/search/index.ts';
import { contractBreach } from './search-contract.ts';
import { countTraces } from './search-traces.ts';
import { Toy, type ToyProgram } from './toy.ts';
import { onPort } from './toy-on-port.ts';
import { changingProgram } from './toy-programs.ts';

/** Programs with more interleavings than this are passed over. */
const MOST = 1500;
const TIMEOUT = 60_000;

const MACHINES: Readonly<Record<string, (program: ToyProgram) => Explorable>> = {
  'the toy machine': (program) => new Toy(program),
  'the exploring machine': (program) => onPort(program).machine,
};

interface Comparison {
  /** Seeds of programs of which something else is said, by what differs. */
  readonly verdicts: number[];
  readonly ends: number[];
  readonly traces: number[];
  /** Programs by what brute force says of them. */
  readonly holds: number;
  readonly violated: number;
  /** Traces with and without commuting changes. */
  readonly fewer: number;
  readonly all: number;
}

function compare(
  make: (program: ToyProgram) => Explorable,
  count: number,
  dependence: Dependence,
  counted = true,
): Comparison {
  const found = { verdicts: [] as number[], ends: [] as number[], traces: [] as number[] };
  const sums = { holds: 0, violated: 0, fewer: 0, all: 0 };
  for (let seed = 1; seed <= count; seed++) {
    const machine = make(changingProgram(chance(seed)));
    const options = { stopAtFirst: false, collectEnds: true };
    const wanted = search(machine, { strategy: 'brute', maxExecutions: MOST, ...options });
    if (!wanted.exhaustive) continue;
    sums[wanted.verdict === 'holds' ? 'holds' : 'violated']++;
    const said = dpor(machine, options, dependence);
    if (said.verdict !== wanted.verdict) found.verdicts.push(seed);
    if ([...said.ends!].toSorted().join() !== [...wanted.ends!].toSorted().join()) found.ends.push(seed);
    if (!counted) continue;
    if (said.executions !== countTraces(machine, 2 * MOST, dependence)) found.traces.push(seed);
    sums.fewer += said.executions!;
    sums.all += dpor(machine, options, PLAIN).executions!;
  }
  return { ...found, ...sums };
}

describe.for(Object.entries(MACHINES))('on %s', { timeout: TIMEOUT }, ([name, make]) => {
  const count = name === 'the toy machine' ? 600 : 150;

  test('what does not conflict commutes', () => {
    const breaches: string[] = [];
    for (let seed = 1; seed <= count / 3; seed++) {
      const breach = contractBreach(make(changingProgram(chance(seed))), 300, COMMUTING);
      if (breach !== undefined) breaches.push(`${seed}: ${breach}`);
    }
    expect(breaches).toEqual([]);
  });

  test('same verdicts, same ends, each trace exactly once, and fewer of them', () => {
    const { verdicts, ends, traces, holds, violated, fewer, all } = compare(make, count, COMMUTING);
    expect({ verdicts, ends, traces }).toEqual({ verdicts: [], ends: [], traces: [] });
    expect(holds).toBeGreaterThan(count / 5);
    expect(violated).toBeGreaterThan(count / 5);
    expect(fewer).toBeLessThan(0.8 * all);
  });
});

const { modes } = COMMUTING;
const isAny = (a: number, b: number, one: number, other: number): boolean =>
  (a === one && b === other) || (a === other && b === one);

/** Dependences that are wrong. */
const WRONG: readonly [what: string, dependence: Dependence][] = [
  [
    'an addition commutes with a load',
    { modes, conflict: (a, b) => COMMUTING.conflict(a, b) && !isAny(a, b, modes.add, modes.read) },
  ],
  [
    'setting bits commutes with clearing bits',
    { modes, conflict: (a, b) => COMMUTING.conflict(a, b) && !isAny(a, b, modes.or, modes.andNot) },
  ],
  [
    'an addition commutes with setting bits',
    { modes, conflict: (a, b) => COMMUTING.conflict(a, b) && !isAny(a, b, modes.add, modes.or) },
  ],
  [
    'stores commute with each other',
    { modes, conflict: (a, b) => COMMUTING.conflict(a, b) && !(a === WRITE && b === WRITE) },
  ],
];

test.for(WRONG)('wrong: %s', { timeout: TIMEOUT }, ([, dependence]) => {
  const { verdicts, ends } = compare(MACHINES['the toy machine']!, 300, dependence, false);
  expect(verdicts.length + ends.length).toBeGreaterThan(0);
});
