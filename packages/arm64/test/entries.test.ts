// Entries: which changes need a flush, what upgrades flush, what reclaim defers, and what each instruction drops.
import {
  ARM64_LINUX_6_18,
  arm64Isa,
  contpteFold,
  contpteUnfold,
  PTE_CONT,
  pteAccessible,
  pteAccessibleYoung,
  pteNeedsFlush,
} from '@mmu-gather/arm64/stepped';
import {
  ACCESSED,
  ALL,
  ALL_ASIDS,
  DIRTY,
  mkEntry,
  type Mm,
  NOTHING,
  NX,
  PRESENT,
  PROTNONE,
  RW,
  SOFT_DIRTY,
  type Steps,
  type TlbBatch,
  USER,
} from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const FLAGS = PRESENT | USER | ACCESSED | NX;

test('pte_needs_flush: nothing that was not valid, nothing that only software looks at', () => {
  const entry = mkEntry(100, FLAGS);
  expect(pteNeedsFlush(0, entry)).toBe(false);
  expect(pteNeedsFlush(mkEntry(100, PROTNONE | ACCESSED), entry)).toBe(false);
  expect(pteNeedsFlush(entry, mkEntry(100, FLAGS | SOFT_DIRTY))).toBe(false);
  expect(pteNeedsFlush(entry, mkEntry(100, FLAGS | RW))).toBe(true);
  expect(pteNeedsFlush(mkEntry(100, FLAGS | RW | DIRTY), mkEntry(100, FLAGS | RW))).toBe(true);
  expect(pteNeedsFlush(entry, mkEntry(108, FLAGS))).toBe(true);
  expect(pteNeedsFlush(entry, mkEntry(100, PROTNONE | ACCESSED))).toBe(true);
});

test('pte_accessible: old entries too', () => {
  expect(pteAccessible(mkEntry(100, FLAGS))).toBe(true);
  expect(pteAccessible(mkEntry(100, PRESENT | USER))).toBe(true);
  expect(pteAccessible(mkEntry(100, PROTNONE | ACCESSED))).toBe(false);
  expect(pteAccessibleYoung(mkEntry(100, PRESENT | USER))).toBe(false);
});

function* running(machine: FakeMachine): Steps<Mm> {
  const mm = yield* machine.mm('a');
  yield* machine.switchTo(0, mm);
  machine.takeLog();
  return mm;
}

test(
  'an upgrade after a write is flushed on every CPU, or on this one; one that only sets the access flag is not',
  run(function* (): Steps<void> {
    for (const accessFlagsFlush of ['broadcast', 'local'] as const) {
      const m = new FakeMachine({ accessFlagsFlush });
      const { port } = m.cpus[0]!;
      const mm = yield* running(m);
      const pte = m.take('table', 'table');
      const clean = mkEntry(100, FLAGS);
      m.words[pte] = clean;
      const written = mkEntry(100, FLAGS | RW | DIRTY);
      yield* m.arm64.pte.ptepSetAccessFlags(port, mm, 0, pte, clean, written, 0);
      const flush = [
        'DSB ISHST',
        ...(accessFlagsFlush === 'local' ? ['VALE1 1 [0,1)'] : ['VALE1IS 1 [0,1)', 'DSB ISH']),
      ];
      expect(m.takeFlush()).toEqual(flush);
      expect(m.words[pte]).toBe(written);
      const old = mkEntry(100, FLAGS & ~ACCESSED);
      m.words[pte] = old;
      yield* m.arm64.pte.ptepSetAccessFlags(port, mm, 0, pte, old, clean, 0);
      expect(m.takeFlush()).toEqual([]);
      expect(m.arm64.pte.flushTlbFixSpuriousFault === null).toBe(accessFlagsFlush === 'broadcast');
    }
  }),
);

test(
  'an upgrade keeps a dirty bit that the hardware sets meanwhile',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    const pte = m.take('table', 'table');
    const old = mkEntry(100, (FLAGS | RW) & ~ACCESSED);
    m.words[pte] = old;
    let raced = false;
    m.before = (_cpu, access) => {
      if (raced || !access.startsWith('cmpxchg')) return;
      raced = true;
      m.words[pte] = mkEntry(100, FLAGS | RW | DIRTY);
    };
    yield* m.arm64.pte.ptepSetAccessFlags(m.cpus[0]!.port, mm, 0, pte, old, mkEntry(100, FLAGS | RW), 0);
    expect(m.words[pte]).toBe(mkEntry(100, FLAGS | RW | DIRTY));
  }),
);

