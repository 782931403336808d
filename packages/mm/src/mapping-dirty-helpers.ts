/**
 * Dirty tracking of a file mapping for a driver (mm/mapping_dirty_helpers.c): which pages were written to since the last look.
 *
 *     wpSharedMappingRange              each entry read-only: the next write faults
 *     cleanRecordSharedMappingRange     each dirty entry clean, and its page in the list: the next write sets the bit again
 *
 * for each shared VMA of the mapping, with iMmapLock for read only:
 *
 *     helper                                  another helper, zap, KSM ...
 *     notifier start; pending + 1
 *       each entry: lock PTL; change; unlock  sees the changed entry under the PTL, and that a flush is pending
 *       flush what changed; all of the range if somebody else is pending: his changes look like work done
 *     notifier end; pending - 1
 *
 * Contract: a write after the return is found by the next look, or faults. Claims: pages that were looked at are clean (O3).
 *
 * Linux does not ask for deferrals of reclaim here (RFC 13 would): an entry that reclaim has cleared may still be written through.
 * That is right only for pages that reclaim never sees, which those of today's users are.
 */
import {
  type Address,
  type AddressSpace,
  type Cpu,
  decTlbFlushPending,
  type Entry,
  type Hull,
  entryAddrEnd,
  entryCell,
  incTlbFlushPending,
  Mm,
  type MmuGather,
  mmTlbFlushNested,
  pageSize,
  pteDirty,
  pteWrite,
  type Steps,
  tlbEndPtes,
  tlbEndVma,
  tlbFinishMmu,
  tlbAdjustRange,
  tlbFlushLevelRange,
  tlbGatherMmu,
  tlbStartPtes,
  tlbStartVma,
  VM_SHARED,
  pteMkclean,
  pteWrprotect,
} from '@mmu-gather/core/stepped';
import { type MappedRange, mappedRanges } from './mapping.ts';
import { mmuNotifierEnd, mmuNotifierStart } from './mmu-notifier.ts';
import { vmNormalPage } from './page.ts';
import {
  pmdOffset,
  ptepGet,
  ptepModifyProtCommit,
  ptepModifyProtStart,
  pteOffsetMapLock,
  pteUnmapUnlock,
} from './page-table.ts';
import { flushTlbBatchedPending } from './rmap.ts';

/** A walk over one VMA: private to the helper. */
interface Walk {
  readonly mm: Mm;
  readonly range: MappedRange;
  /** Clean dirty entries, or write-protect writable ones. */
  readonly clean: boolean;
  /** The gather, if changes are noted in one. */
  readonly tlb: MmuGather | null;
  /** What was changed. */
  readonly changed: Hull;
  /** Pages that are mapped; frames without struct page are not among them. */
  readonly pages: Address[];
  /** Indexes in the file of pages that were dirty. */
  readonly dirty: number[];
}

/** wp_shared_mapping_range. @returns how many entries were writable */
export function* wpSharedMappingRange(cpu: Cpu, mapping: AddressSpace, first: number, pages: number): Steps<number> {
  let changed = 0;
  yield* cpu.downRead(mapping.iMmapLock);
  for (const range of sharedRanges(cpu, mapping, first, pages))
    changed += (yield* walkVma(cpu, range, false)).dirty.length;
  yield* cpu.upRead(mapping.iMmapLock);
  return changed;
}

/** clean_record_shared_mapping_range. @returns indexes in the file of the pages that were dirty, in the order of VMAs */
export function* cleanRecordSharedMappingRange(
  cpu: Cpu,
  mapping: AddressSpace,
  first: number,
  pages: number,
): Steps<readonly number[]> {
  const dirty: number[] = [];
  const seen: Address[] = [];
  yield* cpu.downRead(mapping.iMmapLock);
  for (const range of sharedRanges(cpu, mapping, first, pages)) {
    const walk = yield* walkVma(cpu, range, true);
    dirty.push(...walk.dirty);
    seen.push(...walk.pages);
  }
  for (const page of seen) cpu.claim.clean(page);
  yield* cpu.upRead(mapping.iMmapLock);
  return dirty;
}

/** wp_clean_test_walk: private copies are nobody's business. */
function sharedRanges(cpu: Cpu, mapping: AddressSpace, first: number, pages: number): MappedRange[] {
  return mappedRanges(cpu, mapping, first, pages).filter(({ vma }) => (cpu.read(vma.flags) & VM_SHARED) !== 0);
}

