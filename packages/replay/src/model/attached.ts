/**
 * Attached: mappings that calls made which are not recorded. On powerpc ipc(2) stands for shmat and shmdt, and recorders know it not.
 *
 *     vm_unmapped_area, outside of every recorded call      shmat: memory that processes share, at this address, of this length
 *     unmap_vmas, outside of every recorded call            shmdt: of those mappings the oldest, as which one it is is not recorded
 */
import type { Cpu, Mm } from '@mmu-gather/core';
import { VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core';
import type { Files } from './files.ts';
import { call, type Job } from './library.ts';

interface Area {
  readonly start: number;
  readonly length: number;
}

/** Such mappings of each address space. */
export class Attached {
  readonly #files: Files;
  /** By the address of the mm, the oldest first. */
  readonly #areas = new Map<number, Area[]>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** A mapping is made. */
  attach(cpu: Cpu, mm: Mm, start: number, length: number): Job {
    // Where one was it is no more.
    const others = this.#of(mm).filter((area) => area.start >= start + length || area.start + area.length <= start);
    this.#areas.set(mm.address, [...others, { start, length }]);
    const backing = this.#files.openShared(cpu);
    return { calls: [call((lib, port) => lib.mmap(port, mm, start, length, VM_READ | VM_WRITE | VM_SHARED, backing))] };
  }

  /** A mapping goes. */
  detach(mm: Mm): Job {
    const [oldest, ...others] = this.#of(mm);
    if (oldest === undefined) return { calls: [] };
    this.#areas.set(mm.address, others);
    return { calls: [call((lib, port) => lib.munmap(port, mm, oldest.start, oldest.length))] };
  }

  /** A child's copy. */
  fork(parent: Mm, child: Mm): void {
    this.#areas.set(child.address, this.#of(parent));
  }

  /** An address space is another one now. */
  forget(mm: Mm): void {
    this.#areas.delete(mm.address);
  }

  #of(mm: Mm): Area[] {
    return this.#areas.get(mm.address) ?? [];
  }
}
