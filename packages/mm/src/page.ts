/**
 * Pages: references, mapcounts and contents (mm/rmap.c, include/linux/mm.h).
 *
 *     refcount   one for each entry that maps it, one for each holder (page cache, isolation, a fault at work)
 *     mapcount   entries that map it
 *     flags      PG_ANON_EXCLUSIVE: set by who holds the only reference; cleared by fork under the PTL of the only mapping
 *
 * A page that nobody else can see is written plainly; set_pte and the PTL publish it. Afterwards only marked accesses.
 */
import {
  type Address,
  type Cpu,
  type Entry,
  entryTarget,
  Page,
  PG_ANON_EXCLUSIVE,
  PG_DIRTY,
  PG_KSM,
  PG_LARGE,
  PG_LAZYFREE,
  SPECIAL,
  type Steps,
} from '@mmu-gather/core/stepped';

// Pages are many: their fields are found by offset, without a handle for each.
const REFCOUNT = Page.fields.indexOf('refcount');
const MAPCOUNT = Page.fields.indexOf('mapcount');
const MAPPING = Page.fields.indexOf('mapping');
const FLAGS = Page.fields.indexOf('flags');
const DATA = Page.fields.indexOf('data');

/** vm_normal_page: the counted page that an entry maps; 0 for the zero page and raw page frames. */
export function vmNormalPage(pte: Entry): Address {
  return (pte & SPECIAL) !== 0 ? 0 : entryTarget(pte);
}

/** folio_test_anon. */
export function pageAnon(cpu: Cpu, page: Address): boolean {
  return cpu.read(page + MAPPING) === 0;
}

/** init_page_count: the reference of who allocated a page that nobody sees yet. */
export function initRefcount(cpu: Cpu, page: Address): void {
  cpu.write(page + REFCOUNT, 1);
}

/** vma_alloc_zeroed_movable_folio: a page of zeroes with one reference, which its mapping will keep. */
export function* allocZeroedPage(cpu: Cpu): Steps<Address> {
  const page = yield* cpu.alloc('page');
  initRefcount(cpu, page);
  return page;
}

/** A page of the page cache, with the cache's reference (filemap_alloc_folio, filemap_add_folio). */
export function* allocFilePage(cpu: Cpu, file: number, data: number): Steps<Address> {
  const page = yield* allocZeroedPage(cpu);
  cpu.write(page + MAPPING, file);
  cpu.write(page + DATA, data);
  return page;
}

/** copy_user_highpage: into a page that nobody sees yet, from one that other CPUs may be writing. */
export function* copyPage(cpu: Cpu, to: Address, from: Address): Steps<void> {
  cpu.write(to + DATA, yield* cpu.readOnce(from + DATA));
  cpu.frames?.copy(to, from);
}

/** pages_identical: compares contents that nobody changes. */
export function* pagesIdentical(cpu: Cpu, one: Address, other: Address): Steps<boolean> {
  const same = (yield* cpu.readOnce(one + DATA)) === (yield* cpu.readOnce(other + DATA));
  return cpu.frames?.equal(one, other) ?? same;
}

/** folio_add_new_anon_rmap: first mapping of a page that nobody sees yet. */
export function pageAddNewAnonRmap(cpu: Cpu, page: Address): void {
  cpu.write(page + MAPCOUNT, 1);
  cpu.write(page + FLAGS, PG_ANON_EXCLUSIVE);
}

/** folio_add_file_rmap_pte, folio_add_anon_rmap_pte, folio_dup_file_rmap: one more entry maps it. */
export function pageAddRmap(cpu: Cpu, page: Address): Steps<void> {
  return cpu.atomicAdd(page + MAPCOUNT, 1);
}

/** folio_try_dup_anon_rmap: fork maps it a second time, so nobody owns it alone. Under the PTL of the first mapping. */
export function* pageDupAnonRmap(cpu: Cpu, page: Address): Steps<void> {
  yield* cpu.atomicAndNot(page + FLAGS, PG_ANON_EXCLUSIVE);
  yield* pageAddRmap(cpu, page);
}

/** folio_try_share_anon_rmap: a swap entry takes the mapping's place, and fork copies those without looking at the page. */
export function pageShareAnonRmap(cpu: Cpu, page: Address): Steps<void> {
  return cpu.atomicAndNot(page + FLAGS, PG_ANON_EXCLUSIVE);
}

/** folio_remove_rmap_pte. */
export function* pageRemoveRmap(cpu: Cpu, page: Address): Steps<void> {
  const left = yield* cpu.atomicAddReturn(page + MAPCOUNT, -1);
  cpu.claim.that(left >= 0, 'O16', 'a page was unmapped more often than mapped');
}

