/**
 * What one flush of arm64 rests on: the store to page tables before the TLBI, the barrier behind it, the level and the range that it names, and
 * who it must be told to.
 *
 * Entries are cleared by a plain store here (pte_clear): the exchanges of larger operations are barriers of their own.
 */
import { type Cpu, type Mm, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  execMmap,
  hugepageMadvise,
  madviseDontneed,
  mprotect,
  munmap,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { type Mapping, mappingOf, newMm, PAGE, putUnmapped, setStage, type Stage, syscall, toUser } from './stage.ts';

/** The architecture. */
export const ARM64_ONLY: Only = { archs: ['arm64'], why: 'it is about how arm64 flushes' };

/** A stage with one mapped page. */
export interface OnePage extends Stage {
  /** The page's mapping. */
  readonly at0: Mapping;
}

/** pte_clear, flush_tlb_page, put_page. */
export function* clearFlushFree(cpu: Cpu, mm: Mm, { pte, ptl, page }: Mapping): Steps<void> {
  yield* cpu.spinLock(ptl);
  yield* cpu.kernel.backend.pte.setPteAt(cpu, mm, 0, pte, 0, 0);
  yield* cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
  yield* cpu.spinUnlock(ptl);
  yield* putUnmapped(cpu, page);
}

const storeFirst = defineScenario<OnePage>({
  id: 'bug:B63/fixed',
  bug: 'B63',
  title: 'a page-table store is visible to all walkers before the TLBI (DSB ISHST)',
  source: '3b756ccddb8a (csky); arch/arm64/include/asm/tlbflush.h',
  cpus: 2,
  only: ARM64_ONLY,
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    return { ...stage, at0: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, at0 }) => [thread((cpu) => clearFlushFree(cpu, mm, at0))],
  twins: [
    {
      id: 'bug:B63/buggy',
      why: 'the store is in the store buffer when the TLBI is issued: another CPU walks the old entry once more',
      oracle: 'O1',
      property: 'MISS',
      backend: { arm64: { barrierBefore: 'none' } },
      memoryModels: ['tso'],
    },
    {
      id: 'arm64/no-dsb',
      why: 'nobody waits for the TLBI',
      oracle: 'O1',
      property: 'FUAF',
      wrong: 'no-wait',
    },
    {
      id: 'arm64/not-shareable',
      why: 'the TLBI is not broadcast',
      oracle: 'O1',
      property: 'FUAF',
      wrong: 'self-only',
    },
  ],
});

const activeCpu = defineScenario<OnePage>({
  id: 'arm64/active-cpu',
  title: 'an mm that has run on one CPU is flushed there only, while a thread of it arrives on another CPU',
  source: 'R. Roberts, "Don\'t broadcast if mm was only active on local cpu", RFC of August 2025',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { localFlush: 'active-cpu' } },
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    return { ...stage, at0: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, at0 }) => [thread((cpu) => clearFlushFree(cpu, mm, at0)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'arm64/active-cpu/unordered',
      why: 'active_cpu is read while the page-table store is not visible yet: neither CPU sees the other (store buffering)',
      oracle: ['O1', 'O2'],
      property: 'FUAF',
      backend: { arm64: { localFlush: 'unordered' } },
      memoryModels: ['tso'],
    },
    {
      id: 'arm64/active-cpu/no-dsb-before',
      why: 'no barrier stands before the flush: who has run the mm is looked at once, while the store to page tables is not visible yet',
      oracle: ['O1', 'O2'],
      property: 'FUAF',
      backend: { arm64: { barrierBefore: 'none' } },
      memoryModels: ['tso'],
    },
    {
      id: 'arm64/active-cpu/arrival-unordered',
      why: 'the CPU that arrives notes itself, and nothing orders that before its first walk',
      oracle: ['O1', 'O2'],
      property: 'FUAF',
      backend: { arm64: { activeCpuBarrier: false } },
      memoryModels: ['weak'],
    },
  ],
});

const activeCpuIshst = defineScenario<OnePage>({
  id: 'arm64/active-cpu-ishst',
  title:
    'the same where the flush looks again behind DSB ISHST only: it, too, stands between its stores and what it reads later',
  source: 'R. Roberts, v2 of May 2026; Arm ARM, DSB',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { localFlush: 'active-cpu', activeCpuLook: 'ishst' } },
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    return { ...stage, at0: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, at0 }) => [thread((cpu) => clearFlushFree(cpu, mm, at0)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'arm64/active-cpu-ishst/arrival-unordered',
      why: 'the CPU that arrives notes itself, and nothing orders that before its first walk',
      oracle: ['O1', 'O2'],
      property: 'FUAF',
      backend: { arm64: { activeCpuBarrier: false } },
      memoryModels: ['weak'],
    },
  ],
});

