/**
 * Huge pages that somebody splits once they were seen, and before their lock is taken; and one that fills a gather.
 */
import { type Geometry, Page, PAGE_SHIFT } from '@mmu-gather/core/stepped';
import { dupMm, madviseDontneed, munmap, splitHugePmd, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { firstOf, type HugeMapping, setHugeStage } from './huge-stage.ts';
import { PAGE, type Stage } from './stage.ts';

const zapBesideSplit = defineScenario<HugeMapping>({
  id: 'huge/zap-beside-split',
  title:
    'MADV_DONTNEED of a huge page that another CPU splits, once it was seen and before its lock is taken: its pages go one by one',
  source: 'mm/huge_memory.c __pmd_trans_huge_lock',
  cpus: 2,
  profiles: ['linux-6.18'],
  setup: (run) => firstOf(run, setHugeStage(run, { mapped: 'huge', inKernel: [1] })),
  threads: ({ mm, pmd }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => splitHugePmd(cpu, mm, pmd, 0)),
  ],
  final(peek, { first }) {
    const pages = [Page.at(first), Page.at(first + Page.words)];
    return pages.some(({ mapcount }) => peek(mapcount) !== 0) ? 'a page is still mapped' : undefined;
  },
  twins: [
    {
      id: 'huge/zap-beside-split/no-split-flush',
      why: 'the table appears while TLBs still hold the huge entry',
      oracle: 'O14',
      property: 'ORD',
      profile: { splitFlush: 'none' },
    },
  ],
});

const forkBesideSplit = defineScenario<HugeMapping>({
  id: 'huge/fork-beside-split',
  title:
    'fork comes to a huge page that reclaim splits, once it was seen and before its lock is taken: its pages are shared one by one',
  source: 'mm/huge_memory.c copy_huge_pmd, which then returns -EAGAIN',
  cpus: 2,
  pools: { mm: 3, page: 6, table: 8, vma: 6 },
  profiles: ['linux-6.18'],
  setup: (run) => firstOf(run, setHugeStage(run, { mapped: 'huge', inKernel: [1] })),
  threads: ({ mm, pmd }) => [thread((cpu) => dupMm(cpu, mm)), thread((cpu) => splitHugePmd(cpu, mm, pmd, 0))],
  final(peek, { first }) {
    const pages = [Page.at(first), Page.at(first + Page.words)];
    return pages.some(({ mapcount }) => peek(mapcount) !== 2)
      ? 'parent and child do not both map each page'
      : undefined;
  },
  twins: [
    {
      id: 'huge/fork-beside-split/no-split-flush',
      why: 'the table appears while TLBs still hold the huge entry',
      oracle: 'O14',
      property: 'ORD',
      profile: { splitFlush: 'none' },
    },
  ],
});

/** Four huge pages under one table, of two pages each. */
const FOUR_HUGE: Geometry = { pageShift: PAGE_SHIFT, bits: [1, 2] };

const unmapFull = defineScenario<Stage>({
  id: 'huge/munmap-full',
  title: 'munmap of two huge pages that another thread uses: the gather is full after the first, and is flushed',
  source: 'mm/huge_memory.c zap_huge_pmd, tlb_remove_page_size',
  cpus: 2,
  geometry: FOUR_HUGE,
  profile: { gatherBatch: { bundle: 1, batch: 1, batches: 0, spare: 0 } },
  setup(run) {
    const stage = setHugeStage(run, { mapped: 'huge', pages: 4 });
    run(0, (cpu) => userStore(cpu, stage.mm, 2 * PAGE, 3));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 4 * PAGE))],
  twins: [
    {
      id: 'huge/munmap-full/free-first',
      why: 'pages are freed before the flush',
      oracle: 'O1',
      property: 'FUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

/** All of them. */
export const HUGE_BESIDE: readonly AnyScenario[] = [zapBesideSplit, forkBesideSplit, unmapFull];
