/**
 * What a recording tells about an address space beside its mappings: the end of its heap, and pages and mappings that
 * must exist although nobody saw them being made.
 */
import {
  type Cpu,
  type Entry,
  entryCell,
  entryNone,
  entryTarget,
  type Mm,
  VM_GROWSDOWN,
  VM_READ,
  type Vma,
  VM_WRITE,
} from '@mmu-gather/core';
import { doUserAddrFault, findVma, insertVma, mmAlloc, pmdOffset, vmaNext } from '@mmu-gather/mm';
import type { Files } from './files.ts';
import type { Host } from './host.ts';

/** What execve maps for the stack at first (stack_expand in setup_arg_pages), with the page of the arguments. */
const STACK_PAGES = 33;

/** The end of the heap of each address space, by its address; unknown until brk was called. */
export class Spaces {
  readonly #host: Host;
  readonly #files: Files;
  readonly #brk = new Map<number, number>();

  constructor(host: Host, files: Files) {
    this.#host = host;
    this.#files = files;
  }

  /** The end of the heap, null if it is not known. */
  brk(mm: Mm): number | null {
    return this.#brk.get(mm.address) ?? null;
  }
  /** Sets the end of the heap. */
  setBrk(mm: Mm, end: number): void {
    this.#brk.set(mm.address, end);
  }

  /** A child's copy. */
  fork(parent: Mm, child: Mm): void {
    const end = this.brk(parent);
    if (end === null) this.#brk.delete(child.address);
    else this.setBrk(child, end);
  }

  /** The address space that execve makes: a stack with the arguments in its last page. What else it maps is not recorded. */
  exec(cpu: Cpu): Mm {
    const mm = mmAlloc(cpu);
    this.#brk.delete(mm.address);
    const top = this.#host.taskSize;
    const stack = { file: 0, pgoff: 0 };
    insertVma(cpu, mm, top - STACK_PAGES * this.#host.pageSize, top, VM_READ | VM_WRITE | VM_GROWSDOWN, stack);
    doUserAddrFault(cpu, mm, top - this.#host.pageSize, true, this.#files);
    return mm;
  }

  /** Fills what is not mapped between two addresses with mappings that must have been there. */
  imply(cpu: Cpu, mm: Mm, start: number, end: number, flags: number): void {
    let at = start;
    for (let vma: Vma | null = findVma(cpu, mm, start); at < end; vma = vma === null ? null : vmaNext(cpu, vma)) {
      const next = vma === null ? end : Math.min(end, cpu.read(vma.start));
      if (at < next) insertVma(cpu, mm, at, next, flags, { file: this.#files.openImplied(), pgoff: 0 });
      if (vma === null) return;
      at = Math.max(at, cpu.read(vma.end));
    }
  }
}

/** The leaf entry of an address; 0 if there is none. */
export function leafEntry(cpu: Cpu, mm: Mm, address: number): Entry {
  const pmd = pmdOffset(cpu, mm, address);
  if (pmd === 0) return 0;
  const table = cpu.readOnce(pmd);
  return entryNone(table) ? 0 : cpu.readOnce(entryCell(cpu.kernel.geometry, entryTarget(table), 0, address));
}
