// What the designs from the threads cost and save, counted on fixed schedules.
import { measure, type Costs } from '@mmu-gather/checker';
import {
  type Cpu,
  deferralOf,
  type Geometry,
  type Profile,
  type PteAt,
  type Steps,
  tlbEndPtes,
  tlbFinishMmu,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbStartPtes,
  VM_READ,
  pteWrprotect,
} from '@mmu-gather/core/stepped';
import { dupMm, madviseDontneed, mprotect, ptepGet, userStore, vmaLookup } from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { ARCHITECTURES, cells, defineScenario, machineOf, type Scenario, thread } from '../src/index.ts';
import { scheduled, type Schedule } from '../src/schedule.ts';
import { keptPages, type Mapping, mappingOf, PAGE, setStage, type Stage, syscall } from '../src/scenarios/stage.ts';

/** Eight pages in four tables. */
const FOUR_TABLES: Geometry = { pageShift: 12, bits: [1, 2] };

const LINUX: Partial<Profile> = { changeProtection: 'gather', deferral: 'counter', wpFaultPending: 'all' };
const TABLE_GEN: Partial<Profile> = { ...LINUX, deferral: 'table-gen' };
const QUEUE: Partial<Profile> = { ...LINUX, deferral: 'queue' };
const RING: Partial<Profile> = { ...LINUX, deferral: 'ring', ringSlots: 8 };

type Parts<E> = Pick<Scenario<E>, 'setup' | 'threads'> &
  Partial<Pick<Scenario<E>, 'geometry' | 'reserve' | 'pools' | 'holds'>>;

/** What one fixed execution costs on x86, Linux 6.18 but for the switches. */
function costs<E>(parts: Parts<E>, profile: Partial<Profile>, schedule: Schedule = 'sequential'): Costs {
  const scenario = defineScenario<E>({
    id: 'counted',
    title: 'counted',
    cpus: 2,
    twins: [],
    profile,
    backend: { x86: { completedGen: 'after-flush' } },
    ...parts,
  });
  const [cell] = cells([scenario], ARCHITECTURES, { profiles: ['linux-6.18'] });
  const machine = machineOf(cell!);
  const path = scheduled(machine, schedule);
  const start = machine.mark();
  for (const [actor, choice] of path) machine.perform(actor, choice);
  expect(machine.violation ?? machine.checkEnd()).toBeUndefined();
  machine.undo(start);
  return measure(machine, path);
}

/** Full flushes, pages invalidated one by one, and leaves that were dropped; the last two over all CPUs. */
function flushed({ full, range, removed }: Costs): { full: number; range: number; removed: number } {
  return { full, range, removed };
}

test('the ring keeps a flush ranged that generations for each table make full', () => {
  const threeOfFourTables: Parts<Stage> = {
    geometry: FOUR_TABLES,
    pools: { page: 10, table: 8 },
    setup: (run) => setStage(run, { pages: 8 }),
    threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, 6 * PAGE, VM_READ))],
  };
  // One generation for the gather: two CPUs invalidate six pages each.
  expect(flushed(costs(threeOfFourTables, LINUX))).toEqual({ full: 0, range: 12, removed: 12 });
  // One for each table: three steps at once are a gap, and the two pages besides go, too.
  expect(flushed(costs(threeOfFourTables, TABLE_GEN))).toEqual({ full: 2, range: 0, removed: 16 });
  expect(flushed(costs(threeOfFourTables, QUEUE))).toEqual({ full: 2, range: 0, removed: 16 });
  expect(flushed(costs(threeOfFourTables, RING))).toEqual({ full: 0, range: 12, removed: 12 });
  // Three entries do not fit into two slots.
  expect(flushed(costs(threeOfFourTables, { ...RING, ringSlots: 2 }))).toEqual({ full: 2, range: 0, removed: 16 });
});

/** Two threads zap at the same time: the same page, or pages that are far apart. */
function zapTwo(first: number, second: number): Parts<Stage> {
  return {
    setup: (run) => setStage(run, { pages: 4 }),
    threads: ({ mm }) => [
      thread((cpu) => madviseDontneed(cpu, mm, first * PAGE, PAGE)),
      thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, second * PAGE, PAGE))),
    ],
  };
}

test('what a nested finish costs: everything, a wait, or the range that others touched', () => {
  const same = zapTwo(0, 0);
  expect(flushed(costs(same, LINUX, 'fair'))).toEqual({ full: 4, range: 0, removed: 14 });
  expect(flushed(costs(same, { ...LINUX, nestedFinish: 'level-counters' }, 'fair'))).toMatchObject({ full: 2 });
  const waits = costs(same, { ...LINUX, finishSync: 'epoch' }, 'fair');
  expect(flushed(waits)).toEqual({ full: 0, range: 2, removed: 2 });
  expect(waits).toMatchObject({ flushes: 1, ipis: 1, redundant: 0 });
  const overlapping = costs(same, { ...RING, nestedFinish: 'overlapping' }, 'fair');
  expect(flushed(overlapping)).toEqual({ full: 0, range: 2, removed: 2 });
});

