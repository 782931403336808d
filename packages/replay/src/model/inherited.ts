/**
 * Inherited: address spaces that were there before the recording, as its recorder found them: mappings, and which pages were there.
 *
 *     anonymous, held by one process     a page that can be written to
 *     anonymous, held by several         the page of zeroes: a write finds another holder, and copies
 *     of a file                          mapped for reading: whether a write went through it is not known
 *
 * Mappings are made when a process first does something, and pages when something is done to them: of most a recording holds nothing.
 */
import {
  type Cpu,
  type Mm,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
} from '@mmu-gather/core';
import { ANONYMOUS, type Backing, doUserAddrFault, insertVma, vmaLookup } from '@mmu-gather/mm';
import { type Mapped, mappedIn } from '../read/maps.ts';
import type { RecordedProcess, Run } from '../read/recorder-notes.ts';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { protect, type Spaces } from './space.ts';

/** Files that are memory that processes share. */
const MEMORY = /^(?:\/dev\/zero|\/memfd:|\/SYSV|\/dev\/shm\/)/;

/** Fills address spaces. */
export class Inherited {
  readonly #host: Host;
  readonly #files: Files;
  readonly #spaces: Spaces;
  /** Processes by the address of their mm, until their mappings are made. */
  readonly #empty = new Map<number, RecordedProcess>();
  /** Pages that were there, and that nothing was done to yet, in order. */
  readonly #pages = new Map<number, Run[]>();
  /** What stands for files that several processes may share, by device and inode. */
  readonly #shared = new Map<string, Backing>();

  constructor(host: Host, files: Files, spaces: Spaces) {
    this.#host = host;
    this.#files = files;
    this.#spaces = spaces;
  }

  /** An address space is that of a process that was there. */
  note(mm: Mm, process: RecordedProcess): void {
    if (process.maps !== null) this.#empty.set(mm.address, process);
  }

  /** An address space is another one now. */
  forget(mm: Mm): void {
    this.#empty.delete(mm.address);
    this.#pages.delete(mm.address);
  }

  /** Something is about to be done to a range. @param there false: it shows that what was there is gone */
  touch(cpu: Cpu, mm: Mm, start: number, end: number, there = true): void {
    if (this.#empty.size + this.#pages.size === 0) return;
    this.#host.quietly(() => {
      this.#map(cpu, mm);
      const runs = this.#pages.get(mm.address);
      if (runs === undefined) return;
      const found = cutOut(runs, start, end, this.#host.pageSize);
      if (there) for (const run of found) this.#fault(cpu, mm, run);
    });
  }

  #map(cpu: Cpu, mm: Mm): void {
    const process = this.#empty.get(mm.address);
    if (process === undefined) return;
    this.#empty.delete(mm.address);
    this.#pages.set(mm.address, [...(process.pages ?? [])]);
    for (const mapped of mappedIn(process.maps!)) {
      const { start, end, path } = mapped;
      insertVma(cpu, mm, start, end, this.#flagsOf(mapped), this.#backingOf(cpu, mapped));
      if (path === '[heap]') this.#spaces.setBrk(mm, end);
    }
  }

  #flagsOf({ read, write, execute, shared, file, path }: Mapped): number {
    let flags = (read ? VM_READ : 0) | (write ? VM_WRITE : 0) | (execute ? VM_EXEC : 0);
    if (shared) flags |= VM_SHARED;
    if (shared && !MEMORY.test(path)) flags |= VM_WRITENOTIFY;
    if (path === '[stack]') flags |= VM_GROWSDOWN;
    if (!shared && file === '' && this.#host.thp === 'always') flags |= VM_HUGEPAGE;
    return flags;
  }

  #backingOf(cpu: Cpu, { shared, file, path, offset }: Mapped): Backing {
    const pgoff = offset / this.#host.pageSize;
    if (!shared) return file === '' ? ANONYMOUS : { file: this.#files.open(), pgoff };
    let backing = this.#shared.get(file);
    if (backing === undefined) {
      backing = MEMORY.test(path) ? this.#files.openShared(cpu) : this.#files.openMapped(cpu);
      this.#shared.set(file, backing);
    }
    return { ...backing, pgoff };
  }

  #fault(cpu: Cpu, mm: Mm, { start, pages, ofFile, exclusive }: Run): void {
    const { pageSize } = this.#host;
    const vma = vmaLookup(cpu, mm, start);
    if (vma === null) return;
    const flags = cpu.read(vma.flags);
    const write = !ofFile && exclusive;
    // What was written to need not be writable any more.
    const revoked = write && (flags & VM_WRITE) === 0;
    if (revoked) cpu.write(vma.flags, flags | VM_WRITE);
    for (let page = start; page < start + pages * pageSize; page += pageSize) {
      this.#files.expect((page - cpu.read(vma.start)) / pageSize + cpu.read(vma.pgoff), 1);
      doUserAddrFault(cpu, mm, page, write, this.#files);
      if (revoked) protect(cpu, mm, page);
    }
    cpu.write(vma.flags, flags);
  }
}

/** Takes what lies in a range out of runs. @returns it */
function cutOut(runs: Run[], start: number, end: number, pageSize: number): Run[] {
  const endOf = (run: Run): number => run.start + run.pages * pageSize;
  let first = 0;
  for (let high = runs.length; first < high; ) {
    const middle = (first + high) >>> 1;
    if (endOf(runs[middle]!) <= start) first = middle + 1;
    else high = middle;
  }
  let last = first;
  while (last < runs.length && runs[last]!.start < end) last++;
  const left: Run[] = [];
  const found = runs.slice(first, last).flatMap((run) => {
    const [from, to] = [Math.max(start, run.start), Math.min(end, endOf(run))];
    if (run.start < from) left.push({ ...run, pages: (from - run.start) / pageSize });
    if (to < endOf(run)) left.push({ ...run, start: to, pages: (endOf(run) - to) / pageSize });
    return { ...run, start: from, pages: (to - from) / pageSize };
  });
  runs.splice(first, last - first, ...left);
  return found;
}