/** Takes an entry away, and flushes it once the lock is dropped. */
function* clearAndFlushLate(cpu: Cpu, mm: Mm, { pte, ptl }: Mapping): Steps<void> {
  yield* cpu.spinLock(ptl);
  yield* cpu.kernel.backend.pte.ptepGetAndClear(cpu, mm, 0, pte, 0);
  yield* cpu.spinUnlock(ptl);
  yield* cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
}

/** Finds the entry gone, flushes for whoever took it away, and gives up the page. @param locked whether it looks under the lock */
function* flushForAnother(cpu: Cpu, mm: Mm, { pte, ptl, page }: Mapping, locked: boolean): Steps<void> {
  if (locked) yield* cpu.spinLock(ptl);
  const gone = (yield* cpu.readOnce(pte)) === 0;
  if (gone) yield* cpu.kernel.backend.flushTlbPage(cpu, mm, 0);
  if (locked) yield* cpu.spinUnlock(ptl);
  if (gone) yield* putUnmapped(cpu, page);
}

const another = defineScenario<OnePage>({
  id: 'arm64/flush-for-another',
  title:
    'a CPU flushes what another one has taken away and not flushed yet: DSB ISHST orders no loads, the page-table lock does',
  source: 'herdtools7 V2I-R-DSB.ST-TLBI-DSB.ISH-ISB-R+W, V2I-W+R-CTRL-TLBI; arm64.md 5.3',
  cpus: 3,
  only: ARM64_ONLY,
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [2] });
    return { ...stage, at0: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, at0 }) => [
    thread((cpu) => clearAndFlushLate(cpu, mm, at0)),
    thread((cpu) => flushForAnother(cpu, mm, at0, true)),
  ],
  // Nobody gives up the page if CPU 1 has come too early.
  holds: ({ at0 }) => [{ object: at0.page, references: [0, 1], mappings: 1 }],
  twins: [
    {
      id: 'arm64/flush-for-another/unlocked',
      why: 'it looks without the lock: what it has read may come after its TLBI, for which the entry is still there',
      oracle: 'O1',
      property: 'FUAF',
      threads: ({ mm, at0 }) => [
        thread((cpu) => clearAndFlushLate(cpu, mm, at0)),
        thread((cpu) => flushForAnother(cpu, mm, at0, false)),
      ],
      memoryModels: ['weak'],
    },
  ],
});

const activeCpuMunmap = defineScenario<Stage>({
  id: 'arm64/active-cpu-munmap',
  title: 'munmap of an mm that has run on one CPU, which frees a table, while a thread of it arrives on another CPU',
  source: 'R. Roberts, RFC of August 2025',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { localFlush: 'active-cpu' } },
  setup: (run) => setStage(run, { touched: [0], running: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'arm64/active-cpu-munmap/no-dsb',
      why: 'nobody waits for a TLBI that is broadcast',
      oracle: ['O1', 'O2', 'O4', 'O10'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

const nestedFinish = defineScenario<Stage>({
  id: 'T17/arm64',
  title: 'a nested finish of a live mm sets fullmm, for which arm64 needs no flush: freed_tables, set last, keeps it',
  source: 'core.md 2.4, T17; mail of Y. Shi, W. Deacon and P. Zijlstra, May 2019',
  cpus: 2,
  only: ARM64_ONLY,
  profile: { nestedFinish: 'whole-mm', finishSync: 'none', deferral: 'counter', mergeVmas: true },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'T17/arm64/reset-last',
      why: 'freed_tables is set before the reset, which clears it: the gather looks like one of a dead mm, and nothing is flushed',
      oracle: ['O1', 'O10'],
      property: 'SAC',
      profile: { nestedFinish: 'whole-mm-reset-last' },
    },
  ],
});

const forgottenTables = defineScenario<Stage>({
  id: 'bug:B07/fixed',
  bug: 'B07',
  title: 'munmap frees a table beside another gather: the forced flush drops walk caches, too',
  source: '7a30df49f63a (5.2)',
  cpus: 3,
  only: { archs: ['arm64'], why: 'it needs an invalidation of leaves only (VALE1), which keeps walk caches' },
  profile: { nestedFinish: 'whole-mm', finishSync: 'none', deferral: 'counter', mergeVmas: true },
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], running: [0, 1, 2], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => madviseDontneed(cpu, mm, 2 * PAGE, PAGE)),
  ],
  twins: [
    {
      id: 'bug:B07/buggy',
      why: 'the forced flush forgets that tables were freed and asks for leaves only (4.20 to 5.1; trace T8b)',
      oracle: 'O4',
      property: 'TUAF',
      profile: { nestedFinish: 'range-reset' },
    },
  ],
});

