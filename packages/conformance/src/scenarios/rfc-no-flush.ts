/**
 * What needs no flush (RFC of 2021, patches 3, 6 and 9): by which entry that is decided, and who has no gather at all.
 */
import { VM_READ } from '@mmu-gather/core/stepped';
import {
  CLEAR_REFS_MM_HIWATER_RSS,
  clearRefsWrite,
  dupMm,
  MADV_FREE,
  madvise,
  madviseDontneed,
  mprotect,
  userStore,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { COMPLETED, GENERATIONS } from './generations.ts';
import { PAGE, setStage, type Stage } from './stage.ts';
import { RFC } from './rfc-source.ts';

const cleanWritable = defineScenario<Stage>({
  id: 'rfc/clean-writable',
  title: 'mprotect of a writable page that nobody has written to needs no flush: a write would walk again',
  source: `${RFC}, patch 3; A. Cooper, 2021-01-31`,
  cpus: 2,
  only: { archs: ['x86'], why: 'it is about its rule for writable entries that are clean' },
  profile: { changeProtection: 'gather', needsFlush: 'architecture' },
  backend: { x86: { needsFlushRule: 'rfc' } },
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => madvise(cpu, stage.mm, 0, PAGE, MADV_FREE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ)), thread((cpu) => cpu.userWrite(0, 7))],
  twins: [
    {
      id: 'rfc/clean-writable/seen',
      why: 'the decision looks at the entry before it is exchanged: the dirty bit may come between',
      oracle: ['O2', 'O10'],
      property: 'SAC',
      profile: { flushDecision: 'seen' },
    },
  ],
});

const clearFlush = defineScenario<Stage>({
  id: 'rfc/clear-flush',
  title:
    'copy-on-write under generations: the old entry says whether a CPU may hold it, and the record whether it is flushed',
  source: `${RFC}, patch 9`,
  cpus: 2,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup(run) {
    const stage = setStage(run, { pages: 1 });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'rfc/D2',
      why: 'as posted: pte_accessible looks at the slot, which was cleared a moment ago',
      oracle: ['O9', 'O6'],
      property: 'LOSTW',
      profile: { accessibleEntry: 'slot' },
    },
  ],
});

const clearRefsReset = defineScenario<Stage>({
  id: 'rfc/clear-refs-reset',
  title: 'the type of clear_refs that walks nothing, beside a gather',
  source: `${RFC}, patch 6`,
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => clearRefsWrite(cpu, mm, CLEAR_REFS_MM_HIWATER_RSS)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'rfc/D11',
      why: 'as posted: tlb_finish_mmu stands behind the label that this type jumps to, without a gather',
      oracle: 'O16',
      property: 'MISS',
      profile: { clearRefs: 'gather-unpaired' },
    },
  ],
});

/** All of them. */
export const RFC_NO_FLUSH: readonly AnyScenario[] = [cleanWritable, clearFlush, clearRefsReset];
