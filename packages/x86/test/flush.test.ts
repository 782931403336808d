import { Mm, type Steps, EVERYTHING } from '@mmu-gather/core/stepped';
import {
  flushTlbGen,
  flushTlbMm,
  flushTlbMmRange,
  flushTlbPage,
  flushTlbRange,
  TLB_FLUSH_ALL,
  X86_LINUX_6_1,
} from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x1000;
const HUGE = 0x200000;

/** A machine on which CPUs 0 up to `running - 1` run one mm, and nothing is logged yet. */
function* running(count: number, machine: FakeMachine): Steps<Mm> {
  const mm = yield* machine.mm('a');
  for (let cpu = 0; cpu < count; cpu++) yield* machine.switchTo(cpu, mm);
  forget(machine);
  return mm;
}
function forget(machine: FakeMachine): void {
  machine.takeEvents();
  machine.takeAccesses(0);
  machine.takeInvalidations(0);
  machine.ipis.length = 0;
}

test(
  'row 17: alone in the mask, flushes here and sends nothing',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    yield* flushTlbMmRange(m.cpus[0]!, a, 5 * PAGE, 7 * PAGE, 12, false);
    expect(m.takeEvents()).toEqual(['0:3/2']);
    expect(m.takeInvalidations(0)).toEqual({ pages: [5 * PAGE, 6 * PAGE], full: 0 });
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.takeEvents()).toEqual(['0:3/-1']);
    expect(m.takeInvalidations(0)).toEqual({ pages: [], full: 1 });
    expect(m.ipis).toEqual([]);
  }),
);

test(
  '33 units stay a range and 34 become everything',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    yield* flushTlbRange(m.cpus[0]!, a, 0, 33 * PAGE, 0);
    expect(m.takeEvents()).toEqual(['0:3/33']);
    expect(m.takeInvalidations(0).pages).toHaveLength(33);
    yield* flushTlbRange(m.cpus[0]!, a, 0, 34 * PAGE, 0);
    expect(m.takeEvents()).toEqual(['0:3/-1']);
    expect(m.takeInvalidations(0)).toEqual({ pages: [], full: 1 });
  }),
);

test(
  'a unit is a stride: 33 huge pages are a range, and the IPI event counts base pages',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    yield* flushTlbMmRange(m.cpus[0]!, a, 0, 33 * HUGE, 21, false);
    expect(m.takeEvents()).toEqual([`0:4/${33 * 512}`, '1:1/33', '0:3/33']);
    // But flush_pmd_tlb_range is flush_tlb_range, which knows huge strides of hugetlb alone.
    yield* flushTlbRange(m.cpus[0]!, a, 0, HUGE, 1);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/-1', '0:3/-1']);
  }),
);

test(
  'a range shorter than its stride counts no unit and takes one INVLPG',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    yield* flushTlbMmRange(m.cpus[0]!, a, 3 * HUGE, 3 * HUGE + PAGE, 21, true);
    expect(m.takeEvents()).toEqual(['0:3/0']);
    expect(m.takeInvalidations(0)).toEqual({ pages: [3 * HUGE], full: 0 });
  }),
);

test(
  'addresses and lengths beyond 32 bits',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    const high = 0x7f12_3456_7000;
    yield* flushTlbPage(m.cpus[0]!, a, high);
    expect(m.takeInvalidations(0).pages).toEqual([high]);
    m.takeEvents();
    yield* flushTlbMmRange(m.cpus[0]!, a, high, high + 2 ** 39, 39, false);
    expect(m.takeEvents()).toEqual([`0:4/${2 ** 27}`, '1:1/1', '0:3/1']);
  }),
);

test(
  'rows 9, 11, 12: IPI, remote part, local part',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const a = yield* running(3, m);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:1/1', '2:1/1', '0:3/1']);
    expect(m.ipis).toEqual(['0>1', '0>2']);
    expect(m.takeAccesses(0).at(-1)).toBe('wait');
  }),
);

test(
  'the generation moves before anybody looks for targets',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeAccesses(0)).toEqual([
      'add a.tlbGen',
      'read a.cpumask',
      'read a.context.nextTrimCpumask',
      'read cpu_tlbstate[1].loadedMm',
      'rmb',
      'read cpu_tlbstate[1].isLazy',
      'ipi 1',
      'read cpu_tlbstate[0].loadedMm',
      'rmb',
      'read cpu_tlbstate[0].isLazy',
      'read a.tlbGen',
      'invalidate 1',
      'wait',
    ]);
  }),
);

