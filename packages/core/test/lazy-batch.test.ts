/** Lazy batches and sections: when what was collected is done, in the order of history. */
import { expect, test } from 'vitest';
import {
  addToLazyBatch,
  type Arena,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  batchingLazyMmu,
  claimLazyMmuLeft,
  collectsLazily,
  type Cpu,
  drainLazyBatch,
  finish,
  irqEnter,
  irqExit,
  isLazyMmuModeActive,
  type LazyBatch,
  lazyBatchCount,
  lazyBatchEntry,
  lazyMmuModePause,
  lazyMmuModeResume,
  Mm,
  preemptible,
  type Profile,
  reserveLazyBatches,
  type Steps,
} from '../src/index.ts';
import { type FakeCpu, fakeCpu } from './fake-cpu.ts';

const FIRST = 2000;
const ONE = Mm.at(3000);
const OTHER = Mm.at(3100);

interface Collector extends FakeCpu {
  readonly batch: LazyBatch;
  /** What each drain did: mm, kind, entries. */
  readonly drained: string[];
  readonly add: (mm: Mm, kind: number, entry: number) => void;
  readonly drain: (cpu: Cpu, batch: LazyBatch) => Steps<void>;
}

/** A CPU whose architecture collects up to `capacity` entries of one word. */
function collector(profile: Partial<Profile> = {}, preemption = true, capacity = 3): Collector {
  const fake = fakeCpu(profile);
  let next = FIRST;
  const arena: Arena = {
    reserve: (_name, fields) => (next += fields.length) - fields.length,
    initialise: () => undefined,
  };
  const [batch] = reserveLazyBatches(arena, 'batch', 1, ['va'], capacity);
  if (batch === undefined) throw new Error('one CPU has one batch');
  const drained: string[] = [];
  const drain = function* (cpu: Cpu, of: LazyBatch): Steps<void> {
    const entries = Array.from({ length: lazyBatchCount(cpu, of) }, (_, i) => lazyBatchEntry(cpu, of, i, 0));
    drained.push(`${cpu.read(of.mm)}/${cpu.read(of.kind)}: ${entries.join(' ')}`);
  };
  Object.assign(fake.cpu.kernel.backend, { lazyMmu: batchingLazyMmu(() => batch, drain, preemption) });
  const add = (mm: Mm, kind: number, entry: number): void =>
    finish(addToLazyBatch(fake.cpu, batch, mm, kind, [entry], drain));
  return { ...fake, batch, drained, add, drain };
}

test('a batch is drained when it is full', () => {
  const { cpu, batch, drained, add } = collector();
  for (const entry of [1, 2]) add(ONE, 0, entry);
  expect(drained).toEqual([]);
  expect(lazyBatchCount(cpu, batch)).toBe(2);
  add(ONE, 0, 3);
  expect(drained).toEqual(['3000/0: 1 2 3']);
  expect(lazyBatchCount(cpu, batch)).toBe(0);
});

test('an entry of another mm or kind drains what is there first', () => {
  const { drained, add } = collector();
  add(ONE, 0, 1);
  add(OTHER, 0, 2);
  add(OTHER, 1, 3);
  add(OTHER, 1, 4);
  expect(drained).toEqual(['3000/0: 1', '3100/0: 2']);
});

test('an empty batch is not drained, whoever had it before', () => {
  const { cpu, batch, drained, add, drain } = collector();
  add(ONE, 0, 1);
  finish(drainLazyBatch(cpu, batch, drain));
  finish(drainLazyBatch(cpu, batch, drain));
  add(OTHER, 0, 2);
  expect(drained).toEqual(['3000/0: 1']);
});

test('a section is a flag of the architecture up to 6.19', () => {
  const { cpu, batch, drained, add, broken } = collector({ lazyMmuNesting: 'none' });
  expect(collectsLazily(cpu, batch)).toBe(false);
  finish(archEnterLazyMmuMode(cpu));
  expect(collectsLazily(cpu, batch)).toBe(true);
  add(ONE, 0, 1);
  finish(archLeaveLazyMmuMode(cpu));
  expect(collectsLazily(cpu, batch)).toBe(false);
  expect(drained).toEqual(['3000/0: 1']);
  expect(broken).toEqual([]);
});

