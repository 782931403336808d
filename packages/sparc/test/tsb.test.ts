import {
  ACCESSED,
  DIRTY,
  entryFlags,
  entryTarget,
  mkEntry,
  type Mm,
  Page,
  PRESENT,
  PSE,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import {
  allocTsb,
  contextTsb,
  entriesOf,
  flushTsbUser,
  freeTsb,
  kindShift,
  lockTag,
  SPARC64_LEVELS,
  SPARC64_PTE,
  TAG_INVALID,
  TAG_LOCKED,
  TSB_BASE,
  TSB_HUGE,
  tsbGrow,
  tsbIndex,
  tsbSlot,
} from '@mmu-gather/sparc/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x2000;
const HALF = 0x40_0000;
const VALID = PRESENT | USER | ACCESSED | RW | DIRTY;

function* running(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.mm('a');
  yield* m.switchTo(0, mm);
  yield* m.switchTo(1, mm);
  m.takeLog();
  return mm;
}

function* insert(m: FakeMachine, mm: Mm, address: number, entry: number): Steps<void> {
  yield* SPARC64_PTE.updateMmuCache!(m.port(0), mm, address, 0, entry);
}

test('base pages are 8 KiB, halves of huge pages 4 MiB', () => {
  expect(kindShift(SPARC64_LEVELS, TSB_BASE)).toBe(13);
  expect(kindShift(SPARC64_LEVELS, TSB_HUGE)).toBe(22);
});

test('a table of 512 entries takes address bits 13 to 21 as index, and 22 up as tag', () => {
  const memory = new FakeMachine().sparc.tsbs;
  for (const address of [0, PAGE, 511 * PAGE, 512 * PAGE, 0x7fff_ffff_e000, 0x1234_5678_a000]) {
    expect(tsbIndex(address, 13, 512)).toBe(Number((BigInt(address) >> 13n) & 511n));
    expect(tsbIndex(address, 22, 512)).toBe(Number((BigInt(address) >> 22n) & 511n));
    const slot = tsbSlot(memory, SPARC64_LEVELS, 1000, 512, address, TSB_BASE);
    expect(slot.tag).toBe(Number(BigInt(address) >> 22n) + 1);
    expect(slot.cell).toBe(1001 + 2 * tsbIndex(address, 13, 512));
  }
  expect(memory.tagShift).toBe(22);
});

test(
  'what is inserted is found by every CPU that runs the mm, until it is flushed',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    const entry = mkEntry(4711, VALID);
    yield* insert(m, mm, 3 * PAGE, entry);
    expect([m.lookup(0, 3 * PAGE), m.lookup(1, 3 * PAGE + 8)]).toEqual([[entry], [entry]]);
    expect([m.lookup(0, 4 * PAGE), m.lookup(0, 515 * PAGE)]).toEqual([[], []]);
    yield* flushTsbUser(m.port(1), mm, [3 * PAGE], TSB_BASE);
    expect(m.lookup(0, 3 * PAGE)).toEqual([]);
  }),
);

test(
  'two addresses with one index: the newer one is there, and flushing the older one is nothing',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    yield* insert(m, mm, 0, mkEntry(1000, VALID));
    yield* insert(m, mm, 512 * PAGE, mkEntry(2000, VALID));
    expect([m.lookup(0, 0), m.lookup(0, 512 * PAGE)]).toEqual([[], [mkEntry(2000, VALID)]]);
    yield* flushTsbUser(m.port(0), mm, [0], TSB_BASE);
    expect(m.lookup(0, 512 * PAGE)).toEqual([mkEntry(2000, VALID)]);
  }),
);

test(
  'a TSB that was freed is allocated again when none is left, with no entry in it; who still used it would be seen',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { tsbs: 2 } });
    const mm = yield* running(m);
    yield* insert(m, mm, 0, mkEntry(1000, VALID));
    const [cpu] = m.ports;
    const [own, other] = [m.words[contextTsb(mm)]!, yield* allocTsb(cpu!, 512)];
    yield* freeTsb(cpu!, other);
    entriesOf(cpu!, other);
    expect(m.broken).toEqual(['O5']);
    for (let cpuId = 0; cpuId < 2; cpuId++) m.words[m.sparc.tsbs.registers + cpuId] = 0;
    yield* freeTsb(cpu!, own);
    expect([yield* allocTsb(cpu!, 512), m.lookup(0, 0)]).toEqual([own, []]);
    const { cell } = tsbSlot(m.sparc.tsbs, SPARC64_LEVELS, own, 512, 0, TSB_BASE);
    expect([m.words[cell], entriesOf(cpu!, own), yield* allocTsb(cpu!, 1024)]).toEqual([TAG_INVALID, 512, other]);
    expect([yield* allocTsb(cpu!, 512), m.broken]).toEqual([0, ['O5', 'O16']]);
  }),
);

