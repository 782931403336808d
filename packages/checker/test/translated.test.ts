/**
 * Translated accesses of bare instructions on their port: what a walk makes of an entry, and small programs by both searches. What walks may
 * and may not do is tested by litmus files, in packages/litmus.
 */
import {
  ACCESSED,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type Cell,
  type Cpu,
  DIRTY,
  type Geometry,
  LINUX_6_18,
  mkEntry,
  Page,
  PRESENT,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { type BarePort, bareOf } from '../src/bare.ts';
import { Machine } from '../src/machine.ts';
import { faultOf, FAULTS, walk } from '../src/mmu/descriptor.ts';
import { search } from '../src/search/index.ts';

describe('what a walk makes of an entry', () => {
  const none = { accessFlag: false, dirty: false, el0: false };
  const ha = { ...none, accessFlag: true };
  const hd = { ...none, dirty: true };
  const entry = mkEntry(5, PRESENT | ACCESSED | USER | DIRTY);
  const without = (flag: number): number => entry - flag;

  test.each([
    ['a good one', entry, none, true, { updated: entry }],
    ['not valid', without(PRESENT), hd, false, { fault: 'Translation' }],
    ['not accessed', without(ACCESSED), none, false, { fault: 'AccessFlag' }],
    ['not accessed, HA', without(ACCESSED), ha, false, { updated: entry }],
    ['not accessed, HD has HA', without(ACCESSED), hd, false, { updated: entry }],
    ['clean, a load', without(DIRTY), none, false, { updated: without(DIRTY) }],
    ['clean, a store', without(DIRTY) + RW, ha, true, { fault: 'Permission' }],
    ['clean, a store, HD', without(DIRTY) + RW, hd, true, { updated: entry + RW }],
    ['clean and not managed, HD', without(DIRTY), hd, true, { fault: 'Permission' }],
    ['of the kernel', without(USER), { ...none, el0: true }, false, { fault: 'Permission' }],
  ] as const)('%s', (_name, word, by, write, walked) => {
    expect(walk(word, write, true, by)).toEqual(walked);
  });

  test('a compare-and-swap that fails may leave the entry clean', () => {
    expect(walk(without(DIRTY) + RW, true, false, hd)).toEqual({ updated: without(DIRTY) + RW });
  });

  test('faults are told from values', () => {
    expect(faultOf(FAULTS.Permission)).toBe('Permission');
    expect([faultOf(0), faultOf(-1), faultOf(31)]).toEqual([undefined, undefined, undefined]);
  });
});

const GEOMETRY: Geometry = { pageShift: 12, bits: [1, 1] };
const [X, Y] = [0, 2 ** GEOMETRY.pageShift];
const GOOD = PRESENT | ACCESSED | USER | DIRTY;
const BACKEND: BackendSpec = {
  id: 'translated',
  isa: {
    memoryModel: 'weak',
    multiCopyAtomic: true,
    geometry: GEOMETRY,
    asids: 1,
    broadcasts: true,
    cleanWalks: true,
    accessed: 'software',
    dirty: 'hardware',
    instructions: {},
  },
  mmContextFields: ['context'],
  link: () => ({ ...ASM_GENERIC, id: 'translated', handlers: [] }) as unknown as Backend,
};

/** A thread: its port, the entry of x, and where it notes what. */
type Thread = (port: BarePort, entry: Cell, note: (index: number, value: number) => void) => Steps<void>;

/** All ends of two threads, each with two results, by a search. */
function ends(threads: readonly Thread[], strategy: 'states' | 'brute'): string[] {
  const found = new Set<string>();
  let results = 0;
  const machine = new Machine<{ entry: Cell }>(
    {
      cpus: threads.length,
      geometry: GEOMETRY,
      backend: BACKEND,
      profile: LINUX_6_18,
      exact: true,
      walks: { setsAccessFlags: false },
      pools: { mm: 0, vma: 0, page: 2, table: 2, mapping: 0, area: 0 },
    },
    {
      reserve(layout) {
        results = layout.reserve('result', ['[0]', '[1]']);
      },
      setup(run) {
        const tables = run(0, function* (cpu: Cpu) {
          const root = yield* cpu.alloc('table');
          const table = yield* cpu.alloc('table');
          const pages = yield* cpu.alloc('page', 2);
          yield* cpu.writeOnce(table, mkEntry(pages, GOOD));
          yield* cpu.writeOnce(table + 1, mkEntry(pages + Page.words, GOOD));
          yield* cpu.writeOnce(root, mkEntry(table, GOOD | RW));
          return { root, entry: table };
        });
        for (let cpu = 0; cpu < threads.length; cpu++) run(cpu, (port) => port.loadContext(tables.root, 0, false));
        return tables;
      },
      threads: ({ entry }) =>
        threads.map((thread) => (cpu: Cpu) => thread(bareOf(cpu), entry, (i, value) => cpu.write(results + i, value))),
      final(peek) {
        found.add([peek(results), peek(results + 1)].join());
        return undefined;
      },
    },
  );
  const result = search(machine, { strategy, ...(strategy === 'states' && { checkKeys: true }) });
  expect(result.exhaustive).toBe(true);
  return [...found].toSorted();
}

describe('programs', () => {
  const writer: Thread = function* (port) {
    yield* port.storeVia(X, 1, {});
    yield* port.storeVia(Y, 1, {});
  };
  const reader: Thread = function* (port, _entry, note) {
    const y = yield* port.loadVia(Y, {}, { slot: 0 });
    const x = yield* port.loadVia(X, {}, { slot: 1 });
    note(0, y);
    note(1, x);
  };
  const unmapper: Thread = function* (port, entry) {
    yield* port.store(entry, 0);
    yield* port.fence('dsb sy');
    yield* port.invalidateVia({ address: X, broadcast: true });
    yield* port.fence('dsb sy');
    yield* port.storeVia(Y, 1, {});
  };
  const { Translation } = FAULTS;

  test.each<[name: string, threads: readonly Thread[], ends: string[]]>([
    ['two stores and two loads', [writer, reader], ['0,0', '0,1', '1,0', '1,1']],
    ['an unmapped page', [unmapper, reader], ['0,0', `0,${Translation}`, '1,0', `1,${Translation}`]],
  ])('%s: every state once finds what every interleaving finds', (_name, threads, expected) => {
    expect(ends(threads, 'states')).toEqual(expected.toSorted());
    expect(ends(threads, 'brute')).toEqual(expected.toSorted());
  });

  test('an address dependency, and then no stale translation', () => {
    const dependent: Thread = function* (port, _entry, note) {
      const y = yield* port.loadVia(Y, {}, { slot: 0 });
      const x = yield* port.loadVia(X, {}, { slot: 1, addr: 1 });
      note(0, y);
      note(1, x);
    };
    expect(ends([unmapper, dependent], 'states')).toEqual(['0,0', `0,${Translation}`, `1,${Translation}`].toSorted());
  });
});
