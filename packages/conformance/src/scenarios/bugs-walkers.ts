/**
 * Historical bugs of tables that somebody walks without a lock: GUP-fast, the miss handler of a TLB that software fills, another process that
 * shares the table, an IOMMU.
 *
 *     CPU 0 (gives the table up)          CPU 1 (walks, interrupts off)
 *                                         reads the upper entry: table
 *     clears the upper entry
 *     flushes                             is not touched by that, if flushes are broadcast
 *     frees the table, or hands it over
 *                                         reads the table
 */
import type { Body } from '@mmu-gather/checker';
import {
  type Address,
  type Cell,
  type Cpu,
  entryTarget,
  mkEntry,
  type Steps,
  tlbRemoveTableSyncOne,
} from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import {
  BARE,
  BARE_X86,
  clearEntry,
  everyCpu,
  makeFrame,
  makeSpace,
  pageAt,
  runs,
  shootdown,
  type Space,
  type What,
  Words,
  WRITABLE,
} from './bare-stage.ts';
import { BROADCAST, BROADCASTING } from './broadcast.ts';
import { retractBesideGup } from './gup-fast.ts';
import type { MappedStage } from './mapping-stage.ts';
import { emptyFileTable, RETRACT_LOCKED } from './tables.ts';

// ---- B36: GUP-fast ----

const b36 = defineScenario<MappedStage>({
  id: 'bug:B36/fixed',
  bug: 'B36',
  title: 'GUP-fast is in a table that khugepaged takes away, and the flush of that is a broadcast',
  source: '2ba99c5e0881 (2022)',
  cpus: 2,
  only: BROADCASTING,
  backend: BROADCAST,
  profile: { ...RETRACT_LOCKED, collapseSync: true },
  setup: emptyFileTable,
  threads: retractBesideGup,
  twins: [
    {
      id: 'bug:B36/buggy',
      why: 'the table is freed as soon as the flush returns: no CPU was interrupted, so nobody waited for the walker',
      oracle: 'O5',
      property: 'TUAF',
      profile: { collapseSync: false },
    },
  ],
});

/** Two processes that share a table of huge pages, and a page of the second one. */
interface Shared extends Space {
  readonly other: Address;
}

const shares = new Words('hugetlb', ['rmapLock', 'users', 'pinned']);

/** Who walks finds the upper entry, then the table's, as GUP-fast does without a lock. */
function* pinHuge(cpu: Cpu, { root, table }: Shared): Steps<void> {
  yield* cpu.localIrqDisable();
  if ((yield* cpu.readOnce(root)) !== 0) {
    const entry = yield* cpu.readOnce(table);
    // The entry is looked at again once its page is pinned; the upper one is not.
    if (entry !== 0 && (yield* cpu.readOnce(table)) === entry)
      yield* cpu.writeOnce(shares.at('pinned'), entryTarget(entry));
  }
  yield* cpu.localIrqEnable();
}

/** huge_pmd_unshare: the table goes on as the other process's own. @param interrupts every CPU before it does */
function* unshare(cpu: Cpu, { root }: Shared, interrupts: boolean): Steps<void> {
  yield* cpu.spinLock(shares.at('rmapLock'));
  yield* clearEntry(cpu, root);
  yield* shootdown(cpu);
  if (interrupts) yield* tlbRemoveTableSyncOne(cpu);
  yield* cpu.atomicAdd(shares.at('users'), -1);
  yield* cpu.spinUnlock(shares.at('rmapLock'));
}

/** The other process maps a page of its own as soon as the table is its own. */
function* mapOwn(cpu: Cpu, { table, other }: Shared): Steps<void> {
  yield* cpu.spinLock(shares.at('rmapLock'));
  if ((yield* cpu.readOnce(shares.at('users'))) === 1) yield* cpu.writeOnce(table, mkEntry(other, WRITABLE));
  yield* cpu.spinUnlock(shares.at('rmapLock'));
}

const unsharing =
  (interrupts: boolean) =>
  (env: Shared): Body[] => [
    thread((cpu) => unshare(cpu, env, interrupts)),
    thread((cpu) => pinHuge(cpu, env)),
    thread((cpu) => mapOwn(cpu, env)),
  ];

const b36Unshare = defineScenario<Shared>({
  id: 'bug:B36/unshare/fixed',
  bug: 'B36',
  abstract: true,
  title: 'GUP-fast is in a table of hugetlb that goes on as that of another process',
  source: 'CVE-2025-38085, 1013af4f585f (2025)',
  cpus: 3,
  only: BARE,
  reserve: shares.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    const other = run(0, (cpu) => makeFrame(cpu, 2));
    run(0, (cpu) => cpu.writeOnce(shares.at('users'), 2));
    return { ...space, other };
  },
  threads: unsharing(true),
  final: (peek, { other }) =>
    peek(shares.at('pinned')) === other ? 'GUP-fast has pinned a page of another process' : undefined,
  twins: [
    {
      id: 'bug:B36/unshare/buggy',
      why: 'the flush reaches all TLBs, and nobody waits for the walker',
      oracle: 'assert',
      property: 'TUAF',
      threads: unsharing(false),
    },
  ],
});

// ---- B35: a shared table of hugetlb ----

/** Two processes whose roots lead to one table. A thread of the first runs on CPU 2. */
interface TwoUsers extends Space {
  readonly otherRoot: Address;
}

/** Tags of the two processes. */
const [FIRST, SECOND] = [0, 1];

