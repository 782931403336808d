/**
 * Page faults: what the recording says about one, made to fit what the model has, and then handled by the running code.
 *
 * A recorded fault gives address, access and whether the page was present. It was handled, or the task would have got a
 * signal; so a mapping and a page that the model lacks are assumed, and each assumption is stated.
 */
import {
  type Address,
  type Cpu,
  type Entry,
  entryNone,
  entryPresent,
  getPage,
  type Mm,
  Page,
  PSE,
  pteUffdWp,
  putPage,
  RW,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  type Vma,
  VM_WRITE,
  pteProtnone,
} from '@mmu-gather/core';
import {
  findVma,
  findVmaBefore,
  insertVma,
  pageAnon,
  pageAnonExclusive,
  vmaLookup,
  vmNormalPage,
} from '@mmu-gather/mm';
import { VM_GROWSDOWN } from '@mmu-gather/core';
import type { FaultAction, MissAction, Operation } from '../schedule/action.ts';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { type Call, call, type Job, meanwhile, quietly } from './library.ts';
import { leafEntry, protect } from './space.ts';

/** Bits of an x86 page fault's error code. */
const PROTECTION = 1;
const WRITE = 2;
const FETCH = 16;
const DENIED = PROTECTION | WRITE;

/** How far below its mapping a stack may be touched (RLIMIT_STACK, 8 MiB unless somebody raises it). */
const STACK_LIMIT = 8 * 2 ** 20;

/** The backend's answer to a miss; recorded only where there is one. */
function missCall(mm: Mm, address: number, write: boolean): Call {
  return call((_, cpu) => cpu.kernel.backend.tlbMiss!(cpu, mm, address, write));
}

/** The fault itself. */
function faultCall(mm: Mm, address: number, write: boolean): Call {
  return call((lib, cpu, files) => lib.doUserAddrFault(cpu, mm, address, write, files));
}

/** Whether a write may go on in the page of an entry, if that is a page of memory without a file. */
function canReuse(cpu: Cpu, page: Address): boolean {
  return pageAnon(cpu, page) && (pageAnonExclusive(cpu, page) || cpu.read(Page.at(page).refcount) === 1);
}

/** A fault that copied: if nobody else maps the page, somebody held another reference to it (a batch for the LRU lists, say). */
function heldCalls(cpu: Cpu, entry: Entry, fault: Call): Call[] {
  const page = entryPresent(entry) ? vmNormalPage(entry) : 0;
  if (page === 0 || !pageAnon(cpu, page) || pageAnonExclusive(cpu, page)) return [fault];
  return [meanwhile(() => getPage(cpu, page)), fault, meanwhile(() => putPage(cpu, page))];
}

/** Maps a page that was there, and nobody saw how. */
function mapCall(mm: Mm, address: number, write: boolean): Call {
  return quietly((lib, cpu, files) => lib.doUserAddrFault(cpu, mm, address, write, files));
}

/** Takes a page away that was gone, and nobody saw how. */
function goneCall(mm: Mm, page: number, pageSize: number): Call {
  return quietly((lib, cpu) => lib.madviseDontneed(cpu, mm, page, pageSize));
}

/** Handles recorded faults. */
export class Faults {
  readonly #host: Host;
  readonly #files: Files;
  /** Mappings that the recording does not hold, by the address of their mm and by their own in the kernel. */
  readonly #named = new Map<number, Map<string, Vma>>();

  constructor(host: Host, files: Files) {
    this.#host = host;
    this.#files = files;
  }

  /** The last write of each address space that found a page that it may not write to: its copy takes the page away for a moment. */
  readonly #denied = new Map<number, { readonly page: number; readonly operation: Operation }>();

