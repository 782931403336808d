/**
 * The reduction by locality against no reduction and against brute force, on generated programs. Wrong reductions are told from it
 * by the same comparison, so it can fail.
 */
import type { Address, Cpu, Steps } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { type Explorable, type Locality, TOUCH } from '../src/explorable.ts';
import type { Machine } from '../src/machine.ts';
import { chance } from '../src/search/chance.ts';
import { type Result, search } from '../src/search/index.ts';
import { Reduction } from '../src/search/locality.ts';
import { states } from '../src/search/states.ts';
import {
  localityMachine,
  type LocalityProgram,
  localityProgram,
  lockingProgram,
  loopingProgram,
  LOCK,
  OWN,
  weakened,
} from './locality-programs.ts';
import { bare, gather, handshake, ring } from './programs.ts';
import { fragmentProgram, shootdownMachine, shootdownProgram } from './shootdown-programs.ts';
import { Toy } from './toy.ts';
import { onPort } from './toy-on-port.ts';
import { toyProgram } from './toy-programs.ts';

const TIMEOUT = 120_000;
/** Programs with more states than this are passed over. */
const MOST_STATES = 20_000;
/** And with more interleavings than this, where brute force is asked. */
const MOST_INTERLEAVINGS = 3000;

/** Makes the program of a seed. */
type Make = (seed: number) => Explorable;
type MakeReduction = (machine: Explorable) => Reduction;

const MACHINES: Readonly<Record<string, Make>> = {
  'small programs': (seed) => localityMachine(localityProgram(chance(seed), 3)),
  programs: (seed) => localityMachine(localityProgram(chance(seed), 7)),
  'programs with locks': (seed) => localityMachine(lockingProgram(chance(seed))),
  shootdowns: (seed) => shootdownMachine(shootdownProgram(chance(seed))),
  'fragments of shootdowns': (seed) => shootdownMachine(fragmentProgram(chance(seed))),
  'small programs under weak': (seed) => localityMachine(weakened(localityProgram(chance(seed), 3), chance(-seed))),
  'programs under weak': (seed) => localityMachine(weakened(localityProgram(chance(seed), 6), chance(-seed))),
  'shootdowns under weak': (seed) => shootdownMachine({ ...shootdownProgram(chance(seed)), memory: 'weak' }),
  'fragments under weak': (seed) => shootdownMachine({ ...fragmentProgram(chance(seed)), memory: 'weak' }),
  'toy programs': (seed) => new Toy(toyProgram(chance(seed))),
  'toy programs with loops': (seed) => new Toy(loopingProgram(chance(seed))),
};

const right: MakeReduction = (machine) => new Reduction(machine, true);

/** What must be the same: the verdict and, if nothing was violated, the ends. */
function essence({ verdict, ends }: Result): string {
  return verdict === 'holds' ? [...ends!].toSorted().join('\n') : verdict;
}

/** Does a program race before its first step? Then there is nothing to search. */
function isWrongAtOnce(make: Make, seed: number): boolean {
  try {
    make(seed);
    return false;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('before their first step')) return true;
    throw error;
  }
}

/** Seeds of programs whose reduced search says something else than the other one; and what was looked at. */
function compare(
  make: Make,
  count: number,
  reduction: MakeReduction,
  reference: (machine: Explorable) => Result = (machine) =>
    search(machine, { reduce: false, collectEnds: true, maxStates: MOST_STATES }),
): { different: number[]; verdicts: Record<string, number>; full: number; reduced: number } {
  const different: number[] = [];
  const verdicts: Record<string, number> = {};
  let full = 0;
  let reduced = 0;
  for (let seed = 1; seed <= count; seed++) {
    if (isWrongAtOnce(make, seed)) continue;
    const wanted = reference(make(seed));
    if (wanted.verdict === 'incomplete') continue;
    const machine = make(seed);
    const found = states(machine, { collectEnds: true }, reduction(machine));
    if (essence(found) !== essence(wanted)) different.push(seed);
    const what = wanted.violation?.oracle ?? wanted.verdict;
    verdicts[what] = (verdicts[what] ?? 0) + 1;
    full += wanted.states ?? 0;
    reduced += found.states!;
  }
  return { different, verdicts, full, reduced };
}

