/**
 * Userfaults: which page an ioctl of userfaultfd is for is in memory that no recording holds. The fault that waits for it tells.
 *
 *     task 1                              task 2
 *     fault at a page that is not there
 *       sleeps
 *                                         ioctl UFFDIO_COPY: so that page is there now
 *       goes on
 *
 * A fault that waits although its page is there met a page that is write-protected: UFFDIO_WRITEPROTECT is its answer. If nobody waits, that
 * call takes rights away: from the pages at which writes wait afterwards (schedule/ahead.ts), or, if none does, from all mappings in which
 * somebody waited before.
 */
import { type Cpu, entryPresent, type Mm, PSE, pteMkuffdWp, VM_UFFD_WP } from '@mmu-gather/core';
import { vmaLookup } from '@mmu-gather/mm';
import { UFFDIO, uffdRequest } from '../read/userfaultfd.ts';
import type { SyscallAction } from '../schedule/action.ts';
import { type Call, call, type Job, quietly } from './library.ts';
import { equalPart, partsOf } from './parts.ts';
import { leafCell } from './space.ts';
import type { Caller, Context } from './syscalls.ts';

const UNKNOWN = 'which pages an ioctl of userfaultfd is for is not recorded';

/** Faults that wait. */
export class Userfaults {
  /** Pages by the address of their mm, the one that waits longest first. */
  readonly #waiting = new Map<number, number[]>();
  /** Starts of mappings in which faults waited. */
  readonly #registered = new Map<number, Set<number>>();

  /** A fault of a task waits. @param page its address */
  wait(cpu: Cpu, mm: Mm, page: number): Job {
    const vma = vmaLookup(cpu, mm, page);
    if (vma === null) return { calls: [] };
    const waiting = listOf(this.#waiting, mm.address, () => [] as number[]);
    if (!waiting.includes(page)) waiting.push(page);
    listOf(this.#registered, mm.address, () => new Set<number>()).add(cpu.read(vma.start));
    const cell = leafCell(cpu, mm, page);
    const entry = cell === 0 ? 0 : cpu.readOnce(cell);
    if (!entryPresent(entry) || (entry & PSE) !== 0) return { calls: [] };
    cpu.write(vma.flags, cpu.read(vma.flags) | VM_UFFD_WP);
    // UFFDIO_COPY can have left it so, which needs no flush.
    return { calls: [quietly((lib, port) => lib.setPteAt(port, mm, page, cell, pteMkuffdWp(entry)))] };
  }

  /** An address space is gone, and its memory may become another one. */
  forget(mm: Mm): void {
    this.#waiting.delete(mm.address);
    this.#registered.delete(mm.address);
  }

  /** The page that has been waited for longest; null if there is none. */
  next(mm: Mm): number | null {
    return this.#waiting.get(mm.address)?.shift() ?? null;
  }

  /** Mappings in which faults waited. */
  mappings(cpu: Cpu, mm: Mm): { readonly start: number; readonly length: number }[] {
    return [...(this.#registered.get(mm.address) ?? [])].flatMap((at) => {
      const vma = vmaLookup(cpu, mm, at);
      if (vma === null) return [];
      cpu.write(vma.flags, cpu.read(vma.flags) | VM_UFFD_WP);
      const start = cpu.read(vma.start);
      return [{ start, length: cpu.read(vma.end) - start }];
    });
  }
}

function listOf<T>(map: Map<number, T>, key: number, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

/** Protects what later faults find protected: all of it, or, if they tell of several calls, the part of this one. */
function protectCalls(cpu: Cpu, mm: Mm, action: SyscallAction, pageSize: number): Call[] {
  const { hindsight, index } = action.part!;
  const pages = hindsight.faults.map(({ address }) => address - (address % pageSize)).toSorted((a, b) => a - b);
  const own = pages.slice(...equalPart(partsOf(action, pageSize)!, index));
  const vma = own.length === 0 ? null : vmaLookup(cpu, mm, own[0]!);
  if (vma === null) return [];
  cpu.write(vma.flags, cpu.read(vma.flags) | VM_UFFD_WP);
  const length = own.at(-1)! + pageSize - own[0]!;
  return [call((lib, port) => lib.mwriteprotectRange(port, mm, own[0]!, length, true))];
}

/** ioctl: requests of userfaultfd that change page tables. */
export function sysIoctl({ userfaults, host }: Context, { cpu, mm }: Caller, action: SyscallAction): Call[] {
  const request = uffdRequest(action.args);
  switch (request) {
    case UFFDIO.COPY:
    case UFFDIO.ZEROPAGE:
    case UFFDIO.CONTINUE: {
      const page = userfaults.next(mm);
      if (page !== null)
        return [call((lib, port, files) => lib.doUserAddrFault(port, mm, page, request !== UFFDIO.ZEROPAGE, files))];
      host.note(action.operation, UNKNOWN);
      return [];
    }
    case UFFDIO.WRITEPROTECT: {
      const page = userfaults.next(mm);
      if (page !== null) return [call((lib, port) => lib.mwriteprotectRange(port, mm, page, host.pageSize, false))];
      host.note(action.operation, UNKNOWN);
      if (action.part !== null && action.part.hindsight.faults.length > 0)
        return protectCalls(cpu, mm, action, host.pageSize);
      return userfaults
        .mappings(cpu, mm)
        .map(({ start, length }) => call((lib, port) => lib.mwriteprotectRange(port, mm, start, length, true)));
    }
    case null:
      host.note(action.operation, 'ioctl is not modelled');
      return [];
    default:
      return [];
  }
}
