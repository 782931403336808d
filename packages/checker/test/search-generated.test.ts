/**
 * The searches against brute force, on generated programs: first on the toy machine, then on the exploring machine.
 */
import { describe, expect, test } from 'vitest';
import type { Explorable } from '../src/explorable.ts';
import { chance } from '../src/search/chance.ts';
import { type Result, search, type Strategy } from '../src/search/index.ts';
import { contractBreach } from './search-contract.ts';
import { cheapestViolation, countTraces } from './search-traces.ts';
import { Toy, type ToyProgram } from './toy.ts';
import { onPort } from './toy-on-port.ts';
import { toyProgram } from './toy-programs.ts';

/** Programs with more interleavings than this are passed over: one in seven. */
const MOST = 2600;
/** The exploring machine takes ten times as long for one. */
const MOST_ON_PORT = 500;
/** Some tests take seconds, and more where other work runs beside them. */
const TIMEOUT = 60_000;
/** A program is passed over if it takes brute force too long; so many are generated for those that are wanted. */
const SPARE = 4;

interface Case {
  readonly seed: number;
  readonly program: ToyProgram;
  readonly toy: Toy;
  readonly reference: Result;
}

/** Generated programs with all their interleavings, by consecutive seeds. */
function cases(
  count: number,
  firstSeed: number,
  most: number,
  wanted: (program: ToyProgram) => boolean = () => true,
): readonly Case[] {
  const found: Case[] = [];
  for (let seed = firstSeed; found.length < count && seed < firstSeed + SPARE * count; seed++) {
    const program = toyProgram(chance(seed));
    if (!wanted(program)) continue;
    const toy = new Toy(program);
    const reference = search(toy, { strategy: 'brute', stopAtFirst: false, collectEnds: true, maxExecutions: most });
    if (reference.exhaustive) found.push({ seed, program, toy, reference });
  }
  return found;
}

const uses = (program: ToyProgram, ...kinds: string[]): boolean =>
  [...program.code, ...(program.handlers ?? [])].flat().some(([kind]) => kinds.includes(kind));
const everything = (machine: Explorable, strategy: Strategy): Result =>
  search(machine, { strategy, stopAtFirst: false, collectEnds: true });
/** Where what was found is not what was wanted: the first few programs, by seed. */
function differences<C extends Case>(
  programs: readonly C[],
  compare: (program: C, same: (found: unknown, wanted: unknown) => void) => void,
): readonly unknown[] {
  const list: unknown[] = [];
  for (const program of programs) {
    compare(program, (found, wanted) => {
      if (JSON.stringify(found) !== JSON.stringify(wanted)) list.push({ seed: program.seed, found, wanted });
    });
    if (list.length >= 3) break;
  }
  return list;
}
const sorted = (ends: Iterable<string>): string[] => [...ends].toSorted();

