/**
 * Mappings of page frames without struct page: memory of devices, or frames that a driver manages itself
 * (mm/memory.c: remap_pfn_range).
 *
 * Such entries are special: nothing is counted, so nothing keeps a frame from being reused but its owner, who calls
 * unmapMappingRange first. A frame is a page object here that no mapping refers to; its owner frees it.
 */
import {
  type Address,
  archEnterLazyMmuMode,
  type Cpu,
  entryAddrEnd,
  entryCell,
  type Mm,
  pageSize,
  Page,
  type Steps,
  type Vma,
  maybeMkwrite,
  mkPte,
  pteMkdirty,
  pteMkspecial,
  vmPageProt,
} from '@mmu-gather/core/stepped';
import { pmdAlloc, pteAllocMapLock, pteUnmapUnlockLazy, setPteAt } from './page-table.ts';

/**
 * remap_pfn_range: maps frames, one after the other in memory, from an address on. The VMA was just made with VM_PFNMAP, by
 * the same system call: nothing is mapped there.
 * @param frame the first of them
 */
export function* remapPfnRange(
  cpu: Cpu,
  mm: Mm,
  vma: Vma,
  address: number,
  frame: Address,
  pages: number,
): Steps<void> {
  const { geometry } = cpu.kernel;
  const size = pageSize(geometry);
  const end = address + pages * size;
  const flags = cpu.read(vma.flags);
  let target = frame;
  for (let at = address; at < end; ) {
    const next = entryAddrEnd(geometry, 1, at, end);
    const table = yield* pteAllocMapLock(cpu, mm, yield* pmdAlloc(cpu, mm, at));
    yield* archEnterLazyMmuMode(cpu);
    for (let pte = entryCell(geometry, table, 0, at); at < next; at += size, pte++, target += Page.words) {
      const entry = maybeMkwrite(pteMkdirty(pteMkspecial(mkPte(target, vmPageProt(flags)))), flags);
      yield* setPteAt(cpu, mm, at, pte, entry);
    }
    yield* pteUnmapUnlockLazy(cpu, table);
  }
}
