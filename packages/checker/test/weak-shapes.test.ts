/**
 * Classic shapes under weak, with the verdicts that are published for Arm (multi-copy atomic) and POWER (not). One line each: the
 * program, the outcome that is asked for, and whether it is possible. The notation is herd's: `Rx`, `Wx`, `RxA` (LDAR), `RxQ` (LDAPR), `WxL`
 * (STLR), `Sx` and `SxAL` (SWP, SWPAL); fences by name; `addr`, `data`, `ctrl`, `isb` depend on the load before.
 */
import type { Cpu, Steps } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { bareOf, type FenceKind } from '../src/bare.ts';
import { explain } from '../src/diagram.ts';
import { search } from '../src/search/index.ts';
import { bare, gather, handshake, ring } from './programs.ts';
import { type Instruction, MODELS, outcomes, type Straight } from './weak-programs.ts';

/** Every store of the n-th thread writes n + 1; cells are x, y, z. */
function threadOf(text: string, number: number): readonly Instruction[] {
  const code: Instruction[] = [];
  let loads = 0;
  let after: { addr?: number; data?: number; ctrl?: number } = {};
  for (const word of text.split(' ')) {
    const last = loads === 0 ? 0 : 1 << (loads - 1);
    const cell = 'xyz'.indexOf(word[1] ?? '');
    if (word === 'addr' || word === 'data' || word === 'ctrl') after = { [word]: last };
    else if (word === 'isb') code.push({ op: 'fence', kind: 'isb', ctrl: last });
    else if (/^R[xyz][AQ]?$/.test(word)) {
      const order = word[2] === 'A' ? 'acquire' : word[2] === 'Q' ? 'acquirePc' : 'relaxed';
      code.push({ op: 'load', cell, order, ...after });
      loads++;
      after = {};
    } else if (/^W[xyz]L?$/.test(word)) {
      code.push({ op: 'store', cell, value: number + 1, release: word[2] === 'L', ...after });
      after = {};
    } else if (/^S[xyz](AL)?$/.test(word)) {
      code.push({
        op: 'swap',
        cell,
        value: number + 1,
        order: word[2] === 'A' ? 'acquireRelease' : 'relaxed',
        ...after,
      });
      loads++;
      after = {};
    } else code.push({ op: 'fence', kind: word.replace('.', ' ') as FenceKind });
  }
  return code;
}

/** May the threads read these values? `?` stands for any. */
function possible(program: Straight, reads: string, model: 'mca' | 'power'): boolean {
  const pattern = new RegExp(`^${reads.replaceAll('?', '\\d+').replaceAll('|', ' ')} ;`);
  return outcomes(program, MODELS[model]).some((outcome) => pattern.test(outcome));
}

