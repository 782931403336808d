/**
 * Huge pages: mapped, protected, shared, split and unmapped while other CPUs use them.
 */
import {
  AGGRESSIVE,
  type Address,
  entryTarget,
  getPage,
  type Mm,
  Page,
  PG_LAZYFREE,
  PSE,
  pteDirty,
  putPage,
  VM_READ,
} from '@mmu-gather/core/stepped';
import {
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  dupMm,
  MADV_FREE,
  madvise,
  madviseDontneed,
  mprotect,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mremap,
  munmap,
  splitHugePmd,
  tryToUnmapOne,
  userStore,
} from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { firstOf, type HugeMapping, setHugeStage } from './huge-stage.ts';
import { noWait, PAGE, type Stage } from './stage.ts';

const unmap = defineScenario<Stage>({
  id: 'huge/munmap',
  title: 'munmap of a huge page that another thread uses',
  source: 'mm/huge_memory.c zap_huge_pmd',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
  twins: [
    {
      id: 'huge/munmap/free-first',
      why: 'its pages are freed before the flush',
      oracle: 'O1',
      property: 'FUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

const splitZap = defineScenario<Stage>({
  id: 'huge/split-zap',
  title: 'MADV_DONTNEED of a part of a huge page splits it first, while another thread uses it',
  source: 'mm/huge_memory.c __split_huge_pmd_locked',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE))],
  twins: [
    {
      id: 'huge/split-zap/no-flush',
      why: 'the table appears while TLBs still hold the huge entry',
      oracle: 'O14',
      property: 'ORD',
      profile: { splitFlush: 'none' },
    },
  ],
});

const splitFree = defineScenario<HugeMapping>({
  id: 'huge/split-madv-free',
  title: 'MADV_FREE of a part of a huge page splits it first, while another thread uses it',
  source: 'mm/madvise.c madvise_free_pte_range',
  cpus: 2,
  setup: (run) => firstOf(run, setHugeStage(run, { mapped: 'huge' })),
  threads: ({ mm }) => [thread((cpu) => madvise(cpu, mm, PAGE, PAGE, MADV_FREE))],
  final: (peek, { first }) =>
    (peek(Page.at(first + Page.words).flags) & PG_LAZYFREE) === 0 ? 'the page was not given up' : undefined,
  twins: [
    {
      id: 'huge/split-madv-free/no-flush',
      why: 'the table appears while TLBs still hold the huge entry',
      oracle: 'O14',
      property: 'ORD',
      profile: { splitFlush: 'none' },
    },
  ],
});

/** A huge page that MADV_FREE cleaned; CPU 1 runs. */
function cleanHugePage(run: Run): HugeMapping {
  const stage = setHugeStage(run, { mapped: 'huge' });
  run(0, (cpu) => madvise(cpu, stage.mm, 0, 2 * PAGE, MADV_FREE));
  return firstOf(run, stage);
}

const splitDirty = defineScenario<HugeMapping>({
  id: 'huge/split-dirty',
  title: 'a store to a clean huge page while it is split: its dirty bit is not lost',
  source: 'd52605d7cb30 (4.16)',
  cpus: 2,
  setup: cleanHugePage,
  threads: ({ mm, pmd }) => [
    thread((cpu) => splitHugePmd(cpu, mm, pmd, 0)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* userStore(cpu, mm, 0, 7);
    }),
  ],
  final(peek, { pmd, first }) {
    if (peek(Page.at(first).data) !== 7) return undefined;
    const upper = peek(pmd);
    const leaf = (upper & PSE) !== 0 ? upper : peek(entryTarget(upper));
    return pteDirty(leaf)
      ? undefined
      : 'the page was written and its entry is clean: reclaim may drop what was written';
  },
  twins: [
    {
      id: 'huge/split-dirty/read-before',
      why: 'the small entries get the bits of the huge one as it was before it was taken away',
      oracle: 'assert',
      property: 'LOSTW',
      profile: { splitDirty: 'read-before' },
    },
  ],
});

const protectGather = defineScenario<Stage>({
  id: 'huge/mprotect',
  title: 'mprotect makes a huge page read-only while another thread writes to it; the gather flushes',
  source: '4f83145721f3 (5.19)',
  cpus: 2,
  profile: { hugeProtect: 'gather', changeProtection: 'gather' },
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, 2 * PAGE, VM_READ))],
  twins: [
    {
      id: 'huge/mprotect/no-flush',
      why: 'pmdp_invalidate_ad does not flush, and nobody notes the range',
      oracle: ['O2', 'O12'],
      property: 'WPX',
      profile: { changeProtection: 'none' },
    },
  ],
});

const protectFlush = defineScenario<Stage>({
  id: 'huge/mprotect-invalidate',
  title: 'mprotect makes a huge page read-only while another thread writes to it; pmdp_invalidate flushes at once',
  source: 'mm/huge_memory.c up to 5.18',
  cpus: 2,
  profile: { hugeProtect: 'flush', changeProtection: 'none' },
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, 2 * PAGE, VM_READ))],
  twins: [noWait<Stage>('huge/mprotect-invalidate')],
});

