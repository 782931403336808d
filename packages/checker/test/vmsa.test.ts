/**
 * The VMSA machine by itself: its graph of events, and programs on its port. What it forbids and allows is tested by litmus files, in
 * packages/litmus.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { search } from '../src/search/index.ts';
import { State } from '../src/state.ts';
import {
  faultOf,
  FAULTS,
  type Values,
  VmsaMachine,
  type VmsaPort,
  type VmsaProgram,
  walkOf,
} from '../src/vmsa/index.ts';
import { Graph } from '../src/vmsa/graph.ts';

describe('the graph', () => {
  const THREADS = 3;
  const ROOM = 20;
  function graph(): { graph: Graph; state: State; events: number[] } {
    const words = Graph.words(THREADS, ROOM);
    const state = new State(1 + words, 1 + words);
    const made = new Graph(state, 1, THREADS, ROOM);
    const events = [0, 1, 2, 0, 1, 2].map((thread, i) => made.add(thread, 1, 0, 0, 1 + i));
    return { graph: made, state, events };
  }

  test('is closed under composition, whatever the order of edges', () => {
    const { graph: g, events } = graph();
    const [a, b, c, d] = events as [number, number, number, number];
    expect([g.edge(c, d), g.edge(a, b), g.edge(b, c)]).toEqual([true, true, true]);
    expect([g.before(a, d), g.before(a, c), g.before(b, d)]).toEqual([true, true, true]);
    expect([g.before(d, a), g.before(c, a)]).toEqual([false, false]);
  });

  test('refuses a cycle, and one event before itself', () => {
    const { graph: g, events } = graph();
    const [a, b, c] = events as [number, number, number];
    g.edge(a, b);
    g.edge(b, c);
    expect([g.edge(c, a), g.edge(a, a), g.edge(a, c)]).toEqual([false, false, true]);
  });

  test('goes back', () => {
    const { graph: g, state, events } = graph();
    const [a, b] = events as [number, number];
    const key = [state.keyLow, state.keyHigh];
    const mark = state.mark();
    g.edge(a, b);
    expect([state.keyLow, state.keyHigh]).not.toEqual(key);
    state.undo(mark);
    expect([g.before(a, b), state.keyLow, state.keyHigh]).toEqual([false, ...key]);
  });

  test('has no room for more events than it was made with', () => {
    const { graph: g } = graph();
    for (let i = 0; i < ROOM - 2; i++) expect(g.add(0, 1, 0, 0, 9)).toBeGreaterThanOrEqual(0);
    expect(g.add(0, 1, 0, 0, 9)).toBe(-1);
  });
});

describe('entries', () => {
  const entry = { valid: true, accessed: true, dirty: true, managed: false, user: true };
  const none = { accessFlag: false, dirty: false, el0: false };
  const ha = { ...none, accessFlag: true };
  const hd = { ...none, dirty: true };

  test.each([
    ['a good one', entry, none, true, { setAccessed: false, setDirty: false }],
    ['not valid', { ...entry, valid: false, accessed: false }, hd, false, { fault: 'Translation' }],
    ['not accessed', { ...entry, accessed: false }, none, false, { fault: 'AccessFlag' }],
    ['not accessed, HA', { ...entry, accessed: false }, ha, false, { setAccessed: true, setDirty: false }],
    ['not accessed, HD has HA', { ...entry, accessed: false }, hd, false, { setAccessed: true, setDirty: false }],
    ['clean, a load', { ...entry, dirty: false }, none, false, { setAccessed: false, setDirty: false }],
    ['clean, a store', { ...entry, dirty: false, managed: true }, ha, true, { fault: 'Permission' }],
    ['clean, a store, HD', { ...entry, dirty: false, managed: true }, hd, true, { setAccessed: false, setDirty: true }],
    ['clean and not managed, HD', { ...entry, dirty: false }, hd, true, { fault: 'Permission' }],
    ['of the kernel', { ...entry, user: false }, { ...none, el0: true }, false, { fault: 'Permission' }],
  ] as const)('%s', (_name, fields, by, write, walk) => {
    expect(walkOf(fields, write, true, by)).toEqual(walk);
  });
});

/** Words: 0 to 9 are numbers; 10 + n is the n-th cell, by physical address; 20 + n a page through the n-th entry; 30 + 2 n + v an entry of page n. */
const WORDS: Values = {
  place: (address) => (address < 20 ? { cell: address - 10 } : { entry: ENTRIES + address - 20, offset: 0 }),
  cell: (entry) => (entry - 30) >> 1,
  fields: (entry) => ({ valid: (entry & 1) === 1, accessed: true, dirty: true, managed: false, user: true }),
  set: (entry) => entry,
  combine: (operation, old, operand) => (operation === 'add' ? old + operand : operand),
};
/** Cells 0 and 1 are data, 2 and 3 the entries of x and y. */
const ENTRIES = 2;
const [X, Y, PTE_X, OF_X, INVALID] = [20, 21, 12, 31, 30];