test(
  'an entry that is not valid is not inserted',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    yield* insert(m, mm, 0, mkEntry(1000, 0));
    expect(m.takeLog()).toEqual([]);
  }),
);

test(
  'the tag is locked while the translation is written; a flush waits for it, and takes what it finds then',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    const tsb = m.words[contextTsb(mm)]!;
    const { cell, tag } = tsbSlot(m.sparc.tsbs, SPARC64_LEVELS, tsb, 512, 0, TSB_BASE);
    expect(yield* lockTag(m.port(1), cell)).toBe(TAG_INVALID);
    expect([m.words[cell], m.lookup(0, 0)]).toEqual([TAG_LOCKED, []]);
    m.takeLog();
    m.before = (_cpu, what) => {
      if (what.includes('wait')) m.words[cell] = tag;
    };
    yield* flushTsbUser(m.port(0), mm, [0], TSB_BASE);
    const name = m.names[cell];
    expect(m.takeLog()).toEqual([
      '0: lock a.context.lock',
      `0: cmpxchg ${name}`,
      `0: wait ${name}`,
      `0: cmpxchg ${name}`,
      '0: unlock a.context.lock',
    ]);
    expect(m.words[cell]).toBe(TAG_INVALID);
  }),
);

test(
  'a huge page is two entries, one for each 4 MiB; the hardware finds pieces of it',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    const huge = mkEntry(100_000, VALID | PSE);
    yield* insert(m, mm, 0, huge);
    const at = (page: number): number => mkEntry(100_000 + page * Page.words, VALID);
    expect([m.lookup(0, 0), m.lookup(0, HALF - PAGE)]).toEqual([[at(0)], [at(511)]]);
    expect(m.lookup(0, HALF)).toEqual([]);
    yield* insert(m, mm, HALF, huge);
    expect(m.lookup(0, HALF + PAGE)).toEqual([at(513)]);
    expect([entryTarget(at(513)), entryFlags(at(513))]).toEqual([100_000 + 513 * Page.words, VALID]);
    yield* flushTsbUser(m.port(0), mm, [HALF], TSB_HUGE);
    expect([m.lookup(0, HALF), m.lookup(0, 0)]).toEqual([[], [at(0)]]);
  }),
);

test(
  'a TSB that grows keeps what was in it; every CPU that runs the mm loads its register anew, and the old one is free then',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    const addresses = [0, 511 * PAGE, 512 * PAGE + 5 * PAGE];
    for (const address of addresses) yield* insert(m, mm, address, mkEntry(8 + address / PAGE, VALID));
    const old = m.words[contextTsb(mm)]!;
    m.takeLog();
    yield* tsbGrow(m.port(0), mm, 1024);
    expect(m.words[m.words[contextTsb(mm)]!]).toBe(1024);
    for (const address of addresses) expect(m.lookup(1, address)).toEqual([mkEntry(8 + address / PAGE, VALID)]);
    expect([m.words[m.sparc.tsbs.registers], m.words[m.sparc.tsbs.registers + 1]]).not.toContain(old);
    const steps = m.takeLog().filter((line) => !line.includes('.tag'));
    expect(steps).toEqual([
      '0: lock a.context.lock',
      '0: unlock a.context.lock',
      '0: read a.cpumask',
      '0: ipi 1',
      '1: write tsb.register[1]',
      '0: write tsb.register[0]',
      '0: wait for ipis',
      '0: read tsb.register[0]',
      '0: read tsb.register[1]',
      '0: lock tsb_cache.lock',
      '0: unlock tsb_cache.lock',
    ]);
    // Another thread asks for as many.
    const grown = m.words[contextTsb(mm)]!;
    yield* tsbGrow(m.port(1), mm, 1024);
    expect(m.words[contextTsb(mm)]).toBe(grown);
    expect([0, old, grown]).not.toContain(m.words[m.sparc.tsbs.freed]);
  }),
);

test(
  'a TSB that a CPU still has in its register is not freed',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ switches: { oldTsbFree: 'before-sync' } });
    const mm = yield* running(m);
    yield* tsbGrow(m.port(0), mm, 1024);
    expect(new Set(m.broken)).toEqual(new Set(['O5']));
  }),
);
