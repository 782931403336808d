/**
 * fork: a copy of the address space that shares pages until one side writes (kernel/fork.c: dup_mmap, mm/memory.c).
 *
 *     CPU 0 (fork)                               CPU 1 (thread of the parent)
 *     lock both mmap_locks for write
 *       each entry: write-protect the parent's,  writes through its old entry: still the same page,
 *       give the child a read-only copy          nobody else has looked at it yet
 *       flush the parent's mm                    from here on a write faults, and waits for mmap_lock
 *     unlock: faults copy
 *
 * The one flush at the end is enough because no fault can copy, and the child cannot run, before the locks are dropped. Faults that
 * take the lock of their VMA must be kept out as well, by that lock (6.5 on): otherwise one copies a page while others still write
 * to it through stale entries (trace T16).
 */
import {
  type Address,
  archEnterLazyMmuMode,
  type Cell,
  type Cpu,
  type Entry,
  entryAddrEnd,
  entryCell,
  entryNone,
  entryTarget,
  EVERYTHING,
  flushToGen,
  getPage,
  type Hull,
  type Mm,
  ptePresent,
  pteWrite,
  type Steps,
  Vma,
  VM_PFNMAP,
  VM_SHARED,
  VM_UFFD_WP,
  pageSize,
  tlbAdjustRange,
  isMigrationPte,
  pteClearUffdWp,
  pteMkclean,
  pteMkold,
  pteWrprotect,
} from '@mmu-gather/core/stepped';
import { vmaLinkFile } from './mapping.ts';
import { copyHugePmd } from './huge-copy.ts';
import { hugeSize, pmdTransHuge } from './huge-memory.ts';
import { mmAlloc } from './mm.ts';
import { pageAddRmap, pageAnon, pageDupAnonRmap, vmNormalPage } from './page.ts';
import {
  pmdAlloc,
  pteAllocMapLock,
  ptepGet,
  ptepSetWrprotect,
  pteOffsetMapLock,
  pteUnmapUnlock,
  pteUnmapUnlockLazy,
  setPteAt,
  topLevel,
} from './page-table.ts';
import { appendVma, dupVma } from './vma.ts';
import { mmapWriteUnlock, vmaStartWrite } from './vma-lock.ts';

/** dup_mm: what fork does without CLONE_VM. @returns the child's mm, with one user */
export function* dupMm(cpu: Cpu, oldMm: Mm): Steps<Mm> {
  const mm = yield* mmAlloc(cpu);
  if (cpu.kernel.profile.forkMmGens !== 'none') yield* copyGenerations(cpu, mm, oldMm);
  yield* dupMmap(cpu, mm, oldMm);
  return mm;
}

/** What the memcpy of struct mm_struct leaves in the child's generations if somebody forgets to initialise them. */
function* copyGenerations(cpu: Cpu, mm: Mm, oldMm: Mm): Steps<void> {
  const generation = cpu.kernel.profile.forkMmGens === 'deferred' ? 'tlbGenDeferred' : 'tlbGenCompleted';
  cpu.write(mm[generation], yield* cpu.readOnce(oldMm[generation]));
}

/** dup_mmap: copies VMAs and entries, then flushes the parent. */
function* dupMmap(cpu: Cpu, mm: Mm, oldMm: Mm): Steps<void> {
  yield* cpu.downWrite(oldMm.mmapLock);
  yield* cpu.downWrite(mm.mmapLock);
  const lost: Hull = { start: EVERYTHING, end: 0 };
  let link = mm.mmap;
  for (let at = cpu.read(oldMm.mmap); at !== 0; ) {
    const vma = Vma.at(at);
    if (cpu.kernel.profile.vmaWriters !== 'all-but-fork') yield* vmaStartWrite(cpu, oldMm, vma);
    const copy = yield* dupVma(cpu, vma, mm);
    // The child is not registered with the parent's userfaultfd.
    cpu.write(copy.flags, cpu.read(copy.flags) & ~VM_UFFD_WP);
    // The child counts generations of its own; as posted it begins with one of the parent's.
    if (cpu.kernel.profile.forkVmaGen === 'inherited')
      cpu.write(copy.deferTlbGen, yield* cpu.readOnce(vma.deferTlbGen));
    link = appendVma(cpu, mm, link, copy);
    yield* vmaLinkFile(cpu, copy);
    if (vmaNeedsCopy(cpu, vma)) yield* copyPageRange(cpu, mm, oldMm, vma, lost);
    at = cpu.read(vma.next);
  }
  yield* mmapWriteUnlock(cpu, mm);
  yield* flushParent(cpu, oldMm, lost);
  yield* mmapWriteUnlock(cpu, oldMm);
}

/**
 * Nobody may write to what is shared now. Beside the entries that just lost the right to write, that is true of all whose loss somebody
 * has deferred (reclaim: the child may find the page in the swap cache); the flush of the whole mm takes them along.
 */
function* flushParent(cpu: Cpu, oldMm: Mm, lost: Hull): Steps<void> {
  const { backend, profile } = cpu.kernel;
  if (profile.forkFlush === 'mm') {
    yield* backend.flushTlbMm(cpu, oldMm);
  } else if (profile.forkFlush === 'protected') {
    if (lost.end !== 0) yield* backend.flushTlbRange(cpu, oldMm, lost.start, lost.end, 0);
    else yield* flushToGen(cpu, oldMm, 0, EVERYTHING, yield* cpu.readOnce(oldMm.tlbGen));
  }
}