describe('same verdicts, same ends', { timeout: TIMEOUT }, () => {
  test.for([
    ['small programs', 1500, { holds: 800, deadlock: 50, race: 20, O16: 10 }],
    ['programs', 1500, { holds: 500, deadlock: 200, race: 100, O16: 30 }],
    ['programs with locks', 250, { holds: 100, deadlock: 50 }],
    ['shootdowns', 300, { holds: 60, O1: 20, O2: 5, O4: 10, O5: 10, O6: 40, O11: 10 }],
    [
      'fragments of shootdowns',
      2000,
      { holds: 500, O1: 80, O2: 40, O4: 100, O6: 80, O9: 5, O12: 100, O1s: 5, race: 5 },
    ],
    ['small programs under weak', 1500, { holds: 600, deadlock: 50, race: 20, O16: 10 }],
    ['programs under weak', 1000, { holds: 200, deadlock: 100, race: 50, O16: 20 }],
    ['shootdowns under weak', 200, { holds: 20, O1: 5, O6: 10 }],
    ['fragments under weak', 1500, { holds: 300, O1: 40, O4: 50, O6: 40, O12: 50 }],
    ['toy programs', 1000, { holds: 400, deadlock: 200, assert: 50 }],
    ['toy programs with loops', 1500, { holds: 200, livelock: 500, assert: 50 }],
  ] as const)('%s: as without reduction', ([name, count, least]) => {
    const { different, verdicts, full, reduced } = compare(MACHINES[name]!, count, right);
    expect(different).toEqual([]);
    const rare = Object.entries(least).filter(([verdict, number]) => (verdicts[verdict] ?? 0) < number);
    expect({ rare, verdicts: rare.length > 0 ? verdicts : {} }).toEqual({ rare: [], verdicts: {} });
    expect(reduced).toBeLessThan(0.9 * full);
  });

  test.for(['small programs', 'small programs under weak', 'toy programs'])('%s: as by brute force', (name) => {
    const brute = (machine: Explorable): Result => {
      const result = search(machine, { strategy: 'brute', collectEnds: true, maxExecutions: MOST_INTERLEAVINGS });
      return result.limit === undefined ? result : { ...result, verdict: 'incomplete' };
    };
    const { different, verdicts } = compare(MACHINES[name]!, 700, right, brute);
    expect(different).toEqual([]);
    expect(verdicts['holds']).toBeGreaterThan(200);
  });

  test('toy programs on the exploring machine: as the toy machine says', () => {
    const different: number[] = [];
    for (let seed = 1; seed <= 1000; seed++) {
      const program = toyProgram(chance(seed));
      const kinds = [...program.code, ...(program.handlers ?? [])].flat().map(([kind]) => kind);
      if (program.bad !== undefined || kinds.includes('maybe')) continue;
      const toy = new Toy(program);
      const wanted = search(toy, { reduce: false, collectEnds: true });
      const { machine, end } = onPort(program);
      const found = search(machine, { collectEnds: true });
      const same =
        found.verdict === wanted.verdict &&
        (found.verdict !== 'holds' ||
          [...new Set([...found.ends!].map(end))].toSorted().join() ===
            [...new Set([...wanted.ends!].map((observation) => toy.end(observation)))].toSorted().join());
      if (!same) different.push(seed);
    }
    expect(different).toEqual([]);
  });
});

/** What is known of a release, and not of who modifies what it stored itself: it is to be remembered whose store that was. */
const OWN_RELEASE: (typeof KNOWING)[number] = [
  'a read-modify-write of the own release passes on nothing',
  {
    code: [
      [
        ['write', 0, 1],
        ['release', 1, 1],
        ['add', 1, 1],
      ],
      [
        ['acquire', 1, 0],
        ['read', 0, 0],
      ],
    ],
    handlers: [],
  },
];

