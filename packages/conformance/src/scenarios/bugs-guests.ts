/**
 * Historical bugs of hypervisors: a virtual CPU is a CPU in user mode, its second-stage or shadow table the one that is loaded.
 */
import type { Body } from '@mmu-gather/checker';
import {
  type Address,
  type Cpu,
  entryClear,
  mkEntry,
  pteWrite,
  PRESENT,
  RW,
  type Steps,
} from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import {
  BARE_X86,
  clearEntry,
  makeFrame,
  makeSpace,
  pageAt,
  runs,
  shootdown,
  type Space,
  Words,
  WRITABLE,
} from './bare-stage.ts';

const kvm = new Words('kvm', ['mmuLock']);

/** Under mmu_lock. */
function* locked<T>(cpu: Cpu, body: () => Steps<T>): Steps<T> {
  yield* cpu.spinLock(kvm.at('mmuLock'));
  const result = yield* body();
  yield* cpu.spinUnlock(kvm.at('mmuLock'));
  return result;
}

// ---- B39: two roots and a lock that is yielded ----

/** Two roots that map the same guest pages; the virtual CPU on CPU 2 uses the first. */
interface TwoRoots {
  readonly one: Space;
  readonly other: Space;
}

/** Zaps two guest pages under both roots. The lock is yielded when it comes to the second. @param carries the owed flush over to it, and does it before */
function* zapRange(cpu: Cpu, { one, other }: TwoRoots, carries: boolean): Steps<void> {
  let flush = false;
  yield* cpu.spinLock(kvm.at('mmuLock'));
  for (const { table } of [one, other]) {
    if (!carries) flush = false;
    if (table === other.table) {
      if (flush) yield* shootdown(cpu);
      flush = false;
      yield* cpu.spinUnlock(kvm.at('mmuLock'));
      yield* cpu.spinLock(kvm.at('mmuLock'));
    }
    for (const page of [0, 1]) if ((yield* clearEntry(cpu, table + page)) !== 0) flush = true;
  }
  if (flush) yield* shootdown(cpu);
  yield* cpu.spinUnlock(kvm.at('mmuLock'));
}

/** The host takes guest page 0 away: it flushes what it finds mapped, and frees the page. */
function* hostTakes(cpu: Cpu, { one, other }: TwoRoots): Steps<void> {
  yield* locked(cpu, function* () {
    let flush = false;
    for (const { table } of [one, other]) if ((yield* clearEntry(cpu, table)) !== 0) flush = true;
    if (flush) yield* shootdown(cpu);
  });
  yield* cpu.free('page', one.frames[0]!);
}

const zapping =
  (carries: boolean) =>
  (env: TwoRoots): Body[] => [thread((cpu) => zapRange(cpu, env, carries)), thread((cpu) => hostTakes(cpu, env))];

const b39 = defineScenario<TwoRoots>({
  id: 'bug:B39/fixed',
  bug: 'B39',
  abstract: true,
  title:
    'guest pages are zapped under two roots, with the lock yielded in between, while the host takes one of them away',
  source: 'a835429cda91 (2021)',
  cpus: 3,
  only: BARE_X86,
  reserve: kvm.reserve,
  setup(run) {
    const one = makeSpace(run, [1]);
    // Under the other root the page is not mapped; the next one is.
    const other = makeSpace(run, [2]);
    run(0, function* (cpu): Steps<void> {
      yield* cpu.writeOnce(other.table + 1, mkEntry(other.frames[0]!, WRITABLE));
      yield* cpu.writeOnce(other.table, 0);
    });
    runs(run, 2, one, 0);
    return { one, other };
  },
  threads: zapping(true),
  twins: [
    {
      id: 'bug:B39/buggy',
      why: 'the flag starts anew with the second root, so the lock is yielded without the flush',
      oracle: 'O1',
      property: 'FUAF',
      threads: zapping(false),
    },
  ],
});

// ---- B40: dirty logging ----

/** Aging: the entry becomes not present, which tolerates stale ones, so nothing is flushed. */
function* age(cpu: Cpu, { table }: Space): Steps<void> {
  yield* locked(cpu, function* () {
    const entry = yield* cpu.readOnce(table);
    yield* cpu.writeOnce(table, entryClear(entry, PRESENT | RW));
  });
}

/** Logging begins: no write gets through any more without a fault, which will log it. @param always flushes whether it changed anything or not */
function* startLog(cpu: Cpu, { root, table }: Space, always: boolean): Steps<void> {
  yield* locked(cpu, function* () {
    const entry = yield* cpu.readOnce(table);
    const changes = pteWrite(entry);
    if (changes) yield* cpu.writeOnce(table, entryClear(entry, RW));
    if (changes || always) yield* shootdown(cpu);
    cpu.claim.limit(root, pageAt(0), 'read');
  });
}

const logging =
  (always: boolean) =>
  (env: Space): Body[] => [
    thread((cpu) => age(cpu, env)),
    thread((cpu) => startLog(cpu, env, always)),
    // The guest exits in the end; until then it writes through whatever it holds.
    thread((cpu) => cpu.enterKernel()),
  ];

