/**
 * System calls that change an address space: recorded arguments and result, turned into the mm operation that ran.
 *
 * Calls that failed did nothing that flushes. What has no mm operation yet says so in a note.
 */
import { type Cpu, type Mm, VM_GROWSDOWN, VM_READ, VM_SHARED, VM_WRITE, VM_WRITENOTIFY } from '@mmu-gather/core';
import { brk, madviseDontneed, mmap, mmPopulate, mprotect, munmap, pageAlign, VM_ACCESS_FLAGS } from '@mmu-gather/mm';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import type { Spaces } from './space.ts';

/** What the operations need beside the machine. */
export interface Context {
  readonly host: Host;
  readonly files: Files;
  readonly spaces: Spaces;
}

/** One system call that succeeded. */
type Syscall = (context: Context, cpu: Cpu, mm: Mm, args: readonly number[], ret: number) => void;

const MAP_SHARED = 0x1;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_GROWSDOWN = 0x100;
const MAP_LOCKED = 0x2000;
const MAP_POPULATE = 0x8000;

const MADV_DONTNEED = 4;
/** Advice that only sets flags of the mapping, or starts reading: NORMAL .. WILLNEED, DONTFORK .. DODUMP. */
const HARMLESS_ADVICE: ReadonlySet<number> = new Set([0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17]);

function sysMmap({ host, files }: Context, cpu: Cpu, mm: Mm, args: readonly number[], start: number): void {
  const [, length = 0, prot = 0, mapFlags = 0] = args;
  const anonymous = (mapFlags & MAP_ANONYMOUS) !== 0;
  const shared = (mapFlags & MAP_SHARED) !== 0;
  let flags = prot & VM_ACCESS_FLAGS;
  let file = 0;
  if (shared) flags |= VM_SHARED;
  if (!anonymous) file = files.open();
  else if (shared) file = files.openShared();
  if (shared && !anonymous) flags |= VM_WRITENOTIFY;
  if ((mapFlags & MAP_GROWSDOWN) !== 0) flags |= VM_GROWSDOWN;
  // Without MAP_FIXED the kernel chose a place that was free.
  if ((mapFlags & MAP_FIXED) === 0) host.quietly(() => munmap(cpu, mm, start, length));
  mmap(cpu, mm, start, length, flags, { file, pgoff: 0 });
  if ((mapFlags & (MAP_POPULATE | MAP_LOCKED)) !== 0 && flags !== 0) {
    mmPopulate(cpu, mm, start, start + pageAlign(cpu, length), files);
  }
}

function sysMunmap(_: Context, cpu: Cpu, mm: Mm, [start = 0, length = 0]: readonly number[]): void {
  munmap(cpu, mm, start, length);
}

function sysMprotect(
  { spaces }: Context,
  cpu: Cpu,
  mm: Mm,
  [start = 0, length = 0, prot = 0]: readonly number[],
): void {
  // It succeeded, so all of the range was mapped.
  spaces.imply(cpu, mm, start, start + pageAlign(cpu, length), VM_READ | VM_WRITE);
  mprotect(cpu, mm, start, length, prot & VM_ACCESS_FLAGS);
}

function sysMadvise({ host }: Context, cpu: Cpu, mm: Mm, [start = 0, length = 0, advice = 0]: readonly number[]): void {
  if (advice === MADV_DONTNEED) madviseDontneed(cpu, mm, start, length);
  else if (!HARMLESS_ADVICE.has(advice)) host.note(`madvise advice ${advice} is not modelled`);
}

function sysBrk({ spaces }: Context, cpu: Cpu, mm: Mm, [wanted = 0]: readonly number[], ret: number): void {
  const from = spaces.brk(mm);
  if (from !== null && wanted === ret && from !== ret) brk(cpu, mm, from, ret);
  spaces.setBrk(mm, ret);
}

function sysMlock({ files }: Context, cpu: Cpu, mm: Mm, [start = 0, length = 0]: readonly number[]): void {
  const from = start - (start % 2 ** cpu.kernel.geometry.pageShift);
  mmPopulate(cpu, mm, from, pageAlign(cpu, start + length), files);
}

const SYSCALLS: ReadonlyMap<string, Syscall> = new Map<string, Syscall>([
  ['mmap', sysMmap],
  ['munmap', sysMunmap],
  ['mprotect', sysMprotect],
  ['pkey_mprotect', sysMprotect],
  ['madvise', sysMadvise],
  ['brk', sysBrk],
  ['mlock', sysMlock],
  ['mlock2', sysMlock],
]);

/** System calls that flush and have no mm operation yet. */
const NOT_MODELLED: ReadonlySet<string> = new Set([
  'mremap',
  'process_madvise',
  'process_vm_writev',
  'shmat',
  'shmdt',
  'msync',
  'fallocate',
  'ftruncate',
  'ioctl',
  'userfaultfd',
  'remap_file_pages',
  'mlockall',
]);

/** Whether a system call can change an address space at all. */
export function changesSpace(name: string): boolean {
  return SYSCALLS.has(name) || NOT_MODELLED.has(name);
}

/** Runs a system call. */
export function runSyscall(
  context: Context,
  cpu: Cpu,
  mm: Mm,
  name: string,
  args: readonly number[],
  ret: number,
): void {
  if (ret < 0) return;
  const call = SYSCALLS.get(name);
  if (call !== undefined) call(context, cpu, mm, args, ret);
  else if (NOT_MODELLED.has(name)) context.host.note(`${name} is not modelled`);
}
