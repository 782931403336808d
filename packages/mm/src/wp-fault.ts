/**
 * Write faults on read-only entries: reuse or copy (mm/memory.c: do_wp_page and below).
 *
 *     CPU 0 (fault)                              CPU 1 (another thread)
 *     lock PTL; entry is RO: take a reference    may read the old page
 *     unlock; copy the page
 *     lock PTL; entry is the same
 *       ptep_clear_flush                         no entry in memory, none cached
 *       set the new entry                        can only find the new page
 *     unlock
 *     drop the old page
 *
 * Clear, flush and set stand under one PTL hold: otherwise one CPU could write the new page while another still reads the old
 * one (O6). The copy is only good if nobody could write to the old page meanwhile. fork makes sure of that by flushing
 * before it lets faults in; userfaultfd does not, so for its VMAs the fault flushes if a flush is pending (trace T10).
 * Claims: before the copy, that nobody can (O9).
 */
import {
  type Address,
  type Cpu,
  deferralOf,
  type Entry,
  getPage,
  putPage,
  type Steps,
  VM_SHARED,
  VM_UFFD_WP,
  maybeMkwrite,
  mkPte,
  pteMkdirty,
  pteMkyoung,
  pteUffdWp,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import { lockPage, unlockPage } from './mapping-cache.ts';
import {
  allocZeroedPage,
  copyPage,
  pageAddNewAnonRmap,
  pageAnon,
  pageAnonExclusive,
  pageMarkDirty,
  pageRemoveRmap,
  vmNormalPage,
  wpCanReuseAnonPage,
} from './page.ts';
import { ptepGetAndClear, ptepSetAccessFlags, pteUnmapUnlock, setPteAt, updateMmuCache } from './page-table.ts';
import { ptepClearFlush } from './rmap.ts';
import { handleUserfault } from './uffd.ts';
import { anonPrepare, lockSame, type Vmf } from './vmf.ts';

/** do_wp_page: entered with the PTL held and the entry checked, left without. */
export function* doWpPage(cpu: Cpu, vmf: Vmf): Steps<number> {
  if ((vmf.vmFlags & VM_UFFD_WP) !== 0) {
    if (pteUffdWp(vmf.orig)) {
      yield* pteUnmapUnlock(cpu, vmf.table);
      return yield* handleUserfault(cpu, vmf);
    }
    // Userfaultfd may have protected this page and not flushed yet: then another CPU can still write to what is to be copied.
    if (cpu.kernel.profile.uffdWpPendingFlush) yield* deferralOf(cpu).settle(cpu, vmf);
  } else if (cpu.kernel.profile.wpFaultPending === 'all') {
    yield* deferralOf(cpu).settle(cpu, vmf);
  }
  const page = vmNormalPage(vmf.orig);
  if ((vmf.vmFlags & VM_SHARED) !== 0) return yield* wpPageShared(cpu, vmf, page);
  if (page !== 0 && pageAnon(cpu, page)) {
    const exclusive = cpu.kernel.profile.anonReuse === 'exclusive' && (yield* pageAnonExclusive(cpu, page));
    if (exclusive || (yield* wpCanReuseAnonPage(cpu, page))) {
      yield* wpPageReuse(cpu, vmf);
      return 0;
    }
  }
  if (page !== 0) yield* getPage(cpu, page);
  // The copy must not miss a store: no CPU may still hold a writable entry, from whatever took that right away.
  cpu.claim.settled(cpu.read(vmf.mm.pgd), vmf.address);
  yield* pteUnmapUnlock(cpu, vmf.table);
  yield* wpPageCopy(cpu, vmf, page);
  return 0;
}

/** wp_page_reuse: the page is ours alone, so the entry becomes writable in place. No flush: it only grants more. */
function* wpPageReuse(cpu: Cpu, vmf: Vmf): Steps<void> {
  const entry = maybeMkwrite(pteMkdirty(pteMkyoung(vmf.orig)), vmf.vmFlags);
  yield* ptepSetAccessFlags(cpu, vmf.mm, vmf.address, vmf.pte, vmf.orig, entry);
  yield* updateMmuCache(cpu, vmf.mm, vmf.address, vmf.pte, entry);
  yield* pteUnmapUnlock(cpu, vmf.table);
}

/**
 * wp_page_shared, wp_pfn_shared: the entry becomes writable in place, and the page dirty (fault_dirty_shared_page), under its lock: who is
 * cleaning it has taken note of entries before, and would clean it behind this one's back. A reference keeps it meanwhile.
 */
function* wpPageShared(cpu: Cpu, vmf: Vmf, page: Address): Steps<number> {
  if (page !== 0) yield* getPage(cpu, page);
  yield* wpPageReuse(cpu, vmf);
  if (page === 0) return 0;
  yield* lockPage(cpu, page);
  yield* pageMarkDirty(cpu, page);
  yield* unlockPage(cpu, page);
  yield* putPage(cpu, page);
  return 0;
}

/** wp_page_copy: holds a reference to the old page (0: the zero page), no lock. */
function* wpPageCopy(cpu: Cpu, vmf: Vmf, old: Address): Steps<void> {
  yield* anonPrepare(cpu, vmf.vma);
  const page = yield* allocZeroedPage(cpu);
  if (old !== 0) yield* copyPage(cpu, page, old);
  const copied = yield* lockSame(cpu, vmf);
  if (copied) {
    const entry = maybeMkwrite(pteMkdirty(mkPte(page, vmPageProt(vmf.vmFlags))), vmf.vmFlags);
    yield* clearOldEntry(cpu, vmf);
    pageAddNewAnonRmap(cpu, page);
    yield* setPteAt(cpu, vmf.mm, vmf.address, vmf.pte, entry);
    yield* updateMmuCache(cpu, vmf.mm, vmf.address, vmf.pte, entry);
    // After the flush: who finds the page unmapped may believe that no CPU can reach it.
    if (old !== 0) yield* pageRemoveRmap(cpu, old);
    yield* pteUnmapUnlock(cpu, vmf.table);
  } else {
    yield* putPage(cpu, page);
  }
  if (old === 0) return;
  // The mapping's reference, and the one for the copy.
  if (copied) yield* putPage(cpu, old);
  yield* putPage(cpu, old);
}

function clearOldEntry(cpu: Cpu, vmf: Vmf): Steps<Entry> {
  if (cpu.kernel.profile.cowFlush === 'clear') return ptepGetAndClear(cpu, vmf.mm, vmf.address, vmf.pte);
  return ptepClearFlush(cpu, vmf);
}
