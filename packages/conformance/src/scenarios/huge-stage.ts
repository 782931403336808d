/**
 * Huge stage: an mm whose memory may have huge pages, and has one already or could collapse into one.
 */
import type { Run } from '@mmu-gather/checker';
import { type Address, type Cell, entryTarget } from '@mmu-gather/core/stepped';
import { hugepageMadvise, pmdOffset, userStore } from '@mmu-gather/mm/stepped';
import { PAGE, setStage, type Stage, type StageOptions } from './stage.ts';

/** How a huge stage is set. */
export interface HugeStageOptions extends StageOptions {
  /** `huge`: its first range is a huge page; `small`: pages that were there before huge ones were allowed. */
  readonly mapped: 'huge' | 'small';
}

/** Makes an mm on CPU 0 and lets CPUs run it, as {@link setStage}. */
export function setHugeStage(run: Run, options: HugeStageOptions): Stage {
  const { mapped, ...rest } = options;
  const stage = setStage(run, mapped === 'huge' ? { ...rest, touched: [] } : rest);
  run(0, (cpu) => hugepageMadvise(cpu, stage.mm, 0, (options.pages ?? 2) * PAGE));
  if (mapped === 'huge') run(0, (cpu) => userStore(cpu, stage.mm, 0, 1));
  return stage;
}

/** A huge stage, and where its huge page is. */
export interface HugeMapping extends Stage {
  /** Cell of its entry. */
  readonly pmd: Cell;
  /** The first of its pages. */
  readonly first: Address;
}

/** Looks up the huge page of a stage. */
export function firstOf(run: Run, stage: Stage): HugeMapping {
  const pmd = run(0, (cpu) => pmdOffset(cpu, stage.mm, 0));
  const first = run(0, function* (cpu) {
    return entryTarget(yield* cpu.readOnce(pmd));
  });
  return { ...stage, pmd, first };
}
