/** Who is in mm_cpumask, who is flushed, and how the mask gets smaller. */
import { finish, type Mm, type Steps, thisRq } from '@mmu-gather/core/stepped';
import {
  doExitFlushLazyTlb,
  exitFlushLazyTlbs,
  flushTypeNeeded,
  mmContextAddCopro,
  mmContextRemoveCopro,
  radixCpuOffline,
  radixCpuOnline,
  type RadixSwitches,
} from '@mmu-gather/powerpc/stepped';
import { expect, test } from 'vitest';
import { RadixMachine } from './radix-machine.ts';

/** A test body, run to its end in either build. */
function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** An mm that CPUs run. */
function* running(switches: Partial<RadixSwitches>, cpus: number, ...ids: number[]): Steps<[RadixMachine, Mm]> {
  const m = new RadixMachine(switches, cpus);
  const mm = yield* m.mm();
  for (const id of ids) yield* m.run(id, mm);
  m.cpu(0).write(mm.mmUsers, ids.length);
  return [m, mm];
}

test(
  'a CPU enters the mask once, with a barrier before its PID is loaded, and stays when it goes on',
  run(function* (): Steps<void> {
    const m = new RadixMachine();
    const a = yield* m.mm();
    const b = yield* m.mm();
    const cpu = m.cpu(1);
    yield* cpu.kernel.backend.switchMm(cpu, a);
    expect(m.taken()).toEqual(['1: ptesync', '1: pid 1']);
    yield* cpu.kernel.backend.switchMm(cpu, b);
    yield* cpu.kernel.backend.switchMm(cpu, a);
    expect(m.taken()).toEqual(['1: ptesync', '1: pid 2', '1: pid 1']);
    yield* cpu.kernel.backend.switchMm(cpu, a);
    expect(m.taken()).toEqual([]);
    expect([m.users(a), m.users(b)]).toEqual([
      { mask: 2, active: 1 },
      { mask: 2, active: 1 },
    ]);
  }),
);

test(
  'none, local, global',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({ trimTimer: 0 }, 3);
    const type = (id = 0, fullmm = false): Steps<string> => flushTypeNeeded(m.cpu(id), mm, fullmm);
    expect(yield* type()).toBe('none');
    yield* m.run(0, mm);
    expect([yield* type(), yield* type(1)]).toEqual(['local', 'global']);
    yield* m.run(1, mm);
    m.cpu(0).write(mm.mmUsers, 2);
    expect([yield* type(), yield* type(2), yield* type(0, true)]).toEqual(['global', 'global', 'global']);
    m.cpu(0).write(mm.mmUsers, 1);
    expect(yield* type(0, true)).toBe('global');
    expect(yield* type()).toBe('local');
  }),
);

test(
  'before 5.12 an mm that nobody uses is flushed everywhere',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({ noneType: false }, 2);
    expect(yield* flushTypeNeeded(m.cpu(0), mm, false)).toBe('global');
  }),
);

test(
  'a coprocessor makes every flush global, and counts as one CPU however many there are',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({}, 2, 0);
    yield* mmContextAddCopro(m.cpu(0), mm);
    yield* mmContextAddCopro(m.cpu(0), mm);
    expect(m.users(mm)).toEqual({ mask: 1, active: 2 });
    expect(yield* flushTypeNeeded(m.cpu(0), mm, false)).toBe('global');
    m.taken();
    yield* mmContextRemoveCopro(m.cpu(0), mm);
    yield* mmContextRemoveCopro(m.cpu(0), mm);
    expect(m.users(mm)).toEqual({ mask: 1, active: 1 });
    expect(m.taken().filter((line) => line.includes('ric'))).toEqual(['0: tlbie 1 ric 2', '0: tlbie 1 ric 2']);
  }),
);