const YES = true;
const NO = false;
/** Name, threads, what they read, possible on Arm, on POWER. */
const SHAPES: readonly (readonly [name: string, program: string, reads: string, mca: boolean, power: boolean])[] = [
  ['MP', 'Wx Wy | Ry Rx', '|1,0', YES, YES],
  ['MP+dmb.sy+po', 'Wx dmb.sy Wy | Ry Rx', '|1,0', YES, YES],
  ['MP+po+addr', 'Wx Wy | Ry addr Rx', '|1,0', YES, YES],
  ['MP+dmb.st+addr', 'Wx dmb.st Wy | Ry addr Rx', '|1,0', NO, NO],
  ['MP+dmb.st+dmb.ld', 'Wx dmb.st Wy | Ry dmb.ld Rx', '|1,0', NO, NO],
  ['MP+dmb.ld+dmb.ld', 'Wx dmb.ld Wy | Ry dmb.ld Rx', '|1,0', YES, YES],
  ['MP+dmb.st+ctrl', 'Wx dmb.st Wy | Ry ctrl Rx', '|1,0', YES, YES],
  ['MP+dmb.st+ctrlisb', 'Wx dmb.st Wy | Ry isb Rx', '|1,0', NO, NO],
  ['MP+dmb.st+acq', 'Wx dmb.st Wy | RyA Rx', '|1,0', NO, NO],
  ['MP+rel+acqpc', 'Wx WyL | RyQ Rx', '|1,0', NO, NO],
  ['MP+rel+po', 'Wx WyL | Ry Rx', '|1,0', YES, YES],
  ['MP+lwsync+lwsync', 'Wx lwsync Wy | Ry lwsync Rx', '|1,0', NO, NO],
  ['MP+wmb+rmb', 'Wx wmb Wy | Ry rmb Rx', '|1,0', NO, NO],
  ['MP+eieio+addr', 'Wx eieio Wy | Ry addr Rx', '|1,0', NO, NO],
  ['MP+rel+addr-lrs-acq', 'Wx WyL | Ry data Wz RzA Rx', '|1,2,0', NO, NO],
  ['MP+rel+ctrl-lrs-acq', 'Wx WyL | Ry ctrl Wz RzA Rx', '|1,2,0', YES, YES],
  ['MP+rel+rmw-lrs-acq', 'Wx WyL | Sy RyA Rx', '|1,2,0', NO, NO],
  ['MP+rel+rmw-lrs', 'Wx WyL | Sy Ry addr Rx', '|1,2,0', YES, YES],
  ['SB', 'Wx Ry | Wy Rx', '0|0', YES, YES],
  ['SB+dmb.sys', 'Wx dmb.sy Ry | Wy dmb.sy Rx', '0|0', NO, NO],
  ['SB+dmb.sy+po', 'Wx dmb.sy Ry | Wy Rx', '0|0', YES, YES],
  ['SB+lwsyncs', 'Wx lwsync Ry | Wy lwsync Rx', '0|0', YES, YES],
  ['SB+rel-acq', 'WxL RyA | WyL RxA', '0|0', NO, YES],
  ['SB+rel-acqpc', 'WxL RyQ | WyL RxQ', '0|0', YES, YES],
  ['SB+swpals', 'SxAL Ry | SyAL Rx', '0,0|0,0', NO, YES],
  ['SB+swps', 'Sx Ry | Sy Rx', '0,0|0,0', YES, YES],
  ['SB+rfi-addrs', 'Wx Rx addr Ry | Wy Ry addr Rx', '1,0|2,0', YES, YES],
  ['CoRR', 'Wx | Rx Rx', '|1,0', NO, NO],
  ['CoWR', 'Wx Rx | Wx', '0|', NO, NO],
  ['R', 'Wx Wy | Wy Rx', '|0', YES, YES],
  ['WRC', 'Wx | Rx Wy | Ry Rx', '|1|2,0', YES, YES],
  ['WRC+addrs', 'Wx | Rx addr Wy | Ry addr Rx', '|1|2,0', NO, YES],
  ['WRC+data+addr', 'Wx | Rx data Wy | Ry addr Rx', '|1|2,0', NO, YES],
  ['WRC+addr-po+addr', 'Wx | Rx addr Rz Wy | Ry addr Rx', '|1,0|2,0', NO, YES],
  ['WRC+ctrl+addr', 'Wx | Rx ctrl Wy | Ry addr Rx', '|1|2,0', NO, YES],
  ['WRC+lwsync+addr', 'Wx | Rx lwsync Wy | Ry addr Rx', '|1|2,0', NO, NO],
  ['WRC+rel+rmb', 'Wx | Rx WyL | Ry rmb Rx', '|1|2,0', NO, NO],
  ['WRC+dmb.sy+po', 'Wx | Rx dmb.sy Wy | Ry Rx', '|1|2,0', YES, YES],
  ['IRIW', 'Wx | Rx Ry | Wy | Ry Rx', '|1,0||3,0', YES, YES],
  ['IRIW+addrs', 'Wx | Rx addr Ry | Wy | Ry addr Rx', '|1,0||3,0', NO, YES],
  ['IRIW+acqs', 'Wx | RxA Ry | Wy | RyA Rx', '|1,0||3,0', NO, YES],
  ['IRIW+lwsyncs', 'Wx | Rx lwsync Ry | Wy | Ry lwsync Rx', '|1,0||3,0', NO, YES],
  ['IRIW+syncs', 'Wx | Rx sync Ry | Wy | Ry sync Rx', '|1,0||3,0', NO, NO],
  ['ISA2', 'Wx Wy | Ry Wz | Rz Rx', '|1|2,0', YES, YES],
  ['ISA2+dmb.sy+data+addr', 'Wx dmb.sy Wy | Ry data Wz | Rz addr Rx', '|1|2,0', NO, NO],
  ['ISA2+lwsync+addr+addr', 'Wx lwsync Wy | Ry addr Wz | Rz addr Rx', '|1|2,0', NO, NO],
  ['ISA2+dmb.sy+data+po', 'Wx dmb.sy Wy | Ry data Wz | Rz Rx', '|1|2,0', YES, YES],
  ['RWC+addr+dmb.sy', 'Wx | Rx addr Ry | Wy dmb.sy Rx', '|1,0|0', NO, YES],
  ['RWC+syncs', 'Wx | Rx sync Ry | Wy sync Rx', '|1,0|0', NO, NO],
  ['RWC+dmb.sy+po', 'Wx | Rx dmb.sy Ry | Wy Rx', '|1,0|0', YES, YES],
  ['W+RWC+lwsync+addr+sync', 'Wx lwsync Wy | Ry addr Rz | Wz sync Rx', '|1,0|0', NO, YES],
  ['W+RWC+syncs', 'Wx sync Wy | Ry sync Rz | Wz sync Rx', '|1,0|0', NO, NO],
  ['3.SB+dmb.sys', 'Wx dmb.sy Ry | Wy dmb.sy Rz | Wz dmb.sy Rx', '0|0|0', NO, NO],
  ['3.SB+dmb.sys+po', 'Wx dmb.sy Ry | Wy dmb.sy Rz | Wz Rx', '0|0|0', YES, YES],
  ['3.SB+sync+lwsyncs', 'Wx sync Ry | Wy lwsync Rz | Wz sync Rx', '0|0|0', YES, YES],
];