test(
  'the naive orders of a flush differ where they should',
  run(function* (): Steps<void> {
    const early = new FakeMachine({ maskRead: 'before-generation' });
    const a = yield* running(1, early);
    yield* flushTlbPage(early.cpus[0]!, a, PAGE);
    expect(early.takeAccesses(0).slice(0, 2)).toEqual(['read a.cpumask', 'add a.tlbGen']);

    const unlocked = new FakeMachine({ incGeneration: 'unlocked' });
    const b = yield* running(1, unlocked);
    yield* flushTlbPage(unlocked.cpus[0]!, b, PAGE);
    expect(unlocked.takeAccesses(0).slice(0, 3)).toEqual(['read a.tlbGen', 'write a.tlbGen', 'read a.cpumask']);

    const hasty = new FakeMachine({ waitForIpis: false });
    const c = yield* running(2, hasty);
    yield* flushTlbPage(hasty.cpus[0]!, c, PAGE);
    expect(hasty.takeAccesses(0)).not.toContain('wait');

    const remoteOnly = new FakeMachine({ localFlush: false });
    const d = yield* running(2, remoteOnly);
    yield* flushTlbPage(remoteOnly.cpus[0]!, d, PAGE);
    expect(remoteOnly.takeEvents()).toEqual(['0:4/1', '1:1/1']);
  }),
);

test(
  'row 10: a lazy CPU is interrupted only if tables were freed, and then leaves the mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    yield* m.idle(1);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '0:3/1']);
    yield* flushTlbMmRange(m.cpus[0]!, a, 0, PAGE, 21, true);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:0/0', '0:3/0']);
    expect(m.ipis).toEqual(['0>1']);
    yield* m.switchTo(1, a);
    expect(m.takeEvents()).toEqual(['1:0/-1']);
  }),
);

test(
  'the naive form leaves lazy CPUs out even then',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ freedTablesReachLazy: false });
    const a = yield* running(2, m);
    yield* m.idle(1);
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.ipis).toEqual([]);
  }),
);

test(
  'flush_tlb_range says that tables were freed on 6.18, and does not on 6.12',
  run(function* (): Steps<void> {
    for (const [switches, ipis] of [
      [{}, ['0>1']],
      [X86_LINUX_6_1, []],
    ] as const) {
      const m = new FakeMachine(switches);
      const a = yield* running(2, m);
      yield* m.idle(1);
      yield* flushTlbRange(m.cpus[0]!, a, 0, PAGE, 0);
      expect(m.ipis).toEqual(ipis);
    }
  }),
);

test(
  'row 13: a CPU that runs another mm leaves the mask once tables are freed, the initiator too',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const a = yield* running(3, m);
    const b = yield* m.mm('b');
    yield* m.switchTo(0, b);
    yield* m.switchTo(1, b);
    m.takeEvents();
    expect(m.mask(a)).toBe(0b111);
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:5/0', '2:1/-1', '0:5/0']);
    expect(m.mask(a)).toBe(0b100);
  }),
);

test(
  '6.1: a switch leaves the mask, and so only who runs the mm is asked',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_6_1);
    const a = yield* running(2, m);
    yield* m.switchTo(1, yield* m.mm('b'));
    m.takeEvents();
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.takeEvents()).toEqual(['0:3/-1']);
  }),
);

test(
  '6.1: a target that switched away before the IPI arrived is silent',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_6_1);
    const a = yield* running(2, m);
    const b = yield* m.mm('b');
    m.before = (cpu, access) => {
      if (cpu.id === 0 && access === 'ipi 1') {
        m.before = undefined;
        run(() => m.switchTo(1, b))();
        m.words[b.tlbGen] = 1;
      }
    };
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:0/-1', '0:3/1']);
  }),
);

test(
  'trimming: at most once a second, only running CPUs, and then they are gone',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const a = yield* running(3, m);
    yield* m.switchTo(1, yield* m.mm('b'));
    yield* m.idle(2);
    forget(m);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '0:3/1']);
    m.now += 250;
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '0:3/1']);
    m.now += 1;
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:5/0', '0:3/1']);
    expect(m.mask(a)).toBe(0b101);
    yield* m.switchTo(1, a);
    yield* m.switchTo(1, yield* m.mm('c'));
    m.takeEvents();
    m.now += 250;
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '0:3/1']);
    expect(m.mask(a)).toBe(0b111);
  }),
);

test(
  'row 15: a request for a generation that the CPU has is silent',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    m.before = (cpu, access) => {
      // CPU 1 flushes between CPU 0's new generation and its IPI: everybody catches up with both.
      if (cpu.id === 0 && access === 'read a.cpumask') {
        m.before = undefined;
        run(() => flushTlbPage(m.cpus[1]!, a, PAGE))();
      }
    };
    yield* flushTlbPage(m.cpus[0]!, a, 2 * PAGE);
    expect(m.takeEvents()).toEqual(['1:4/1', '0:1/-1', '1:3/-1', '0:4/1']);
  }),
);

