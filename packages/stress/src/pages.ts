/**
 * Pages by address: what the reverse map would hand to reclaim.
 */
import { type Address, type Cpu, type Mm, PG_KSM, ptePresent, putPage } from '@mmu-gather/core';
import {
  lockPteAt,
  pageAnon,
  pageFlags,
  ptepGet,
  pteUnmapUnlock,
  tryGetPage,
  vmaLookup,
  vmNormalPage,
} from '@mmu-gather/mm';

/** The anonymous page that an mm maps at an address, with a reference; 0 if there is none. */
export function anonPageAt(cpu: Cpu, mm: Mm, address: number): Address {
  cpu.downRead(mm.mmapLock);
  const at = lockPteAt(cpu, mm, vmaLookup(cpu, mm, address), address);
  let page: Address = 0;
  if (at !== null) {
    const entry = ptepGet(cpu, at.pte);
    page = ptePresent(entry) ? vmNormalPage(entry) : 0;
    if (page !== 0 && !(pageAnon(cpu, page) && tryGetPage(cpu, page))) page = 0;
    pteUnmapUnlock(cpu, at.table);
  }
  cpu.upRead(mm.mmapLock);
  return page;
}

/** A page that was a merged one a moment ago, with a reference; 0 if it is none any more. @param page 0 if there was none */
export function getKsmPage(cpu: Cpu, page: Address): Address {
  if (page === 0 || !tryGetPage(cpu, page)) return 0;
  if ((pageFlags(cpu, page) & PG_KSM) !== 0) return page;
  putPage(cpu, page);
  return 0;
}