describe('shapes', () => {
  test.for(SHAPES)('%s', ([, text, reads, mca, power]) => {
    const program = text.split(' | ').map(threadOf);
    const found = (['mca', 'power'] as const).map((model) => possible(program, reads, model));
    expect(found).toEqual([mca, power]);
  });

  test('R: a store that comes later in coherence order passes on what stood before the first, on Arm', () => {
    const program = (kind: string): Straight => ['Wx ' + kind + ' Wy', 'Wy dmb.sy Rx'].map(threadOf);
    const last = (kind: string, model: 'mca' | 'power'): boolean =>
      outcomes(program(kind), MODELS[model]).includes(' 0 ; 1,2');
    expect([last('dmb.sy', 'mca'), last('dmb.sy', 'power')]).toEqual([NO, NO]);
    expect([last('lwsync', 'mca'), last('lwsync', 'power')]).toEqual([NO, YES]);
  });

  test('ISA2 with full fences and nothing between them: kernel code has one order of fences, and does not show it', () => {
    const program = ['Wx dmb.sy Wy', 'Ry Wz', 'Rz dmb.sy Rx'].map(threadOf);
    const stale = (exact: boolean): boolean =>
      outcomes(program, MODELS.mca, 'states', exact).some((outcome) => outcome.startsWith(' 1 2,0'));
    expect([stale(true), stale(false)]).toEqual([YES, NO]);
  });

  test.for([
    ['LB', 'Rx Wy | Ry Wx', '2|1'],
    ['S', 'Wx dmb.st Wy | Ry Wx', '|1'],
  ] as const)('%s: what step functions cannot show is not shown', ([name, text, reads]) => {
    const program = text.split(' | ').map(threadOf);
    const all = outcomes(program, MODELS.mca);
    if (name === 'LB') expect(all.some((outcome) => outcome.startsWith(reads.replace('|', ' ')))).toBe(false);
    else expect(all.includes(' 1 ; 1,1')).toBe(false);
  });
});

