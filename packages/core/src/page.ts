/**
 * References to pages (include/linux/mm.h): a page is freed when its last reference goes.
 */
import type { Cpu } from './cpu.ts';
import { Page, PG_ZERO } from './mm.ts';
import type { Steps } from './steps.ts';
import type { Address } from './struct.ts';

/** get_page: one more reference, from somebody who holds one. */
export function* getPage(cpu: Cpu, page: Address): Steps<void> {
  if ((cpu.read(Page.at(page).flags) & PG_ZERO) !== 0) return;
  yield* cpu.atomicAdd(Page.at(page).refcount, 1);
}

/** put_page: drops a reference, and the page with the last one. */
export function* putPage(cpu: Cpu, page: Address): Steps<void> {
  if ((cpu.read(Page.at(page).flags) & PG_ZERO) !== 0) return;
  if ((yield* cpu.atomicAddReturn(Page.at(page).refcount, -1)) === 0) yield* cpu.free('page', page);
}
