/** Freeing of page-table pages: what comes before the free, and what a dying mm leaves out. */
import { expect, test } from 'vitest';
import {
  type Cpu,
  finish,
  Mm,
  Page,
  type Profile,
  type Steps,
  tlbFinishMmu,
  tlbFlushMmu,
  tlbGatherMmu,
  tlbGatherMmuFullmm,
  type MmuGather,
  tlbRemovePage,
  tlbRemoveTable,
  tlbRemoveTableSmpSync,
  tlbRemoveTableSyncOne,
  tlbRemoveTlbEntry,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const PAGE = 4096;
const mm = Mm.at(100);
const page = Page.at(200);

/** A port on which table freeing can interrupt one other CPU. */
function withSync(profile: Partial<Profile>, fails = false): FakeCpu {
  const fake = fakeCpu(profile, 2);
  const kernel = { ...fake.cpu.kernel, handlers: [...fake.cpu.kernel.handlers, tlbRemoveTableSmpSync] };
  function* freeRcu(cache: string, object: number): Steps<void> {
    fake.log.push(`free ${cache} ${object} later`);
  }
  const cpu = { ...fake.cpu, kernel, freeRcu, mayFail: () => one(fails ? 1 : 0) } as unknown as Cpu;
  fake.words[page.refcount] = 1;
  return { ...fake, cpu };
}

function* one(value: number): Steps<number> {
  return value;
}

/** Unlinks two tables in one gather. */
function twoTables(fake: FakeCpu): string[] {
  const { cpu, log } = fake;
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* tlbRemoveTable(cpu, tlb, 300, 0, 0);
      yield* tlbRemoveTable(cpu, tlb, 400, 2 ** 21, 0);
      yield* tlbFinishMmu(cpu, tlb, 0, 2 ** 22);
    })(),
  );
  return log.filter((line) => line !== 'finished');
}

test('a batch is freed with the flush, or handed to a grace period after it', () => {
  expect(twoTables(withSync({ tableFree: 'batched' }))).toEqual(['flush', 'free table 300', 'free table 400']);
  expect(twoTables(withSync({ tableFree: 'rcu' }))).toEqual(['flush', 'free table 300 later', 'free table 400 later']);
});

test('every other CPU answers one interrupt for a batch', () => {
  expect(twoTables(withSync({ tableFree: 'ipi-sync' }))).toEqual([
    'flush',
    'ipi 1',
    'wait',
    'free table 300',
    'free table 400',
  ]);
});

test('at once: each table has a flush of its own', () => {
  expect(twoTables(withSync({ tableFree: 'immediate' }))).toEqual([
    'flush',
    'free table 300',
    'flush',
    'free table 400',
  ]);
});

test('without a page for the batch a table is flushed, waited for and freed by itself', () => {
  expect(
    twoTables(withSync({ tableFree: 'batched', tableBatchFails: true, tableRemoveOne: 'ipi-sync' }, true)),
  ).toEqual(['flush', 'ipi 1', 'wait', 'free table 300', 'flush', 'ipi 1', 'wait', 'free table 400']);
  expect(twoTables(withSync({ tableFree: 'rcu', tableBatchFails: true, tableRemoveOne: 'rcu' }, true))).toEqual([
    'flush',
    'free table 300 later',
    'flush',
    'free table 400 later',
  ]);
});

test('the empty interrupt goes to the others only', () => {
  const { cpu, log } = withSync({});
  finish(tlbRemoveTableSyncOne(cpu));
  expect(log).toEqual(['ipi 1', 'wait']);
});

/** A batch of one page, then a table. */
function* teardown(cpu: Cpu, tlb: MmuGather): Steps<void> {
  tlbRemoveTlbEntry(cpu, tlb, 0, 0);
  yield* tlbRemovePage(cpu, tlb, page.address);
  yield* tlbFlushMmu(cpu, tlb);
  yield* tlbRemoveTable(cpu, tlb, 300, 0, 0);
  yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
}

function exit(fullmm: Profile['fullmm'], profile: Partial<Profile> = {}): string[] {
  const { cpu, log } = withSync({ fullmm, tableFree: 'batched', ...profile });
  finish(
    (function* (): Steps<void> {
      yield* teardown(cpu, yield* tlbGatherMmuFullmm(cpu, mm));
    })(),
  );
  return log.filter((line) => line !== 'finished');
}

test('a dying mm is flushed for each batch, for its tables only, or not at all', () => {
  const free = [`free page ${page.address}`, 'free table 300'];
  expect(exit('linux')).toEqual(['flush', free[0], 'flush', free[1]]);
  expect(exit('F0')).toEqual(['flush', free[0], 'flush', free[1]]);
  expect(exit('F1')).toEqual([free[0], 'flush', free[1]]);
  expect(exit('F2')).toEqual(free);
  expect(exit('F3')).toEqual(free);
});

/** A gather on a live mm finds another one open. */
function nested(profile: Partial<Profile>): string[] {
  const { cpu, log } = withSync({ nestedFinish: 'whole-mm', ...profile });
  finish(
    (function* (): Steps<void> {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* tlbGatherMmu(cpu, mm);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    })(),
  );
  return log.filter((line) => line !== 'finished');
}

test('a nested finish of a live mm flushes, whatever is left out for dead ones', () => {
  for (const fullmm of ['linux', 'F0', 'F1', 'F2', 'F3'] as const) expect(nested({ fullmm })).toEqual(['flush']);
  // The shortcut goes by fullmm: freed_tables, set after the reset, still keeps the flush with F1, and nothing does with F2.
  expect(nested({ fullmm: 'F1', deadMeans: 'fullmm' })).toEqual(['flush']);
  expect(nested({ fullmm: 'F2', deadMeans: 'fullmm' })).toEqual([]);
  expect(nested({ fullmm: 'F1', deadMeans: 'fullmm', nestedFinish: 'whole-mm-reset-last' })).toEqual([]);
});