/** Two threads of kernel code on cells x, y and a lock; the second one returns what it has read of x, or -1. May that be stale? */
function passes(
  writer: (cpu: Cpu, x: number, y: number, lock: number) => Steps<void>,
  reader: (cpu: Cpu, x: number, y: number, lock: number) => Steps<number>,
  multiCopyAtomic: boolean,
  exact: boolean,
): string {
  let x = 0;
  let seen = 0;
  const machine = bare(
    2,
    {
      reserve(layout) {
        x = layout.reserve('cell', ['x', 'y', 'lock']);
        seen = layout.reserve('seen', ['']);
        layout.initialise(seen, -1);
      },
      setup: () => undefined,
      threads: () => [
        (cpu: Cpu) => writer(cpu, x, x + 1, x + 2),
        function* (cpu: Cpu): Steps<void> {
          cpu.write(seen, yield* reader(cpu, x, x + 1, x + 2));
        },
      ],
      final: (peek) => (peek(seen) === 0 ? 'stale' : undefined),
    },
    'weak',
    [
      function* (cpu, argument): Steps<void> {
        cpu.write(seen, yield* cpu.readOnce(argument));
        yield* cpu.writeOnce(argument + 1, 1);
      },
    ],
    { exact },
    { multiCopyAtomic },
  );
  const result = search(machine);
  return result.violation?.message ?? result.verdict;
}

