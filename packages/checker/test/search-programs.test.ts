/**
 * Handshake, ring and gather (L1, L2, L3): exact numbers of traces, as GenMC, Nidhugg and other checkers count them; every
 * buggy variant is found, with the fewest preemptions.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { bareOf } from '../src/bare.ts';
import type { Machine } from '../src/machine.ts';
import type { Program } from '../src/program.ts';
import { counterexample, search, type Strategy } from '../src/search/index.ts';
import { bare, gather, handshake, ring } from './programs.ts';

/** `blocked`: executions that the search gives up. Nidhugg with source sets has 10 and 50 on the rings, 26 on gather sync. */
const right: readonly [name: string, cpus: number, program: () => Program<unknown>, traces: number, blocked: number][] =
  [
    ['handshake', 2, () => handshake(false), 4, 0],
    ['handshake with fences', 2, () => handshake(true), 4, 0],
    ['ring 2+1', 3, () => ring([2, 1], 2), 308, 9],
    ['ring 2+2', 3, () => ring([2, 2], 2), 1_934, 107],
    ['ring 3+2, 4 entries', 3, () => ring([3, 2], 4), 4_202, 213],
    ['gather force, 2 threads', 2, () => gather('force'), 124, 2],
    ['gather sync, 2 threads', 2, () => gather('sync'), 28, 2],
    ['gather sync, 3 threads', 3, () => gather('sync', 3), 9_880, 126],
  ];

test.for(right)('%s: holds, by its number of traces and by its states', ([, cpus, program, traces, blocked]) => {
  const machine = bare(cpus, program());
  const byTraces = search(machine, { strategy: 'dpor' });
  expect(byTraces).toMatchObject({ verdict: 'holds', exhaustive: true, executions: traces, blocked, violations: 0 });
  expect(search(machine)).toMatchObject({ verdict: 'holds', exhaustive: true });
});

test.for([
  ['force, 2 threads', 2, 52],
  ['sync, 2 threads', 2, 8],
  ['sync, 3 threads', 3, 356],
] as const)('gather %s: as many traces as Nidhugg counts where additions commute', ([what, threads, traces]) => {
  const variant = what.startsWith('force') ? 'force' : 'sync';
  const result = search(bare(threads, gather(variant, threads)), { strategy: 'dpor', commute: true });
  expect(result).toMatchObject({ verdict: 'holds', exhaustive: true, executions: traces });
});

/** States that a checker may need that keys a thread by where it is and what it still knows (prototype of ours, measured once). */
const BUDGETS: readonly [name: string, cpus: number, program: () => Program<unknown>, sc: number, tso: number][] = [
  ['handshake', 2, () => handshake(true), 39, 63],
  ['ring 2+1', 3, () => ring([2, 1], 2, true, true), 2_350, 7_440],
  ['ring 2+2', 3, () => ring([2, 2], 2, true, true), 9_948, 32_052],
  ['ring 3+2, 4 entries', 3, () => ring([3, 2], 4, true, true), 17_000, Infinity],
  ['gather force, 2 threads', 2, () => gather('force', 2, true), 252, 326],
  ['gather sync, 2 threads', 2, () => gather('sync', 2, true), 215, 258],
  ['gather force, 3 threads', 3, () => gather('force', 3, true), 7_515, 10_257],
  ['gather sync, 3 threads', 3, () => gather('sync', 3, true), 3_854, Infinity],
];

test.for(BUDGETS)(
  '%s: within its budget of states, where code says what it still knows',
  ([, cpus, program, sc, tso]) => {
    for (const [model, budget] of [
      ['sc', sc],
      ['tso', tso],
    ] as const) {
      const { verdict, states } = search(bare(cpus, program(), model));
      expect(verdict).toBe('holds');
      expect(states).toBeLessThanOrEqual(budget);
    }
  },
);

test('what code says that it still knows is checked where paths meet', () => {
  const nothing = ([progress]: readonly number[]): number[] => [progress!];
  const all = (say: readonly number[]): number[] => [...say];
  for (const [say, message] of [
    [all, undefined],
    [nothing, 'two paths meet in one key'],
  ] as const) {
    let cells = 0;
    const program: Program<unknown> = {
      reserve(layout) {
        cells = layout.reserve('cell', ['a', 'b']);
      },
      setup: () => undefined,
      threads: () => [
        function* (cpu: Cpu): Steps<void> {
          const found = yield* cpu.readOnce(cells);
          bareOf(cpu).forget(...(say([1, found]) as [number, ...number[]]));
          yield* cpu.writeOnce(cells + 1, found);
        },
        function* (cpu: Cpu): Steps<void> {
          yield* cpu.writeOnce(cells, 1);
        },
      ],
    };
    const run = (): unknown => search(bare(2, program), { checkKeys: true });
    if (message === undefined) expect(run).not.toThrow();
    else expect(run).toThrow(message);
  }
});