  /** A fault of the current task of a CPU. */
  handle(
    cpu: Cpu,
    mm: Mm,
    { operation, address, errorCode, copied, user, unknown, vma: named, filePages, memory }: FaultAction,
  ): Job {
    if (address < 0 || address >= this.#host.taskSize) return { calls: [] };
    const page = address - (address % this.#host.pageSize);
    const write = (errorCode & WRITE) !== 0;
    const vma = this.#vmaOf(cpu, mm, page, errorCode, named, operation);
    if (vma !== null && memory) this.#files.inMemory(cpu.read(vma.file));
    if (vma !== null && write && (cpu.read(vma.flags) & VM_SHARED) !== 0 && this.#files.isOnDisk(cpu.read(vma.file)))
      this.#host.note(operation, 'what writes pages of a file out is not all recorded (fsync, the kernel itself)');
    if (vma !== null && !write) this.#expectFilePages(cpu, mm, vma, page, filePages, operation);
    const entry = leafEntry(cpu, mm, page);
    const calls: Call[] = [];
    const away = this.#isAway(mm, page, operation);
    if ((errorCode & DENIED) === DENIED) this.#denied.set(mm.address, { page, operation });
    if (!unknown && !away && (errorCode & PROTECTION) === 0 && entryPresent(entry) && !pteProtnone(entry)) {
      this.#host.note(operation, 'a page was gone, and nothing in the recording took it away');
      calls.push(goneCall(mm, page, this.#host.pageSize));
    } else if ((errorCode & PROTECTION) !== 0 && entryNone(entry)) {
      // It could not be used as it should be, so it allows less than a write.
      this.#host.note(operation, 'a page was there, and nothing in the recording mapped it');
      calls.push(mapCall(mm, page, false));
    }
    if (write && entryPresent(entry) && pteUffdWp(entry)) {
      this.#host.note(operation, 'userfaultfd would be asked here, and nothing in the recording waited for it');
      calls.push(quietly((lib, port) => lib.mwriteprotectRange(port, mm, page, this.#host.pageSize, false)));
    }
    const fault = faultCall(mm, address, write);
    if (copied === false && this.#wouldCopy(cpu, vma, entry, errorCode)) calls.push(...this.#ownCalls(cpu, mm, page));
    calls.push(...(copied === true ? heldCalls(cpu, entry, fault) : [fault]));
    if (user && this.#host.arch.hashed !== 0) calls.push(missCall(mm, address, false));
    return { calls };
  }

  /** Whether a write to a page that is there would copy it. */
  #wouldCopy(cpu: Cpu, vma: Vma | null, entry: Entry, errorCode: number): boolean {
    if (vma === null || (errorCode & WRITE) === 0 || (cpu.read(vma.flags) & VM_SHARED) !== 0) return false;
    if (!entryPresent(entry)) return (errorCode & PROTECTION) !== 0;
    const page = vmNormalPage(entry);
    return (entry & (PSE | RW)) === 0 && (page === 0 || !canReuse(cpu, page));
  }

  /** What must be there for a write to go on in it: a page of this address space's own, that may not be written to. */
  #ownCalls(cpu: Cpu, mm: Mm, page: number): Call[] {
    const { pageSize, arch } = this.#host;
    const own = [goneCall(mm, page, pageSize), mapCall(mm, page, true), meanwhile(() => protect(cpu, mm, page))];
    return arch.hashed !== 0 ? [...own, quietly(missCall(mm, page, false).run)] : own;
  }

  /** Whether another task's copy of a page is under way. */
  #isAway(mm: Mm, page: number, { id, time }: Operation): boolean {
    const denied = this.#denied.get(mm.address);
    return denied !== undefined && denied.page === page && denied.operation.id !== id && denied.operation.until >= time;
  }

  /** A miss of the current task: answered from page tables, or a page fault follows. */
  miss(cpu: Cpu, mm: Mm, { operation, address, write }: MissAction): Job {
    const { taskSize } = this.#host;
    if (address < 0 || address >= taskSize) return { calls: [] };
    const calls = [missCall(mm, address, write)];
    const page = address - (address % this.#host.pageSize);
    if (!entryNone(leafEntry(cpu, mm, page))) return { calls };
    this.#host.note(operation, 'a page was there, and nothing in the recording mapped it');
    this.#vmaOf(cpu, mm, page, write ? WRITE : 0, undefined, operation);
    calls.unshift(mapCall(mm, address, write));
    return { calls };
  }

  /**
   * Whether it is open if a write fault copies: nothing in the recording mapped the page, so whose it is is not known; or the only entry
   * that is known maps it, but it was shared once, and who holds another reference (a batch for the LRU lists, say) is not recorded.
   */
  mayCopy(cpu: Cpu, mm: Mm, { address, errorCode, copied }: FaultAction): boolean {
    if (copied !== null || (errorCode & DENIED) !== DENIED) return false;
    const entry = leafEntry(cpu, mm, address - (address % this.#host.pageSize));
    if (entryNone(entry)) return true;
    const page = entryPresent(entry) ? vmNormalPage(entry) : 0;
    return page !== 0 && canReuse(cpu, page) && !pageAnonExclusive(cpu, page);
  }

  /**
   * The mapping that must be there; null if it is a stack that is about to grow.
   * @param named its address in the kernel, if that was recorded
   */
  #vmaOf(
    cpu: Cpu,
    mm: Mm,
    page: number,
    errorCode: number,
    named: string | undefined,
    operation: Operation,
  ): Vma | null {
    const flags =
      (errorCode & WRITE) !== 0 ? VM_READ | VM_WRITE : (errorCode & FETCH) !== 0 ? VM_READ | VM_EXEC : VM_READ;
    const vma = vmaLookup(cpu, mm, page);
    if (vma !== null) {
      if (!this.#files.isImplied(cpu.read(vma.file))) return vma;
      this.#host.note(operation, 'a mapping that the recording does not hold (made by exec, or before)');
      cpu.write(vma.flags, cpu.read(vma.flags) | flags);
      this.#name(mm, named, vma);
      return vma;
    }
    const above = findVma(cpu, mm, page);
    if (above !== null && (cpu.read(above.flags) & VM_GROWSDOWN) !== 0 && cpu.read(above.start) - page < STACK_LIMIT)
      return null;
    this.#host.note(operation, 'a mapping that the recording does not hold (made by exec, or before)');
    const known = named === undefined ? undefined : this.#named.get(mm.address)?.get(named);
    if (known !== undefined && this.#stretch(cpu, mm, known, page)) {
      cpu.write(known.flags, cpu.read(known.flags) | flags);
      return known;
    }
    const { pageSize } = this.#host;
    const backing = { file: this.#files.openImplied(), pgoff: page / pageSize };
    const made = insertVma(cpu, mm, page, page + pageSize, flags, backing);
    this.#name(mm, named, made);
    return made;
  }

  #name(mm: Mm, named: string | undefined, vma: Vma): void {
    if (named === undefined) return;
    const known = this.#named.get(mm.address);
    if (known === undefined) this.#named.set(mm.address, new Map([[named, vma]]));
    else known.set(named, vma);
  }

  /** An address space is gone. */
  forget(mm: Mm): void {
    this.#named.delete(mm.address);
    this.#denied.delete(mm.address);
  }

  /** A mapping that was met before reaches up or down to a page. @returns false if it is gone, or another one lies between */
  #stretch(cpu: Cpu, mm: Mm, vma: Vma, page: number): boolean {
    const [start, end] = [cpu.read(vma.start), cpu.read(vma.end)];
    if (vmaLookup(cpu, mm, start)?.address !== vma.address) return false;
    const next = page < start ? findVma(cpu, mm, page) : findVmaBefore(cpu, mm, page);
    if (next?.address !== vma.address) return false;
    const { pageSize } = this.#host;
    if (page >= end) {
      cpu.write(vma.end, page + pageSize);
    } else {
      cpu.write(vma.start, page);
      cpu.write(vma.pgoff, cpu.read(vma.pgoff) - (start - page) / pageSize);
    }
    return true;
  }

  #expectFilePages(cpu: Cpu, mm: Mm, vma: Vma, page: number, filePages: number | null, operation: Operation): void {
    const file = cpu.read(vma.file);
    const index = (page - cpu.read(vma.start)) / this.#host.pageSize + cpu.read(vma.pgoff);
    if (file === 0) return;
    if (this.#files.isImplied(file) && (filePages === null || filePages > 1))
      this.#files.readsImplied(mm.address, page, this.#host.pageSize);
    this.#files.expect(index, filePages);
    if (this.#files.isReal(file))
      this.#host.note(operation, 'pages of a file: which of them were cached is not recorded');
  }
}
