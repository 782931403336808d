/**
 * VMAs: a list in address order that starts at mm.mmap (mm/vma.c; Linux keeps a tree).
 *
 * Readers hold mmap_lock for read, changes need it for write; so accesses are plain. What faults look at that take the lock of a VMA
 * instead, links and bounds, changes by publishVma and setVmaBound (vma-lock.ts). Neighbours are merged only if the profile says so (vma-merge.ts):
 * flush ranges and table freeing look at gaps between VMAs only, and two neighbours without a gap give the same as one.
 */
import { type Address, type Cell, type Cpu, EVERYTHING, Mm, type Steps, Vma, pageSize } from '@mmu-gather/core/stepped';
import { freeVma, publishVma, setVmaBound, vmaMarkDetached, vmaStartWrite } from './vma-lock.ts';
import { addToMapping, lockVmaMapping, unlockVmaMapping, vmaLinkFile } from './mapping.ts';

/** What a new VMA maps. */
export interface Backing {
  /** The file, a number of the caller's choice; 0 for anonymous memory. */
  readonly file: number;
  /** Index in the file of its first page. */
  readonly pgoff: number;
  /** Its AddressSpace, if it has one: then it can be asked where its pages are mapped. `file` is the same address. */
  readonly mapping?: Address;
}

/** Private memory without a file. */
export const ANONYMOUS: Backing = { file: 0, pgoff: 0 };

/** A file that has a mapping. */
export function fileBacking(mapping: Address, pgoff = 0): Backing {
  return { file: mapping, pgoff, mapping };
}

// Lists are long and walked at each fault: fields are found by offset, without a handle for each VMA that is passed.
const START = Vma.fields.indexOf('start');
const END = Vma.fields.indexOf('end');
const NEXT = Vma.fields.indexOf('next');

/** find_vma: the first VMA that ends after the address; null if none does. */
export function findVma(cpu: Cpu, mm: Mm, address: number): Vma | null {
  for (let at = cpu.read(mm.mmap); at !== 0; at = cpu.read(at + NEXT)) {
    if (cpu.read(at + END) > address) return Vma.at(at);
  }
  return null;
}

/** vma_lookup: the VMA that holds the address; null if none does. */
export function vmaLookup(cpu: Cpu, mm: Mm, address: number): Vma | null {
  const vma = findVma(cpu, mm, address);
  return vma !== null && cpu.read(vma.start) <= address ? vma : null;
}

/** Claims that a walk stays within its VMA: what it does to entries follows from that one's flags (VM_BUG_ON of walks). */
export function claimWithin(cpu: Cpu, vma: Vma, start: number, end: number): void {
  cpu.claim.that(cpu.read(vma.start) <= start && end <= cpu.read(vma.end), 'O16', 'a walk leaves its VMA');
}

/** The VMA that holds a whole range; null if none does. */
export function vmaAround(cpu: Cpu, mm: Mm, start: number, end: number): Vma | null {
  const vma = vmaLookup(cpu, mm, start);
  return vma !== null && cpu.read(vma.end) >= end ? vma : null;
}

/** The last VMA that starts before the address; null if none does. */
export function findVmaBefore(cpu: Cpu, mm: Mm, address: number): Vma | null {
  let before = 0;
  for (let at = cpu.read(mm.mmap); at !== 0; at = cpu.read(at + NEXT)) {
    if (cpu.read(at + START) >= address) break;
    before = at;
  }
  return before === 0 ? null : Vma.at(before);
}

/** The next VMA by address; null at the end. */
export function vmaNext(cpu: Cpu, vma: Vma): Vma | null {
  const next = cpu.read(vma.next);
  return next === 0 ? null : Vma.at(next);
}

/** All VMAs in address order. */
export function vmasOf(cpu: Cpu, mm: Mm): Vma[] {
  const vmas: Vma[] = [];
  for (let at = cpu.read(mm.mmap); at !== 0; ) {
    const vma = Vma.at(at);
    vmas.push(vma);
    at = cpu.read(vma.next);
  }
  return vmas;
}

/** vma_iter_bulk_store: fork's copies come one behind the other. @param link what leads to it @returns what leads to the next one */
export function appendVma(cpu: Cpu, mm: Mm, link: Cell, vma: Vma): Cell {
  cpu.claim.held(mm.mmapLock, 'write');
  cpu.write(link, vma.address);
  return vma.next;
}

function* linkVma(cpu: Cpu, mm: Mm, before: Vma | null, vma: Vma): Steps<void> {
  const link = before === null ? mm.mmap : before.next;
  cpu.write(vma.next, cpu.read(link));
  // No fault before the caller is done with it: it may go on to move entries there.
  yield* vmaStartWrite(cpu, mm, vma);
  yield* publishVma(cpu, link, vma.address);
}

/** vm_area_alloc, its place in the list, and in the list of its file. The range must be free. */
export function* insertVma(cpu: Cpu, mm: Mm, start: number, end: number, flags: number, backing: Backing): Steps<Vma> {
  const vma = Vma.at(yield* cpu.alloc('vma'));
  cpu.write(vma.start, start);
  cpu.write(vma.end, end);
  cpu.write(vma.flags, flags);
  cpu.write(vma.file, backing.file);
  cpu.write(vma.pgoff, backing.pgoff);
  cpu.write(vma.mm, mm.address);
  cpu.write(vma.mapping, backing.mapping ?? 0);
  yield* linkVma(cpu, mm, findVmaBefore(cpu, mm, start), vma);
  yield* vmaLinkFile(cpu, vma);
  return vma;
}

