/**
 * References to pages (include/linux/mm.h): a page is freed when its last reference goes. The page of zeroes is special: whoever maps it
 * takes none (vm_normal_page).
 */
import type { Cpu } from './cpu.ts';
import { Page } from './mm.ts';
import type { Steps } from './steps.ts';
import type { Address } from './struct.ts';

// Pages are many: their fields are found by offset, without a handle for each.
const REFCOUNT = Page.fields.indexOf('refcount');
const MAPCOUNT = Page.fields.indexOf('mapcount');

/** get_page: one more reference, from somebody who holds one. */
export function* getPage(cpu: Cpu, page: Address): Steps<void> {
  yield* cpu.atomicAdd(page + REFCOUNT, 1);
}

/** put_page: drops a reference, and the page with the last one. */
export function* putPage(cpu: Cpu, page: Address): Steps<void> {
  const left = yield* cpu.atomicAddReturn(page + REFCOUNT, -1);
  cpu.claim.that(left >= 0, 'O16', 'a reference to a page was dropped that nobody held');
  if (left !== 0) return;
  cpu.claim.that(cpu.read(page + MAPCOUNT) === 0, 'O16', 'a page is freed that something maps');
  yield* cpu.free('page', page);
}