/** walk_page_mapping for one VMA, between wp_clean_pre_vma and wp_clean_post_vma. */
function* walkVma(cpu: Cpu, range: MappedRange, clean: boolean): Steps<Walk> {
  const { dirtyHelpers, notifierEnd } = cpu.kernel.profile;
  const mm = Mm.at(cpu.read(range.vma.mm));
  yield* mmuNotifierStart(cpu, mm);
  const tlb = dirtyHelpers === 'gather' ? yield* tlbGatherMmu(cpu, mm) : null;
  if (dirtyHelpers === 'pending') yield* incTlbFlushPending(cpu, mm);
  const walk: Walk = { mm, range, clean, tlb, changed: { start: range.end, end: range.start }, pages: [], dirty: [] };
  yield* walkTables(cpu, walk);
  if (notifierEnd === 'before-flush') yield* mmuNotifierEnd(cpu, mm);
  if (tlb !== null) yield* tlbFinishMmu(cpu, tlb, range.start, range.end);
  else if (dirtyHelpers === 'pending') yield* flushWalk(cpu, walk);
  if (notifierEnd === 'after-flush') yield* mmuNotifierEnd(cpu, mm);
  if (dirtyHelpers === 'pending') yield* decTlbFlushPending(cpu, mm);
  return walk;
}

/** The flush of wp_clean_post_vma. */
function* flushWalk(cpu: Cpu, { mm, range, changed: { start, end } }: Walk): Steps<void> {
  const { backend } = cpu.kernel;
  if (yield* mmTlbFlushNested(cpu, mm)) yield* backend.flushTlbRange(cpu, mm, range.start, range.end, 0);
  else if (start < end) yield* backend.flushTlbRange(cpu, mm, start, end, 0);
}

function* walkTables(cpu: Cpu, walk: Walk): Steps<void> {
  const { start, end, vma } = walk.range;
  if (walk.tlb !== null) tlbStartVma(cpu, walk.tlb, vma);
  for (let at = start; at < end; ) {
    const next = entryAddrEnd(cpu.kernel.geometry, 1, at, end);
    yield* walkTable(cpu, walk, at, next);
    at = next;
  }
  if (walk.tlb !== null) yield* tlbEndVma(cpu, walk.tlb);
}

/** The entries of a range within one PTE table, under its PTL. */
function* walkTable(cpu: Cpu, walk: Walk, start: number, end: number): Steps<void> {
  const { mm, tlb } = walk;
  const pmd = yield* pmdOffset(cpu, mm, start);
  const table = pmd === 0 ? 0 : yield* pteOffsetMapLock(cpu, pmd);
  if (table === 0) return;
  if (tlb !== null) yield* tlbStartPtes(cpu, tlb);
  if (cpu.kernel.profile.helpersSettle) yield* flushTlbBatchedPending(cpu, mm);
  const size = pageSize(cpu.kernel.geometry);
  let pte = entryCell(cpu.kernel.geometry, table, 0, start);
  for (let at = start; at < end; at += size, pte++) {
    const seen = yield* ptepGet(cpu, pte);
    const page = vmNormalPage(seen);
    if (page !== 0) walk.pages.push(page);
    if (walk.clean ? !pteDirty(seen) : !pteWrite(seen)) continue;
    const old = yield* ptepModifyProtStart(cpu, mm, at, pte);
    const entry = walk.clean ? pteMkclean(old) : pteWrprotect(old);
    yield* ptepModifyProtCommit(cpu, mm, at, pte, old, entry);
    walk.dirty.push(cpu.read(walk.range.vma.pgoff) + (at - cpu.read(walk.range.vma.start)) / size);
    noteChange(cpu, walk, old, entry, at, size);
  }
  if (tlb !== null) {
    cpu.claim.observed(cpu.read(mm.pgd), { start, end });
    yield* tlbEndPtes(cpu, tlb, table);
  }
  yield* pteUnmapUnlock(cpu, table);
}

function noteChange(cpu: Cpu, walk: Walk, old: Entry, entry: Entry, address: number, size: number): void {
  tlbAdjustRange(walk.changed, address, size);
  if (walk.tlb === null) return;
  if (walk.clean || cpu.kernel.backend.pteNeedsFlush(old, entry)) tlbFlushLevelRange(walk.tlb, address, size, 0);
}