describe.for([
  [true, true],
  [true, false],
  [false, true],
  [false, false],
])('what passes on what a CPU knows (multi-copy atomic %s, exact %s)', ([mca, exact]) => {
  const both = (
    writer: (cpu: Cpu, x: number, y: number, lock: number) => Steps<void>,
    reader: (cpu: Cpu, x: number, y: number, lock: number) => Steps<number>,
  ): string => passes(writer, reader, mca!, exact!);

  test('a lock does', () => {
    const writer = (last: boolean) =>
      function* (cpu: Cpu, x: number, y: number, lock: number): Steps<void> {
        yield* cpu.spinLock(lock);
        if (!last) yield* cpu.writeOnce(x, 1);
        yield* cpu.writeOnce(y, 1);
        yield* cpu.spinUnlock(lock);
        if (last) yield* cpu.writeOnce(x, 1);
      };
    const reader = function* (cpu: Cpu, x: number, y: number, lock: number): Steps<number> {
      yield* cpu.spinLock(lock);
      const set = yield* cpu.readOnce(y);
      yield* cpu.spinUnlock(lock);
      return set === 0 ? -1 : yield* cpu.readOnce(x);
    };
    expect([both(writer(false), reader), both(writer(true), reader)]).toEqual(['holds', 'stale']);
  });

  test('a store and a load do not, unless they release and acquire', () => {
    const writer = (release: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<void> {
        yield* cpu.writeOnce(x, 1);
        if (release) yield* cpu.storeRelease(y, 1);
        else yield* cpu.writeOnce(y, 1);
      };
    const reader = (acquire: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<number> {
        const set = acquire ? yield* cpu.loadAcquire(y) : yield* cpu.readOnce(y);
        return set === 0 ? -1 : yield* cpu.readOnce(x);
      };
    const found = [true, false].map((release) =>
      [true, false].map((acquire) => both(writer(release), reader(acquire))),
    );
    expect(found).toEqual([
      ['holds', 'stale'],
      ['stale', 'stale'],
    ]);
  });

  test('an atomic with a result does on both sides; one without needs smp_mb__after_atomic', () => {
    const writer = (kind: 'result' | 'none' | 'after') =>
      function* (cpu: Cpu, x: number, y: number): Steps<void> {
        yield* cpu.writeOnce(x, 1);
        if (kind === 'after') yield* cpu.smpMbAfterAtomic();
        if (kind === 'result') yield* cpu.atomicAddReturn(y, 1);
        else yield* cpu.atomicAdd(y, 1);
      };
    const reader = function* (cpu: Cpu, x: number, y: number): Steps<number> {
      return (yield* cpu.atomicFetchAndNot(y, 4)) === 0 ? -1 : yield* cpu.readOnce(x);
    };
    expect((['result', 'none', 'after'] as const).map((kind) => both(writer(kind), reader))).toEqual([
      'holds',
      'stale',
      'holds',
    ]);
  });

  test('xchg does on both sides, and xchg_relaxed on none', () => {
    const order = (relaxed: boolean): ['relaxed'] | [] => (relaxed ? ['relaxed'] : []);
    const writer = (relaxed: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<void> {
        yield* cpu.writeOnce(x, 1);
        yield* cpu.xchg(y, 1, ...order(relaxed));
      };
    const reader = (relaxed: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<number> {
        return (yield* cpu.xchg(y, 2, ...order(relaxed))) === 0 ? -1 : yield* cpu.readOnce(x);
      };
    const found = [false, true].map((w) => [false, true].map((r) => both(writer(w), reader(r))));
    expect(found).toEqual([
      ['holds', 'stale'],
      ['stale', 'stale'],
    ]);
  });

  test('an interrupt does, there and back', () => {
    const to = function* (cpu: Cpu, x: number): Steps<void> {
      yield* cpu.writeOnce(x, 1);
      yield* cpu.sendIpi(1, 0, x);
    };
    const idle = function* (): Steps<number> {
      return yield* [] as unknown as Steps<number>;
    };
    expect(both(to, idle)).toBe('holds');
    const back = (wait: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<void> {
        yield* cpu.writeOnce(x, 1);
        yield* cpu.sendIpi(1, 0, x);
        if (wait) yield* cpu.awaitIpis();
        cpu.claim.that((yield* cpu.readOnce(y)) === 1, 'O16', 'not seen');
      };
    expect([both(back(true), idle), both(back(false), idle)]).toEqual(['holds', 'CPU 0: not seen']);
  });

  test('waitFor acquires, and may pass on a value that is gone', () => {
    const writer = function* (cpu: Cpu, x: number, y: number): Steps<void> {
      yield* cpu.writeOnce(x, 1);
      yield* cpu.storeRelease(y, 1);
      yield* cpu.writeOnce(y, 2);
    };
    const reader = function* (cpu: Cpu, x: number, y: number): Steps<number> {
      yield* cpu.waitFor(y, 'equal', 1);
      return yield* cpu.readOnce(x);
    };
    // It may also have looked too late, and wait for ever.
    expect(both(writer, reader)).toMatch(/CPU 1 waits/);
    const atLeast = function* (cpu: Cpu, x: number, y: number): Steps<number> {
      yield* cpu.waitFor(y, 'atLeast', 1);
      return yield* cpu.readOnce(x);
    };
    // The second store releases nothing; on Arm it comes after the first one, and so after what stood before that.
    expect(both(writer, atLeast)).toBe(mca! && exact! ? 'holds' : 'stale');
  });

  test('a grace period does, both ways', () => {
    const writer = (wait: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<void> {
        yield* cpu.writeOnce(x, 1);
        if (wait) yield* cpu.synchronizeRcu();
        yield* cpu.writeOnce(y, 1);
      };
    const reader = function* (cpu: Cpu, x: number, y: number): Steps<number> {
      yield* cpu.rcuReadLock();
      const set = yield* cpu.readOnce(y);
      const value = yield* cpu.readOnce(x);
      yield* cpu.rcuReadUnlock();
      return set === 0 ? -1 : value;
    };
    expect([both(writer(true), reader), both(writer(false), reader)]).toEqual(['holds', 'stale']);
  });

  test('a plain access of what another CPU wrote is a data race, unless one knows of it', () => {
    const writer = (release: boolean) =>
      function* (cpu: Cpu, x: number, y: number): Steps<void> {
        cpu.write(x, 1);
        if (release) yield* cpu.storeRelease(y, 1);
        else yield* cpu.writeOnce(y, 1);
      };
    const reader = function* (cpu: Cpu, x: number, y: number): Steps<number> {
      return (yield* cpu.loadAcquire(y)) === 0 ? -1 : cpu.read(x);
    };
    expect(both(writer(true), reader)).toBe('holds');
    expect(both(writer(false), reader)).toMatch(
      'data race on cell.x: CPU 1 reads it and does not know of a write of CPU 0',
    );
  });
});

describe('the programs that other checkers were measured with', () => {
  const ends = (fenced: boolean, exact: boolean): number =>
    search(bare(2, handshake(fenced), 'weak', [], { exact }), { collectEnds: true, stopAtFirst: false }).ends!.size;

  test.for([true, false])('handshake: 8 outcomes, 5 with fences (exact %s)', (exact) => {
    expect([ends(false, exact), ends(true, exact)]).toEqual([8, 5]);
  });

  test.for([
    ['handshake with fences', 2, () => handshake(true)],
    ['ring', 3, () => ring([2, 1], 2)],
  ] as const)('%s: holds', ([, cpus, program]) => {
    expect(search(bare(cpus, program(), 'weak'))).toMatchObject({ verdict: 'holds', exhaustive: true });
  });

  test.for([
    ['handshake without fences', () => bare(2, handshake(false), 'weak'), 'assert'],
    ['ring without the second check', () => bare(3, ring([2, 1], 2, false), 'weak'), 'O16'],
    ['gather buggy', () => bare(2, gather('buggy'), 'weak'), 'O1'],
    // Their flushes are stores here, and atomic_add orders nothing: one may see the count without what was flushed.
    ['gather force', () => bare(2, gather('force'), 'weak'), 'O1'],
    ['gather sync', () => bare(2, gather('sync'), 'weak'), 'O1'],
  ] as const)('%s: refuted', ([, machine, oracle]) => {
    for (const strategy of ['states', 'dpor', 'bounded', 'random', 'brute'] as const) {
      const { verdict, violation } = search(machine(), { strategy });
      expect([strategy, verdict, violation?.oracle]).toEqual([strategy, 'violated', oracle]);
    }
  });
});

describe('exclusives', () => {
  /** Two threads that add one each, if nobody stores in between; each notes whether it has. */
  const adders = (model: keyof typeof MODELS, reservedByLoad: boolean): string => {
    let x = 0;
    const machine = bare(
      2,
      {
        reserve: (layout) => (x = layout.reserve('x', ['x', 'stored0', 'stored1'])),
        setup: () => undefined,
        threads: () =>
          [0, 1].map(
            (thread) =>
              function* (cpu: Cpu): Steps<void> {
                const port = bareOf(cpu);
                const read = yield* reservedByLoad ? port.loadExclusive(x, { slot: 0 }) : port.load(x, { slot: 0 });
                const failed = yield* port.storeExclusive(x, read + 1, { data: 1 });
                cpu.write(x + 1 + thread, 1 - failed);
              },
          ),
        final: (peek) => (peek(x) === peek(x + 1) + peek(x + 2) ? undefined : 'an addition is lost'),
      },
      MODELS[model].memory,
      [],
      { exact: true },
      { multiCopyAtomic: MODELS[model].multiCopyAtomic },
    );
    const { verdict, ends } = search(machine, { collectEnds: true });
    const sums = new Set([...ends!].map((end) => end.split('|')[0]!.split(',')[x]));
    return `${verdict}: ${[...sums].toSorted((a, b) => Number(a) - Number(b)).join()}`;
  };

  test.for(['sc', 'tso', 'mca', 'power'] as const)('no addition is lost under %s, and each may fail', (model) => {
    expect(adders(model, true)).toBe('holds: 0,1,2');
    expect(adders(model, false)).toBe('holds: 0');
  });
});

test('dpor takes no two steps to commute, and finds the same outcomes', () => {
  const program = ['Wx Wy', 'Ry addr Rx'].map(threadOf);
  expect(outcomes(program, MODELS.mca, 'dpor')).toEqual(outcomes(program, MODELS.mca));
});

test('a diagram says which store a stale load does not see', () => {
  const machine = bare(2, handshake(false), 'weak');
  const { violation, path } = search(machine, { strategy: 'bounded' });
  expect(violation?.oracle).toBe('assert');
  const text = explain(machine, path!).rows.map((row) => `${row.step} CPU ${row.cpu} ${row.text}`);
  expect(text.filter((line) => line.includes('before step'))).toMatchInlineSnapshot(`
    [
      "5 CPU 1 read shared.gen -> 1 (before step 2)",
      "6 CPU 1 read shared.pte -> 1 (before step 1)",
    ]
  `);
});