const fork = defineScenario<Stage>({
  id: 'huge/fork',
  title: 'fork shares a huge page that another thread of the parent is writing',
  source: 'mm/huge_memory.c copy_huge_pmd',
  cpus: 2,
  pools: { mm: 3, page: 6, table: 8, vma: 6 },
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [thread((cpu) => dupMm(cpu, mm))],
  twins: [
    {
      id: 'huge/fork/no-flush',
      why: 'fork does not flush the parent',
      oracle: ['O6', 'O12', 'O2'],
      property: 'WPX',
      profile: { forkFlush: 'none' },
    },
  ],
});

const copy = defineScenario<{ mm: Mm }>({
  id: 'huge/copy-on-write',
  title: 'a store to a huge page that is shared since fork: split, then one page is copied, while another thread reads',
  source: 'mm/huge_memory.c do_huge_pmd_wp_page',
  cpus: 2,
  pools: { mm: 3, page: 6, table: 8, vma: 6 },
  setup(run) {
    const { mm } = setHugeStage(run, { mapped: 'huge' });
    run(0, (cpu) => dupMm(cpu, mm));
    return { mm };
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'huge/copy-on-write/no-split-flush',
      why: 'the table appears while the other CPU still holds the huge entry',
      oracle: 'O14',
      property: 'ORD',
      profile: { splitFlush: 'none' },
    },
    {
      id: 'huge/copy-on-write/no-flush',
      why: 'the small entry is exchanged without a flush: one CPU writes the copy, the other reads the old page',
      oracle: ['O6', 'O12'],
      property: 'SAC',
      profile: { cowFlush: 'clear' },
    },
  ],
});

const move = defineScenario<Stage>({
  id: 'huge/mremap',
  title: 'mremap moves a huge page that another thread uses',
  source: 'mm/huge_memory.c move_huge_pmd',
  cpus: 2,
  profile: { movePmd: 'table' },
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [
    thread((cpu) => mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * PAGE)),
  ],
  twins: [
    {
      id: 'huge/mremap/no-flush',
      why: 'the old place is not flushed',
      oracle: ['O7', 'O2'],
      property: 'SAC',
      profile: { movePmd: 'no-flush' },
    },
  ],
});

interface Isolated extends Stage {
  readonly page: Address;
}

const reclaim = defineScenario<Isolated>({
  id: 'huge/reclaim',
  title: 'reclaim takes one page of a huge page that another thread uses: the mapping is split first',
  source: 'mm/rmap.c try_to_unmap_one, TTU_SPLIT_HUGE_PMD',
  cpus: 2,
  setup(run) {
    const { first, ...stage } = firstOf(run, setHugeStage(run, { mapped: 'huge' }));
    run(0, (cpu) => getPage(cpu, first));
    return { ...stage, page: first };
  },
  threads: ({ mm, page }) => [
    thread(function* (cpu) {
      yield* tryToUnmapOne(cpu, page, mm, 0, null);
      yield* putPage(cpu, page);
    }),
  ],
  twins: [
    {
      id: 'huge/reclaim/no-split-flush',
      why: 'the table appears while TLBs still hold the huge entry',
      oracle: 'O14',
      property: 'ORD',
      profile: { splitFlush: 'none' },
    },
  ],
});

const softDirty = defineScenario<Stage>({
  id: 'huge/clear-refs',
  title: 'clear_refs write-protects a huge page that another thread is writing',
  source: 'fs/proc/task_mmu.c clear_soft_dirty_pmd',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'huge' }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY);
      cpu.claim.limit(cpu.read(mm.pgd), { start: 0, end: 2 * PAGE }, 'read');
    }),
  ],
  twins: [noWait<Stage>('huge/clear-refs')],
});

const zapTwice = defineScenario<Stage>({
  id: 'huge/zap-twice',
  title: 'two threads zap the same huge page: the second finds it gone, and may not return before it is flushed',
  source: 'core.md T8, on huge pages',
  cpus: 2,
  setup: (run) => setHugeStage(run, { mapped: 'huge', inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
  ],
  twins: [
    {
      id: 'huge/zap-twice/naive',
      why: 'the second finishes without a flush',
      oracle: 'O10',
      property: 'SAC',
      profile: { nestedFinish: 'none', finishSync: 'none' },
    },
  ],
});

const zapRecorded = defineScenario<Stage>({
  id: 'huge/zap-recorded',
  title: 'the same where a finish looks for records of others: what was mapped is on record before the entry is none',
  cpus: 2,
  profile: { ...AGGRESSIVE, ringSlots: 4 },
  backend: { x86: { completedGen: 'after-flush' } },
  profiles: ['linux-6.18'],
  setup: (run) => setHugeStage(run, { mapped: 'huge', inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
  ],
  twins: [
    {
      id: 'huge/zap-recorded/cleared-first',
      why: 'the entry is cleared first: who finds it none without the lock finds no record either, and flushes nothing',
      oracle: 'O10',
      property: 'SAC',
      profile: { unlinkTable: 'before-record' },
    },
  ],
});

/** All of them. */
export const HUGE: readonly AnyScenario[] = [
  unmap,
  splitZap,
  splitFree,
  splitDirty,
  protectGather,
  protectFlush,
  fork,
  copy,
  move,
  reclaim,
  softDirty,
  zapTwice,
  zapRecorded,
];
