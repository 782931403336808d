/**
 * change_protection: the walk that mprotect, userfaultfd and NUMA hinting share (mm/mprotect.c).
 *
 * Entries are exchanged under their PTL and flushed later, so until the flush a CPU may write through an entry that memory
 * shows as read-only. mprotect holds mmap_lock for write, which keeps faults out of that window; the other two hold it for
 * read, and rely on readers that ask mm_tlb_flush_pending under the PTL.
 *
 *     profile.changeProtection
 *       gather   5.19 on    one gather per system call; only entries that need it (profile.needsFlush)
 *       range    to 5.18    per VMA: pending + 1; walk; flush the whole range if an entry was present; pending - 1
 *       none     wrong      walk only
 *
 * Claims: a gather saw the range (O10).
 */
import {
  type Address,
  archEnterLazyMmuMode,
  type Cell,
  type Cpu,
  decTlbFlushPending,
  type Entry,
  entryAddrEnd,
  entryCell,
  entryNone,
  entryTarget,
  incTlbFlushPending,
  type Mm,
  type MmuGather,
  pteDirty,
  ptePresent,
  pteWrite,
  type Steps,
  tlbChangePageSize,
  tlbEndPtes,
  tlbEndVma,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbStartPtes,
  tlbStartVma,
  type Vma,
  VM_HUGEPAGE,
  VM_SHARED,
  VM_UFFD_WP,
  VM_WRITE,
  pageSize,
  pteClearUffdWp,
  pteMkuffdWp,
  pteMkwrite,
  pteModify,
  pteProtnone,
  pteUffdWp,
  vmaWantsWritenotify,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import { pmdTransHuge } from './huge-memory.ts';
import { splitHugePmd } from './huge-split.ts';
import { changeHugePmd, type HugeChange } from './huge-walk.ts';
import { pageAnon, pageAnonExclusive, vmNormalPage } from './page.ts';
import {
  ptepGet,
  ptepModifyProtCommit,
  ptepModifyProtStart,
  pteOffsetMapLock,
  pteUnmapUnlockLazy,
  topLevel,
} from './page-table.ts';
import { flushTlbBatchedPending } from './rmap.ts';
import { claimWithin } from './vma.ts';

/** MM_CP_TRY_CHANGE_WRITABLE: make entries writable that a write fault would only find exclusive. */
export const MM_CP_TRY_CHANGE_WRITABLE: number = 1;
/** MM_CP_PROT_NUMA: take entries away for a hinting fault. */
export const MM_CP_PROT_NUMA: number = 2;
/** MM_CP_UFFD_WP: write-protect for userfaultfd. */
export const MM_CP_UFFD_WP: number = 4;
/** MM_CP_UFFD_WP_RESOLVE: and take that back. */
export const MM_CP_UFFD_WP_RESOLVE: number = 8;

/** vma_wants_manual_pte_write_upgrade: a writable VMA whose fresh entries are not. */
export function vmaWantsManualPteWriteUpgrade(vmFlags: number): boolean {
  return (vmFlags & VM_SHARED) !== 0 ? vmaWantsWritenotify(vmFlags) : (vmFlags & VM_WRITE) !== 0;
}

/**
 * can_change_pte_writable: would a write fault do nothing but set the write bit? A private page must be anonymous and
 * exclusive; a shared one dirty, so that its file system has seen a write. The VMA may be written to, so that its entries are not PROT_NONE,
 * for which Linux asks all the same.
 */
export function* canChangePteWritable(cpu: Cpu, vmFlags: number, entry: Entry): Steps<boolean> {
  if ((vmFlags & VM_UFFD_WP) !== 0 && pteUffdWp(entry)) return false;
  if ((vmFlags & VM_SHARED) !== 0) return pteDirty(entry);
  const page = vmNormalPage(entry);
  return page !== 0 && pageAnon(cpu, page) && (yield* pageAnonExclusive(cpu, page));
}

/** What change_protection does to each entry of a VMA. */
interface Change {
  readonly mm: Mm;
  readonly tlb: MmuGather | null;
  readonly vmFlags: number;
  readonly prot: number;
  readonly cp: number;
}

/**
 * change_protection: walks a range within one VMA.
 * @param tlb the caller's gather; null in the forms without one
 * @returns number of entries that were present
 */
export function* changeProtection(
  cpu: Cpu,
  mm: Mm,
  tlb: MmuGather | null,
  vma: Vma,
  start: number,
  end: number,
  cp: number,
): Steps<number> {
  cpu.claim.held(mm.mmapLock);
  claimWithin(cpu, vma, start, end);
  const vmFlags = cpu.read(vma.flags);
  const prot = vmPageProt((cp & MM_CP_PROT_NUMA) !== 0 ? 0 : vmFlags);
  const change: Change = { mm, tlb, vmFlags, prot, cp };
  const range = cpu.kernel.profile.changeProtection === 'range';
  if (range) yield* incTlbFlushPending(cpu, mm);
  if (tlb !== null) tlbStartVma(cpu, tlb, vma);
  const pages = yield* changeTableRange(cpu, change, cpu.read(mm.pgd), topLevel(cpu), start, end);
  if (tlb !== null) yield* tlbEndVma(cpu, tlb);
  else if (range && pages > 0) yield* cpu.kernel.backend.flushTlbRange(cpu, mm, start, end, 0);
  if (range) yield* decTlbFlushPending(cpu, mm);
  return pages;
}

/**
 * The gather that change_protection notes its changes in, if the profile uses one.
 * @param alone VMAs may be split while it is open, which takes the locks of their files (core's sync-finish.ts)
 */
export function* changeProtectionGather(cpu: Cpu, mm: Mm, alone = false): Steps<MmuGather | null> {
  return cpu.kernel.profile.changeProtection === 'gather' ? yield* tlbGatherMmu(cpu, mm, alone) : null;
}

/** change_p4d_range, change_pud_range, change_pmd_range. */
function* changeTableRange(
  cpu: Cpu,
  change: Change,
  table: Address,
  level: number,
  start: number,
  end: number,
): Steps<number> {
  const geometry = cpu.kernel.geometry;
  let cell = entryCell(geometry, table, level, start);
  let pages = 0;
  for (let at = start; at < end; cell++) {
    const next = entryAddrEnd(geometry, level, at, end);
    if (level === 1) {
      pages += yield* changePmdEntry(cpu, change, cell, at, next);
    } else {
      const entry = yield* cpu.readOnce(cell);
      if (!entryNone(entry)) pages += yield* changeTableRange(cpu, change, entryTarget(entry), level - 1, at, next);
    }
    at = next;
  }
  return pages;
}

/** The entry of level 1: a huge page as a whole, unless userfaultfd wants to see its pages one by one; or a PTE table. */
function* changePmdEntry(cpu: Cpu, change: Change, pmd: Cell, start: number, end: number): Steps<number> {
  const { mm, vmFlags, cp } = change;
  if ((vmFlags & VM_HUGEPAGE) !== 0) {
    const huge = pmdTransHuge(yield* cpu.readOnce(pmd));
    if (huge && (cp & (MM_CP_UFFD_WP | MM_CP_UFFD_WP_RESOLVE)) !== 0) yield* splitHugePmd(cpu, mm, pmd, start);
    const how: HugeChange = {
      mm,
      tlb: change.tlb,
      prot: change.prot,
      writable: upgradesHuge(cpu, change) ? (entry) => canChangePteWritable(cpu, vmFlags, entry) : null,
      hinting: (cp & MM_CP_PROT_NUMA) !== 0,
    };
    const pages = yield* changeHugePmd(cpu, how, pmd, start, end);
    if (pages !== null) return pages;
  }
  return yield* changePteRange(cpu, change, pmd, start, end);
}

function upgradesHuge(cpu: Cpu, { cp }: Change): boolean {
  return cpu.kernel.profile.hugeProtectWritable && (cp & MM_CP_TRY_CHANGE_WRITABLE) !== 0;
}

/** change_pte_range: the entries of a range within one PTE table, under its PTL. */
function* changePteRange(cpu: Cpu, change: Change, pmd: Cell, start: number, end: number): Steps<number> {
  const { mm, tlb } = change;
  if (tlb !== null) yield* tlbChangePageSize(cpu, tlb, 0);
  const table = yield* pteOffsetMapLock(cpu, pmd);
  if (table === 0) return 0;
  if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
  yield* flushTlbBatchedPending(cpu, mm);
  yield* archEnterLazyMmuMode(cpu);
  const size = pageSize(cpu.kernel.geometry);
  let pte = entryCell(cpu.kernel.geometry, table, 0, start);
  let pages = 0;
  for (let at = start; at < end; at += size, pte++) {
    const seen = yield* ptepGet(cpu, pte);
    if (!ptePresent(seen)) continue;
    // A hinting fault on the zero page would tell nothing; one that is still pending need not be repeated.
    if ((change.cp & MM_CP_PROT_NUMA) !== 0 && (pteProtnone(seen) || vmNormalPage(seen) === 0)) continue;
    const old = yield* ptepModifyProtStart(cpu, mm, at, pte);
    const entry = yield* changedPte(cpu, change, old);
    yield* ptepModifyProtCommit(cpu, mm, at, pte, old, entry);
    const decides = cpu.kernel.profile.flushDecision === 'exchanged' ? old : seen;
    if (tlb !== null && needsFlush(cpu, decides, entry)) tlbFlushLevelRange(tlb, at, size, 0);
    pages++;
  }
  if (tlb !== null) {
    cpu.claim.observed(cpu.read(mm.pgd), { start, end });
    yield* tlbEndPtes(cpu, tlb, table);
  }
  yield* pteUnmapUnlockLazy(cpu, table);
  return pages;
}

function needsFlush(cpu: Cpu, old: Entry, entry: Entry): boolean {
  return cpu.kernel.profile.needsFlush === 'always' || cpu.kernel.backend.pteNeedsFlush(old, entry);
}

/** The entry that takes the place of `old`. */
function* changedPte(cpu: Cpu, change: Change, old: Entry): Steps<Entry> {
  const { cp, vmFlags } = change;
  let entry = pteModify(old, change.prot);
  if ((cp & MM_CP_UFFD_WP) !== 0) entry = pteMkuffdWp(entry);
  else if ((cp & MM_CP_UFFD_WP_RESOLVE) !== 0) entry = pteClearUffdWp(entry);
  if ((cp & MM_CP_TRY_CHANGE_WRITABLE) === 0 || pteWrite(entry)) return entry;
  return (yield* canChangePteWritable(cpu, vmFlags, entry)) ? pteMkwrite(entry) : entry;
}

/** MM_CP_TRY_CHANGE_WRITABLE if the VMA and the profile ask for it. Before 6.1 only shared mappings did. */
export function tryChangeWritable(cpu: Cpu, vmFlags: number): number {
  if (!vmaWantsManualPteWriteUpgrade(vmFlags)) return 0;
  return cpu.kernel.profile.mprotectWritable || (vmFlags & VM_SHARED) !== 0 ? MM_CP_TRY_CHANGE_WRITABLE : 0;
}
