/**
 * mremap: pages change their address while others use them, look for them, or fault.
 */
import type { Body } from '@mmu-gather/checker';
import {
  filemapRemove,
  lockPage,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  retractPageTables,
  unmapMappingRange,
  userStore,
  writebackPage,
  unlockPage,
} from '@mmu-gather/mm/stepped';
import { type Cpu, type Mm, type Profile, putPage, type Steps } from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type MappedStage, setMappedStage, setPfnmapStage } from './mapping-stage.ts';
import { RETRACTED } from './outcomes.ts';
import { PAGE, setStage, type Stage, syscall } from './stage.ts';
import { emptyFileTable } from './tables.ts';

/** Moves pages from address 0 to page 2, which another table maps, or elsewhere. */
function move(cpu: Cpu, mm: Mm, pages: number, to = 2 * PAGE): Steps<number> {
  return mremap(cpu, mm, 0, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

/** One flush for each table, whatever the profile does. */
const RANGE: Partial<Profile> = { movePtes: 'range' };

/** One gather for the whole move, in a kernel that records deferrals nowhere else. */
const GATHER: Partial<Profile> = { movePtes: 'gather', deferral: 'counter', ringSlots: 0, nestedFinish: 'whole-mm' };

/** A file lets go of its page, in a system call of a thread of the mm: unmapped everywhere, then dropped. */
function dropping({ mapping, pages }: MappedStage): Body {
  return thread((cpu) =>
    syscall(cpu, function* () {
      yield* lockPage(cpu, pages[0]!);
      yield* unmapMappingRange(cpu, mapping, 0, 1, true);
      yield* filemapRemove(cpu, mapping, 0, pages[0]!);
      yield* unlockPage(cpu, pages[0]!);
      yield* putPage(cpu, pages[0]!);
      return 0;
    }),
  );
}

/** The owner of a frame takes it back. */
function revoking({ mapping, pages }: MappedStage): Body {
  return thread((cpu) =>
    syscall(cpu, function* () {
      yield* unmapMappingRange(cpu, mapping, 0, 1, true);
      yield* cpu.free('page', pages[0]!);
      return 0;
    }),
  );
}

/** Within one table: that keeps it small. T14/cleaned moves to another one. */
const t14 = defineScenario<MappedStage>({
  id: 'T14/fixed',
  title: 'mremap moves a page of a file that is unmapped and freed through its new address',
  source: 'eb66ae030829 (2018): properly flush TLB before releasing the page',
  cpus: 2,
  setup: (run) => setMappedStage(run),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 1, PAGE)), dropping(env)],
  twins: [
    {
      id: 'T14/naive',
      why: 'the old address is flushed after the locks were dropped, when the page may be freed through the new one',
      oracle: ['O1', 'O7'],
      property: 'FUAF',
      profile: { movePtes: 'after-unlock' },
    },
  ],
});

const b04 = defineScenario<MappedStage>({
  id: 'bug:B04/fixed',
  bug: 'B04',
  title: 'mremap moves a clean page of a file that is unmapped and freed through its new address',
  source: 'CVE-2018-18281, eb66ae030829 (2018)',
  cpus: 2,
  setup: (run) => setMappedStage(run, { loaded: [0], stored: [] }),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 1, PAGE)), dropping(env)],
  twins: [
    {
      id: 'bug:B04/buggy',
      why: 'the old address is flushed after the locks were dropped, when the page may be freed through the new one',
      oracle: ['O1', 'O7'],
      property: 'FUAF',
      profile: { movePtes: 'after-unlock' },
    },
    {
      id: 'bug:B04/rung-dirty-seen',
      why: 'only who sees a dirty entry flushes before: a clean page may be freed all the same',
      oracle: ['O1', 'O7'],
      property: 'FUAF',
      profile: { movePtes: 'dirty-seen' },
    },
    {
      id: 'bug:B04/rung-dirty',
      why: 'only who has taken a dirty entry away flushes before: a clean page may be freed all the same',
      oracle: ['O1', 'O7'],
      property: 'FUAF',
      profile: { movePtes: 'dirty' },
    },
  ],
});