/** Unmaps the shared table of one process: only the last user frees what it maps. */
function* unmapShared(cpu: Cpu, env: TwoUsers, root: Cell, flushed: What, first: boolean): Steps<void> {
  yield* cpu.spinLock(shares.at('rmapLock'));
  yield* clearEntry(cpu, root);
  if (first) yield* shootdown(cpu, flushed);
  const last = (yield* cpu.atomicAddReturn(shares.at('users'), -1)) === 0;
  if (last) {
    for (const at of env.frames.keys()) yield* cpu.writeOnce(env.table + at, 0);
    yield* shootdown(cpu, flushed);
    for (const frame of env.frames) yield* cpu.free('page', frame);
  }
  yield* cpu.spinUnlock(shares.at('rmapLock'));
  if (!first) yield* shootdown(cpu, flushed);
  if (last) yield* cpu.free('table', env.table);
}

/** @param flushed of the first process @param first whether that flush comes before the lock is dropped */
const bothUnmap =
  (flushed: What, first: boolean) =>
  (env: TwoUsers): Body[] => [
    thread((cpu) => unmapShared(cpu, env, env.root, { tag: FIRST, ...flushed }, first)),
    thread((cpu) => unmapShared(cpu, env, env.otherRoot, { tag: SECOND }, true)),
  ];

const b35 = defineScenario<TwoUsers>({
  id: 'bug:B35/fixed',
  bug: 'B35',
  abstract: true,
  title: 'two processes unmap a table of hugetlb that they share, and a thread of the first uses its pages',
  source: 'CVE-2021-4002, a4a118f2eead (2021)',
  cpus: 3,
  only: BARE,
  reserve: shares.reserve,
  setup(run) {
    const space = makeSpace(run, [1, 2]);
    const otherRoot = run(0, function* (cpu): Steps<Address> {
      const root = yield* cpu.alloc('table');
      yield* cpu.writeOnce(root, mkEntry(space.table, WRITABLE));
      yield* cpu.writeOnce(shares.at('users'), 2);
      return root;
    });
    runs(run, 2, space, FIRST);
    return { ...space, otherRoot };
  },
  threads: bothUnmap({}, true),
  twins: [
    {
      id: 'bug:B35/buggy',
      why: 'the first one drops its reference and the lock, and flushes then: the second one has freed everything by that time',
      oracle: 'O1',
      property: 'FUAF',
      threads: bothUnmap({}, false),
    },
    {
      id: 'bug:B35/rung-asked-range',
      why: 'the flush comes in time, but for the page that was asked for only, and the table maps more (dff11abe280b)',
      oracle: 'O1',
      property: 'FUAF',
      threads: bothUnmap({ leaves: pageAt(0) }, true),
    },
  ],
});

// ---- B46: a TLB that is filled by software ----

/** A miss: reads the directory, then the table, and installs what it finds there. */
function* refill(cpu: Cpu, { root, table }: Space): Steps<void> {
  yield* cpu.localIrqDisable();
  if ((yield* cpu.readOnce(root)) !== 0) yield* cpu.readOnce(table);
  yield* cpu.localIrqEnable();
}

/** @param interrupts every CPU between unlinking the table and freeing it */
const teardown =
  (interrupts: boolean) =>
  (env: Space): Body[] => [
    thread(function* (cpu) {
      yield* clearEntry(cpu, env.root);
      if (interrupts) yield* tlbRemoveTableSyncOne(cpu);
      yield* cpu.free('table', env.table);
    }),
    thread((cpu) => refill(cpu, env)),
  ];

const b46 = defineScenario<Space>({
  id: 'bug:B46/fixed',
  bug: 'B46',
  abstract: true,
  title: 'a TLB miss handler reads a directory and then a table, which is torn down meanwhile',
  source: 'FreeBSD r360280 (2020)',
  cpus: 2,
  only: BARE,
  setup: (run) => makeSpace(run, [1]),
  threads: teardown(true),
  twins: [
    {
      id: 'bug:B46/buggy',
      why: 'the table is freed as soon as it is unlinked',
      oracle: 'O5',
      property: 'TUAF',
      threads: teardown(false),
    },
  ],
});

// ---- B56: an IOMMU that walks the CPU's tables ----

/** CPU 1 is the IOMMU: it has the tables loaded and walks them by speculation. */
const IOMMU = 1 << 1;

/** Frees a table of the kernel. @param told which agents are flushed before */
const vfree =
  (told: (cpu: Cpu) => number) =>
  (env: Space): Body[] => [
    thread(function* (cpu) {
      yield* clearEntry(cpu, env.root);
      yield* shootdown(cpu, { cpus: told(cpu) });
      yield* cpu.free('table', env.table);
    }),
    // A request of the device, which is translated in the middle of that.
    thread((cpu) => cpu.userRead(0)),
  ];

const b56 = defineScenario<Space>({
  id: 'bug:B56/fixed',
  bug: 'B56',
  abstract: true,
  title: 'a table of the kernel is freed that an IOMMU has cached the way to',
  source: 'CVE-2025-71202 (2025)',
  cpus: 2,
  only: BARE_X86,
  setup(run) {
    const space = makeSpace(run, [1]);
    run(1, (cpu) => cpu.loadContext(space.root, FIRST, false));
    return space;
  },
  threads: vfree(everyCpu),
  twins: [
    {
      id: 'bug:B56/buggy',
      why: 'the CPUs are flushed, and nobody tells the IOMMU, which walks the table when it is free',
      oracle: 'O4',
      property: 'TUAF',
      threads: vfree((cpu) => everyCpu(cpu) & ~IOMMU),
    },
  ],
});

/** All of them. */
export const BUGS_OF_WALKERS: readonly AnyScenario[] = [b35, b36, b36Unshare, b46, b56];