/** Steps that would be local by their cells, and are not by what they let a CPU know. */
const KNOWING: readonly [what: string, program: Omit<LocalityProgram, 'memory'>][] = [
  [
    'a fence tells later ones of what came before it',
    {
      code: [
        [
          ['write', 0, 1],
          ['write', 1, 1],
          ['fence', 0, 0],
        ],
        [
          ['read', 1, 0],
          ['fence', 0, 0],
          ['read', 0, 0],
        ],
      ],
      handlers: [],
    },
  ],
  [
    'a handler knows what main code has acquired before it',
    {
      code: [
        [
          ['write', 0, 1],
          ['release', 1, 1],
        ],
        [
          ['read', 1, 0],
          ['write', OWN + 1, 1, 1],
          ['acquire', 1, 0],
        ],
        [['send', 1, 0]],
      ],
      handlers: [
        [],
        [
          ['read', OWN + 1, 0],
          ['never', 0, 0, 1],
        ],
        [],
      ],
    },
  ],
  OWN_RELEASE,
];

test.for(KNOWING)('under weak: %s', ([, program]) => {
  const ends = (reduce: boolean): string =>
    essence(search(localityMachine({ memory: 'weak', ...program }), { reduce, collectEnds: true }));
  expect(ends(true)).toBe(ends(false));
});

/** Reductions that are wrong, and the programs that show it. */
const WRONG: readonly [
  what: string,
  reduction: new (machine: Explorable, wanted: boolean) => Reduction,
  shownBy: string,
][] = [
  [
    'any step is taken alone',
    class extends Reduction {
      override mayBeAlone(actor: number): boolean {
        super.mayBeAlone(actor);
        return true;
      }
      override stays(onPath: boolean): boolean {
        super.stays(onPath);
        return !onPath;
      }
    },
    'shootdowns',
  ],
  [
    'what is behind a step is not looked at',
    class extends Reduction {
      override stays(onPath: boolean): boolean {
        super.stays(onPath);
        return !onPath;
      }
    },
    'programs',
  ],
  [
    'what the first pass assumed is taken for true',
    class extends Reduction {
      override get wrong(): boolean {
        return false;
      }
    },
    'small programs',
  ],
  [
    'a step that closes a cycle is taken alone',
    class extends Reduction {
      override stays(): boolean {
        return super.stays(false);
      }
    },
    'toy programs with loops',
  ],
  ['a lock is let go alone whatever else is done with it', blindTo(TOUCH.unlike), 'programs with locks'],
  ['nobody is seen to load', blindTo(TOUCH.read), 'small programs under weak'],
];

/** A reduction that does not note touches of one kind. */
function blindTo(kind: number): typeof Reduction {
  const blind = (locality: Locality): Locality => ({
    words: locality.words,
    watch: (sharing) =>
      locality.watch(
        sharing && {
          touch: (process, word, how, position) =>
            how === kind ? undefined : sharing.touch(process, word, how, position),
          mayTouch: (...where) => sharing.mayTouch(...where),
        },
      ),
    mayBeLocal: (actor) => locality.mayBeLocal(actor),
    wasLocal: () => locality.wasLocal(),
  });
  return class extends Reduction {
    constructor(machine: Explorable, wanted: boolean) {
      super(Object.create(machine, { locality: { value: blind(machine.locality!) } }) as Explorable, wanted);
    }
  };
}

test.for(WRONG)('wrong: %s', { timeout: TIMEOUT }, ([, Wrong, shownBy]) => {
  const { different } = compare(
    MACHINES[shownBy]!,
    shownBy === 'shootdowns' || shownBy === 'programs with locks' ? 100 : 1500,
    (machine) => new Wrong(machine, true),
  );
  expect(different.length).toBeGreaterThan(0);
});

test('wrong: nobody is seen to modify', () => {
  const machine = localityMachine({ memory: 'weak', ...OWN_RELEASE[1] });
  const reduced = states(machine, { collectEnds: true }, new (blindTo(TOUCH.modify))(machine, true));
  expect(essence(reduced)).not.toBe(essence(search(machine, { reduce: false, collectEnds: true })));
});