test('gather buggy has 11 traces, 6 of them wrong', () => {
  const result = search(bare(2, gather('buggy')), { strategy: 'dpor', stopAtFirst: false });
  expect(result).toMatchObject({ verdict: 'violated', executions: 11, violations: 6 });
});

const outcomes = (machine: Machine): number => search(machine, { collectEnds: true, stopAtFirst: false }).ends!.size;

test('searches that ask for no keys leave the machine with the key that it had', () => {
  const machine = bare(2, gather('force'));
  const { states } = search(machine);
  const key = [machine.keyLow, machine.keyHigh];
  for (const strategy of ['dpor', 'random', 'brute'] as const) {
    search(machine, { strategy, maxExecutions: 100 });
    expect([machine.keyLow, machine.keyHigh]).toEqual(key);
  }
  expect(search(machine).states).toBe(states);
});

test('handshake has the outcomes that models allow: 4 under SC, 6 under TSO, 8 under weak; with fences 4, 4 and 5', () => {
  expect(outcomes(bare(2, handshake(false), 'sc'))).toBe(4);
  expect(outcomes(bare(2, handshake(false), 'tso'))).toBe(6);
  expect(outcomes(bare(2, handshake(false), 'weak'))).toBe(8);
  expect(outcomes(bare(2, handshake(true), 'tso'))).toBe(4);
  expect(outcomes(bare(2, handshake(true), 'weak'))).toBe(5);
});

test.for([
  ['handshake with fences', 2, () => handshake(true)],
  ['ring', 3, () => ring([2, 1], 2)],
  ['gather force', 2, () => gather('force')],
  ['gather sync', 2, () => gather('sync')],
] as const)('%s: holds under TSO, too', ([, cpus, program]) => {
  expect(search(bare(cpus, program(), 'tso'))).toMatchObject({ verdict: 'holds', exhaustive: true });
});

test.for([
  ['handshake with fences', 2, () => handshake(true), 4],
  ['ring 2+1', 3, () => ring([2, 1], 2), 308],
  ['ring 2+2', 3, () => ring([2, 2], 2), 1_934],
  ['gather force', 2, () => gather('force'), 124],
  ['gather sync', 2, () => gather('sync'), 28],
] as const)('%s: as many traces under TSO as other checkers count', ([, cpus, program, traces]) => {
  const result = search(bare(cpus, program(), 'tso'), { strategy: 'dpor' });
  expect(result).toMatchObject({ verdict: 'holds', executions: traces });
});

const wrong: readonly [name: string, machine: () => Machine, oracle: string, preemptions: number, steps: number][] = [
  ['handshake without fences, TSO', () => bare(2, handshake(false), 'tso'), 'assert', 0, 9],
  ['ring without the second check', () => bare(3, ring([2, 1], 2, false)), 'O16', 1, 25],
  ['gather buggy', () => bare(2, gather('buggy')), 'O1', 1, 17],
  ['gather buggy, TSO', () => bare(2, gather('buggy'), 'tso'), 'O1', 1, 23],
];

test.for(wrong)('%s: refuted by every strategy', ([, machine, oracle]) => {
  for (const strategy of ['states', 'dpor', 'bounded', 'random', 'brute'] satisfies Strategy[]) {
    const { verdict, violation } = search(machine(), { strategy });
    expect([strategy, verdict, violation?.oracle]).toEqual([strategy, 'violated', oracle]);
  }
});

test.for(wrong)('%s: shown with the fewest preemptions, then steps', ([, make, , preemptions, steps]) => {
  const machine = make();
  const shown = counterexample(machine, search(machine).path!);
  expect([shown.preemptions, shown.path.length, shown.note]).toEqual([preemptions, steps, undefined]);
});

test.for(wrong)('%s: found by each random scheduler', ([, machine]) => {
  const { hits, executions } = search(machine(), {
    strategy: 'random',
    stopAtFirst: false,
    maxExecutions: 4_000,
    seed: 3,
  });
  expect(executions).toBe(4_000);
  expect(Object.entries(hits!).filter(([, found]) => found === 0)).toEqual([]);
});
