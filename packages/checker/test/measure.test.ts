/**
 * Measure: what is counted for an execution, and which flushes were redundant.
 */
import {
  ALL,
  type Arena,
  type Backend,
  type Cpu,
  type Entry,
  mkEntry,
  type Mm,
  NOTHING,
  type Steps,
} from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { type Machine, measure, type Path, search } from '../src/index.ts';
import { flushAll, onTree, type Stage, type Tree, WRITTEN } from './page-tables.ts';

/** Sends everybody else an interrupt that flushes. */
function* flushTlbMm(cpu: Cpu): Steps<void> {
  yield* flushAll(cpu);
  yield* cpu.sendIpi(1, 0, 0);
  yield* cpu.awaitIpis();
}

/** Flushes where there is nobody to flush. */
function* flushTlbPage(): Steps<void> {}

/** An execution in which the actor with the highest number always goes first. */
function anExecution(machine: Machine<never>): Path {
  const path: [number, number][] = [];
  const mark = machine.mark();
  for (;;) {
    let actor = machine.actors - 1;
    while (actor >= 0 && machine.choices(actor) === 0) actor--;
    if (actor < 0) break;
    machine.perform(actor, 0);
    path.push([actor, 0]);
  }
  machine.undo(mark);
  return path;
}

function machineOf(body: (cpu: Cpu, tree: Tree) => Steps<unknown>, stage: Stage = {}): Machine<never> {
  const machine = onTree(
    (tree) => [
      function* (cpu): Steps<void> {
        yield* cpu.smpMb();
        yield* body(cpu, tree);
      },
    ],
    { ...stage, handlers: [flushAll] },
  );
  Object.assign(machine.kernel.backend, { flushTlbMm, flushTlbPage });
  return machine as never;
}

test('a flush of what was changed is needed; one more, or one of what was not changed, is redundant', () => {
  const machine = machineOf(function* (cpu, tree): Steps<void> {
    const { backend } = cpu.kernel;
    yield* backend.flushTlbMm(cpu, undefined as never);
    yield* cpu.xchg(tree.pte, 0);
    yield* backend.flushTlbMm(cpu, undefined as never);
    yield* backend.flushTlbMm(cpu, undefined as never);
    yield* backend.flushTlbPage(cpu, undefined as never, 0);
  });
  const path = anExecution(machine);
  const [low, high] = [machine.keyLow, machine.keyHigh];
  const costs = measure(machine, path);
  expect(costs).toMatchObject({
    flushes: 3,
    silent: 1,
    redundant: 2,
    ipis: 3,
    full: 6,
    range: 0,
    contextFlushes: 0,
    broadcasts: 0,
  });
  // The table is held as a pointer, too: it comes back each time.
  expect(costs.calls.map(({ call, removed, stale }) => [call, removed, stale])).toEqual([
    ['flushTlbMm', 1, 0],
    ['flushTlbMm', 1, 1],
    ['flushTlbMm', 0, 0],
    ['flushTlbPage', 0, 0],
  ]);
  expect(costs.removed).toBe(2);
  expect(costs.steps).toBe(path.length);
  expect([machine.keyLow, machine.keyHigh]).toEqual([low, high]);
  expect(measure(machine, path)).toEqual(costs);
  expect(search(machine).verdict).toBe('holds');
});

test('what the caller of a flush does before and after it is not part of it', () => {
  const machine = machineOf(function* (cpu): Steps<void> {
    yield* flushAll(cpu);
    yield* cpu.kernel.backend.flushTlbMm(cpu, undefined as never);
    yield* cpu.invalidate({
      asid: 0,
      leaves: { start: 0, end: 4096 },
      walks: { start: 0, end: 0 },
      globals: false,
      broadcast: false,
    });
  });
  const costs = measure(machine, anExecution(machine));
  expect(costs).toMatchObject({ full: 3, range: 1, flushes: 1 });
  expect(costs.calls).toMatchObject([{ full: 2, range: 0, ipis: 1 }]);
});

