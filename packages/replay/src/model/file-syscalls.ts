/**
 * System calls that change a file, or its mappings through the file: recorded arguments, turned into the mm operations that ran.
 *
 *     msync, MS_SYNC            dirty pages of the range's files are written: each entry that lets somebody write is cleaned
 *     fsync, fdatasync          so are all of a file
 *     sync_file_range           so are those of a part of it
 *     ftruncate                 all mappings of what is cut off lose their entries
 *     fallocate, MADV_REMOVE    so do those of a hole
 *     shmat, shmdt              System V segments
 */
import {
  type AddressSpace,
  type Cpu,
  entryPresent,
  type Mm,
  pageSize,
  PG_DIRTY,
  pteWrite,
  type Vma,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core';
import { findVma, pageFlags, vmaLookup, vmaNext } from '@mmu-gather/mm';
import type { SyscallAction } from '../schedule/action.ts';
import type { Denied } from '../schedule/ahead.ts';
import { type Call, call, meanwhile } from './library.ts';
import { leafEntry } from './space.ts';
import type { Caller, Context } from './syscalls.ts';

/** msync: wait until it is written. */
const MS_SYNC = 4;
/** fallocate: the range becomes a hole. */
const FALLOC_FL_PUNCH_HOLE = 2;
/** shmat: read only. */
const SHM_RDONLY = 0x1000;

/** A piece of a mapping of a file. */
interface Piece {
  readonly file: number;
  readonly mapping: AddressSpace | null;
  /** Indices in the file. */
  readonly from: number;
  readonly to: number;
}

/** What a range maps of files. */
function* pieces({ files }: Context, { cpu, mm }: Caller, start: number, end: number): Iterable<Piece> {
  const size = pageSize(cpu.kernel.geometry);
  for (let vma: Vma | null = findVma(cpu, mm, start); vma !== null; vma = vmaNext(cpu, vma)) {
    const first = cpu.read(vma.start);
    if (first >= end) return;
    const file = cpu.read(vma.file);
    if (file === 0 || (cpu.read(vma.flags) & VM_SHARED) === 0) continue;
    const { pgoff } = vma;
    const index = (at: number): number => cpu.read(pgoff) + (at - first) / size;
    const to = index(Math.min(end, cpu.read(vma.end)));
    yield { file, mapping: files.mapping(file), from: index(Math.max(start, first)), to };
  }
}

/** filemap_fdatawrite_range: what is dirty is cleaned, page by page. */
function writeCalls({ files }: Context, cpu: Cpu, { file, mapping, from, to }: Piece): Call[] {
  if (mapping === null || !files.isOnDisk(file)) return [];
  const dirty = files.pagesOf(file, from, to).filter(([, page]) => (pageFlags(cpu, page) & PG_DIRTY) !== 0);
  return dirty.map(([index, page]) => call((lib, port) => lib.pageClearDirtyForIo(port, mapping, index, page)));
}

/** msync. */
export function sysMsync(context: Context, caller: Caller, { args }: SyscallAction): Call[] {
  const [start = 0, length = 0, flags = 0] = args;
  if ((flags & MS_SYNC) === 0) return [];
  return [...pieces(context, caller, start, start + length)].flatMap((piece) => writeCalls(context, caller.cpu, piece));
}

/** fsync, fdatasync. */
export function sysFsync(context: Context, { cpu, fds }: Caller, { args: [fd = -1] }: SyscallAction): Call[] {
  const file = fds.file(fd);
  return writeCalls(context, cpu, { file, mapping: context.files.mapping(file), from: 0, to: END });
}

/**
 * Files that an unrecorded call has written out, all of each: those whose pages fault at a write later on, and let it through as yet.
 * @param faults that come later
 * @param spaceOf the address space of a task, if it is known
 */
export function filesWritten(
  context: Context,
  cpu: Cpu,
  faults: readonly Denied[],
  spaceOf: (pid: number) => Mm | null,
): Call[] {
  const written = new Set<number>();
  for (const { pid, address } of faults) {
    const mm = spaceOf(pid);
    if (mm === null) continue;
    const vma = vmaLookup(cpu, mm, address);
    if (vma === null || (cpu.read(vma.flags) & VM_SHARED) === 0) continue;
    const entry = leafEntry(cpu, mm, address);
    if (entryPresent(entry) && pteWrite(entry)) written.add(cpu.read(vma.file));
  }
  const { files } = context;
  return [...written].flatMap((file) =>
    writeCalls(context, cpu, { file, mapping: files.mapping(file), from: 0, to: END }),
  );
}

/** sync_file_range: with this flag pages are handed to the disk. */
const SYNC_FILE_RANGE_WRITE = 2;

/** sync_file_range; a length of 0 means to the end. */
export function sysSyncFileRange(context: Context, { cpu, fds }: Caller, { args }: SyscallAction): Call[] {
  const [fd = -1, offset = 0, length = 0, flags = 0] = args;
  if ((flags & SYNC_FILE_RANGE_WRITE) === 0) return [];
  const size = pageSize(cpu.kernel.geometry);
  const file = fds.file(fd);
  const to = length === 0 ? END : Math.ceil((offset + length) / size);
  return writeCalls(context, cpu, { file, mapping: context.files.mapping(file), from: Math.floor(offset / size), to });
}

/** truncate_pagecache, truncate_pagecache_range: entries go, then pages. */
function holeCalls({ files }: Context, cpu: Cpu, { file, mapping, from, to }: Piece): Call[] {
  if (mapping === null) return [];
  return [
    call((lib, port) => lib.unmapMappingRange(port, mapping, from, to - from, true)),
    meanwhile(() => files.drop(cpu, file, from, to)),
  ];
}

/** MADV_REMOVE. */
export function madviseRemove(context: Context, caller: Caller, start: number, length: number): Call[] {
  return [...pieces(context, caller, start, start + length)].flatMap((piece) => holeCalls(context, caller.cpu, piece));
}

/** ftruncate: what lies behind the new end goes. */
export function sysFtruncate(context: Context, { cpu, fds }: Caller, { args }: SyscallAction): Call[] {
  const [fd = -1, length = 0] = args;
  const file = fds.file(fd);
  const from = Math.ceil(length / pageSize(cpu.kernel.geometry));
  return holeCalls(context, cpu, { file, mapping: context.files.mapping(file), from, to: END });
}

/** Beyond the last page of any file. */
const END = 2 ** 40;

/** fallocate: only a hole changes mappings, and of it whole pages. */
export function sysFallocate(context: Context, { cpu, fds }: Caller, { args }: SyscallAction): Call[] {
  const [fd = -1, mode = 0, offset = 0, length = 0] = args;
  if ((mode & FALLOC_FL_PUNCH_HOLE) === 0) return [];
  const size = pageSize(cpu.kernel.geometry);
  const file = fds.file(fd);
  const from = Math.ceil(offset / size);
  const to = Math.floor((offset + length) / size);
  if (to <= from) return [];
  return holeCalls(context, cpu, { file, mapping: context.files.mapping(file), from, to });
}

/** shmat: how long the segment is, the search for a place tells; else the mapping above, which new ones are put next to. */
export function sysShmat({ files }: Context, { cpu, mm }: Caller, { args, found, ret: start }: SyscallAction): Call[] {
  const [id = 0, , flags = 0] = args;
  const above = findVma(cpu, mm, start);
  const length = files.segment(id) ?? found ?? (above === null ? 0 : cpu.read(above.start) - start);
  if (length <= 0) return [];
  const access = (flags & SHM_RDONLY) === 0 ? VM_READ | VM_WRITE : VM_READ;
  const backing = files.openSegment(cpu, id, length);
  return [call((lib, port) => lib.mmap(port, mm, start, length, access | VM_SHARED, backing))];
}

/** shmdt: all of the mapping that begins there. */
export function sysShmdt(_: Context, { cpu, mm }: Caller, { args: [start = 0] }: SyscallAction): Call[] {
  const vma = findVma(cpu, mm, start);
  if (vma === null || cpu.read(vma.start) !== start) return [];
  const length = cpu.read(vma.end) - start;
  return [call((lib, port) => lib.munmap(port, mm, start, length))];
}