test('up to 6.19 a section in a section is a bug, and ends the outer one', () => {
  const { cpu, batch, broken } = collector({ lazyMmuNesting: 'none' });
  finish(archEnterLazyMmuMode(cpu));
  finish(archEnterLazyMmuMode(cpu));
  expect(broken).toEqual(['O16']);
  finish(archLeaveLazyMmuMode(cpu));
  expect(collectsLazily(cpu, batch)).toBe(false);
});

test('since the rework the end of an inner section does what was collected, and the mode stays on', () => {
  const { cpu, batch, drained, add, broken } = collector({ lazyMmuNesting: 'counts' }, false);
  finish(archEnterLazyMmuMode(cpu));
  add(ONE, 0, 1);
  finish(archEnterLazyMmuMode(cpu));
  add(ONE, 0, 2);
  finish(archLeaveLazyMmuMode(cpu));
  expect(drained).toEqual(['3000/0: 1 2']);
  expect(collectsLazily(cpu, batch)).toBe(true);
  claimLazyMmuLeft(cpu);
  expect(broken).toEqual([]);
  expect(preemptible(cpu)).toBe(false);
  finish(archLeaveLazyMmuMode(cpu));
  expect(collectsLazily(cpu, batch)).toBe(false);
  expect(preemptible(cpu)).toBe(true);
});

test('a count alone leaves the changes of an inner section undone (wrong)', () => {
  const { cpu, drained, add, broken } = collector({ lazyMmuNesting: 'refcount' });
  finish(archEnterLazyMmuMode(cpu));
  finish(archEnterLazyMmuMode(cpu));
  add(ONE, 0, 1);
  finish(archLeaveLazyMmuMode(cpu));
  expect(drained).toEqual([]);
  claimLazyMmuLeft(cpu);
  expect(broken).toEqual(['O16']);
});

test('while the mode is paused nothing is collected, and sections inside do not count', () => {
  const { cpu, batch, drained, add } = collector({ lazyMmuNesting: 'counts' }, false);
  finish(archEnterLazyMmuMode(cpu));
  add(ONE, 0, 1);
  finish(lazyMmuModePause(cpu));
  expect(drained).toEqual(['3000/0: 1']);
  expect(preemptible(cpu)).toBe(true);
  finish(lazyMmuModePause(cpu));
  finish(archEnterLazyMmuMode(cpu));
  expect(collectsLazily(cpu, batch)).toBe(false);
  finish(archLeaveLazyMmuMode(cpu));
  finish(lazyMmuModeResume(cpu));
  expect(collectsLazily(cpu, batch)).toBe(false);
  finish(lazyMmuModeResume(cpu));
  expect(collectsLazily(cpu, batch)).toBe(true);
  expect(preemptible(cpu)).toBe(false);
});

test('an interrupt pauses nothing', () => {
  const { cpu, batch, drained, add } = collector({ lazyMmuNesting: 'counts' }, false);
  finish(archEnterLazyMmuMode(cpu));
  add(ONE, 0, 1);
  irqEnter(cpu);
  finish(lazyMmuModePause(cpu));
  finish(lazyMmuModeResume(cpu));
  irqExit(cpu);
  expect(drained).toEqual([]);
  expect(collectsLazily(cpu, batch)).toBe(true);
});

test('while the outermost section does what was collected it is not open any more', () => {
  const { cpu } = collector({ lazyMmuNesting: 'counts' });
  const active: boolean[] = [];
  const leave = function* (): Steps<void> {
    active.push(isLazyMmuModeActive(cpu));
  };
  Object.assign(cpu.kernel.backend, { lazyMmu: { ...cpu.kernel.backend.lazyMmu, leave } });
  finish(archEnterLazyMmuMode(cpu));
  expect(isLazyMmuModeActive(cpu)).toBe(true);
  finish(archLeaveLazyMmuMode(cpu));
  expect(active).toEqual([false]);
});

test('an interrupt in a section is in none, once the task counts them', () => {
  for (const [lazyMmuNesting, collects] of [
    ['counts', false],
    ['none', true],
  ] as const) {
    const { cpu, batch } = collector({ lazyMmuNesting });
    finish(archEnterLazyMmuMode(cpu));
    irqEnter(cpu);
    expect(collectsLazily(cpu, batch)).toBe(collects);
    irqExit(cpu);
    expect(collectsLazily(cpu, batch)).toBe(true);
  }
});

test('a section that ends and never began is a bug', () => {
  const { cpu, broken } = collector();
  finish(archLeaveLazyMmuMode(cpu));
  expect(broken).toContain('O16');
});
