/**
 * Historical bugs of deferred flushes: what one had changed and not flushed yet, another one took for done.
 */
import type { Body } from '@mmu-gather/checker';
import { getPage, Page, PG_LARGE, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  contextSwitch,
  ksmMerge,
  MADV_COLD,
  madvise,
  madviseDontneed,
  migrateMisplacedPage,
  munmap,
  tlbBatch,
  tryToUnmapFlush,
  tryToUnmapOne,
  unmapMappingRange,
  writebackPage,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { alike, demote, type Twins } from './ksm.ts';
import { type MappedStage, setPfnmapStage } from './mapping-stage.ts';
import { type Mapping, mappingOf, PAGE, setStage, type Stage, syscall } from './stage.ts';

const b01 = defineScenario<Twins>({
  id: 'bug:B01/fixed',
  bug: 'B01',
  title: 'KSM meets an entry that MADV_FREE and a soft-dirty scan have changed, and neither has flushed',
  source: 'b3a81d0841a9 (2017); trace T11 with the reuse of pages as it was',
  cpus: 3,
  profile: { anonReuse: 'only-reference' },
  setup: alike([0, 1], [2]),
  threads: (env) => [demote(env), thread((cpu) => ksmMerge(cpu, { mm: env.mm, address: 0 }, env.kpage))],
  twins: [
    {
      id: 'bug:B01/buggy',
      why: 'a read-only and clean entry is taken for one that nobody can write through',
      oracle: ['O13', 'O9'],
      property: 'LOSTW',
      profile: { ksmPending: false },
    },
  ],
});

const b06 = defineScenario<Stage>({
  id: 'bug:B06/fixed',
  bug: 'B06',
  title: 'a fault migrates a page whose hinting is not flushed yet: the entry counts as accessible until it is',
  source: '20841405940e (2013)',
  cpus: 3,
  only: { archs: ['x86'], why: 'its test of what may be cached was the optimistic one' },
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2] }),
  threads: ({ mm }) => [
    thread((cpu) => changeProtNuma(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* migrateMisplacedPage(cpu, mm, 0);
    }),
  ],
  twins: [
    {
      id: 'bug:B06/buggy',
      why: 'an entry without access is taken for one that nobody has cached, and the page is copied without a flush',
      oracle: ['O9', 'O13'],
      property: 'LOSTW',
      profile: { accessiblePending: false },
    },
  ],
});

interface SecondPage extends Stage {
  readonly p1: Mapping;
}

const b12 = defineScenario<SecondPage>({
  id: 'bug:B12/fixed',
  bug: 'B12',
  title: 'MADV_COLD drops the PTL to split a folio, and reclaim empties the entry meanwhile',
  source: '383c4613c67c (2025)',
  cpus: 3,
  only: {
    archs: ['x86', 'arm64'],
    why: 'reclaim defers flushes there; on riscv, too, where the same race has more states',
  },
  profiles: ['linux-6.18'],
  profile: { madviseSplits: true, madviseDrains: 'each-lock' },
  setup(run) {
    const stage = setStage(run, { running: [0, 1, 2] });
    const p1 = mappingOf(run, stage.mm, PAGE);
    run(0, (cpu) => cpu.atomicOr(Page.at(p1.page).flags, PG_LARGE));
    run(0, (cpu) => getPage(cpu, p1.page));
    run(1, (cpu) => cpu.enterKernel());
    run(1, (cpu) => contextSwitch(cpu, null));
    return { ...stage, p1 };
  },
  threads: ({ mm, p1 }) => [
    thread((cpu) => madvise(cpu, mm, PAGE, PAGE, MADV_COLD)),
    thread(function* (cpu) {
      const batch = tlbBatch();
      yield* tryToUnmapOne(cpu, p1.page, mm, PAGE, batch);
      yield* tryToUnmapFlush(cpu, batch);
    }),
  ],
  holds: ({ p1 }) => [{ object: p1.page, references: 1 }],
  twins: [
    {
      id: 'bug:B12/buggy',
      why: 'it looks for unflushed entries of reclaim only when it takes the lock first',
      oracle: 'O10',
      property: 'SAC',
      profile: { madviseDrains: 'first-lock' },
    },
  ],
});

/** The driver takes its frame back: it unmaps it everywhere, then somebody else gets it. */
function revoke({ mapping, pages }: MappedStage): Body {
  return thread((cpu) =>
    syscall(cpu, function* () {
      yield* unmapMappingRange(cpu, mapping, 0, 1, true);
      yield* cpu.free('page', pages[0]!);
      return 0;
    }),
  );
}

const b17 = defineScenario<MappedStage>({
  id: 'bug:B17/fixed',
  bug: 'B17',
  title: 'a driver looks for mappings of its page while munmap has cleared the entry and not flushed it',
  source: 'CVE-2022-39188, b67fbebd4cf9 (2022)',
  cpus: 2,
  profile: { pfnmapFlush: 'vma-end' },
  setup: (run) => setPfnmapStage(run),
  threads: (env) => [thread((cpu) => munmap(cpu, env.mm, 0, PAGE)), revoke(env)],
  twins: [
    {
      id: 'bug:B17/buggy',
      why: 'the VMA is unlinked first and flushed last: the driver finds no mapping, and the page goes to somebody else',
      oracle: 'O1',
      property: 'FUAF',
      profile: { pfnmapFlush: 'none' },
    },
  ],
});

const b18 = defineScenario<FileStage>({
  id: 'bug:B18/fixed',
  bug: 'B18',
  title: 'a dirty page of a file is zapped while writeback cleans it',
  source: '1cf35d47712d (2014), 5df397dec7c4 (2022)',
  cpus: 2,
  profile: { delayedRmap: true },
  setup: (run) => setFileStage(run, { flags: VM_READ | VM_WRITE | VM_SHARED, store: true }),
  threads: ({ mm, file }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => writebackPage(cpu, file, 0))),
  ],
  twins: [
    {
      id: 'bug:B18/buggy',
      why: 'the lock is dropped before the flush: writeback finds the page unmapped, and a later write leaves no trace',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { delayedRmap: false, zapDirtyFlush: 'after-unlock' },
    },
    {
      id: 'bug:B18/rung-under-lock',
      why: 'the flush comes under the lock (3.15), but the page leaves the reverse map before it: writeback does not ask for the lock',
      oracle: 'O3',
      property: 'LOSTW',
      profile: { delayedRmap: false },
    },
  ],
});

/** All of them. */
export const BUGS_OF_DEFERRALS: readonly AnyScenario[] = [b01, b06, b12, b17, b18];
