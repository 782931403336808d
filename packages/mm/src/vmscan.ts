/**
 * Reclaim, as far as TLB flushing sees it (mm/vmscan.c: shrink_folio_list).
 *
 *     isolate pages                   a reference of our own: nothing is freed before we say so
 *     each page:
 *       unmap, flush deferred         TTU_BATCH_FLUSH
 *       dirty: tryToUnmapFlushDirty   who writes through a stale entry must have done so
 *              write it out           before the device reads the page (trace T20)
 *       clean: take it from its file  a clean entry is not written through without a walk, and that finds nothing
 *     tryToUnmapFlush                 once for all
 *     free
 *
 * Claims: where a page is written out, or its contents are given up, it is clean (O3). Contents that MADV_FREE gave up are
 * not claimed: a write beside that call may go with them.
 */
import {
  type Address,
  type AddressSpace,
  type Cpu,
  type Mm,
  Page,
  PG_DIRTY,
  putPage,
  type Steps,
  type TlbBatch,
} from '@mmu-gather/core/stepped';
import { filemapRemove, lockPage, unlockPage } from './mapping-cache.ts';
import {
  freeFrozenPage,
  freezePage,
  pageClearDirty,
  pageFlags,
  pageMapcount,
  tryGetPage,
  unfreezePage,
} from './page.ts';
import { tlbBatch, tryToUnmapFlush, tryToUnmapFlushDirty, tryToUnmapOne } from './rmap.ts';

/** A page and a place that maps it: what the reverse map would find. */
export interface Rmap {
  /** The page. */
  readonly page: Address;
  /** The mm that maps it. */
  readonly mm: Mm;
  /** Where. */
  readonly address: number;
}

/** What the page cache and reclaim hold of a page that is mapped nowhere: one reference each. */
const CACHE_AND_ISOLATION = 2;

/**
 * shrink_folio_list: unmaps pages, writes dirty ones out, flushes once, lets go of them.
 * @param pages for each page all places that map it, in a row
 * @param file if given, all of them are pages of this file: they are locked, and leave its cache, so that they are freed
 * @param keepDirty dirty ones are left for the flusher threads, as pages of files are where not kswapd is at work
 * @returns how many places were unmapped
 */
export function* shrinkPages(
  cpu: Cpu,
  pages: readonly Rmap[],
  file: AddressSpace | null = null,
  keepDirty = false,
): Steps<number> {
  const batch = tlbBatch();
  const isolated: Address[] = [];
  const frozen: Address[] = [];
  let unmapped = 0;
  for (let i = 0; i < pages.length; ) {
    const { page } = pages[i]!;
    const held = yield* tryGetPage(cpu, page);
    if (held && file !== null) yield* lockPage(cpu, page);
    for (; i < pages.length && pages[i]!.page === page; i++) {
      if (held && (yield* tryToUnmapOne(cpu, page, pages[i]!.mm, pages[i]!.address, batch))) unmapped++;
    }
    if (!held) continue;
    if (!keepDirty && (yield* pageMapcount(cpu, page)) === 0) yield* pageout(cpu, page, batch);
    if (file !== null && (yield* removeMapping(cpu, page, file))) frozen.push(page);
    else isolated.push(page);
    if (file !== null) yield* unlockPage(cpu, page);
  }
  const freeFirst = cpu.kernel.profile.reclaimFree === 'before-flush';
  if (!freeFirst) yield* tryToUnmapFlush(cpu, batch);
  for (const page of isolated) yield* putPage(cpu, page);
  for (const page of frozen) yield* freeFrozenPage(cpu, page);
  if (freeFirst) yield* tryToUnmapFlush(cpu, batch);
  return unmapped;
}

/** pageout: writes a page that is mapped nowhere, if it is dirty. The device may read it from the claim on. */
function* pageout(cpu: Cpu, page: Address, batch: TlbBatch): Steps<void> {
  if (((yield* pageFlags(cpu, page)) & PG_DIRTY) === 0) return;
  if (cpu.kernel.profile.pageoutFlush === 'dirty') yield* tryToUnmapFlushDirty(cpu, batch);
  if (yield* pageClearDirty(cpu, page)) cpu.claim.clean(page);
}

/** __remove_mapping: takes a clean page that nobody else uses out of its file. The contents are given up. */
function* removeMapping(cpu: Cpu, page: Address, file: AddressSpace): Steps<boolean> {
  cpu.claim.held(Page.at(page).lock);
  if (!(yield* freezePage(cpu, page, CACHE_AND_ISOLATION))) return false;
  if (((yield* pageFlags(cpu, page)) & PG_DIRTY) !== 0) {
    yield* unfreezePage(cpu, page, CACHE_AND_ISOLATION);
    return false;
  }
  cpu.claim.clean(page);
  yield* filemapRemove(cpu, file, cpu.read(Page.at(page).index), page);
  return true;
}
