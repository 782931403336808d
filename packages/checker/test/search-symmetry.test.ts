/**
 * Symmetry of identical CPUs against the search without it and against brute force, on generated programs. Wrong symmetries are told by the
 * same comparison.
 */
import { expect, test } from 'vitest';
import { chance } from '../src/search/chance.ts';
import { type Result, search } from '../src/search/index.ts';
import { bare, ring } from './programs.ts';
import { Toy, type ToyProgram } from './toy.ts';
import { symmetricProgram } from './toy-programs.ts';

const TIMEOUT = 60_000;
/** Programs with more states than this are passed over, and with more interleavings where brute force is asked. */
const MOST_STATES = 5000;
const MOST_INTERLEAVINGS = 2000;

/** What must be the same: the verdict and, if nothing was violated, the ends, whichever of the identical CPUs is which. */
function essence(program: ToyProgram, toy: Toy, { verdict, ends }: Result): string {
  if (verdict !== 'holds') return verdict;
  const twins = program.identical![0]!;
  const end = (observation: string): string => {
    const [cells, ...cpus] = toy.end(observation).split(' ');
    return [cells, ...twins.map((cpu) => cpus[cpu]!).toSorted(), ...cpus.slice(twins.length)].join(' ');
  };
  return [...new Set([...ends!].map(end))].toSorted().join('\n');
}

interface Comparison {
  readonly different: number[];
  readonly verdicts: Record<string, number>;
  readonly full: number;
  readonly reduced: number;
}

/**
 * @param declare what the searched machine is told of the program
 * @param reference what to compare with
 */
function compare(
  count: number,
  reduce: boolean,
  declare: (program: ToyProgram) => ToyProgram,
  reference: (toy: Toy) => Result = (toy) => search(toy, { reduce: false, collectEnds: true, maxStates: MOST_STATES }),
): Comparison {
  const different: number[] = [];
  const verdicts: Record<string, number> = {};
  let full = 0;
  let reduced = 0;
  for (let seed = 1; seed <= count; seed++) {
    const program = symmetricProgram(chance(seed));
    const toy = new Toy(program);
    const wanted = reference(toy);
    if (wanted.verdict === 'incomplete') continue;
    const machine = new Toy(declare(program));
    const found = search(machine, { reduce, symmetry: true, collectEnds: true });
    if (essence(program, toy, found) !== essence(program, toy, wanted)) different.push(seed);
    verdicts[wanted.verdict] = (verdicts[wanted.verdict] ?? 0) + 1;
    if (wanted.verdict !== 'holds') continue;
    full += wanted.states ?? 0;
    reduced += found.states!;
  }
  return { different, verdicts, full, reduced };
}

const right = (program: ToyProgram): ToyProgram => program;

test.for([false, true])(
  'same verdicts and ends as without symmetry; local steps alone: %s',
  { timeout: TIMEOUT },
  (reduce) => {
    const { different, verdicts, full, reduced } = compare(400, reduce, right);
    expect(different).toEqual([]);
    expect(verdicts['holds']).toBeGreaterThan(100);
    expect(verdicts['violated']).toBeGreaterThan(100);
    expect(reduced).toBeLessThan((reduce ? 0.5 : 0.6) * full);
  },
);

test('same verdicts and ends as by brute force', { timeout: TIMEOUT }, () => {
  const brute = (toy: Toy): Result => {
    const result = search(toy, { strategy: 'brute', collectEnds: true, maxExecutions: MOST_INTERLEAVINGS });
    return result.limit === undefined ? result : { ...result, verdict: 'incomplete' };
  };
  const { different, verdicts } = compare(200, true, right, brute);
  expect(different).toEqual([]);
  expect(verdicts['holds']).toBeGreaterThan(40);
});

test('wrong: CPUs that run other code are taken for identical ones', { timeout: TIMEOUT }, () => {
  const all = (program: ToyProgram): ToyProgram => ({ ...program, identical: [program.code.map((_, cpu) => cpu)] });
  expect(compare(300, false, all).different.length).toBeGreaterThan(0);
});

test('wrong: words of identical CPUs are sorted one by one', { timeout: TIMEOUT }, () => {
  const apart = (program: ToyProgram): ToyProgram => ({ ...program, wordByWord: true });
  expect(compare(300, false, apart).different.length).toBeGreaterThan(0);
});

test('a ring with queuers that are alike: fewer states, and the torn entry is found', () => {
  const full = search(bare(3, ring([2, 2], 2)));
  const half = search(bare(3, ring([2, 2], 2)), { symmetry: true });
  expect([half.verdict, half.exhaustive]).toEqual(['holds', true]);
  expect(half.states!).toBeLessThan(0.6 * full.states!);
  expect(search(bare(3, ring([2, 2], 2, false)), { symmetry: true }).violation?.oracle).toBe('O16');
});

test('where every violation is wanted, or every key compared, CPUs are told apart', () => {
  for (const options of [{ stopAtFirst: false }, { checkKeys: true }] as const) {
    const without = search(bare(3, ring([1, 1], 2)), options);
    expect(search(bare(3, ring([1, 1], 2)), { ...options, symmetry: true }).states).toBe(without.states);
  }
});