function machine(threads: VmsaProgram['threads'], results: number): VmsaMachine {
  return new VmsaMachine({
    cells: [0, 0, OF_X, 33],
    entries: [2, 3],
    values: WORDS,
    threads,
    results,
    management: threads.map(() => ({ accessFlag: false, dirty: false, el0: false })),
    handlers: threads.map(() => false),
    ets2: false,
    room: 30,
  });
}

/** The results of all final states. */
function ends(made: VmsaMachine, strategy: 'states' | 'brute', results: number): string[] {
  const found = search(made, { strategy, collectEnds: true, ...(strategy === 'states' && { checkKeys: true }) });
  expect(found.exhaustive).toBe(true);
  const texts = [...found.ends!].filter((end) => end !== '').map((end) => end.split(',').slice(0, results).join());
  return [...new Set(texts)].toSorted();
}

describe('programs', () => {
  function* writer(port: VmsaPort): Steps<void> {
    yield* port.store(X, 1);
    yield* port.store(Y, 1);
  }
  function* reader(port: VmsaPort): Steps<void> {
    port.result(0, yield* port.load(Y, { slot: 0 }));
    port.result(1, yield* port.load(X, { slot: 1 }));
  }
  function* unmapper(port: VmsaPort): Steps<void> {
    yield* port.store(PTE_X, INVALID);
    yield* port.fence('dsb sy');
    yield* port.invalidate({ address: X, broadcast: true });
    yield* port.fence('dsb sy');
    yield* port.store(Y, 1);
  }

  test.each<[name: string, threads: VmsaProgram['threads'], ends: string[]]>([
    ['two stores and two loads', [writer, reader], ['0,0', '0,1', '1,0', '1,1']],
    ['an unmapped page', [unmapper, reader], ['0,0', `0,${FAULTS.Translation}`, '1,0', `1,${FAULTS.Translation}`]],
  ])('%s: every state once finds what every interleaving finds', (_name, threads, expected) => {
    expect(ends(machine(threads, 2), 'states', 2)).toEqual(expected.toSorted());
    expect(ends(machine(threads, 2), 'brute', 2)).toEqual(expected.toSorted());
  });

  test('an address dependency, and then no stale translation', () => {
    function* dependent(port: VmsaPort): Steps<void> {
      port.result(0, yield* port.load(Y, { slot: 0 }));
      port.result(1, yield* port.load(X, { slot: 1, addr: 1 }));
    }
    expect(ends(machine([unmapper, dependent], 2), 'states', 2)).not.toContain('1,0');
  });

  test('faults are told from values', () => {
    expect(faultOf(FAULTS.Permission)).toBe('Permission');
    expect([faultOf(0), faultOf(-1), faultOf(31)]).toEqual([undefined, undefined, undefined]);
  });

  test('an execution that was given up has no end', () => {
    function* never(port: VmsaPort): Steps<void> {
      if ((yield* port.load(X)) === 0) yield* port.giveUp();
      port.result(0, 7);
    }
    function* once(port: VmsaPort): Steps<void> {
      yield* port.store(X, 1);
    }
    expect(ends(machine([never, once], 1), 'states', 1)).toEqual(['7']);
  });

  test('too many events are said, not left out', () => {
    function* long(port: VmsaPort): Steps<void> {
      for (let i = 0; i < 40; i++) yield* port.fence('dmb sy');
    }
    const made = machine([long], 0);
    search(made);
    expect(made.limited).toBe(true);
  });
});