const b40 = defineScenario<Space>({
  id: 'bug:B40/fixed',
  bug: 'B40',
  abstract: true,
  title: 'dirty logging begins beside an aging of the same entry, and a virtual CPU writes',
  source: 'b64d740ea7dd (2022)',
  cpus: 3,
  only: BARE_X86,
  reserve: kvm.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    runs(run, 2, space, 0);
    return space;
  },
  threads: logging(true),
  twins: [
    {
      id: 'bug:B40/buggy',
      why: 'aging has made the entry look read-only: logging changes nothing, and flushes nothing',
      oracle: 'O2',
      property: 'WPX',
      threads: logging(false),
    },
  ],
});

// ---- B69: shadow page tables ----

/** The guest's own table and upper entry are words of its memory; what the CPU walks is their shadow. */
const guest = new Words('guest', ['table[0]', 'root[0]']);

/** The shadow of the guest's table is linked nowhere yet. */
interface Shadowed extends Space {
  /** The page that the guest maps last. */
  readonly newPage: Address;
}

const [OLD_DATA, NEW_DATA] = [1, 2];

/** A shadow fault: the shadow of the table that the guest has linked is linked, too. @param syncs brings it up to date before */
function* shadowFault(cpu: Cpu, { root, table }: Shadowed, syncs: boolean): Steps<void> {
  yield* locked(cpu, function* () {
    if ((yield* cpu.loadAcquire(guest.at('root[0]'))) === 0) return;
    if (syncs) yield* cpu.writeOnce(table, mkEntry(yield* cpu.readOnce(guest.at('table[0]')), WRITABLE));
    yield* cpu.writeOnce(root, mkEntry(table, WRITABLE));
  });
}

/** A virtual CPU whose guest reads its page 0, which is linked by now: it must find what the guest's tables say. */
function* guestReads(cpu: Cpu, env: Shadowed, syncs: boolean): Steps<void> {
  yield* cpu.enterKernel();
  yield* shadowFault(cpu, env, syncs);
  yield* cpu.enterUser();
  const read = yield* cpu.userRead(0);
  if (read === OLD_DATA) throw new Error('the guest has linked its table with a new page in it, and reads the old one');
}

const linking =
  (syncs: boolean) =>
  (env: Shadowed): Body[] => [
    thread(function* (cpu) {
      // The table is reachable from nowhere, then it is linked: by the rules of the guest's hardware no flush is owed.
      yield* cpu.writeOnce(guest.at('table[0]'), env.newPage);
      yield* cpu.storeRelease(guest.at('root[0]'), 1);
      yield* guestReads(cpu, env, syncs);
    }),
    thread(function* (cpu) {
      yield* cpu.waitFor(guest.at('root[0]'), 'equal', 1);
      yield* guestReads(cpu, env, syncs);
    }),
  ];

const b69 = defineScenario<Shadowed>({
  id: 'bug:B69/fixed',
  bug: 'B69',
  abstract: true,
  title: 'a guest changes a table that is not linked and links it then, and two virtual CPUs use it',
  source: '65855ed8b034 (2021)',
  cpus: 2,
  only: BARE_X86,
  reserve(layout) {
    kvm.reserve(layout);
    guest.reserve(layout);
  },
  setup(run) {
    const space = makeSpace(run, [OLD_DATA]);
    const newPage = run(0, (cpu) => makeFrame(cpu, NEW_DATA));
    run(0, (cpu) => cpu.writeOnce(space.root, 0));
    for (const n of [0, 1]) runs(run, n, space, 0);
    return { ...space, newPage };
  },
  threads: linking(true),
  twins: [
    {
      id: 'bug:B69/buggy',
      why: 'the shadow is linked as it is, with the entry that the guest had before',
      oracle: 'assert',
      property: 'SAC',
      threads: linking(false),
    },
  ],
});

// ---- B73: the type of a page ----

/** A page is writable for guests or a page table, never both: its type, and how many writable mappings there are. */
const info = new Words('page_info', ['type', 'writers']);
const [ANY, TABLE] = [0, 1];

/** In which order a page becomes a page table: the type first, the flush first (as it was), or the type first and the flush by its new value. */
type Promotion = 'type-first' | 'flush-first' | 'late-condition';

/** Makes the page a page table, unless it is mapped writable: what is validated must not change any more. */
function* promote(cpu: Cpu, { frames }: Space, order: Promotion): Steps<void> {
  if (order === 'flush-first') yield* shootdown(cpu);
  const promoted = yield* locked(cpu, function* () {
    if ((yield* cpu.readOnce(info.at('writers'))) !== 0) return false;
    yield* cpu.writeOnce(info.at('type'), TABLE);
    return true;
  });
  if (!promoted) return;
  const late = order === 'late-condition' && (yield* cpu.readOnce(info.at('type'))) !== ANY;
  if (order !== 'flush-first' && !late) yield* shootdown(cpu);
  cpu.claim.stable(frames[0]!, true);
}

