/**
 * What a recording tells about an address space beside its mappings: the end of its heap, and pages and mappings that
 * must exist although nobody saw them being made.
 */
import {
  type Cell,
  type Cpu,
  type Entry,
  entryCell,
  entryNone,
  entryPresent,
  entryTarget,
  type Mm,
  PSE,
  pteWrprotect,
  VM_GROWSDOWN,
  VM_READ,
  type Vma,
  VM_WRITE,
} from '@mmu-gather/core';
import { doUserAddrFault, findVma, insertVma, mmAlloc, pmdOffset, setPteAt, vmaNext } from '@mmu-gather/mm';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { call, type Job } from './library.ts';

/** Bytes that execve adds to the stack below the arguments (stack_expand in setup_arg_pages). */
const STACK_EXPAND = 2 ** 17;

/** How far into a mapping that must exist pages are looked for that faults nearby have mapped, in bytes. */
const NEAR = 2 ** 20;

/** The end of the heap of each address space, by its address; unknown until brk was called. */
export class Spaces {
  readonly #host: Host;
  readonly #files: Files;
  readonly #brk = new Map<number, number>();
  /** The page that was faulted in last, by the address of its mm. */
  readonly #touched = new Map<number, number>();
  /** Mappings that were emptied in parts, and nobody knows in which, by the address of their mm: the last one of each. */
  readonly #guessed = new Map<number, { readonly start: number; readonly end: number }>();
  /** Whether addresses are randomised; null while that is not known. */
  #randomised: boolean | null;

  constructor(host: Host, files: Files, randomised: boolean | null) {
    this.#host = host;
    this.#files = files;
    this.#randomised = randomised;
  }

  /** Is it known whether addresses are randomised? */
  get knows(): boolean {
    return this.#randomised !== null;
  }

  /** A user address of some program: tells whether addresses are randomised, if it is one of the first. */
  learn(address: number): void {
    if (this.#randomised !== null) return;
    const within = ([start, end]: readonly [start: number, end: number]): boolean => address >= start && address < end;
    const { fixed, random } = this.#host.arch.places;
    if (fixed.some(within)) this.#randomised = false;
    else if (random.some(within)) this.#randomised = true;
  }

  /** The end of the heap, null if it is not known. */
  brk(mm: Mm): number | null {
    return this.#brk.get(mm.address) ?? null;
  }
  /** Sets the end of the heap. */
  setBrk(mm: Mm, end: number): void {
    this.#brk.set(mm.address, end);
  }

  /** A page faults. */
  touch(mm: Mm, page: number): void {
    this.#touched.set(mm.address, page);
  }

  /** The page that faulted last; 0 if none did. */
  touched(mm: Mm): number {
    return this.#touched.get(mm.address) ?? 0;
  }

  /** An address space is gone. */
  forget(mm: Mm): void {
    this.#brk.delete(mm.address);
    this.#touched.delete(mm.address);
    this.#files.forgetImplied(mm.address);
  }

  /** Pages of a range were taken away, and which ones is not known. */
  guess(mm: Mm, start: number, end: number): void {
    this.#guessed.set(mm.address, { start, end });
  }

  /** Whether a range that goes now is such a one. */
  wasGuessed(mm: Mm, start: number, end: number): boolean {
    const guessed = this.#guessed.get(mm.address);
    if (guessed === undefined || guessed.start >= end || guessed.end <= start) return false;
    return this.#guessed.delete(mm.address);
  }

  /** A child's copy. */
  fork(parent: Mm, child: Mm): void {
    this.#files.forgetImplied(child.address);
    const end = this.brk(parent);
    if (end === null) this.#brk.delete(child.address);
    else this.setBrk(child, end);
  }

  /**
   * The address space that execve makes: a stack with the arguments in its last page. What else it maps is not recorded.
   * @param recorded how far down its stack moves, if that was recorded
   * @returns it, and what execve does with it once it is in use: a randomised stack moves down (setup_arg_pages)
   */
  exec(cpu: Cpu, recorded: number | null): { mm: Mm; after: Job } {
    const mm = mmAlloc(cpu);
    this.#brk.delete(mm.address);
    this.#guessed.delete(mm.address);
    this.#files.forgetImplied(mm.address);
    const { arch, pageSize } = this.#host;
    const { stackTop: top, stackShift } = arch.places;
    // A recording of another architecture than was said may move it out of user space.
    const shift = recorded !== null && recorded < top - pageSize ? recorded : stackShift;
    const flags = VM_READ | VM_WRITE | VM_GROWSDOWN;
    const vma = insertVma(cpu, mm, top - pageSize, top, flags, { file: 0, pgoff: 0 });
    doUserAddrFault(cpu, mm, top - pageSize, true, this.#files);
    const move = call((lib, port) => lib.relocateVmaDown(port, mm, vma, shift));
    return {
      mm,
      after: {
        calls: this.#randomised === true || recorded !== null ? [move] : [],
        done: () => cpu.write(vma.start, cpu.read(vma.start) - STACK_EXPAND),
      },
    };
  }

  /** What was not known of a mapping is the beginning of the one behind it, if that is not known better. */
  #implyPart(cpu: Cpu, mm: Mm, start: number, end: number, flags: number): void {
    const { pageSize } = this.#host;
    const behind = findVma(cpu, mm, end);
    if (behind !== null && cpu.read(behind.start) === end && this.#files.isImplied(cpu.read(behind.file))) {
      cpu.write(behind.start, start);
      cpu.write(behind.pgoff, cpu.read(behind.pgoff) - (end - start) / pageSize);
    } else {
      insertVma(cpu, mm, start, end, flags, { file: this.#files.openImplied(), pgoff: 0 });
    }
    for (let page = start; page < Math.min(end, start + NEAR); page += pageSize)
      if (this.#files.wasAround(mm.address, page, pageSize)) doUserAddrFault(cpu, mm, page, false, this.#files);
  }

  /** Fills what is not mapped between two addresses with mappings that must have been there. */
  imply(cpu: Cpu, mm: Mm, start: number, end: number, flags: number): void {
    let at = start;
    for (let vma: Vma | null = findVma(cpu, mm, start); at < end; vma = vma === null ? null : vmaNext(cpu, vma)) {
      const next = vma === null ? end : Math.min(end, cpu.read(vma.start));
      if (at < next) this.#implyPart(cpu, mm, at, next, flags);
      if (vma === null) return;
      at = Math.max(at, cpu.read(vma.end));
    }
  }
}

/** Where the leaf entry of an address is, that of a huge page included; 0 if there is none. */
export function leafCell(cpu: Cpu, mm: Mm, address: number): Cell {
  const pmd = pmdOffset(cpu, mm, address);
  if (pmd === 0) return 0;
  const table = cpu.readOnce(pmd);
  if (entryNone(table) || (table & PSE) !== 0) return pmd;
  return entryCell(cpu.kernel.geometry, entryTarget(table), 0, address);
}

/** The leaf entry of an address; 0 if there is none. */
export function leafEntry(cpu: Cpu, mm: Mm, address: number): Entry {
  const cell = leafCell(cpu, mm, address);
  return cell === 0 ? 0 : cpu.readOnce(cell);
}

/** The entry of a page allows no writes any more. */
export function protect(cpu: Cpu, mm: Mm, page: number): void {
  const cell = leafCell(cpu, mm, page);
  const entry = cell === 0 ? 0 : cpu.readOnce(cell);
  if (entryPresent(entry) && (entry & PSE) === 0) setPteAt(cpu, mm, page, cell, pteWrprotect(entry));
}
