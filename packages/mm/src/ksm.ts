/**
 * Same-page merging (mm/ksm.c): two anonymous pages with equal contents become one that nobody may write.
 *
 *     KSM (write_protect_page)                another CPU
 *     lock PTL                                holds the old entry, writable and dirty
 *       ptep_clear_flush                      a write faults, and waits for this PTL
 *       no other references? clean, read-only
 *     unlock
 *     compare contents                        from here on they stay as they are
 *     lock PTL; entry is the same             (replace_page)
 *       ptep_clear_flush                      no CPU reads the old page any more
 *       entry of the merged page
 *     unlock; drop the old page
 *
 * An entry that is read-only and clean in memory already needs no flush, unless somebody else made it so and has not flushed
 * yet (trace T11). Whoever lowers tlb_flush_pending before the flush defeats that question (trace T23).
 *
 * Locks: mmap_lock for read; then the PTL. Claims: what is compared and merged is stable (O13).
 */
import {
  type Address,
  type Cpu,
  type Entry,
  getPage,
  type Mm,
  type PteAt,
  pteDirty,
  ptePresent,
  pteSame,
  pteTlbFlushPending,
  pteWrite,
  putPage,
  type Steps,
  mkPte,
  pteMkclean,
  pteWrprotect,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import {
  pageAddRmap,
  pageAnon,
  pageAnonExclusive,
  pageMapcount,
  pageMarkDirty,
  pageMarkKsm,
  pageRefcount,
  pageRemoveRmap,
  pagesIdentical,
  pageShareAnonRmap,
  vmNormalPage,
} from './page.ts';
import { ptepGet, pteUnmapUnlock, setPteAt } from './page-table.ts';
import { lockPteAtSplit, mapsPage } from './page-vma-mapped.ts';
import { ptepClearFlush } from './rmap.ts';
import { vmaLookup } from './vma.ts';

/** Where an anonymous page is mapped: an item of KSM's (struct ksm_rmap_item). */
export interface KsmItem {
  /** The mm. */
  readonly mm: Mm;
  /** Where it maps the page. */
  readonly address: number;
}

/** What a mapping and KSM hold of a page: one reference each. */
const MAPPING_AND_KSM = 2;

/**
 * try_to_merge_with_ksm_page without a merged page: makes the page there one. Its contents are stable from now on.
 * @returns the page, or 0 if somebody may write to it
 */
export function* ksmMakeStable(cpu: Cpu, item: KsmItem): Steps<Address> {
  const page = yield* followPage(cpu, item);
  if (page === 0) return 0;
  const stable = (yield* writeProtectPage(cpu, item, page)) !== 0;
  if (stable) {
    yield* pageMarkKsm(cpu, page);
    cpu.claim.stable(page, true);
  }
  yield* putPage(cpu, page);
  return stable ? page : 0;
}

/**
 * try_to_merge_with_ksm_page: maps a merged page in place of another one, if their contents are equal and cannot change. If not,
 * the other one is writable again by a fault.
 * @param kpage a merged page; somebody maps it
 * @returns true if it is mapped there now
 */
export function* ksmMerge(cpu: Cpu, item: KsmItem, kpage: Address): Steps<boolean> {
  const page = yield* followPage(cpu, item);
  if (page === 0) return false;
  const merged = page !== kpage && (yield* tryToMergeOnePage(cpu, item, page, kpage));
  yield* putPage(cpu, page);
  return merged;
}

/** try_to_merge_one_page. */
function* tryToMergeOnePage(cpu: Cpu, item: KsmItem, page: Address, kpage: Address): Steps<boolean> {
  const orig = yield* writeProtectPage(cpu, item, page);
  if (orig === 0) return false;
  cpu.claim.stable(page, true);
  const merged = (yield* pagesIdentical(cpu, page, kpage)) && (yield* replacePage(cpu, item, page, kpage, orig));
  cpu.claim.stable(page, false);
  return merged;
}

/** get_mergeable_page, follow_page: the anonymous page there, with a reference; 0 if there is none. */
function* followPage(cpu: Cpu, item: KsmItem): Steps<Address> {
  const at = yield* lockItem(cpu, item);
  if (at === null) return 0;
  const entry = yield* ptepGet(cpu, at.pte);
  const page = ptePresent(entry) ? vmNormalPage(entry) : 0;
  const mergeable = page !== 0 && pageAnon(cpu, page);
  // The mapping's reference keeps the page while the PTL is held.
  if (mergeable) yield* getPage(cpu, page);
  yield* unlockItem(cpu, at);
  return mergeable ? page : 0;
}

/** Finds the entry of an item. @returns null, or what holds mmap_lock for read and the PTL */
function* lockItem(cpu: Cpu, { mm, address }: KsmItem): Steps<PteAt | null> {
  yield* cpu.downRead(mm.mmapLock);
  const at = yield* lockPteAtSplit(cpu, mm, vmaLookup(cpu, mm, address), address);
  if (at === null) yield* cpu.upRead(mm.mmapLock);
  return at;
}

function* unlockItem(cpu: Cpu, { mm, table }: PteAt): Steps<void> {
  yield* pteUnmapUnlock(cpu, table);
  yield* cpu.upRead(mm.mmapLock);
}

/**
 * write_protect_page: when it succeeds, nobody can write to the page, neither through an entry of any age nor through a
 * reference of get_user_pages.
 * @returns the entry that replace_page must find, or 0
 */
function* writeProtectPage(cpu: Cpu, item: KsmItem, page: Address): Steps<Entry> {
  const at = yield* lockItem(cpu, item);
  if (at === null) return 0;
  const seen = yield* ptepGet(cpu, at.pte);
  const there = mapsPage(seen, page) && (yield* pageMapcount(cpu, page)) === 1;
  const entry = there ? yield* protectedEntry(cpu, at, seen, page) : 0;
  yield* unlockItem(cpu, at);
  return entry;
}

function* protectedEntry(cpu: Cpu, at: PteAt, seen: Entry, page: Address): Steps<Entry> {
  if (!(yield* mustProtect(cpu, at, seen, page))) return seen;
  // From here on a reference cannot be taken through the entry, so the count does not grow any more.
  const old = yield* ptepClearFlush(cpu, at);
  if ((yield* pageRefcount(cpu, page)) !== MAPPING_AND_KSM) {
    yield* setPteAt(cpu, at.mm, at.address, at.pte, old);
    return 0;
  }
  yield* pageShareAnonRmap(cpu, page);
  if (pteDirty(old)) yield* pageMarkDirty(cpu, page);
  const entry = pteMkclean(pteWrprotect(old));
  yield* setPteAt(cpu, at.mm, at.address, at.pte, entry);
  return entry;
}

/** May somebody still write through this entry, or through what it was? */
function* mustProtect(cpu: Cpu, at: PteAt, entry: Entry, page: Address): Steps<boolean> {
  if (pteWrite(entry) || pteDirty(entry)) return true;
  if (cpu.kernel.profile.anonReuse === 'exclusive' && (yield* pageAnonExclusive(cpu, page))) return true;
  return cpu.kernel.profile.ksmPending && (yield* pteTlbFlushPending(cpu, at));
}

/** replace_page: the merged page takes the place of one with the same contents. */
function* replacePage(cpu: Cpu, item: KsmItem, page: Address, kpage: Address, orig: Entry): Steps<boolean> {
  const at = yield* lockItem(cpu, item);
  if (at === null) return false;
  const same = pteSame(yield* ptepGet(cpu, at.pte), orig);
  if (same) {
    yield* getPage(cpu, kpage);
    yield* pageAddRmap(cpu, kpage);
    yield* ptepClearFlush(cpu, at);
    yield* setPteAt(cpu, at.mm, at.address, at.pte, pteWrprotect(mkPte(kpage, vmPageProt(cpu.read(at.vma.flags)))));
    yield* pageRemoveRmap(cpu, page);
  }
  yield* unlockItem(cpu, at);
  // The mapping's reference.
  if (same) yield* putPage(cpu, page);
  return same;
}
