/**
 * Kernel addresses mapped by page table: vmap, vunmap, and the lazy purge (mm/vmalloc.c).
 *
 *     vunmap                                   vmap, on any CPU
 *       clear entries                          needs an address: one of an area that was purged, or never used
 *       queue the area (lazy)
 *     the owner frees the pages                (before any flush: nobody has a right to use the address)
 *     ...
 *     purge, when enough is queued:
 *       one flush for all areas
 *       free the areas                         only now their addresses may be handed out again
 *
 * Entries of user addresses must be flushed before the page is freed; here it is enough to flush before the address is reused,
 * before the memory attributes of the pages change, or before their permissions do. Any full flush of kernel addresses that
 * began after the entries were cleared would do ("flush before remap", profile switch vmapReuse).
 *
 * Locks: VmapLists.lock for the lists; purgeLock while areas leave the lazy one. Claims: an address that is handed out is cached
 * nowhere (O15).
 */
import {
  ACCESSED,
  type Address,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  type Cell,
  type Cpu,
  DIRTY,
  entryCell,
  EVERYTHING,
  Mm,
  mkEntry,
  NX,
  pageSize,
  PRESENT,
  RW,
  type Steps,
  tlbUpdateGeneration,
  VmapArea,
  VmapLists,
} from '@mmu-gather/core/stepped';
import { ENOMEM } from './errno.ts';
import { pmdAlloc, pteAlloc, ptepGetAndClear, setPteAt } from './page-table.ts';

/** Flags of a kernel entry (PAGE_KERNEL). */
const PAGE_KERNEL = PRESENT | RW | NX | ACCESSED | DIRTY;

function listsOf(cpu: Cpu): VmapLists {
  return VmapLists.at(cpu.kernel.vmap);
}

function initMm(cpu: Cpu): Mm {
  return Mm.at(cpu.kernel.initMm);
}

/** vmalloc_init: at boot, before any CPU uses such addresses. Gives the kernel's own page table its top level. */
export function* vmallocInit(cpu: Cpu): Steps<void> {
  cpu.write(initMm(cpu).pgd, yield* cpu.alloc('table'));
}

/** vmap: maps pages, one after the other, at an address of the kernel's choice. @returns the address, or -ENOMEM */
export function* vmap(cpu: Cpu, pages: readonly Address[]): Steps<number> {
  const size = pageSize(cpu.kernel.geometry);
  const area = yield* allocVmapArea(cpu, pages.length * size);
  if (area === null) return -ENOMEM;
  const start = cpu.read(area.start);
  const entries: Cell[] = [];
  for (let i = 0; i < pages.length; i++) entries.push(yield* kernelPte(cpu, start + i * size));
  const { vmapSections } = cpu.kernel.profile;
  if (vmapSections) yield* archEnterLazyMmuMode(cpu);
  for (const [i, page] of pages.entries())
    yield* setPteAt(cpu, initMm(cpu), start + i * size, entries[i]!, mkEntry(page, PAGE_KERNEL));
  if (vmapSections) yield* archLeaveLazyMmuMode(cpu);
  return start;
}

/** vunmap: takes a mapping away that {@link vmap} made. When it returns the caller may free the pages. */
export function* vunmap(cpu: Cpu, address: number): Steps<void> {
  const size = pageSize(cpu.kernel.geometry);
  const area = yield* findVmapArea(cpu, address);
  const end = cpu.read(area.end);
  const { vmapSections } = cpu.kernel.profile;
  if (vmapSections) yield* archEnterLazyMmuMode(cpu);
  for (let at = address; at < end; at += size) yield* ptepGetAndClear(cpu, initMm(cpu), at, yield* kernelPte(cpu, at));
  if (vmapSections) yield* archLeaveLazyMmuMode(cpu);
  yield* freeVmapAreaNoflush(cpu, area, (end - address) / size);
}

/** vmalloc_to_pte and pte_alloc_kernel: the cell of a kernel entry. Tables of kernel addresses are never freed. */
function* kernelPte(cpu: Cpu, address: number): Steps<Cell> {
  const mm = initMm(cpu);
  const table = yield* pteAlloc(cpu, mm, yield* pmdAlloc(cpu, mm, address));
  return entryCell(cpu.kernel.geometry, table, 0, address);
}

