/**
 * The page cache of a file that has a mapping (mm/filemap.c).
 *
 *     fault                                     truncation
 *     read the slot; take a reference
 *     lock the page
 *       the slot still has it?                  lock the page
 *       map it                                    unmap it everywhere, clear the slot
 *     unlock                                    unlock; drop the cache's reference
 *
 * So a page is mapped only while it is cached; who takes it out of the cache finds every place where it is mapped.
 */
import {
  type Address,
  type AddressSpace,
  type Cell,
  type Cpu,
  FILE_PAGES,
  Page,
  putPage,
  type Steps,
} from '@mmu-gather/core/stepped';
import { allocFilePage, tryGetPage } from './page.ts';

/** The slot of an index. */
function slotOf(mapping: AddressSpace, index: number): Cell {
  return mapping.pages + index;
}

/** filemap_add_folio: a new page with these contents, which the cache holds a reference to. */
export function* filemapAdd(cpu: Cpu, mapping: AddressSpace, index: number, data: number): Steps<Address> {
  const page = yield* allocFilePage(cpu, mapping.address, data);
  cpu.write(Page.at(page).index, index);
  yield* cpu.storeRelease(slotOf(mapping, index), page);
  return page;
}

/** __filemap_get_folio with FGP_LOCK: the page at an index, locked and with a reference; 0 if there is none. */
export function* filemapGetLocked(cpu: Cpu, mapping: AddressSpace, index: number): Steps<Address> {
  if (index >= FILE_PAGES) return 0;
  for (;;) {
    const page = yield* cpu.loadAcquire(slotOf(mapping, index));
    if (page === 0) return 0;
    if (!(yield* tryGetPage(cpu, page))) {
      // Linux looks again and sees one day that the page has gone. Here it does at once, or a weak machine would explore how often it does not.
      yield* cpu.smpRmb();
      continue;
    }
    yield* lockPage(cpu, page);
    if ((yield* cpu.readOnce(slotOf(mapping, index))) === page) return page;
    yield* unlockPage(cpu, page);
    yield* putPage(cpu, page);
  }
}

/** filemap_remove_folio: the page leaves the cache. It is locked, and mapped nowhere; the cache's reference becomes the caller's. */
export function filemapRemove(cpu: Cpu, mapping: AddressSpace, index: number, page: Address): Steps<void> {
  cpu.claim.held(Page.at(page).lock);
  cpu.claim.that(cpu.read(Page.at(page).mapcount) === 0, 'O16', 'a page leaves its file, and is mapped');
  return cpu.writeOnce(slotOf(mapping, index), 0);
}

/** folio_lock. */
export function lockPage(cpu: Cpu, page: Address): Steps<void> {
  return cpu.spinLock(Page.at(page).lock);
}

/** folio_unlock. */
export function unlockPage(cpu: Cpu, page: Address): Steps<void> {
  return cpu.spinUnlock(Page.at(page).lock);
}
