/**
 * Migration: pages move to other frames while programs go on (mm/migrate.c, try_to_migrate in mm/rmap.c).
 *
 *     each page: lock PTL                     another CPU
 *       migration entry, flush deferred       a fault finds the entry and waits
 *     unlock
 *     tryToUnmapFlush, once for all           only now nobody reads or writes the old pages
 *     each page: copy
 *     each page: entry of the new one         the fault goes on
 *
 * If a page were copied before the flush, a write through a stale entry would be left behind. Pages that somebody else holds a
 * reference to stay where they are, and so do pages that fork shares.
 *
 * Locks: mmap_lock for read stands in for those of the reverse map; then the PTL. Claims: what is copied is stable (O13).
 */
import {
  type Address,
  type Cpu,
  type Mm,
  type PteAt,
  putPage,
  type Steps,
  type TlbBatch,
  type Vma,
  maybeMkwrite,
  mkMigrationPte,
  mkPte,
  pteMkdirty,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import {
  allocZeroedPage,
  copyPage,
  pageAddNewAnonRmap,
  pageAddRmap,
  pageAnon,
  pageAnonExclusive,
  pageRefcount,
  pageRemoveRmap,
  tryGetPage,
} from './page.ts';
import { ptepGet, ptepGetAndClear, pteUnmapUnlock, setPteAt } from './page-table.ts';
import { lockPteAt, lockPteAtSplit, mapsPage } from './page-vma-mapped.ts';
import { ptepClearFlush, setTlbUbcFlushPending, shouldDeferFlush, tlbBatch, tryToUnmapFlush } from './rmap.ts';
import { vmaLookup } from './vma.ts';
import type { Rmap } from './vmscan.ts';

/** What migration holds of a page that it has unmapped: the mapping's reference, and its own from isolation. */
const MAPPING_AND_ISOLATION = 2;

/**
 * migrate_pages_batch, for anonymous pages that one place maps each: unmap all, flush once, copy all, map all.
 * @returns how many moved
 */
export function* migratePages(cpu: Cpu, pages: readonly Rmap[]): Steps<number> {
  const batch = tlbBatch();
  const isolated: Rmap[] = [];
  for (const at of pages) if (yield* tryGetPage(cpu, at.page)) isolated.push(at);
  const unmapped: Rmap[] = [];
  for (const at of isolated) if (yield* tryToMigrate(cpu, at, batch)) unmapped.push(at);
  const flushFirst = cpu.kernel.profile.migrateFlush === 'before-copy';
  if (flushFirst) yield* tryToUnmapFlush(cpu, batch);
  let moved = 0;
  for (const at of unmapped) if (yield* moveToNewPage(cpu, at)) moved++;
  if (!flushFirst) yield* tryToUnmapFlush(cpu, batch);
  for (const { page } of isolated) yield* putPage(cpu, page);
  return moved;
}

/** try_to_migrate_one. @returns true if the page is unmapped; the mapping's reference then is the migration's */
function* tryToMigrate(cpu: Cpu, { page, mm, address }: Rmap, batch: TlbBatch): Steps<boolean> {
  yield* cpu.downRead(mm.mmapLock);
  const at = yield* lockPteAtSplit(cpu, mm, vmaLookup(cpu, mm, address), address);
  let unmapped = false;
  if (at !== null) {
    unmapped = mapsPage(yield* ptepGet(cpu, at.pte), page) && (yield* mayMigrate(cpu, page));
    if (unmapped) yield* unmapForMigration(cpu, page, at, batch);
    yield* pteUnmapUnlock(cpu, at.table);
  }
  yield* cpu.upRead(mm.mmapLock);
  return unmapped;
}

/** Is the page anonymous, and this its only mapping? The entry comes back with all rights of its VMA. */
export function* mayMigrate(cpu: Cpu, page: Address): Steps<boolean> {
  return pageAnon(cpu, page) && (yield* pageAnonExclusive(cpu, page));
}

/**
 * Puts a migration entry in the place of a present one, dirty or not: the entry that replaces it will be. Under its PTL.
 * @param batch null to flush at once
 */
export function* unmapForMigration(cpu: Cpu, page: Address, at: PteAt, batch: TlbBatch | null): Steps<void> {
  if (batch !== null && (yield* shouldDeferFlush(cpu, at.mm))) {
    const entry = yield* ptepGetAndClear(cpu, at.mm, at.address, at.pte);
    yield* setTlbUbcFlushPending(cpu, batch, at, entry);
  } else {
    yield* ptepClearFlush(cpu, at);
  }
  yield* setPteAt(cpu, at.mm, at.address, at.pte, mkMigrationPte(page));
  yield* pageRemoveRmap(cpu, page);
}

/** migrate_folio_move: copies a page that is mapped nowhere, and maps the copy; or maps the page again, if others use it. */
function* moveToNewPage(cpu: Cpu, { page, mm, address }: Rmap): Steps<boolean> {
  yield* cpu.downRead(mm.mmapLock);
  const vma = vmaLookup(cpu, mm, address);
  const moves = (yield* pageRefcount(cpu, page)) === MAPPING_AND_ISOLATION;
  const target = moves ? yield* copyForMigration(cpu, page) : page;
  yield* removeMigrationPte(cpu, mm, vma, address, page, target);
  yield* cpu.upRead(mm.mmapLock);
  if (moves) yield* putPage(cpu, page);
  return moves;
}

/** migrate_folio: the copy, with one reference. Nobody else can change the contents. */
export function* copyForMigration(cpu: Cpu, page: Address): Steps<Address> {
  cpu.claim.stable(page, true);
  const copy = yield* allocZeroedPage(cpu);
  yield* copyPage(cpu, copy, page);
  cpu.claim.stable(page, false);
  return copy;
}

/**
 * remove_migration_pte: `page` takes the place of the migration entry of `old`, and the caller's reference to it. If the entry
 * was zapped meanwhile, the reference goes.
 */
export function* removeMigrationPte(
  cpu: Cpu,
  mm: Mm,
  vma: Vma | null,
  address: number,
  old: Address,
  page: Address,
): Steps<void> {
  const at = yield* lockPteAt(cpu, mm, vma, address);
  let there = false;
  if (at !== null) {
    there = (yield* ptepGet(cpu, at.pte)) === mkMigrationPte(old);
    const vmFlags = cpu.read(at.vma.flags);
    if (there) {
      if (page === old) yield* pageAddRmap(cpu, page);
      else pageAddNewAnonRmap(cpu, page);
      const entry = maybeMkwrite(pteMkdirty(mkPte(page, vmPageProt(vmFlags))), vmFlags);
      yield* setPteAt(cpu, mm, address, at.pte, entry);
    }
    yield* pteUnmapUnlock(cpu, at.table);
  }
  if (!there) yield* putPage(cpu, page);
}