/** free_vmap_area_noflush: queues an area whose entries were cleared, and purges if there are enough of them. */
function* freeVmapAreaNoflush(cpu: Cpu, area: VmapArea, pages: number): Steps<void> {
  const lists = listsOf(cpu);
  const { vmapReuse } = cpu.kernel.profile;
  if (vmapReuse === 'generation' || vmapReuse === 'any-generation') {
    // The cleared entries before the look at what has begun: what begins later finds them empty. Pairs with the increment in flushTlbKernelAll.
    yield* cpu.smpMb();
    cpu.write(area.gen, yield* cpu.readOnce(vmapReuse === 'any-generation' ? lists.flushDone : lists.flushBegun));
  }
  yield* cpu.spinLock(lists.lock);
  unlinkBusy(cpu, lists, area);
  if (vmapReuse !== 'at-once') {
    cpu.write(area.next, cpu.read(lists.lazy));
    cpu.write(lists.lazy, area.address);
  }
  yield* cpu.spinUnlock(lists.lock);
  if (vmapReuse === 'at-once') yield* cpu.free('area', area.address);
  else if ((yield* cpu.atomicAddReturn(lists.lazyPages, pages)) > lazyMaxPages(cpu)) yield* vmUnmapAliases(cpu);
}

/** lazy_max_pages: more with more CPUs, for a flush interrupts all of them. */
function lazyMaxPages(cpu: Cpu): number {
  return (32 - Math.clz32(cpu.kernel.cpus)) * cpu.kernel.profile.vmapLazyPages;
}

/** vm_unmap_aliases, purge_vmap_area_lazy: when it returns, nothing that was unmapped before the call is cached. */
export function* vmUnmapAliases(cpu: Cpu): Steps<void> {
  const lists = listsOf(cpu);
  yield* cpu.spinLock(lists.purgeLock);
  yield* cpu.spinLock(lists.lock);
  const queued = lazyAreas(cpu, lists);
  yield* cpu.spinUnlock(lists.lock);
  if (queued.length > 0) yield* purge(cpu, lists, queued);
  yield* cpu.spinUnlock(lists.purgeLock);
}

/** __purge_vmap_area_lazy: the areas stay on the list, so that nobody takes their addresses, until they are flushed. */
function* purge(cpu: Cpu, lists: VmapLists, queued: readonly VmapArea[]): Steps<void> {
  const { vmapReuse } = cpu.kernel.profile;
  if (vmapReuse === 'generation' || vmapReuse === 'any-generation') {
    yield* flushTlbKernelAll(cpu);
    yield* freeDischarged(cpu, lists);
    return;
  }
  const start = Math.min(...queued.map((area) => cpu.read(area.start)));
  const end = Math.max(...queued.map((area) => cpu.read(area.end)));
  yield* cpu.kernel.backend.flushTlbKernelRange(cpu, start, end);
  yield* cpu.spinLock(lists.lock);
  const newer = lazyAreas(cpu, lists);
  const last = newer[newer.length - queued.length - 1];
  cpu.write(last === undefined ? lists.lazy : last.next, 0);
  yield* cpu.spinUnlock(lists.lock);
  for (const area of queued) yield* freeArea(cpu, lists, area);
}

function* freeArea(cpu: Cpu, lists: VmapLists, area: VmapArea): Steps<void> {
  const pages = (cpu.read(area.end) - cpu.read(area.start)) / pageSize(cpu.kernel.geometry);
  yield* cpu.atomicAdd(lists.lazyPages, -pages);
  yield* cpu.free('area', area.address);
}

/** flush_tlb_all, and a note that it was done: areas that were unmapped before it began may be used again. */
export function* flushTlbKernelAll(cpu: Cpu): Steps<void> {
  const lists = listsOf(cpu);
  const begun = yield* cpu.atomicAddReturn(lists.flushBegun, 1);
  yield* cpu.kernel.backend.flushTlbKernelRange(cpu, 0, EVERYTHING);
  yield* tlbUpdateGeneration(cpu, lists.flushDone, begun);
}