test('a handler that waits for a lock that its CPU holds waits for ever', () => {
  for (const memory of ['sc', 'tso', 'weak'] as const) {
    const program: LocalityProgram = {
      memory,
      code: [
        [
          ['lock', LOCK, 0],
          ['unlock', LOCK, 0],
        ],
        [['send', 0, 0]],
      ],
      handlers: [
        [
          ['lock', LOCK, 0],
          ['unlock', LOCK, 0],
        ],
        [],
      ],
    };
    for (const reduce of [false, true])
      expect(search(localityMachine(program), { reduce }).violation?.oracle).toBe('deadlock');
  }
});

/** CPU 0 gives a VMA back, CPU 1 still uses it. */
const UNTIMELY: readonly [
  what: string,
  free: (cpu: Cpu, vma: Address) => Steps<void>,
  use: (cpu: Cpu, vma: Address) => Steps<void>,
][] = [
  [
    'a load',
    (cpu, vma) => cpu.free('vma', vma),
    function* use(cpu, vma): Steps<void> {
      yield* cpu.readOnce(vma);
    },
  ],
  ['a store', (cpu, vma) => cpu.free('vma', vma), (cpu, vma) => cpu.writeOnce(vma, 1)],
  [
    'a plain load',
    (cpu, vma) => cpu.free('vma', vma),
    function* use(cpu, vma): Steps<void> {
      yield* cpu.smpMb();
      cpu.read(vma);
    },
  ],
  [
    'a load after the RCU section',
    (cpu, vma) => cpu.freeRcu('vma', vma),
    function* use(cpu, vma): Steps<void> {
      yield* cpu.rcuReadLock();
      yield* cpu.rcuReadUnlock();
      yield* cpu.readOnce(vma);
    },
  ],
];

test.for(UNTIMELY)('an access may come after the free of its object: %s', ([, free, use]) => {
  for (const model of ['sc', 'tso'] as const) {
    const make = (): Machine =>
      bare(
        2,
        {
          setup: (run) => run(0, (cpu) => cpu.alloc('vma')),
          threads: (vma) => [(cpu: Cpu) => free(cpu, vma as Address), (cpu: Cpu) => use(cpu, vma as Address)],
        },
        model,
        [],
        { pools: { mm: 0, vma: 1, page: 0, table: 0 } },
      );
    for (const reduce of [false, true]) expect(search(make(), { reduce }).violation?.oracle).toBe('O5');
  }
});

test('handshake, ring and gather: the same, with fewer states and the same counterexample oracles', () => {
  for (const model of ['sc', 'tso'] as const) {
    for (const make of [
      () => bare(2, handshake(true), model),
      () => bare(2, handshake(false), model),
      () => bare(3, ring([2, 1], 2), model),
      () => bare(3, ring([2, 1], 2, false), model),
      () => bare(2, gather('force'), model),
      () => bare(3, gather('sync', 3), model),
      () => bare(2, gather('buggy'), model),
    ]) {
      const full = search(make(), { reduce: false });
      const reduced = search(make());
      expect([reduced.verdict, reduced.violation?.oracle]).toEqual([full.verdict, full.violation?.oracle]);
      if (full.verdict === 'holds') expect(reduced.states!).toBeLessThanOrEqual(full.states!);
    }
  }
});

test('a path that the reduced search found is an ordinary path', () => {
  const machine = bare(3, ring([2, 1], 2, false), 'tso');
  const { path, violation } = search(machine);
  expect(search(machine, { strategy: 'rerun', path: path! }).violation).toEqual(violation);
});

test('the limit on states is one on each pass', () => {
  const machine = bare(3, gather('sync', 3));
  const { states: all } = search(machine);
  expect(search(machine, { maxStates: all! })).toMatchObject({ verdict: 'holds', states: all });
  expect(search(machine, { maxStates: all! - 1 })).toMatchObject({ verdict: 'incomplete', limit: 'states' });
});

test('with every violation wanted nothing is reduced', () => {
  const machine = bare(2, gather('buggy'));
  const all = search(machine, { stopAtFirst: false, reduce: false });
  expect(search(machine, { stopAtFirst: false })).toMatchObject({ violations: all.violations, states: all.states });
});
