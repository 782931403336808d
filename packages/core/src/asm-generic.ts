/**
 * What an architecture has that needs nothing special (include/asm-generic): a backend spreads it and replaces what it has of its own.
 */
import type { Backend, TlbBatch } from './backend.ts';
import type { Cpu } from './cpu.ts';
import type { Entry } from './entry.ts';
import type { Mm } from './mm.ts';
import { GENERIC_PTE } from './pte-ops.ts';
import type { Steps } from './steps.ts';
import type { Address } from './struct.ts';

/** arch_tlbbatch_should_defer without ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH: each unmap of reclaim's is flushed where the entry is cleared. */
function* neverDefers(_cpu: Cpu, _mm: Mm): Steps<boolean> {
  return false;
}

function addPending(_cpu: Cpu, _batch: TlbBatch, _mm: Mm, _address: Address): never {
  throw new Error('reclaim defers a flush on an architecture that has no batch for it');
}

function* flushNothing(_cpu: Cpu, _batch: TlbBatch): Steps<void> {}

/** pte_needs_flush, huge_pmd_needs_flush (asm-generic/tlb.h): each change does. */
function alwaysNeedsFlush(_old: Entry, _next: Entry): boolean {
  return true;
}

/** pte_accessible (linux/pgtable.h): any entry may be cached. */
function alwaysAccessible(_entry: Entry): boolean {
  return true;
}

/** The hooks that many architectures leave as they are. */
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
  | 'tlbbatchShouldDefer'
  | 'tlbbatchAddPending'
  | 'tlbbatchFlush'
  | 'pteNeedsFlush'
  | 'hugePmdNeedsFlush'
  | 'pteAccessible'
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
  tlbbatchShouldDefer: neverDefers,
  tlbbatchAddPending: addPending,
  tlbbatchFlush: flushNothing,
  pteNeedsFlush: alwaysNeedsFlush,
  hugePmdNeedsFlush: alwaysNeedsFlush,
  pteAccessible: alwaysAccessible,
};
