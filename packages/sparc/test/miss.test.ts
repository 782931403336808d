import { ACCESSED, DIRTY, entryCell, mkEntry, type Mm, PRESENT, RW, type Steps, USER } from '@mmu-gather/core/stepped';
import {
  INTERRUPTS_HELD,
  INTERRUPTS_TAKEN,
  MONDO_HELD,
  SPARC64_AXES,
  SPARC64_LEVELS,
  SPARC64_PROFILES,
  SPARC64_PTE,
  thisCpuState,
  tlbMiss,
} from '@mmu-gather/sparc/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x2000;
const TABLE = PRESENT | RW | USER | ACCESSED | DIRTY;
const LEAF = PRESENT | USER | ACCESSED;

interface Stage {
  readonly mm: Mm;
  readonly pte: number;
}

/** An mm with a PTE for address PAGE, on both CPUs. */
function* mapped(m: FakeMachine, entry: number): Steps<Stage> {
  const mm = yield* m.mm('a');
  let table = m.words[mm.pgd]!;
  for (let level = 3; level > 0; level--) {
    const next = m.take('table', `t${level}`);
    m.words[entryCell(SPARC64_LEVELS, table, level, PAGE)] = mkEntry(next, TABLE);
    table = next;
  }
  const pte = entryCell(SPARC64_LEVELS, table, 0, PAGE);
  m.words[pte] = entry;
  for (const cpu of m.cpus) yield* m.switchTo(cpu.id, mm);
  m.takeLog();
  return { mm, pte };
}

test(
  'a miss walks the table, locks the tag, looks again, and writes',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { recheckPte: true } });
    const { mm, pte } = yield* mapped(m, mkEntry(5, LEAF));
    expect(yield* tlbMiss(m.port(1), mm, PAGE, false)).toBe(true);
    expect([m.lookup(0, PAGE), m.lookup(1, PAGE)]).toEqual([[mkEntry(5, LEAF)], [mkEntry(5, LEAF)]]);
    const walk = m.takeLog().filter((line) => !line.includes('.['));
    expect(walk.map((line) => line.replace(/tsb.*tag/, 'tag'))).toEqual(['1: xchg tag', '1: write tag']);
    m.words[pte] = 0;
  }),
);

test(
  'a page fault: nothing there, no accessed bit, or a store and no dirty bit',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const [cpu] = m.ports;
    const { mm, pte } = yield* mapped(m, 0);
    expect(yield* tlbMiss(cpu!, mm, PAGE, false)).toBe(false);
    expect(yield* tlbMiss(cpu!, mm, 2 ** 40, false)).toBe(false);
    m.words[pte] = mkEntry(5, PRESENT | USER);
    expect(yield* tlbMiss(cpu!, mm, PAGE, false)).toBe(false);
    m.words[pte] = mkEntry(5, LEAF | RW);
    expect([yield* tlbMiss(cpu!, mm, PAGE, true), yield* tlbMiss(cpu!, mm, PAGE, false)]).toEqual([false, true]);
    m.words[pte] = mkEntry(5, LEAF | RW | DIRTY);
    expect(yield* tlbMiss(cpu!, mm, PAGE, true)).toBe(true);
  }),
);

for (const recheckPte of [true, false]) {
  test(
    `an entry that is cleared while a miss is on its way ${recheckPte ? 'does not get' : 'gets'} into the TSB`,
    run(function* (): Steps<void> {
      const m = new FakeMachine({ switches: { recheckPte } });
      const { mm, pte } = yield* mapped(m, mkEntry(5, LEAF));
      let once = true;
      m.before = ({ id }, what) => {
        if (id !== 1 || !what.startsWith('xchg') || !once) return;
        once = false;
        m.words[pte] = 0;
      };
      expect(yield* tlbMiss(m.port(1), mm, PAGE, false)).toBe(!recheckPte);
      expect(m.lookup(0, PAGE)).toEqual(recheckPte ? [] : [mkEntry(5, LEAF)]);
    }),
  );
}

test(
  'a mondo that comes to a window trap is left with its target, and its sender goes on',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { windowTraps: true } });
    const { mm, pte } = yield* mapped(m, mkEntry(5, LEAF));
    const cpu0 = m.port(0);
    const { trap } = thisCpuState(m.port(1));
    m.words[trap] = INTERRUPTS_HELD;
    yield* SPARC64_PTE.setPteAt(cpu0, mm, PAGE, pte, 0, 0);
    expect(m.takeLog()).not.toContain('0: demap on 2 context 1 2000-4000');
    expect(m.words[trap]).toBe(MONDO_HELD);
    m.words[trap] = INTERRUPTS_TAKEN;
    m.words[pte] = mkEntry(5, LEAF);
    yield* SPARC64_PTE.setPteAt(cpu0, mm, PAGE, pte, 0, 0);
    expect(m.takeLog()).toContain('0: demap on 2 context 1 2000-4000');
  }),
);

test('every switch has its values, and each kernel has ones of them', () => {
  for (const switches of Object.values(SPARC64_PROFILES)) {
    expect(Object.keys(switches).toSorted()).toEqual(Object.keys(SPARC64_AXES).toSorted());
    for (const [name, value] of Object.entries(switches)) {
      const { right, wrong } = SPARC64_AXES[name as keyof typeof SPARC64_AXES];
      if (right.length > 0) expect([...right, ...wrong]).toContain(value);
      else expect([name, typeof value]).toEqual([name, 'number']);
    }
  }
});