/**
 * change_page_attr_set_clr (set_memory_uc, set_memory_ro ...), as far as TLBs see it: no CPU may go on using an alias of the pages
 * with the old attributes. Aliases that are mapped are changed with them; those that were unmapped may still be cached.
 */
export function* changePageAttr(cpu: Cpu): Steps<void> {
  if (cpu.kernel.profile.attributeFlush) yield* vmUnmapAliases(cpu);
}

/** alloc_vmap_area: the lowest free address; if there is none, queued areas are purged first. */
function* allocVmapArea(cpu: Cpu, bytes: number): Steps<VmapArea | null> {
  const area = VmapArea.at(yield* cpu.alloc('area'));
  if (yield* placeArea(cpu, area, bytes)) return area;
  yield* vmUnmapAliases(cpu);
  if (yield* placeArea(cpu, area, bytes)) return area;
  yield* cpu.free('area', area.address);
  return null;
}

/** Gives an area the lowest free range, and links it. @returns false if there is none */
function* placeArea(cpu: Cpu, area: VmapArea, bytes: number): Steps<boolean> {
  const lists = listsOf(cpu);
  yield* freeDischarged(cpu, lists);
  yield* cpu.spinLock(lists.lock);
  const taken = [...areasFrom(cpu, lists.busy), ...lazyAreas(cpu, lists)];
  taken.sort((a, b) => cpu.read(a.start) - cpu.read(b.start));
  let start = 0;
  for (const other of taken) {
    if (cpu.read(other.start) >= start + bytes) break;
    start = cpu.read(other.end);
  }
  const found = start + bytes <= cpu.kernel.taskSize;
  if (found) {
    cpu.write(area.start, start);
    cpu.write(area.end, start + bytes);
    cpu.write(area.next, cpu.read(lists.busy));
    cpu.write(lists.busy, area.address);
    cpu.claim.reassigned({ start, end: start + bytes });
  }
  yield* cpu.spinUnlock(lists.lock);
  return found;
}

/** Frees areas that some full flush has covered since they were unmapped. */
function* freeDischarged(cpu: Cpu, lists: VmapLists): Steps<void> {
  const { vmapReuse } = cpu.kernel.profile;
  if (vmapReuse !== 'generation' && vmapReuse !== 'any-generation') return;
  const done = yield* cpu.readOnce(lists.flushDone);
  const discharged: VmapArea[] = [];
  yield* cpu.spinLock(lists.lock);
  let link = lists.lazy;
  for (const area of lazyAreas(cpu, lists)) {
    if (done > cpu.read(area.gen)) {
      cpu.write(link, cpu.read(area.next));
      discharged.push(area);
    } else {
      link = area.next;
    }
  }
  yield* cpu.spinUnlock(lists.lock);
  for (const area of discharged) yield* freeArea(cpu, lists, area);
}

/** find_vmap_area. The area stays in use, and its address taken, until it is queued. */
function* findVmapArea(cpu: Cpu, address: number): Steps<VmapArea> {
  const lists = listsOf(cpu);
  yield* cpu.spinLock(lists.lock);
  const area = areasFrom(cpu, lists.busy).find((busy) => cpu.read(busy.start) === address);
  yield* cpu.spinUnlock(lists.lock);
  if (area === undefined) throw new Error(`nothing is mapped at kernel address ${address}`);
  return area;
}

/** Takes an area off the list of those in use. Under the lock. */
function unlinkBusy(cpu: Cpu, lists: VmapLists, area: VmapArea): void {
  let link = lists.busy;
  while (cpu.read(link) !== area.address) link = VmapArea.at(cpu.read(link)).next;
  cpu.write(link, cpu.read(area.next));
}

/** Areas that were unmapped and not flushed yet, newest first. */
function lazyAreas(cpu: Cpu, lists: VmapLists): VmapArea[] {
  return areasFrom(cpu, lists.lazy);
}

function areasFrom(cpu: Cpu, head: Cell): VmapArea[] {
  const areas: VmapArea[] = [];
  for (let at = cpu.read(head); at !== 0; ) {
    const area = VmapArea.at(at);
    areas.push(area);
    at = cpu.read(area.next);
  }
  return areas;
}
