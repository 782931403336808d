/**
 * A lazy MMU section in a section, for scenarios of architectures that collect in them.
 *
 *     lock outer PTL; enable               1
 *       change outer
 *       lock inner PTL; enable             2
 *         change inner
 *       disable; unlock inner PTL          1: what was collected is done, for the inner PTL goes
 *       free what inner mapped
 *     disable; unlock outer PTL            0
 */
import type { Run } from '@mmu-gather/checker';
import { archEnterLazyMmuMode, archLeaveLazyMmuMode, type Cpu, type Steps } from '@mmu-gather/core/stepped';
import { ptepGetAndClear } from '@mmu-gather/mm/stepped';
import { type Mapping, mappingOf, PAGE, setStage, type Stage } from './stage.ts';

/** Two pages in two tables; another CPU runs. */
export interface TwoTables extends Stage {
  /** The page at address 0. */
  readonly outer: Mapping;
  /** The page at 2 * PAGE. */
  readonly inner: Mapping;
}

/** Maps both. */
export function twoTables(run: Run): TwoTables {
  const stage = setStage(run, { pages: 3, touched: [0, 2] });
  return { ...stage, outer: mappingOf(run, stage.mm, 0), inner: mappingOf(run, stage.mm, 2 * PAGE) };
}

/** Takes both away, each under the lock of its own table; who ends the inner section drops his lock, and frees his page. */
export function* nestedSections(cpu: Cpu, { mm, outer, inner }: TwoTables): Steps<void> {
  yield* cpu.spinLock(outer.ptl);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, mm, 0, outer.pte);
  yield* cpu.spinLock(inner.ptl);
  yield* archEnterLazyMmuMode(cpu);
  yield* ptepGetAndClear(cpu, mm, 2 * PAGE, inner.pte);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(inner.ptl);
  yield* cpu.free('page', inner.page);
  yield* archLeaveLazyMmuMode(cpu);
  yield* cpu.spinUnlock(outer.ptl);
  yield* cpu.free('page', outer.page);
}
