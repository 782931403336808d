/**
 * What an architecture has that needs nothing special (include/asm-generic): a backend spreads it and replaces what it has of its own.
 */
import type { Backend } from './backend.ts';
import { GENERIC_PTE } from './pte-ops.ts';

/** The hooks that most architectures leave empty. */
export const ASM_GENERIC: Pick<
  Backend,
  | 'lazyMmu'
  | 'pte'
  | 'translationTable'
  | 'gathersPages'
  | 'movesTables'
  | 'gatherPageSize'
  | 'processTable'
  | 'tlbMiss'
  | 'activateMm'
  | 'switchTo'
  | 'finishArchPostLockSwitch'
  | 'archExitMmap'
  | 'destroyContext'
  | 'cleanupLazyTlbs'
  | 'tableFreed'
  | 'flushTlbBatchedPending'
> = {
  lazyMmu: null,
  pte: GENERIC_PTE,
  translationTable: null,
  gathersPages: true,
  movesTables: true,
  gatherPageSize: false,
  processTable: null,
  tlbMiss: null,
  activateMm: null,
  switchTo: null,
  finishArchPostLockSwitch: null,
  archExitMmap: null,
  destroyContext: null,
  cleanupLazyTlbs: null,
  tableFreed: null,
  flushTlbBatchedPending: null,
};
