/**
 * MADV_PAGEOUT (madvise_cold_or_pageout_pte_range): the pages that one place alone maps go to reclaim, one PTE table's worth at a time.
 *
 * Without swap, which recordings do not tell of, anonymous pages stay where they are, unless MADV_FREE gave them up; a huge one is
 * split into small ones first. What is reclaimed of a file stays cached here: that changes no flush.
 */
import {
  type Cpu,
  type Entry,
  entryCell,
  entryNone,
  entryPresent,
  entrySize,
  entryTarget,
  type Mm,
  Page,
  pageSize,
  PG_LAZYFREE,
} from '@mmu-gather/core';
import {
  findVma,
  pageAnon,
  pageFlags,
  pmdOffset,
  pmdTransHuge,
  type Rmap,
  vmaNext,
  vmNormalPage,
} from '@mmu-gather/mm';
import type { Files } from './files.ts';
import { type Call, call } from './library.ts';

/** The calls that it makes. */
export function pageoutCalls(cpu: Cpu, mm: Mm, start: number, end: number, files: Files): Call[] {
  const calls: Call[] = [];
  for (let vma = findVma(cpu, mm, start); vma !== null && cpu.read(vma.start) < end; vma = vmaNext(cpu, vma)) {
    const from = Math.max(start, cpu.read(vma.start));
    const to = Math.min(end, cpu.read(vma.end));
    calls.push(...vmaCalls(cpu, mm, from, to, files.isOnDisk(cpu.read(vma.file))));
  }
  return calls;
}

/** @param onDisk dirty pages are left to the flusher threads */
function vmaCalls(cpu: Cpu, mm: Mm, start: number, end: number, onDisk: boolean): Call[] {
  const size = entrySize(cpu.kernel.geometry, 1);
  const calls: Call[] = [];
  for (let at = start; at < end; ) {
    const next = Math.min(end, (Math.floor(at / size) + 1) * size);
    const pmd = pmdOffset(cpu, mm, at);
    const entry = pmd === 0 ? 0 : cpu.readOnce(pmd);
    if (pmdTransHuge(entry)) calls.push(splitCall(mm, pmd, at));
    else if (!entryNone(entry)) {
      const pages = reclaimable(cpu, mm, entryTarget(entry), at, next);
      if (pages.length > 0) calls.push(call((lib, port) => lib.shrinkPages(port, pages, null, onDisk)));
    }
    at = next;
  }
  return calls;
}

/** split_folio_to_list, for want of swap space. */
function splitCall(mm: Mm, pmd: number, at: number): Call {
  return call((lib, port) => lib.splitHugePmd(port, mm, pmd, at));
}

/** The places of a PTE table whose pages would be reclaimed. */
function reclaimable(cpu: Cpu, mm: Mm, table: number, start: number, end: number): Rmap[] {
  const { geometry } = cpu.kernel;
  const places: Rmap[] = [];
  for (let address = start; address < end; address += pageSize(geometry)) {
    const page = pageOf(cpu.readOnce(entryCell(geometry, table, 0, address)));
    if (page !== 0 && mayGo(cpu, page)) places.push({ page, mm, address });
  }
  return places;
}

function pageOf(entry: Entry): number {
  return entryPresent(entry) ? vmNormalPage(entry) : 0;
}

/** One place maps it, and it has somewhere to go. */
function mayGo(cpu: Cpu, page: number): boolean {
  if (cpu.read(Page.at(page).mapcount) !== 1) return false;
  return !pageAnon(cpu, page) || (pageFlags(cpu, page) & PG_LAZYFREE) !== 0;
}
