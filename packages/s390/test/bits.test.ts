// Bits of entries, scopes of instructions, numbers of ASCEs, costs.
import {
  ACCESSED,
  ALL,
  ALL_ASIDS,
  DIRTY,
  entryPresent,
  entryShift,
  entryTarget,
  mkEntry,
  NOTHING,
  NX,
  PRESENT,
  PROTNONE,
  ptePresent,
  RW,
  SOFT_DIRTY,
  type Steps,
  tableEntries,
  USER,
} from '@mmu-gather/core/stepped';
import {
  allowsRdp,
  flushCost,
  invalidated,
  isInvalid,
  isWritable,
  mayStore,
  S390_AXES,
  S390_LEVELS,
  S390_PROFILES,
  s390Isa,
} from '@mmu-gather/s390/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const YOUNG = PRESENT | USER | ACCESSED | NX;
const RO = mkEntry(7, YOUNG);
const RW_CLEAN = mkEntry(7, YOUNG | RW);
const RW_DIRTY = mkEntry(7, YOUNG | RW | DIRTY);

test('page tables: 256 entries of 4 KiB, segments of 1 MiB, 2048 of them in 2 GiB, 4 TiB in all', () => {
  expect([0, 1, 2].map((level) => tableEntries(S390_LEVELS, level))).toEqual([256, 2048, 2048]);
  expect([0, 1, 2, 3].map((level) => entryShift(S390_LEVELS, level))).toEqual([12, 20, 31, 42]);
});

test('I is set in what is not present or not young, P in what is not writable or not dirty', () => {
  expect([0, mkEntry(7, PRESENT), mkEntry(7, PROTNONE | ACCESSED), RO].map(isInvalid)).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect([RO, RW_CLEAN, RW_DIRTY].map(isWritable)).toEqual([false, false, true]);
});

test('an entry that was made invalid keeps its page: software finds it present, the hardware does not', () => {
  const entry = invalidated(RW_DIRTY);
  expect([isInvalid(entry), entryPresent(entry), ptePresent(entry), entryTarget(entry)]).toEqual([
    true,
    false,
    true,
    7,
  ]);
  expect(isWritable(entry)).toBe(true);
});

test('RDP takes P away and changes nothing else', () => {
  expect(allowsRdp(RO, RW_DIRTY)).toBe(true);
  expect(allowsRdp(RW_CLEAN, mkEntry(7, YOUNG | RW | DIRTY | SOFT_DIRTY))).toBe(true);
  expect(allowsRdp(RW_DIRTY, RO)).toBe(false);
  expect(allowsRdp(RO, mkEntry(8, YOUNG | RW | DIRTY))).toBe(false);
  expect(allowsRdp(RO, mkEntry(7, (YOUNG | RW | DIRTY) & ~NX))).toBe(false);
  expect(allowsRdp(mkEntry(7, PRESENT | USER | NX), RW_DIRTY)).toBe(false);
});

test('a store may go over what is invalid, and change bits of software', () => {
  expect(mayStore(0, RW_DIRTY)).toBe(true);
  expect(mayStore(invalidated(RW_DIRTY), RO)).toBe(true);
  expect(mayStore(RO, mkEntry(7, YOUNG | SOFT_DIRTY))).toBe(true);
  expect(mayStore(RO, RW_CLEAN)).toBe(true);
  expect(mayStore(RO, RW_DIRTY)).toBe(false);
  expect(mayStore(RO, mkEntry(8, YOUNG))).toBe(false);
  expect(mayStore(RW_DIRTY, 0)).toBe(true);
});

test('instructions: leaves of one page alone for IPTE, pointers to tables too for IDTE, everything everywhere for CSP', () => {
  const { instructions, memoryModel, accessed, dirty, broadcasts } = s390Isa(4);
  expect([memoryModel, accessed, dirty, broadcasts]).toEqual(['tso', 'software', 'software', false]);
  const page = { start: 0x1000, end: 0x2000 };
  const base = { asid: 2, globals: false, broadcast: true };
  expect(instructions['IPTE']!(2, 0x1000, 0x1000)).toEqual({ ...base, leaves: page, walks: NOTHING, level: 0 });
  expect(instructions['IPTE.local']!(2, 0x1000, 0x1000)).toEqual({
    ...base,
    leaves: page,
    walks: NOTHING,
    level: 0,
    broadcast: false,
  });
  expect(instructions['IDTE']!(2, 0x1000, 0x1000)).toEqual({ ...base, leaves: page, walks: page });
  expect(instructions['IDTE.asce']!(2, 0, 0)).toEqual({ ...base, leaves: ALL, walks: ALL });
  expect(instructions['CSP']!(2, 0, 0)).toEqual({
    asid: ALL_ASIDS,
    leaves: ALL,
    walks: ALL,
    globals: true,
    broadcast: true,
  });
  expect(instructions['PTLB']!(2, 0, 0)).toMatchObject({ asid: ALL_ASIDS, broadcast: false });
});

test(
  'ASCEs: each mm has one of its own, which the next mm may get when it ends',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asces: 3 });
    const cpu = m.cpus[0]!.port;
    const [a, b] = [yield* m.mm('a'), yield* m.mm('b')];
    expect([m.words[a.context], m.words[b.context]]).toEqual([1, 2]);
    yield* m.s390.destroyContext!(cpu, a);
    const c = yield* m.mm('c');
    expect(m.words[c.context]).toBe(1);
    let message = '';
    try {
      yield* m.mm('d');
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('more than 2 address spaces');
  }),
);

test(
  'ASCEs: there are more than fit in a word',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ asces: 100 });
    const given: number[] = [];
    for (let i = 0; i < 70; i++) given.push(m.words[(yield* m.mm(`mm${i}`)).context]!);
    expect(given).toEqual(Array.from({ length: 70 }, (_, i) => i + 1));
  }),
);

test('costs: one quiesce for each entry of a shared mm, none where only this CPU has entries', () => {
  expect(flushCost(256, 'shared')).toEqual({ quiesces: 256, local: 0, lazy: 0 });
  expect(flushCost(256, 'cached-alone')).toEqual({ quiesces: 0, local: 256, lazy: 0 });
  expect(flushCost(256, 'attached-alone')).toEqual({ quiesces: 1, local: 0, lazy: 256 });
});

test('each switch of each version has a value of its axis; only the three that every kernel has are wrong ones', () => {
  for (const switches of Object.values(S390_PROFILES)) {
    const wrong = Object.entries(switches).filter(([name, value]) => {
      const { right } = S390_AXES[name as keyof typeof S390_AXES];
      return right.length > 0 && !right.some((each) => each === value);
    });
    expect(wrong.map(([name]) => name)).toEqual(['attachRepair', 'flushTlbAll', 'upgradeWaits']);
  }
  expect(Object.entries(S390_PROFILES).map(([id, { rdp }]) => `${id} ${rdp}`)).toEqual([
    'linux-5.11 false',
    'linux-6.1 false',
    'linux-6.12 true',
    'linux-6.18 true',
  ]);
});