/** A guest maps the page writable for a moment, if it may, and unmaps it without a flush: its next use is what flushes. */
function* mapsForAMoment(cpu: Cpu, { table, frames }: Space): Steps<void> {
  yield* cpu.enterKernel();
  const mapped = yield* locked(cpu, function* () {
    if ((yield* cpu.readOnce(info.at('type'))) !== ANY) return false;
    yield* cpu.writeOnce(info.at('writers'), 1);
    yield* cpu.writeOnce(table, mkEntry(frames[0]!, WRITABLE));
    return true;
  });
  if (mapped) {
    yield* clearEntry(cpu, table);
    yield* locked(cpu, () => cpu.writeOnce(info.at('writers'), 0));
  }
  yield* cpu.enterUser();
  // In the end it is left; until then it writes through whatever it holds.
  yield* cpu.enterKernel();
}

const promoting =
  (order: Promotion) =>
  (env: Space): Body[] => [thread((cpu) => promote(cpu, env, order)), thread((cpu) => mapsForAMoment(cpu, env))];

const b73 = defineScenario<Space>({
  id: 'bug:B73/fixed',
  bug: 'B73',
  abstract: true,
  title: 'a page becomes a page table of a guest, which maps it writable for a moment meanwhile',
  source: 'CVE-2022-26362, CVE-2022-33745 (2022)',
  cpus: 2,
  only: BARE_X86,
  reserve(layout) {
    kvm.reserve(layout);
    info.reserve(layout);
  },
  setup(run) {
    const space = makeSpace(run, [1]);
    run(0, (cpu) => cpu.writeOnce(space.table, 0));
    runs(run, 1, space, 0);
    return space;
  },
  threads: promoting('type-first'),
  twins: [
    {
      id: 'bug:B73/buggy',
      why: 'the flush comes before the type is set: what the guest caches in between stays',
      oracle: 'O13',
      property: 'WPX',
      threads: promoting('flush-first'),
    },
    {
      id: 'bug:B73/rung-late-condition',
      why: 'the type comes first, and whether to flush is asked of the new value, which says no (XSA-408)',
      oracle: 'O13',
      property: 'WPX',
      threads: promoting('late-condition'),
    },
  ],
});

// ---- B82: stamps instead of flushes ----

const stamps = new Words('xen', ['clock', 'lastFlush', 'stamp', 'unused']);

/** The last reference to the page goes. @param early the clock is read before, which is too early */
function* dropLast(cpu: Cpu, { table }: Space, early: boolean): Steps<void> {
  yield* cpu.enterKernel();
  const before = early ? yield* cpu.readOnce(stamps.at('clock')) : 0;
  // A full barrier: the clock is read after the entry is gone.
  yield* clearEntry(cpu, table);
  const now = early ? before : yield* cpu.readOnce(stamps.at('clock'));
  yield* cpu.writeOnce(stamps.at('stamp'), now);
  yield* cpu.storeRelease(stamps.at('unused'), 1);
  yield* cpu.enterUser();
}

/** Everything of CPU 1 is flushed, for whatever reason: the clock ticks before, and the CPU notes it after. */
function* tickAndFlush(cpu: Cpu): Steps<void> {
  const tick = yield* cpu.atomicAddReturn(stamps.at('clock'), 1);
  yield* shootdown(cpu, { cpus: 1 << 1 });
  yield* cpu.writeOnce(stamps.at('lastFlush'), tick);
}

/** The page is given to somebody else: a CPU that was flushed since its last use is not flushed again. */
function* reallocate(cpu: Cpu, { frames }: Space): Steps<void> {
  yield* cpu.waitFor(stamps.at('unused'), 'equal', 1);
  const last = yield* cpu.readOnce(stamps.at('lastFlush'));
  if (last <= (yield* cpu.readOnce(stamps.at('stamp')))) yield* tickAndFlush(cpu);
  yield* cpu.free('page', frames[0]!);
}

const dropping =
  (early: boolean) =>
  (env: Space): Body[] => [
    thread(function* (cpu) {
      yield* tickAndFlush(cpu);
      yield* reallocate(cpu, env);
    }),
    thread((cpu) => dropLast(cpu, env, early)),
  ];

const b82 = defineScenario<Space>({
  id: 'bug:B82/fixed',
  bug: 'B82',
  abstract: true,
  title: 'a page is given to another guest without a flush, if its last user was flushed after its last use',
  source: 'CVE-2017-15588, XSA-241 (2017)',
  cpus: 2,
  only: BARE_X86,
  reserve: stamps.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    runs(run, 1, space, 0);
    return space;
  },
  threads: dropping(false),
  twins: [
    {
      id: 'bug:B82/buggy',
      why: 'the clock is read first: a flush comes in between, and the page is cached again before its entry goes',
      oracle: 'O1',
      property: 'FUAF',
      threads: dropping(true),
    },
  ],
});

/** All of them. */
export const BUGS_OF_GUESTS: readonly AnyScenario[] = [b39, b40, b69, b73, b82];