const t14Gather = defineScenario<MappedStage>({
  id: 'T14/gather',
  title: 'the same with one gather for the whole move: the lock of the reverse map is held until it is flushed',
  source: 'RFC 2021, cover letter: move_ptes as a further step',
  cpus: 2,
  profile: { movePtes: 'gather' },
  setup: (run) => setMappedStage(run),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 1, PAGE)), dropping(env)],
  twins: [
    {
      id: 'T14/gather/no-ipi-wait',
      why: 'the initiator does not wait until its flush took effect everywhere',
      // A second flush may write the request of the first while it is read.
      oracle: ['O1', 'O7', 'O9', 'O10', 'O11', 'race'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

/** The page is written out, in a system call of a thread of the mm. */
function cleaning({ mapping }: MappedStage): Body {
  return thread((cpu) => syscall(cpu, () => writebackPage(cpu, mapping, 0)));
}

const t14Clean = defineScenario<MappedStage>({
  id: 'T14/cleaned',
  title: 'mremap moves a dirty page of a file that is written out, while a thread may write through the old address',
  source: 'mm/mremap.c: the comment on move_ptes',
  cpus: 2,
  setup: (run) => setMappedStage(run),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 1)), cleaning(env)],
  twins: [
    {
      id: 'T14/cleaned/after-unlock',
      why: 'the entry is cleaned and flushed at its new address, and the old one is still cached dirty',
      oracle: ['O3', 'O7'],
      property: 'LOSTW',
      profile: { movePtes: 'after-unlock' },
    },
  ],
});

/**
 * Zaps at the new place are safe even so: their gather finds that of the move open, and flushes everything. A cleaner has no
 * gather: only the lock keeps it away. (Where deferrals take a generation when they are made, x86 is safe without the lock, too:
 * the cleaner's flush of one page skips a generation, and becomes a full one.)
 */
const t14GatherClean = defineScenario<MappedStage>({
  id: 'T14/gather-cleaned',
  title: 'the same with one gather for the whole move',
  source: 'RFC 2021, cover letter: move_ptes as a further step',
  cpus: 2,
  profile: GATHER,
  setup: (run) => setMappedStage(run),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 1)), cleaning(env)],
  twins: [
    {
      id: 'T14/gather-unlocked',
      why: 'nothing keeps a cleaner from the new place before the gather is flushed',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { movePtes: 'gather-unlocked' },
    },
  ],
});

const alone = defineScenario<Stage>({
  id: 'mremap/running-thread',
  title: 'mremap moves a page that a running thread uses',
  source: 'mm/mremap.c move_ptes',
  cpus: 2,
  setup: (run) => setStage(run, { pages: 1 }),
  threads: ({ mm }) => [thread((cpu) => move(cpu, mm, 1))],
  twins: [
    {
      id: 'mremap/running-thread/after-unlock',
      why: 'the old address is flushed after the locks were dropped',
      oracle: 'O7',
      property: 'SAC',
      profile: { movePtes: 'after-unlock' },
    },
    {
      id: 'mremap/running-thread/no-flush',
      why: 'the old address is not flushed at all',
      oracle: 'O7',
      property: 'SAC',
      profile: { movePtes: 'none' },
    },
  ],
});

const aloneGather = defineScenario<Stage>({
  id: 'mremap/gather',
  title: 'mremap moves pages of two tables, with one flush for both',
  source: 'RFC 2021, cover letter: move_ptes as a further step',
  cpus: 2,
  geometry: { pageShift: 12, bits: [1, 2] },
  profile: { movePtes: 'gather', movePmd: 'entries' },
  setup: (run) => setStage(run, { pages: 3, touched: [1, 2] }),
  threads: ({ mm }) => [
    thread((cpu) => mremap(cpu, mm, 0, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 4 * PAGE)),
  ],
  twins: [
    {
      id: 'mremap/gather/no-ipi-wait',
      why: 'the initiator does not wait until its flush took effect everywhere',
      oracle: ['O7', 'O9', 'O11'],
      property: 'SAC',
      wrong: 'no-wait',
    },
  ],
});

const table = defineScenario<Stage>({
  id: 'mremap/table',
  title: 'mremap moves a whole page table that a running thread may have cached the path to',
  source: 'mm/mremap.c move_normal_pmd',
  cpus: 2,
  profile: RANGE,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => move(cpu, mm, 2))],
  twins: [
    {
      id: 'mremap/table/no-flush',
      why: 'neither the pages nor the cached path to their table are flushed',
      oracle: 'O7',
      property: 'SAC',
      profile: { movePmd: 'no-flush' },
    },
  ],
});

