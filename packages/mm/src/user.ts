/**
 * User mode: accesses that fault until they succeed, and the fault's entry point (arch/x86/mm/fault.c: do_user_addr_fault).
 */
import {
  type Cpu,
  FAULT,
  type Mm,
  type Steps,
  type Vma,
  VM_GROWSDOWN,
  VM_WRITE,
  pageSize,
  VM_ACCESS_FLAGS,
  vmAccess,
} from '@mmu-gather/core/stepped';
import { EFAULT, VM_FAULT_ERROR, VM_FAULT_RETRY, VM_FAULT_SIGSEGV } from './errno.ts';
import { handleMmFault } from './fault.ts';
import { NO_FILES, type PageCache } from './page-cache.ts';
import { findVma } from './vma.ts';
import { lockVmaUnderRcu, mmapWriteDowngrade, setVmaBound, vmaEndRead, vmaStartWrite } from './vma-lock.ts';

/** access_error: does the VMA forbid it? */
function accessError(vmFlags: number, write: boolean): boolean {
  return (vmFlags & (write ? VM_WRITE : VM_ACCESS_FLAGS)) === 0;
}

/**
 * do_user_addr_fault: in kernel mode, on behalf of user code or of the kernel itself (get_user_pages, MAP_POPULATE).
 * @returns 0 if the access can be tried again, else VM_FAULT_SIGSEGV or VM_FAULT_SIGBUS
 */
export function* doUserAddrFault(
  cpu: Cpu,
  mm: Mm,
  address: number,
  write: boolean,
  files: PageCache = NO_FILES,
): Steps<number> {
  const locked = yield* lockVmaUnderRcu(cpu, mm, address);
  if (locked !== null) {
    const denied = accessError(cpu.read(locked.flags), write);
    const fault = denied ? VM_FAULT_SIGSEGV : yield* handleMmFault(cpu, mm, locked, address, write, files, true);
    if ((fault & VM_FAULT_RETRY) === 0) {
      yield* vmaEndRead(cpu, locked);
      return fault & VM_FAULT_ERROR;
    }
  }
  for (;;) {
    yield* cpu.downRead(mm.mmapLock);
    const vma = yield* findFaultVma(cpu, mm, address);
    if (vma === null || accessError(cpu.read(vma.flags), write)) {
      yield* cpu.upRead(mm.mmapLock);
      return VM_FAULT_SIGSEGV;
    }
    const fault = yield* handleMmFault(cpu, mm, vma, address, write, files, false);
    if ((fault & VM_FAULT_RETRY) !== 0) continue;
    yield* cpu.upRead(mm.mmapLock);
    return fault & VM_FAULT_ERROR;
  }
}

/** lock_mm_and_find_vma: a stack that starts above the address grows, which takes the lock for write. */
function* findFaultVma(cpu: Cpu, mm: Mm, address: number): Steps<Vma | null> {
  let vma = findVma(cpu, mm, address);
  if (vma === null || cpu.read(vma.start) <= address) return vma;
  if ((cpu.read(vma.flags) & VM_GROWSDOWN) === 0) return null;
  yield* cpu.upRead(mm.mmapLock);
  yield* cpu.downWrite(mm.mmapLock);
  vma = findVma(cpu, mm, address);
  const grows = vma !== null && (cpu.read(vma.flags) & VM_GROWSDOWN) !== 0;
  if (vma !== null && grows && cpu.read(vma.start) > address) {
    const old = cpu.read(vma.start);
    const start = address - (address % pageSize(cpu.kernel.geometry));
    yield* vmaStartWrite(cpu, mm, vma);
    yield* setVmaBound(cpu, vma, 'start', start);
    cpu.claim.limit(cpu.read(mm.pgd), { start, end: old }, vmAccess(cpu.read(vma.flags)));
  }
  yield* mmapWriteDowngrade(cpu, mm);
  return vma !== null && cpu.read(vma.start) <= address ? vma : null;
}

/** What {@link handleMiss} returns if the architecture's miss handler has loaded a translation. */
const LOADED = 1;

/**
 * What the CPU enters for an access that it could not do: the architecture's own miss handler, if there is one, and the page fault for
 * what that does not answer.
 * @returns 0 or LOADED if the access can be tried again
 */
function* handleMiss(cpu: Cpu, mm: Mm, address: number, write: boolean, files: PageCache): Steps<number> {
  const { tlbMiss } = cpu.kernel.backend;
  if (tlbMiss !== null && (yield* tlbMiss(cpu, mm, address, write))) return LOADED;
  return (yield* doUserAddrFault(cpu, mm, address, write, files)) === 0 ? 0 : -EFAULT;
}

/**
 * A store of user code, from and back to kernel mode: repeated until it succeeds or cannot.
 * @returns 0, or -EFAULT where a signal would be sent
 */
export function* userStore(
  cpu: Cpu,
  mm: Mm,
  address: number,
  value: number,
  files: PageCache = NO_FILES,
): Steps<number> {
  yield* cpu.enterUser();
  let answer = 0;
  for (;;) {
    const result = yield* cpu.userWrite(address, value, answer === LOADED);
    yield* cpu.enterKernel();
    if (result !== FAULT) return 0;
    answer = yield* handleMiss(cpu, mm, address, true, files);
    if (answer < 0) return answer;
    yield* cpu.enterUser(answer);
  }
}

/** A load of user code; see {@link userStore}. @returns the word, or -EFAULT */
export function* userLoad(cpu: Cpu, mm: Mm, address: number, files: PageCache = NO_FILES): Steps<number> {
  yield* cpu.enterUser();
  let answer = 0;
  for (;;) {
    const result = yield* cpu.userRead(address, answer === LOADED);
    yield* cpu.enterKernel();
    if (result !== FAULT) return result;
    answer = yield* handleMiss(cpu, mm, address, false, files);
    if (answer < 0) return answer;
    yield* cpu.enterUser(answer);
  }
}

/** mm_populate: faults a range in, as MAP_POPULATE and mlock do. Private writable mappings get pages of their own. */
export function* mmPopulate(cpu: Cpu, mm: Mm, start: number, end: number, files: PageCache = NO_FILES): Steps<number> {
  const size = pageSize(cpu.kernel.geometry);
  for (let at = start; at < end; at += size) {
    const vma = findVma(cpu, mm, at);
    const write = vma !== null && vmAccess(cpu.read(vma.flags)) === 'write';
    const fault = yield* doUserAddrFault(cpu, mm, at, write, files);
    if (fault !== 0) return fault;
  }
  return 0;
}

/** faultin_page_range: MADV_POPULATE_READ and MADV_POPULATE_WRITE. */
export function* populate(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  write: boolean,
  files: PageCache = NO_FILES,
): Steps<number> {
  const size = pageSize(cpu.kernel.geometry);
  for (let at = start; at < end; at += size) {
    const fault = yield* doUserAddrFault(cpu, mm, at, write, files);
    if (fault !== 0) return fault;
  }
  return 0;
}
