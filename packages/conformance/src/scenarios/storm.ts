/**
 * The shootdown storm that the RFC's cover letter describes: reclaim defers its flushes to save interrupts, and somebody who zaps in
 * the same mm pays for them, table by table.
 *
 *     CPU 0 (MADV_DONTNEED, one gather)         CPU 1 (reclaim, one batch)
 *     lock table A
 *       deferral pending: flush the mm          unmap a page of another table: pending
 *     unlock
 *     lock table B
 *       deferral pending: flush the mm          unmap the next page: pending
 *     unlock
 *     ...
 *     finish: flush                             flush the batch: once for all, as it was meant
 *
 * Neither table holds anything that reclaim touched. Nothing is wrong with it; it is here to be counted.
 */
import type { Body, Run } from '@mmu-gather/checker';
import { type Mm, VM_READ } from '@mmu-gather/core/stepped';
import {
  allocMapping,
  fileBacking,
  filemapAdd,
  madviseDontneed,
  mmap,
  type Rmap,
  shrinkPages,
  userLoad,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, syscall, toUser } from './stage.ts';

interface Storm {
  readonly mm: Mm;
  /** Clean pages of a file, mapped by the third table: what reclaim takes. */
  readonly victims: readonly Rmap[];
}

/** Pages in the two tables that are zapped. */
const ZAPPED = 4;

/** Two tables with one page each, and one with two clean pages of a file. */
function threeTables(run: Run): Storm {
  const { mm } = setStage(run, { pages: ZAPPED, touched: [0, 2], running: [0] });
  const mapping = run(0, allocMapping);
  const victims = [0, 1].map((index) => ({
    page: run(0, (cpu) => filemapAdd(cpu, mapping, index, 9)),
    mm,
    address: (ZAPPED + index) * PAGE,
  }));
  run(0, (cpu) => mmap(cpu, mm, ZAPPED * PAGE, 2 * PAGE, VM_READ, fileBacking(mapping.address)));
  for (const { address } of victims) run(0, (cpu) => userLoad(cpu, mm, address));
  run(1, (cpu) => toUser(cpu, mm));
  return { mm, victims };
}

/** Reclaim, in a system call of another thread. */
function reclaiming({ victims }: Storm): Body {
  return thread((cpu) => syscall(cpu, () => shrinkPages(cpu, victims)));
}

const storm = defineScenario<Storm>({
  id: 'storm/reclaim-beside-gather',
  title: 'each page table that MADV_DONTNEED comes to finds a deferral of reclaim, and flushes the mm',
  source: 'RFC 2021, cover letter',
  cpus: 2,
  geometry: { pageShift: 12, bits: [1, 2] },
  pools: { page: 8, table: 8 },
  // Freeing the tables that are emptied is no part of the storm.
  profile: { ptReclaim: false },
  setup: threeTables,
  threads: (env) => [thread((cpu) => madviseDontneed(cpu, env.mm, 0, ZAPPED * PAGE)), reclaiming(env)],
  twins: [
    {
      id: 'storm/reclaim-beside-gather/hidden',
      why: 'deferrals are not noted, so there is no storm; who zaps what reclaim has unmapped believes that it is flushed',
      oracle: 'O10',
      property: 'SAC',
      profile: { batchedPending: 'none' },
      threads: (env) => [thread((cpu) => madviseDontneed(cpu, env.mm, ZAPPED * PAGE, 2 * PAGE)), reclaiming(env)],
    },
    {
      id: 'storm/reclaim-beside-gather/free-first',
      why: 'zapped pages are freed before they are flushed',
      oracle: 'O1',
      property: 'FUAF',
      profile: { freePages: 'before-flush' },
    },
  ],
});

/** All of them. */
export const STORM: readonly AnyScenario[] = [storm];
