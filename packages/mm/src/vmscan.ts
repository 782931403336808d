/**
 * Reclaim, as far as TLB flushing sees it (mm/vmscan.c: shrink_folio_list).
 *
 *     isolate pages                   a reference of our own: nothing is freed before we say so
 *     unmap them, flushes deferred    TTU_BATCH_FLUSH
 *     tryToUnmapFlush                 once for all
 *     drop the references             pages that nothing else holds are freed here
 */
import { type Address, type Cpu, type Mm, putPage, type Steps } from '@mmu-gather/core/stepped';
import { tryGetPage } from './page.ts';
import { tlbBatch, tryToUnmapFlush, tryToUnmapOne } from './rmap.ts';

/** A page and the one place that maps it: what the reverse map would find. */
export interface Rmap {
  /** The page. */
  readonly page: Address;
  /** The mm that maps it. */
  readonly mm: Mm;
  /** Where. */
  readonly address: number;
}

/** shrink_folio_list: unmaps pages, flushes once, lets go of them. @returns how many were mapped */
export function* shrinkPages(cpu: Cpu, pages: readonly Rmap[]): Steps<number> {
  const batch = tlbBatch();
  const isolated: Address[] = [];
  let unmapped = 0;
  for (const { page, mm, address } of pages) {
    if (!(yield* tryGetPage(cpu, page))) continue;
    isolated.push(page);
    if (yield* tryToUnmapOne(cpu, page, mm, address, batch)) unmapped++;
  }
  yield* tryToUnmapFlush(cpu, batch);
  for (const page of isolated) yield* putPage(cpu, page);
  return unmapped;
}
