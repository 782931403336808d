/**
 * need_flush_all (RFC of 2021, patch 1): everything is flushed, and the mm lives on.
 */
import { decTlbFlushPending, incTlbFlushPending } from '@mmu-gather/core/stepped';
import { madviseDontneed, munmap } from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { lazySkipped, PAGE, setStage, type Stage, syscall } from './stage.ts';
import { RFC } from './rfc-source.ts';

const needFlushAll = defineScenario<Stage>({
  id: 'rfc/need-flush-all',
  title: 'a nested finish asks for everything without saying that the mm dies',
  source: `${RFC}, patch 1; revived by J. Zhang, 2023-12-28`,
  cpus: 2,
  only: { archs: ['x86'], why: 'only its tlb_flush looks at need_flush_all' },
  // With generations the nested flush jumps over one, and is full whatever its range.
  profile: { nestedFinish: 'need-flush-all', deferral: 'counter' },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'rfc/D14',
      why: 'tlb_flush does not look at need_flush_all, and the range is empty',
      oracle: ['O10', 'O11'],
      property: 'SAC',
      backend: { x86: { needFlushAll: 'ignored' } },
    },
  ],
});

/** A gather of the mm is open, and stays so: every finish is a nested one. */
function setNested(run: Run): Stage {
  const stage = setStage(run, { touched: [0], lazy: [1] });
  run(0, (cpu) => incTlbFlushPending(cpu, stage.mm));
  return stage;
}

const needFlushAllTables = defineScenario<Stage>({
  id: 'rfc/need-flush-all-tables',
  title: 'the same of a gather that has unlinked a table: a lazy CPU may speculate through it',
  source: `${RFC}, patch 1`,
  cpus: 2,
  only: { archs: ['x86'], why: 'only its tlb_flush looks at need_flush_all' },
  profile: { nestedFinish: 'need-flush-all', deferral: 'counter' },
  sequential: 'what races are walks of a CPU that runs nothing',
  setup: setNested,
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, 2 * PAGE);
      yield* decTlbFlushPending(cpu, mm);
    }),
  ],
  twins: [lazySkipped('rfc/need-flush-all-tables')],
});

/** All of them. */
export const RFC_NEED_FLUSH_ALL: readonly AnyScenario[] = [needFlushAll, needFlushAllTables];