test(
  'the only thread trims: a lazy CPU goes to init_mm and leaves, one that runs the mm stays; both flush',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({}, 3, 0, 1, 2);
    yield* m.idle(1);
    m.cpu(0).write(mm.mmUsers, 1);
    m.taken();
    expect(yield* flushTypeNeeded(m.cpu(0), mm, false)).toBe('local');
    expect(m.taken()).toEqual([
      '0: ptesync',
      '0: ipi 1',
      '1: pid 0',
      '1: ptesync',
      '1: tlbiel 1 ric 2',
      '0: ipi 2',
      '2: ptesync',
      '2: tlbiel 1 ric 2',
    ]);
    expect(m.users(mm)).toEqual({ mask: 0b101, active: 2 });
    expect(m.cpu(1).read(thisRq(m.cpu(1)).activeMm)).toBe(m.machine.kernel.initMm);
  }),
);

test(
  'lazy references are dropped by who leaves, where there are any',
  run(function* (): Steps<void> {
    for (const lazyTlb of ['refcount', 'shootdown'] as const) {
      const [m, mm] = yield* running({ lazyTlb }, 2, 0, 1);
      yield* m.idle(1);
      const before = m.cpu(0).read(mm.mmCount);
      yield* exitFlushLazyTlbs(m.cpu(0), mm);
      expect(before - m.cpu(0).read(mm.mmCount)).toBe(lazyTlb === 'refcount' ? 1 : 0);
    }
  }),
);

test(
  'a second interrupt that trims finds the bit clear: it flushes, and does not count again',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({}, 2, 0, 1);
    yield* m.idle(1);
    yield* doExitFlushLazyTlb(m.cpu(1), mm.address);
    yield* doExitFlushLazyTlb(m.cpu(1), mm.address);
    expect(m.users(mm)).toEqual({ mask: 1, active: 1 });
    expect(m.taken().filter((line) => line.includes('ric'))).toEqual(['1: tlbiel 1 ric 2', '1: tlbiel 1 ric 2']);
  }),
);

test(
  'every 1073rd global flush of a CPU trims, and says none if it is the last to go',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({ trimTimer: 1073 }, 3, 0, 1);
    m.cpu(0).write(mm.mmUsers, 2);
    const types = new Map<string, number>();
    for (let i = 0; i < 2 * 1073; i++) {
      const type = yield* flushTypeNeeded(m.cpu(0), mm, false);
      types.set(type, (types.get(type) ?? 0) + 1);
    }
    expect([...types]).toEqual([
      ['global', 2 * 1072],
      ['local', 2],
    ]);
    // From outside, and with nobody who runs it: the mask is empty afterwards.
    yield* m.idle(0);
    yield* m.idle(1);
    for (let i = 1; i < 1073; i++) expect(yield* flushTypeNeeded(m.cpu(2), mm, false)).toBe('global');
    expect(yield* flushTypeNeeded(m.cpu(2), mm, false)).toBe('none');
    expect(m.users(mm)).toEqual({ mask: 0, active: 0 });
  }),
);

test(
  'a CPU that is alone in the mask and flushes from outside leaves it when it is its turn',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({ trimTimer: 2 }, 2, 0);
    yield* m.idle(0);
    expect(yield* flushTypeNeeded(m.cpu(0), mm, false)).toBe('local');
    expect(yield* flushTypeNeeded(m.cpu(0), mm, false)).toBe('none');
    expect(m.users(mm)).toEqual({ mask: 0, active: 0 });
  }),
);

test(
  'an offline CPU has left every mask and flushed everything; no interrupt is sent to it',
  run(function* (): Steps<void> {
    const [m, mm] = yield* running({}, 2, 0, 1);
    yield* radixCpuOffline(m.cpu(1), [mm]);
    expect(m.taken()).toEqual(['1: pid 0', '1: tlbiel all ric 2']);
    expect(m.users(mm)).toEqual({ mask: 1, active: 1 });
    yield* radixCpuOnline(m.cpu(1));
    yield* m.run(1, mm);
    expect(m.users(mm)).toEqual({ mask: 3, active: 2 });

    const [buggy, theirs] = yield* running({ offlineLeaves: false }, 2, 0, 1);
    yield* radixCpuOffline(buggy.cpu(1), [theirs]);
    buggy.taken();
    yield* exitFlushLazyTlbs(buggy.cpu(0), theirs);
    expect(buggy.taken()).toEqual([]);
  }),
);