describe('on generated toy programs', { timeout: TIMEOUT }, () => {
  const programs = cases(700, 1000, MOST);

  test('the programs are many and of all kinds', () => {
    const count = (is: (c: Case) => boolean): number => programs.filter(is).length;
    expect(programs.length).toBeGreaterThanOrEqual(600);
    expect(count(({ reference }) => reference.verdict === 'holds')).toBeGreaterThan(200);
    expect(count(({ reference }) => reference.violation?.oracle === 'deadlock')).toBeGreaterThan(100);
    expect(count(({ reference }) => reference.violation?.oracle === 'assert')).toBeGreaterThan(30);
    expect(count(({ program }) => program.memory === 'tso')).toBeGreaterThan(100);
    expect(count(({ program }) => uses(program, 'send'))).toBeGreaterThan(50);
    expect(count(({ program }) => uses(program, 'maybe'))).toBeGreaterThan(50);
  });

  test('independent steps commute', () => {
    expect(differences(programs, ({ toy }, same) => same(contractBreach(toy, 500), undefined))).toEqual([]);
  });

  test.for(['states', 'bounded'] as const)('%s: same verdicts, same ends as brute force', (strategy) => {
    const found = differences(programs, ({ toy, reference }, same) => {
      const all = everything(toy, strategy);
      same([all.verdict, all.exhaustive], [reference.verdict, true]);
      same(sorted(all.ends!), sorted(reference.ends!));
      same(search(toy, { strategy }).verdict, reference.verdict);
    });
    expect(found).toEqual([]);
  });

  test('dpor: same verdicts, same ends, and each trace exactly once', () => {
    const found = differences(programs, ({ program, toy, reference }, same) => {
      const all = everything(toy, 'dpor');
      same([all.verdict, all.exhaustive], [reference.verdict, true]);
      same(search(toy, { strategy: 'dpor' }).verdict, reference.verdict);
      // What a violation cuts off is not looked for, and then there is nothing to compare.
      if (uses(program, 'check')) return;
      same(sorted(all.ends!), sorted(reference.ends!));
      same(all.executions, countTraces(toy, 2 * MOST));
    });
    expect(found).toEqual([]);
  });

  test('bounded: no violation has fewer preemptions, and none with as few has fewer steps', () => {
    let violated = 0;
    const found = differences(programs, ({ toy }, same) => {
      const { verdict, preemptions, path } = search(toy, { strategy: 'bounded' });
      same(verdict === 'violated' ? { preemptions, steps: path?.length } : 'none', cheapestViolation(toy, 2 * MOST));
      if (verdict === 'violated') violated++;
    });
    expect(found).toEqual([]);
    expect(violated).toBeGreaterThan(200);
  });

  test('random: only real violations, and nearly all of them', () => {
    let violated = 0;
    let missed = 0;
    const found = differences(programs, ({ seed, toy, reference }, same) => {
      const { verdict, exhaustive } = search(toy, { strategy: 'random', seed, maxExecutions: 400 });
      same(exhaustive, false);
      if (reference.verdict === 'holds') same(verdict, 'incomplete');
      else {
        violated++;
        if (verdict !== 'violated') missed++;
      }
    });
    expect(found).toEqual([]);
    expect(missed).toBeLessThan(0.02 * violated);
  });

  test('a path that a search found shows the same violation again', () => {
    const found = differences(programs, ({ toy }, same) => {
      for (const strategy of ['states', 'dpor', 'bounded', 'random', 'brute'] as const) {
        const { violation, path } = search(toy, { strategy, maxExecutions: 200 });
        if (path === undefined) continue;
        const again = search(toy, { strategy: 'rerun', path });
        same([strategy, again.violation, again.path], [strategy, violation, path]);
      }
    });
    expect(found).toEqual([]);
  });
});

describe('on the exploring machine', { timeout: TIMEOUT }, () => {
  const programs = cases(
    500,
    500_000,
    MOST_ON_PORT,
    (program) => !uses(program, 'maybe') && program.bad === undefined,
  ).map((c) => ({
    ...c,
    ...onPort(c.program),
  }));

  test('the programs are many', () => expect(programs.length).toBeGreaterThanOrEqual(500));

  test('independent steps commute', () => {
    expect(differences(programs, ({ machine }, same) => same(contractBreach(machine, 200), undefined))).toEqual([]);
  });

  test.for(['states', 'dpor', 'brute'] as const)('%s: verdicts and ends are those of the toy', (strategy) => {
    const found = differences(programs, ({ program, toy, reference, machine, end }, same) => {
      const all = everything(machine, strategy);
      same([all.verdict, all.exhaustive], [reference.verdict, true]);
      if (strategy === 'dpor' && uses(program, 'check')) return;
      const wanted = [...reference.ends!].map((observation) => toy.end(observation));
      same(sorted(new Set([...all.ends!].map(end))), sorted(new Set(wanted)));
    });
    expect(found).toEqual([]);
  });

  test('dpor: each trace exactly once', () => {
    const found = differences(programs, ({ program, machine }, same) => {
      if (uses(program, 'check')) return;
      const { executions } = search(machine, { strategy: 'dpor', stopAtFirst: false });
      same(executions, countTraces(machine, 2 * MOST_ON_PORT));
    });
    expect(found).toEqual([]);
  });
});