test(
  'a request that skips a generation becomes a full flush, and its predecessor finds nothing to do',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    const [local, remote] = [m.cpus[0]!, m.cpus[1]!];
    yield* remote.localIrqDisable();
    m.before = (cpu, access) => {
      if (cpu.id === 0 && access === 'read a.cpumask') {
        m.before = undefined;
        m.words[a.tlbGen]!++;
      }
    };
    yield* flushTlbPage(local, a, PAGE);
    expect(remote.pending).toHaveLength(1);
    yield* remote.localIrqEnable();
    expect(m.takeEvents()).toEqual(['0:4/1', '0:3/-1', '1:1/-1']);
    expect(m.takeInvalidations(1)).toEqual({ pages: [], full: 1 });
  }),
);

test(
  'a gap in the generations makes a ranged flush full; without the rule it stays ranged',
  run(function* (): Steps<void> {
    for (const gapRule of [true, false]) {
      const m = new FakeMachine({ gapRule });
      const a = yield* running(1, m);
      m.words[a.tlbGen]!++;
      m.invalidations.length = 0;
      yield* flushTlbPage(m.cpus[0]!, a, PAGE);
      const [first] = m.invalidations;
      expect(first?.scope.leaves.end === EVERYTHING).toBe(gapRule);
    }
  }),
);

test(
  "a CPU's generation cannot be past the mm's",
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    yield* flushTlbMm(m.cpus[0]!, a);
    m.words[a.tlbGen] = 0;
    yield* m.idle(0);
    expect(run(() => m.switchTo(0, a))).toThrow('O11');
  }),
);

test(
  'row 16: init_mm is silent; row 19: nobody loaded it, and only the generation moves',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    yield* m.switchTo(0, Mm.at(m.kernel.initMm));
    m.takeEvents();
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual([]);
    yield* m.switchTo(0, a);
    expect(m.takeEvents()).toEqual(['0:0/-1']);
  }),
);

test(
  'row 18: alone in the mask and lazy, the initiator leaves the mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    yield* m.idle(0);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:0/0']);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'a CPU amid a switch is a target (bug B13)',
  run(function* (): Steps<void> {
    const cases = [
      [{}, 1],
      [{ switchingMark: 'after-choice' }, 0],
      [{ switchingMark: 'never' }, 0],
      [{ switchingIsTarget: false }, 0],
      [X86_LINUX_6_1, 1],
    ] as const;
    for (const [switches, ipis] of cases) {
      const m = new FakeMachine(switches);
      const a = yield* running(2, m);
      yield* m.switchTo(1, yield* m.mm('b'));
      m.ipis.length = 0;
      let readIt = false;
      m.before = (cpu, access) => {
        // CPU 1 has read the generation, and that is all.
        if (readIt) {
          m.before = undefined;
          run(() => flushTlbPage(m.cpus[0]!, a, PAGE))();
        }
        readIt = cpu.id === 1 && access === 'read a.tlbGen';
      };
      yield* m.switchTo(1, a);
      expect(m.ipis).toHaveLength(ipis);
    }
  }),
);

test(
  'flushTlbGen flushes to a recorded generation and makes none',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(2, m);
    m.words[a.tlbGen] = 1;
    yield* flushTlbGen(m.cpus[0]!, a, PAGE, 3 * PAGE, 0, false, 1);
    expect(m.takeEvents()).toEqual(['0:4/2', '1:1/2', '0:3/2']);
    expect(m.words[a.tlbGen]).toBe(1);
    yield* flushTlbGen(m.cpus[0]!, a, PAGE, 3 * PAGE, 0, false, 1);
    expect(m.takeEvents()).toEqual(['0:4/2']);
  }),
);

test(
  'flushTlbGen counts in units of its level, and ignores what has no generation',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const a = yield* running(1, m);
    m.words[a.tlbGen] = 1;
    yield* flushTlbGen(m.cpus[0]!, a, 0, 2 * HUGE, 1, false, 1);
    expect(m.takeEvents()).toEqual(['0:3/2']);
    m.takeInvalidations(0);
    yield* flushTlbGen(m.cpus[0]!, a, 0, PAGE, 0, true, 0);
    expect(m.takeEvents()).toEqual(['0:3/0']);
    expect(m.takeInvalidations(0)).toEqual({ pages: [], full: 0 });
    m.words[a.tlbGen] = 2;
    yield* flushTlbGen(m.cpus[0]!, a, 0, EVERYTHING, 0, true, 2);
    expect(m.takeEvents()).toEqual([`0:3/${TLB_FLUSH_ALL}`]);
  }),
);

test(
  'the completed generation is published after the wait',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ completedGen: 'after-flush' });
    const a = yield* running(2, m);
    yield* flushTlbMmRange(m.cpus[0]!, a, 0, TLB_FLUSH_ALL, 12, false);
    const accesses = m.takeAccesses(0);
    expect(accesses.indexOf('cmpxchg a.tlbGenCompleted')).toBeGreaterThan(accesses.indexOf('wait'));
    expect(m.words[a.tlbGenCompleted]).toBe(1);
  }),
);