const tableGather = defineScenario<Stage>({
  id: 'mremap/gather-table',
  title: 'the same with one gather for the whole move: it flushes the path to the table, too',
  source: 'RFC 2021, cover letter: move_ptes as a further step',
  cpus: 2,
  profile: { movePtes: 'gather' },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => move(cpu, mm, 2))],
  twins: [
    {
      id: 'mremap/gather-table/no-ipi-wait',
      why: 'the initiator does not wait until its flush took effect everywhere',
      oracle: ['O7', 'O9', 'O11'],
      property: 'SAC',
      wrong: 'no-wait',
    },
  ],
});

const retracted = defineScenario<MappedStage>({
  id: 'mremap/retracted',
  title: 'mremap moves a part of a file from a table that khugepaged takes away meanwhile: nothing is left to move',
  source: '1d65b771bc08 (6.5); mm/mremap.c move_ptes: pte_offset_map_lock may fail',
  cpus: 2,
  profile: { ...RANGE, retract: 'deferred', pteMap: 'rcu' },
  setup: emptyFileTable,
  threads: ({ mm, mapping }) => [
    thread((cpu) => move(cpu, mm, 1)),
    thread((cpu) => retractPageTables(cpu, mapping, 0)),
  ],
  sometimes: [RETRACTED],
  twins: [
    {
      id: 'mremap/retracted/immediate',
      why: 'the table is freed at once: the move has seen it and has no lock of it yet',
      oracle: 'O5',
      property: 'TUAF',
      profile: { retract: 'immediate' },
    },
  ],
});

const tableRevoked = defineScenario<MappedStage>({
  id: 'mremap/table-revoked',
  title: 'mremap moves a whole page table while a driver unmaps a frame that it maps',
  source: '97113eb39fa7 (2021)',
  cpus: 2,
  profile: { ...RANGE, movePmdRmapLocks: true },
  setup: (run) => setPfnmapStage(run, { pages: 2 }),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 2)), revoking(env)],
  twins: [
    {
      id: 'mremap/table-revoked/no-rmap-lock',
      why: 'the table is looked up under its old address, and changed under its new one: the flush misses',
      oracle: ['O1', 'O7', 'O10', 'O11'],
      property: 'FUAF',
      profile: { movePmdRmapLocks: false },
    },
  ],
});

const order = defineScenario<MappedStage>({
  id: 'mremap/revoked',
  title: 'mremap moves a page frame while its driver looks for it: at the old place first',
  source: 'mm/vma.c copy_vma, need_rmap_locks',
  cpus: 2,
  profile: RANGE,
  setup: (run) => setPfnmapStage(run),
  threads: (env) => [thread((cpu) => move(cpu, env.mm, 1)), revoking(env)],
  twins: [
    {
      id: 'mremap/revoked/new-first',
      why: 'the driver looks at the new place before the frame is there, and at the old one when it has left',
      oracle: ['O1', 'O17'],
      property: 'FUAF',
      profile: { moveOrder: 'before' },
    },
  ],
});

const faults = defineScenario<Stage>({
  id: 'mremap/fault-at-both-places',
  title: 'a thread stores at the old and at the new address while the page moves',
  source: 'mm/mremap.c: mmap_lock for write',
  cpus: 2,
  setup: (run) => setStage(run, { pages: 1, inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => move(cpu, mm, 1)),
    thread(function* (cpu) {
      yield* userStore(cpu, mm, 0, 7);
      yield* userStore(cpu, mm, 2 * PAGE, 8);
    }),
  ],
  twins: [
    {
      id: 'mremap/fault-at-both-places/no-flush',
      why: 'the old address is not flushed',
      oracle: ['O7', 'O10'],
      property: 'SAC',
      profile: { movePtes: 'none' },
    },
  ],
});

const shrink = defineScenario<Stage>({
  id: 'mremap/shrink',
  title: 'mremap makes a mapping smaller that a running thread uses',
  source: 'mm/mremap.c: shrink_vma',
  cpus: 2,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [thread((cpu) => mremap(cpu, mm, 0, 2 * PAGE, PAGE, 0))],
  twins: [
    {
      id: 'mremap/shrink/free-first',
      why: 'the page is freed before the flush',
      oracle: 'O1',
      property: 'FUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

/** All of them. */
export const MOVES: readonly AnyScenario[] = [
  t14,
  b04,
  t14Gather,
  t14Clean,
  t14GatherClean,
  alone,
  aloneGather,
  table,
  tableGather,
  retracted,
  tableRevoked,
  order,
  faults,
  shrink,
];
