/**
 * Stored: what it means to the machine that a word of memory has changed. TLBs may hold something else, and oracles look at it.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import { COMPLETED, DATA, type Kinds, PGD, TLB_GEN } from './kinds.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { Oracles } from './oracles.ts';
import type { State } from './state.ts';

/** Whom it concerns. */
export interface StoredHost {
  readonly state: State;
  readonly kinds: Kinds;
  readonly mmu: Mmu;
  readonly oracles: Oracles;
}

/** A store of a CPU has changed a word in memory. */
export function stored({ state, kinds, mmu, oracles }: StoredHost, cpu: number, cell: Cell, old: number): void {
  const { words } = state;
  if (!kinds.isAny(cell)) return;
  if (kinds.isEntry(cell)) {
    oracles.entryChanged(cpu, cell);
    mmu.refillAll();
    oracles.filled();
  } else if (kinds.isTranslation(cell)) {
    mmu.refillAll();
    oracles.filled();
  } else if (kinds.isGeneration(cell)) {
    oracles.generationMade(cpu, words[cell - TLB_GEN + PGD]!, words[cell]!);
  } else if (kinds.isCompletion(cell)) {
    const mm = cell - COMPLETED;
    oracles.generationCompleted(words[mm + PGD]!, old, words[cell]!, words[mm + TLB_GEN]!);
  } else if (kinds.isContents(cell)) {
    oracles.dataStored(cpu, cell - DATA);
  } else if (kinds.isKernelRoot(cell)) {
    mmu.refillAll();
  }
}