/** vma_needs_copy: what the child cannot get by faults of its own. */
function vmaNeedsCopy(cpu: Cpu, vma: Vma): boolean {
  return (cpu.read(vma.flags) & VM_PFNMAP) !== 0 || cpu.read(vma.anonVma) !== 0;
}

/** copy_page_range: the entries of one VMA. */
function* copyPageRange(cpu: Cpu, mm: Mm, oldMm: Mm, vma: Vma, lost: Hull): Steps<void> {
  const copy: Copy = { mm, oldMm, cow: (cpu.read(vma.flags) & VM_SHARED) === 0, lost };
  yield* copyTableRange(cpu, copy, cpu.read(oldMm.pgd), topLevel(cpu), cpu.read(vma.start), cpu.read(vma.end));
}

/** What copy_page_range does for one VMA. */
interface Copy {
  readonly mm: Mm;
  readonly oldMm: Mm;
  /** is_cow_mapping. */
  readonly cow: boolean;
  /** Of the parent's entries those that lost the right to write. */
  readonly lost: Hull;
}

/** copy_p4d_range, copy_pud_range, copy_pmd_range: absent tables are skipped as a whole. */
function* copyTableRange(cpu: Cpu, copy: Copy, table: Address, level: number, start: number, end: number): Steps<void> {
  const geometry = cpu.kernel.geometry;
  let cell = entryCell(geometry, table, level, start);
  for (let at = start; at < end; cell++) {
    const next = entryAddrEnd(geometry, level, at, end);
    const entry = yield* cpu.readOnce(cell);
    if (!entryNone(entry)) {
      const copied = level === 1 && pmdTransHuge(entry) && (yield* copyHugeEntry(cpu, copy, cell, at));
      if (level === 1 && !copied) yield* copyPteRange(cpu, copy, cell, at, next);
      else if (level > 1) yield* copyTableRange(cpu, copy, entryTarget(entry), level - 1, at, next);
    }
    at = next;
  }
}

/** A huge page is shared as a whole. @returns false if reclaim, which takes no mmap_lock, has split it meanwhile */
function* copyHugeEntry(cpu: Cpu, copy: Copy, oldPmd: Cell, start: number): Steps<boolean> {
  const pmd = yield* pmdAlloc(cpu, copy.mm, start);
  tlbAdjustRange(copy.lost, start, hugeSize(cpu));
  return yield* copyHugePmd(cpu, copy.mm, copy.oldMm, pmd, oldPmd, start);
}

/** copy_pte_range: both PTLs, the child's outside. */
function* copyPteRange(cpu: Cpu, copy: Copy, oldPmd: Cell, start: number, end: number): Steps<void> {
  const geometry = cpu.kernel.geometry;
  const size = pageSize(geometry);
  const pmd = yield* pmdAlloc(cpu, copy.mm, start);
  const table = yield* pteAllocMapLock(cpu, copy.mm, pmd);
  const oldTable = yield* pteOffsetMapLock(cpu, oldPmd);
  if (oldTable !== 0) {
    yield* archEnterLazyMmuMode(cpu);
    let pte = entryCell(geometry, table, 0, start);
    let oldPte = entryCell(geometry, oldTable, 0, start);
    for (let at = start; at < end; at += size, pte++, oldPte++) {
      const entry = yield* ptepGet(cpu, oldPte);
      if (entryNone(entry)) continue;
      if (ptePresent(entry)) yield* copyPresentPte(cpu, copy, pte, oldPte, entry, at);
      else yield* copyNonpresentPte(cpu, copy.mm, at, pte, entry);
    }
    yield* pteUnmapUnlockLazy(cpu, oldTable);
  }
  yield* pteUnmapUnlock(cpu, table);
}

/** copy_present_ptes. */
function* copyPresentPte(cpu: Cpu, copy: Copy, pte: Cell, oldPte: Cell, old: Entry, address: number): Steps<void> {
  const page = vmNormalPage(old);
  if (page !== 0) {
    yield* getPage(cpu, page);
    if (pageAnon(cpu, page)) yield* pageDupAnonRmap(cpu, page);
    else yield* pageAddRmap(cpu, page);
  }
  let entry = old;
  if (copy.cow && pteWrite(entry)) {
    yield* ptepSetWrprotect(cpu, copy.oldMm, address, oldPte, old);
    tlbAdjustRange(copy.lost, address, pageSize(cpu.kernel.geometry));
    entry = pteWrprotect(entry);
  }
  if (!copy.cow) entry = pteMkclean(entry);
  yield* setPteAt(cpu, copy.mm, address, pte, pteClearUffdWp(pteMkold(entry)));
}

/** copy_nonpresent_pte: one more reference to the slot. A migration entry is copied as it is: the child waits, too. */
function* copyNonpresentPte(cpu: Cpu, mm: Mm, address: number, pte: Cell, entry: Entry): Steps<void> {
  if (!isMigrationPte(entry)) yield* getPage(cpu, entryTarget(entry));
  yield* setPteAt(cpu, mm, address, pte, entry);
}
