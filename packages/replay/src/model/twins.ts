/**
 * Twins: of a process that was there before the recording nothing is known, but much of one with its name that the recording holds from its
 * execve or fork on. The parts of a program keep their distances, so where both have the same mapping, what lies around it is the same, too.
 *
 *     timeout, from its fork on            pages 0x100b0000, 0x100c0000, 0x10270000; 0x10021850000, 0x7fffc5e10000
 *     timeout, there before                fault at 0x100e41d8, which the other one has in a mapping
 *       is taken to have                   pages 0x100b0000, 0x100c0000, 0x10270000
 *
 * What lies far from there (heap, stack, libraries) may be where each process drew at random: nothing is taken over.
 */
import { type Cpu, entryPresent, type Mm, PSE, pteWrite, VM_WRITE, type Vma, type Entry } from '@mmu-gather/core';
import { doUserAddrFault, findVma, insertVma, pageAnon, vmaLookup, vmaNext, vmNormalPage } from '@mmu-gather/mm';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { leafEntry, protect } from './space.ts';

/** How far around a fault parts of one program are looked for, in bytes: text and data of all but the largest. */
const NEAR = 2 ** 24;

/** Makes address spaces of which nothing is known like known ones. */
export class Twins {
  readonly #host: Host;
  readonly #files: Files;

  constructor(host: Host, files: Files) {
    this.#host = host;
    this.#files = files;
  }

  /**
   * A page of an address space faults, the first one that is heard of: what is around it is as in another one, if that has it in a mapping.
   * @param page its address
   */
  resemble(cpu: Cpu, mm: Mm, twin: Mm, page: number): void {
    if (vmaLookup(cpu, twin, page) === null) return;
    this.#host.quietly(() => {
      for (let vma = findVma(cpu, twin, page - NEAR); vma !== null; vma = vmaNext(cpu, vma)) {
        if (cpu.read(vma.start) >= page + NEAR) return;
        this.#copy(cpu, mm, twin, vma, page);
      }
    });
  }

  /** Makes a mapping like one of the twin's, unless something is there. */
  #copy(cpu: Cpu, mm: Mm, twin: Mm, vma: Vma, around: number): void {
    const [start, end, flags] = [cpu.read(vma.start), cpu.read(vma.end), cpu.read(vma.flags)];
    const behind = findVma(cpu, mm, start);
    if (behind !== null && cpu.read(behind.start) < end) return;
    const [file, pgoff, mapping] = [cpu.read(vma.file), cpu.read(vma.pgoff), cpu.read(vma.mapping)];
    const made = insertVma(cpu, mm, start, end, flags, mapping === 0 ? { file, pgoff } : { file, pgoff, mapping });
    const { pageSize } = this.#host;
    // What its program may not write to now, it may have written to before.
    cpu.write(made.flags, flags | VM_WRITE);
    const last = Math.min(end, around + NEAR);
    for (let page = Math.max(start, around - NEAR); page < last; page += pageSize) {
      const entry = leafEntry(cpu, twin, page);
      if (entryPresent(entry) && (entry & PSE) === 0) this.#map(cpu, mm, made, page, entry);
    }
    cpu.write(made.flags, flags);
  }

  /** Maps a page as the twin has it: its own, if the twin's is one, or the file's. */
  #map(cpu: Cpu, mm: Mm, vma: Vma, page: number, entry: Entry): void {
    const { pageSize, arch } = this.#host;
    const frame = vmNormalPage(entry);
    this.#files.expect((page - cpu.read(vma.start)) / pageSize + cpu.read(vma.pgoff), 1);
    doUserAddrFault(cpu, mm, page, frame !== 0 && pageAnon(cpu, frame), this.#files);
    if (!pteWrite(entry)) protect(cpu, mm, page);
    if ((entry & arch.hashed) !== 0) cpu.kernel.backend.tlbMiss!(cpu, mm, page, false);
  }
}