test('counts what every CPU takes part in, and what is allocated in the end', () => {
  const everywhere = { asid: 0, leaves: ALL, walks: ALL, globals: false, broadcast: true };
  const machine = machineOf(
    function* (cpu, tree): Steps<void> {
      yield* cpu.invalidate(everywhere);
      yield* cpu.invalidate({ ...everywhere, broadcast: false });
      yield* cpu.invalidationBarrier();
      const page = { asid: 0, leaves: { start: 0, end: 4096 }, walks: NOTHING, globals: false, broadcast: false };
      yield* cpu.invalidate(page);
      yield* cpu.invalidate({ ...page, level: 0 });
      yield* cpu.cmpxchgAndInvalidate(tree.pte, 0, 0, everywhere);
      yield* cpu.free('page', tree.pages[2]!);
    },
    { isa: { broadcasts: true } },
  );
  const { broadcasts, full, lookups, allocated } = measure(machine, anExecution(machine));
  expect({ broadcasts, full, lookups }).toEqual({ broadcasts: 2, full: 3, lookups: 3 });
  expect(allocated).toBe(machine.view.allocated - 1);
});

/** One word per page of ASID 0, as the table that the hardware looks into, as of the last machine. */
const table = { base: 0 };
function ownTable(arena: Arena, missesAnytime: boolean): Partial<Backend> {
  table.base = arena.reserve('hash', ['0', '1', '2', '3']);
  const lookup = (load: (cell: number) => number, asid: number, address: number): Entry[] => {
    const entry = asid === 0 ? load(table.base + address / 4096) : 0;
    return entry === 0 ? [] : [entry];
  };
  return { translationTable: { base: table.base, words: 4, missesAnytime, lookup } };
}

/** Which of four flushes are needed: nothing has changed, the page table has, the table of translations has, nothing is left. */
function needed(missesAnytime: boolean): boolean[] {
  const machine = machineOf(
    function* (cpu, tree): Steps<void> {
      const { backend } = cpu.kernel;
      const entry = mkEntry(tree.pages[0]!, WRITTEN);
      yield* cpu.writeOnce(table.base, entry);
      yield* backend.flushTlbMm(cpu, undefined as never);
      yield* cpu.xchg(tree.pte, 0);
      yield* backend.flushTlbMm(cpu, undefined as never);
      yield* cpu.writeOnce(table.base, 0);
      yield* backend.flushTlbMm(cpu, undefined as never);
      yield* backend.flushTlbMm(cpu, undefined as never);
    },
    { own: (arena) => ownTable(arena, missesAnytime) },
  );
  return measure(machine, anExecution(machine)).calls.map(({ stale }) => stale > 0);
}

test('with a table of translations an entry is old once it is gone from there, and where misses are answered from page tables too, from both', () => {
  expect(needed(false)).toEqual([false, false, true, false]);
  expect(needed(true)).toEqual([false, false, true, false]);
});

test('a change of an entry, and the end of a section, are flushes if they flush', () => {
  const machine = machineOf(function* (cpu, tree): Steps<void> {
    const { pte, lazyMmu } = cpu.kernel.backend;
    yield* pte.ptepGetAndClear(cpu, undefined as never, 0, tree.pte, 0);
    yield* pte.setPteAt(cpu, undefined as never, 0, tree.pte, 0, 0);
    yield* lazyMmu!.enter(cpu);
    yield* lazyMmu!.leave(cpu);
  });
  const { backend } = machine.kernel;
  const pte = {
    ...backend.pte,
    *ptepGetAndClear(cpu: Cpu, _mm: Mm, _address: number, cell: number): Steps<Entry> {
      const old = yield* cpu.xchg(cell, 0);
      yield* flushAll(cpu);
      return old;
    },
  };
  const lazyMmu = {
    *enter(): Steps<void> {},
    leave: (cpu: Cpu): Steps<void> => cpu.kernel.backend.flushTlbMm(cpu, undefined as never),
  };
  Object.assign(backend, { pte, lazyMmu });
  const costs = measure(machine, anExecution(machine));
  expect(costs).toMatchObject({ flushes: 2, silent: 0, ipis: 1 });
  expect(costs.calls.map(({ call }) => call)).toEqual(['pte.ptepGetAndClear', 'lazyMmu.leave']);
  expect([backend.pte, backend.lazyMmu]).toEqual([pte, lazyMmu]);
});