test('where it loses: a fold of two far ranges takes in what lies between', () => {
  const apart = zapTwo(0, 3);
  expect(flushed(costs(apart, LINUX, 'fair'))).toMatchObject({ full: 2 });
  // Two pages of four were zapped; each CPU invalidates four.
  const folded = costs(apart, { ...RING, nestedFinish: 'overlapping' }, 'fair');
  expect(flushed(folded)).toEqual({ full: 0, range: 8, removed: 8 });
  expect(folded.redundant).toBe(1);
});

interface Faults extends Stage {
  readonly at: number;
  readonly places: readonly Mapping[];
}

/** Four pages that may be written, each in a place that is known. */
function setFaults(run: Parameters<typeof setStage>[0]): Faults {
  const stage = setStage(run, { pages: 4 });
  return { ...stage, places: [0, 1, 2, 3].map((page) => mappingOf(run, stage.mm, page * PAGE)) };
}

/** A gather that protects pages one by one, and a fault on each as soon as its lock is free, which settles what is pending. */
function* protectAndFault(cpu: Cpu, { mm, places }: Faults, faults: boolean): Steps<void> {
  const tlb = yield* tlbGatherMmu(cpu, mm);
  for (const [page, { table, pte, ptl }] of places.entries()) {
    const address = page * PAGE;
    const at: PteAt = { mm, vma: vmaLookup(cpu, mm, address)!, table, pte, address };
    yield* cpu.spinLock(ptl);
    yield* tlbStartPtes(cpu, tlb);
    const entry = yield* ptepGet(cpu, pte);
    yield* cpu.cmpxchg(pte, entry, pteWrprotect(entry));
    tlbFlushLevelRange(tlb, address, PAGE, 0);
    yield* tlbEndPtes(cpu, tlb, table);
    if (faults) yield* deferralOf(cpu).settle(cpu, at);
    yield* cpu.spinUnlock(ptl);
  }
  yield* tlbFinishMmu(cpu, tlb, 0, places.length * PAGE);
}

test('a fault in lockstep with a mutator makes one flush of each operation', () => {
  const parts = (faults: boolean): Parts<Faults> => ({
    setup: setFaults,
    threads: (env) => [thread((cpu) => protectAndFault(cpu, env, faults))],
  });
  for (const [profile, extra] of [
    [LINUX, 1],
    [QUEUE, 0],
    [RING, 0],
  ] as const) {
    expect(costs(parts(false), profile).flushes).toBe(1);
    // Four faults, four flushes. With generations the gather then finds its own done.
    expect(costs(parts(true), profile).flushes).toBe(4 + extra);
  }
});

interface Storm extends Stage {
  readonly place: Mapping;
}

let done = 0;

/** A gather over page 0 stays open for as long as another thread breaks copy-on-write of the other three pages. */
const STORM: Parts<Storm> = {
  reserve(layout) {
    done = layout.reserve('done', ['']);
  },
  setup(run) {
    const stage = setStage(run, { pages: 4, inKernel: [1] });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return { ...stage, place: mappingOf(run, stage.mm, 0) };
  },
  holds: ({ place }) => keptPages([place.page]),
  threads: ({ mm, place }) => [
    thread(function* (cpu) {
      const tlb = yield* tlbGatherMmu(cpu, mm);
      yield* cpu.spinLock(place.ptl);
      yield* tlbStartPtes(cpu, tlb);
      yield* cpu.xchg(place.pte, 0);
      tlbFlushLevelRange(tlb, 0, PAGE, 0);
      yield* tlbEndPtes(cpu, tlb, place.table);
      yield* cpu.spinUnlock(place.ptl);
      yield* cpu.waitFor(done, 'equal', 1);
      yield* tlbFinishMmu(cpu, tlb, 0, PAGE);
    }),
    thread(function* (cpu) {
      for (const page of [1, 2, 3]) yield* userStore(cpu, mm, page * PAGE, 7);
      yield* cpu.storeRelease(done, 1);
    }),
  ],
};

test('a check of pending flushes in every write fault: a storm with one counter for all, and none with ranges', () => {
  const uffd = (profile: Partial<Profile>): number => costs(STORM, { ...profile, wpFaultPending: 'uffd' }).flushes;
  // Three copies flush their old entries, and the gather flushes.
  expect(uffd(LINUX)).toBe(4);
  expect(costs(STORM, LINUX).flushes).toBe(7);
  for (const profile of [QUEUE, RING]) expect(costs(STORM, profile).flushes).toBe(uffd(profile));
});
