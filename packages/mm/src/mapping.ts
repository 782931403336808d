/**
 * VMAs of a file: the list by which everybody who has a page of a file finds the places where it may be mapped
 * (mm/vma.c: vma_link_file, unlink_file_vma, mm/interval_tree.c; Linux keeps a tree).
 *
 *     mmap, fork, split, mremap    link, with mmap_lock and iMmapLock for write
 *     munmap, exit                 zap entries; unlink; free tables; flush
 *     look-ups                     iMmapLock for read: the VMAs, their bounds and their tables stay
 *
 * Oldest first: a VMA that mremap makes stands behind the one that it moves entries from, so who looks at one after the other
 * finds each entry at its old place, or at its new one, or at both, never at none.
 */
import { type Address, AddressSpace, type Cell, type Cpu, pageSize, type Steps, Vma } from '@mmu-gather/core/stepped';

/** An empty file in memory (inode and its i_data). */
export function* allocMapping(cpu: Cpu): Steps<AddressSpace> {
  return AddressSpace.at(yield* cpu.alloc('mapping'));
}

/** A file whose pages a PageCache knows by this number: only the list of its VMAs. */
export function* allocFileMapping(cpu: Cpu, file: number): Steps<AddressSpace> {
  const mapping = yield* allocMapping(cpu);
  cpu.write(mapping.file, file);
  return mapping;
}

/** The mapping of a VMA's file; null if it has none. */
export function vmaMapping(cpu: Cpu, vma: Vma): AddressSpace | null {
  const mapping = cpu.read(vma.mapping);
  return mapping === 0 ? null : AddressSpace.at(mapping);
}

/** i_mmap_lock_write of the file that a VMA maps, if it has a mapping. */
export function* lockVmaMapping(cpu: Cpu, vma: Vma): Steps<void> {
  const mapping = vmaMapping(cpu, vma);
  if (mapping !== null) yield* cpu.downWrite(mapping.iMmapLock);
}

/** i_mmap_unlock_write; see {@link lockVmaMapping}. */
export function* unlockVmaMapping(cpu: Cpu, vma: Vma): Steps<void> {
  const mapping = vmaMapping(cpu, vma);
  if (mapping !== null) yield* cpu.upWrite(mapping.iMmapLock);
}

/** vma_interval_tree_insert: behind all others, or before them. iMmapLock held for write (O16). */
export function addToMapping(cpu: Cpu, vma: Vma, first = false): void {
  const mapping = vmaMapping(cpu, vma);
  if (mapping === null) return;
  cpu.claim.held(mapping.iMmapLock, 'write');
  let link: Cell = mapping.iMmap;
  // A VMA is linked once, and its own link is 0 until then.
  if (first) cpu.write(vma.nextShared, cpu.read(link));
  else for (let at = cpu.read(link); at !== 0; at = cpu.read(link)) link = Vma.at(at).nextShared;
  cpu.write(link, vma.address);
}

/** vma_link_file: from now on the file's pages can be found in this VMA. @param first before all others (wrong for mremap) */
export function* vmaLinkFile(cpu: Cpu, vma: Vma, first = false): Steps<void> {
  yield* lockVmaMapping(cpu, vma);
  addToMapping(cpu, vma, first);
  yield* unlockVmaMapping(cpu, vma);
}

/** unlink_file_vma: and no longer. Who looks for pages of the file waits for nothing in this VMA any more. */
export function* unlinkFileVma(cpu: Cpu, vma: Vma): Steps<void> {
  const mapping = vmaMapping(cpu, vma);
  if (mapping === null) return;
  yield* cpu.downWrite(mapping.iMmapLock);
  let link: Cell = mapping.iMmap;
  while (cpu.read(link) !== vma.address) link = Vma.at(cpu.read(link)).nextShared;
  cpu.write(link, cpu.read(vma.nextShared));
  yield* cpu.upWrite(mapping.iMmapLock);
}

/** Pages of a file that one VMA maps. */
export interface MappedRange {
  /** The VMA. */
  readonly vma: Vma;
  /** Address of the first. */
  readonly start: number;
  /** First address past the last. */
  readonly end: number;
}

/** vma_interval_tree_foreach: where `pages` pages of a file from index `pgoff` on may be mapped. iMmapLock held (O16). */
export function mappedRanges(cpu: Cpu, mapping: AddressSpace, pgoff: number, pages: number): MappedRange[] {
  cpu.claim.held(mapping.iMmapLock);
  const size = pageSize(cpu.kernel.geometry);
  const ranges: MappedRange[] = [];
  for (let at: Address = cpu.read(mapping.iMmap); at !== 0; ) {
    const vma = Vma.at(at);
    const base = cpu.read(vma.start) - cpu.read(vma.pgoff) * size;
    const start = Math.max(cpu.read(vma.start), base + pgoff * size);
    const end = Math.min(cpu.read(vma.end), base + (pgoff + pages) * size);
    if (start < end) ranges.push({ vma, start, end });
    at = cpu.read(vma.nextShared);
  }
  return ranges;
}