/** PageAnonExclusive. */
export function* pageAnonExclusive(cpu: Cpu, page: Address): Steps<boolean> {
  return ((yield* cpu.readOnce(page + FLAGS)) & PG_ANON_EXCLUSIVE) !== 0;
}

/**
 * wp_can_reuse_anon_folio: the only reference is this mapping's, so the page becomes exclusive. Under its PTL. Pages of KSM
 * are always copied: the tree of merged pages knows them without a reference.
 */
export function* wpCanReuseAnonPage(cpu: Cpu, page: Address): Steps<boolean> {
  if ((yield* cpu.readOnce(page + REFCOUNT)) !== 1) return false;
  if (((yield* pageFlags(cpu, page)) & PG_KSM) !== 0) return false;
  yield* cpu.atomicOr(page + FLAGS, PG_ANON_EXCLUSIVE);
  return true;
}

/** folio_mark_dirty: newer than its backing store. */
export function pageMarkDirty(cpu: Cpu, page: Address): Steps<void> {
  return cpu.atomicOr(page + FLAGS, PG_DIRTY);
}

/** folio_clear_dirty: what is written from now on marks it again, by an entry or by a call. @returns was it dirty? */
export function* pageClearDirty(cpu: Cpu, page: Address): Steps<boolean> {
  return ((yield* cpu.atomicFetchAndNot(page + FLAGS, PG_DIRTY)) & PG_DIRTY) !== 0;
}

/** folio_set_ksm: from now on a merged page. Its contents are stable. */
export function pageMarkKsm(cpu: Cpu, page: Address): Steps<void> {
  return cpu.atomicOr(page + FLAGS, PG_KSM);
}

/**
 * folio_clear_dirty and folio_mark_lazyfree: MADV_FREE gives the contents up. What is written later shows as a dirty entry.
 */
export function* pageMarkLazyfree(cpu: Cpu, page: Address): Steps<void> {
  yield* cpu.atomicAndNot(page + FLAGS, PG_DIRTY);
  yield* cpu.atomicOr(page + FLAGS, PG_LAZYFREE);
}

/** split_folio: each of its pages is on its own from now on. Somebody holds a reference; it may sleep. */
export function pageSplitLarge(cpu: Cpu, page: Address): Steps<void> {
  return cpu.atomicAndNot(page + FLAGS, PG_LARGE);
}

/** PG_* bits of a page. */
export function pageFlags(cpu: Cpu, page: Address): Steps<number> {
  return cpu.readOnce(page + FLAGS);
}

/** folio_set_swapbacked: the page was written after MADV_FREE, so it is kept after all. */
export function pageClearLazyfree(cpu: Cpu, page: Address): Steps<void> {
  return cpu.atomicAndNot(page + FLAGS, PG_LAZYFREE);
}

/** folio_ref_count. */
export function pageRefcount(cpu: Cpu, page: Address): Steps<number> {
  return cpu.readOnce(page + REFCOUNT);
}

/** folio_mapcount. */
export function pageMapcount(cpu: Cpu, page: Address): Steps<number> {
  return cpu.readOnce(page + MAPCOUNT);
}

/** folio_ref_freeze: takes all references at once, if there are as many as the caller knows of. Nobody gets one any more. */
export function* freezePage(cpu: Cpu, page: Address, refs: number): Steps<boolean> {
  return (yield* cpu.cmpxchg(page + REFCOUNT, refs, 0)) === refs;
}

/** free_unref_folios: of a page that was frozen. Claims that it still is, and that nothing maps it (O16; bad_page). */
export function* freeFrozenPage(cpu: Cpu, page: Address): Steps<void> {
  const used = (yield* pageRefcount(cpu, page)) !== 0 || cpu.read(page + MAPCOUNT) !== 0;
  cpu.claim.that(!used, 'O16', 'a page is freed that something still refers to, or maps');
  yield* cpu.free('page', page);
}

/** folio_ref_unfreeze: and gives them back. */
export function unfreezePage(cpu: Cpu, page: Address, refs: number): Steps<void> {
  return cpu.storeRelease(page + REFCOUNT, refs);
}

/** folio_try_get: a reference to a page that may be on its way out; false if it is. */
export function* tryGetPage(cpu: Cpu, page: Address): Steps<boolean> {
  let seen = yield* cpu.readOnce(page + REFCOUNT);
  while (seen !== 0) {
    const old = yield* cpu.cmpxchg(page + REFCOUNT, seen, seen + 1);
    if (old === seen) return true;
    seen = old;
  }
  return false;
}