const level = defineScenario<Stage>({
  id: 'arm64/level-hint',
  title: 'munmap of a huge page and of a small one beside it: two levels were cleared, so no level is hinted at',
  source: 'arch/arm64/include/asm/tlb.h tlb_get_level; FEAT_TTL',
  cpus: 2,
  only: { archs: ['arm64'], why: 'its invalidations name a level' },
  profile: { mergeVmas: true, madviseGather: 'per-call', deferral: 'counter' },
  setup(run) {
    const stage = setStage(run, { pages: 4, touched: [2], running: [0] });
    run(0, (cpu) => hugepageMadvise(cpu, stage.mm, 0, 2 * PAGE));
    run(0, (cpu) => userStore(cpu, stage.mm, 0, 1));
    run(1, (cpu) => toUser(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, 4 * PAGE))],
  twins: [
    {
      id: 'arm64/level-hint/lowest',
      why: 'the lowest of the two levels is hinted at: the huge entry stays',
      oracle: ['O1', 'O10'],
      property: 'MISS',
      backend: { arm64: { levelHint: 'lowest' } },
    },
  ],
});

const largestRange = defineScenario<Stage>({
  id: 'bug:B66/fixed',
  bug: 'B66',
  title: 'munmap of the largest range that one operation covers (four pages here, 8 GiB in hardware)',
  source: 'e3ba51ab24fd (6.9)',
  cpus: 2,
  only: { archs: ['arm64'], why: 'it is about the operand of its range operations' },
  backend: { arm64: { rangeNumBits: 1, rangeScales: 1 } },
  setup: (run) => setStage(run, { pages: 4 }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 4 * PAGE))],
  twins: [
    {
      id: 'bug:B66/buggy',
      why: 'the number of units is taken modulo what its field holds, which is 0: nothing is invalidated',
      oracle: ['O1', 'O4', 'O10'],
      property: 'MISS',
      backend: { arm64: { rangeNum: 'masked' } },
    },
  ],
});

const single = defineScenario<Stage>({
  id: 'arm64/no-range-operations',
  title: 'munmap without range operations: one TLBI for each page, or for the mm if there were too many',
  source: 'arch/arm64/include/asm/tlbflush.h __flush_tlb_range, MAX_DVM_OPS',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { tlbRange: false, maxDvmOps: 2 } },
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2, 3], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 2 * PAGE, 2 * PAGE))),
  ],
  twins: [
    {
      id: 'arm64/no-range-operations/no-dsb',
      why: 'nobody waits',
      oracle: ['O1', 'O2', 'O10'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
  ],
});

const deadAsid = defineScenario<{ next: Mm; third: Mm }>({
  id: 'arm64/dead-asid',
  title: 'an mm ends without a TLBI, and nobody gets its ASID before this CPU has flushed all',
  source: 'arch/arm64/include/asm/tlb.h tlb_flush; arch/arm64/mm/context.c',
  cpus: 2,
  only: { archs: ['arm64'], why: 'it leaves the entries of an mm that ends under its ASID' },
  // Tables are freed without a flush, too, so that there are entries left: exec has loaded another mm before.
  profile: { fullmm: 'F3' },
  backend: { arm64: { asids: 3 } },
  pools: { mm: 3, page: 4, table: 6, vma: 3 },
  setup(run) {
    setStage(run, { touched: [0], running: [0] });
    const [next, third] = [0, 1].map(() => newMm(run));
    return { next: next!, third: third! };
  },
  threads: ({ next, third }) => [
    thread(function* (cpu) {
      yield* execMmap(cpu, next);
      yield* userStore(cpu, next, 0, 1);
      yield* contextSwitch(cpu, third);
      yield* userStore(cpu, third, 0, 1);
    }),
    thread((cpu) => mprotect(cpu, next, 0, PAGE, VM_READ)),
  ],
  twins: [
    {
      id: 'arm64/dead-asid/no-flush',
      why: 'a rollover flushes nobody: the next owner of the ASID finds the entries of the dead mm',
      oracle: ['O8', 'O4'],
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
  ],
});

/** All of them. */
export const ARM64_FLUSHES: readonly AnyScenario[] = [
  storeFirst,
  activeCpu,
  activeCpuIshst,
  another,
  activeCpuMunmap,
  nestedFinish,
  forgottenTables,
  level,
  largestRange,
  single,
  deadAsid,
];