/**
 * vm_area_dup: a copy that is in no list yet, and has no deferral on record: who holds mmap_lock has flushed before it is held for write, and who
 * found the VMA by its file before the copy can be found so.
 * @param mm the mm of the copy; that of the VMA if not given
 */
export function* dupVma(cpu: Cpu, vma: Vma, mm: Mm = Mm.at(cpu.read(vma.mm))): Steps<Vma> {
  const copy = Vma.at(yield* cpu.alloc('vma'));
  cpu.write(copy.start, cpu.read(vma.start));
  cpu.write(copy.end, cpu.read(vma.end));
  cpu.write(copy.flags, cpu.read(vma.flags));
  cpu.write(copy.file, cpu.read(vma.file));
  cpu.write(copy.pgoff, cpu.read(vma.pgoff));
  cpu.write(copy.mm, mm.address);
  cpu.write(copy.mapping, cpu.read(vma.mapping));
  cpu.write(copy.anonVma, cpu.read(vma.anonVma));
  return copy;
}

/** __split_vma: cuts a VMA in two at an address inside it. @returns the upper part; `vma` is the lower one */
function* splitVma(cpu: Cpu, mm: Mm, vma: Vma, address: number): Steps<Vma> {
  const upper = yield* dupVma(cpu, vma);
  const pages = (address - cpu.read(vma.start)) / pageSize(cpu.kernel.geometry);
  cpu.write(upper.start, address);
  cpu.write(upper.pgoff, cpu.read(vma.pgoff) + pages);
  // Who looks up the file's VMAs finds the page in one of the two.
  yield* vmaStartWrite(cpu, mm, vma);
  yield* lockVmaMapping(cpu, vma);
  yield* setVmaBound(cpu, vma, 'end', address);
  yield* linkVma(cpu, mm, vma, upper);
  addToMapping(cpu, upper);
  yield* unlockVmaMapping(cpu, vma);
  return upper;
}

/** vma_modify_flags: gives the part of a VMA in a range other flags, for which it is cut out. @returns that part */
export function* vmaModifyFlags(cpu: Cpu, mm: Mm, vma: Vma, start: number, end: number, flags: number): Steps<Vma> {
  const middle = cpu.read(vma.start) < start ? yield* splitVma(cpu, mm, vma, start) : vma;
  if (cpu.read(middle.end) > end) yield* splitVma(cpu, mm, middle, end);
  yield* vmaStartWrite(cpu, mm, middle);
  cpu.write(middle.flags, flags);
  return middle;
}

/** copy_vma: a VMA like another one at a new place, behind it in the list of its file. The range must be free. */
export function* insertCopiedVma(cpu: Cpu, mm: Mm, vma: Vma, start: number, end: number, pgoff: number): Steps<Vma> {
  const copy = yield* dupVma(cpu, vma);
  cpu.write(copy.start, start);
  cpu.write(copy.end, end);
  cpu.write(copy.pgoff, pgoff);
  yield* linkVma(cpu, mm, findVmaBefore(cpu, mm, start), copy);
  yield* vmaLinkFile(cpu, copy, cpu.kernel.profile.moveOrder === 'before');
  return copy;
}

/** VMAs that were taken out of an mm, and what surrounds them. */
export interface DetachedVmas {
  /** In address order. */
  readonly vmas: readonly Vma[];
  /** End of the VMA below, 0 if none: no table that reaches below it may be freed. */
  readonly floor: number;
  /** Start of the VMA above, or `EVERYTHING`: no table that reaches above it may be freed. */
  readonly ceiling: number;
}

/** vms_gather_munmap_vmas: splits at both ends of a range and takes what lies inside out of the list. */
export function* detachVmas(cpu: Cpu, mm: Mm, start: number, end: number): Steps<DetachedVmas> {
  const before = findVmaBefore(cpu, mm, start);
  if (before !== null && cpu.read(before.end) > start) yield* splitVma(cpu, mm, before, start);
  const vmas: Vma[] = [];
  let vma = before === null ? firstVma(cpu, mm) : vmaNext(cpu, before);
  while (vma !== null && cpu.read(vma.start) < end) {
    if (cpu.read(vma.end) > end) yield* splitVma(cpu, mm, vma, end);
    yield* vmaStartWrite(cpu, mm, vma);
    vmaMarkDetached(cpu, vma);
    vmas.push(vma);
    vma = vmaNext(cpu, vma);
  }
  const link = before === null ? mm.mmap : before.next;
  if (vmas.length > 0) yield* publishVma(cpu, link, vma === null ? 0 : vma.address);
  return {
    vmas,
    floor: before === null ? 0 : cpu.read(before.end),
    ceiling: vma === null ? EVERYTHING : cpu.read(vma.start),
  };
}

function firstVma(cpu: Cpu, mm: Mm): Vma | null {
  const first = cpu.read(mm.mmap);
  return first === 0 ? null : Vma.at(first);
}

/** remove_vma: frees VMAs that nobody can find any more. */
export function* removeVmas(cpu: Cpu, vmas: readonly Vma[]): Steps<void> {
  for (const vma of vmas) yield* freeVma(cpu, vma);
}