test(
  'reclaim: TLBIs at once, one wait for all; CPUs that need each twice do not defer',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const batch: TlbBatch = { cpumask: 0, writable: false, flushRequired: false, gens: new Map() };
    expect(yield* m.arm64.tlbbatchShouldDefer(port, mm)).toBe(true);
    expect(yield* m.arm64.tlbbatchAddPending(port, batch, mm, 0)).toBe(0);
    yield* m.arm64.tlbbatchAddPending(port, batch, mm, 0x5000);
    yield* m.arm64.tlbbatchFlush(port, batch);
    expect(m.takeFlush()).toEqual([
      'DSB ISHST',
      'VALE1IS 1 [0,1) level 0',
      'DSB ISHST',
      'VALE1IS 1 [5,6) level 0',
      'DSB ISH',
    ]);
    expect(m.arm64.flushTlbBatchedPending).toBeNull();
    const twice = new FakeMachine({ repeatTlbi: 'each' });
    expect(yield* twice.arm64.tlbbatchShouldDefer(twice.cpus[0]!.port, mm)).toBe(false);
    const before = new FakeMachine({ tlbbatch: false });
    expect(yield* before.arm64.tlbbatchShouldDefer(before.cpus[0]!.port, mm)).toBe(false);
  }),
);

test(
  'contpte: all entries go, the block is flushed, all come back, with what the hardware has set in any of them',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    const mm = yield* running(m);
    const ptes = m.take('table', 'table');
    for (let i = 0; i < 16; i++) m.words[ptes + i] = mkEntry(100 + i, FLAGS | RW | (i === 5 ? DIRTY : 0));
    yield* contpteFold(port, mm, 0, ptes);
    const log = m.takeLog();
    expect(log.slice(15, 21)).toEqual([
      '0: xchg table.[15]',
      '0: DSB ISHST',
      '0: read a.context.id',
      '0: VALE1IS 1 [0,16) level 0',
      '0: DSB ISH',
      '0: write table.[0]',
    ]);
    expect(m.words.slice(ptes, ptes + 16)).toEqual(
      Array.from({ length: 16 }, (_, i) => mkEntry(100 + i, FLAGS | RW | DIRTY | PTE_CONT)),
    );
    yield* contpteUnfold(port, mm, 0, ptes);
    expect(m.words[ptes + 3]).toBe(mkEntry(103, FLAGS | RW | DIRTY));
  }),
);

test('instructions: what each drops', () => {
  const { instructions, accessed, dirty } = arm64Isa({ ...ARM64_LINUX_6_18, hafdbs: false });
  expect([accessed, dirty]).toEqual(['software', 'software']);
  const at = { start: 0x3000, end: 0x4000 };
  const range = { start: 0x3000, end: 0x8000 };
  expect(instructions['VMALLE1IS']!(7, 0, 0)).toEqual({
    asid: ALL_ASIDS,
    leaves: ALL,
    walks: ALL,
    globals: true,
    broadcast: true,
  });
  expect(instructions['ASIDE1']!(7, 0, 0)).toMatchObject({ asid: 7, globals: false, broadcast: false });
  expect(instructions['VAE1IS']!(7, 0x3000, 0)).toMatchObject({ asid: 7, leaves: at, walks: at });
  expect(instructions['VALE1IS']!(7, 0x3000, 0)).toMatchObject({ leaves: at, walks: NOTHING });
  expect(instructions['RVAE1IS']!(7, 0x3000, 0x5000)).toMatchObject({ leaves: range, walks: range });
  expect(instructions['RVAALE1IS']!(7, 0x3000, 0x5000)).toMatchObject({
    asid: ALL_ASIDS,
    leaves: range,
    walks: NOTHING,
    globals: true,
  });
  expect(Object.keys(instructions)).toHaveLength(20);
});
