/**
 * System calls that change an address space: recorded arguments and result, turned into the mm operation that ran.
 *
 * Calls that failed did nothing that flushes. What has no mm operation yet says so in a note.
 */
import {
  type Cpu,
  type Mm,
  VM_GROWSDOWN,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
  VM_ACCESS_FLAGS,
} from '@mmu-gather/core';
import { MADV_COLD, MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, pageAlign } from '@mmu-gather/mm';
import type { SyscallAction } from '../schedule/action.ts';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { type Call, call, quietly } from './library.ts';
import type { Spaces } from './space.ts';

/** What the operations need beside the machine. */
export interface Context {
  readonly host: Host;
  readonly files: Files;
  readonly spaces: Spaces;
}

/** The calls that a system call made; it succeeded. */
type Syscall = (context: Context, cpu: Cpu, mm: Mm, action: SyscallAction) => Call[];

const MAP_SHARED = 0x1;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_GROWSDOWN = 0x100;
const MAP_LOCKED = 0x2000;
const MAP_POPULATE = 0x8000;

/** Advice that changes entries, and has its operation. */
const MODELLED_ADVICE: ReadonlySet<number> = new Set([MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_COLD]);
/** Advice that only sets flags of the mapping, or starts reading: NORMAL .. WILLNEED, DONTFORK .. DODUMP. */
const HARMLESS_ADVICE: ReadonlySet<number> = new Set([0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17]);

function sysMmap({ files }: Context, cpu: Cpu, mm: Mm, { args, ret: start }: SyscallAction): Call[] {
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
  const calls: Call[] = [];
  // Without MAP_FIXED the kernel chose a place that was free.
  if ((mapFlags & MAP_FIXED) === 0) calls.push(quietly((lib, port) => lib.munmap(port, mm, start, length)));
  calls.push(call((lib, port) => lib.mmap(port, mm, start, length, flags, { file, pgoff: 0 })));
  if ((mapFlags & (MAP_POPULATE | MAP_LOCKED)) !== 0 && (prot & VM_ACCESS_FLAGS) !== 0) {
    const end = start + pageAlign(cpu, length);
    calls.push(call((lib, port, files) => lib.mmPopulate(port, mm, start, end, files)));
  }
  return calls;
}

function sysMunmap(_: Context, _cpu: Cpu, mm: Mm, { args: [start = 0, length = 0] }: SyscallAction): Call[] {
  return [call((lib, port) => lib.munmap(port, mm, start, length))];
}

function sysMprotect({ spaces }: Context, cpu: Cpu, mm: Mm, { args }: SyscallAction): Call[] {
  const [start = 0, length = 0, prot = 0] = args;
  // It succeeded, so all of the range was mapped.
  spaces.imply(cpu, mm, start, start + pageAlign(cpu, length), VM_READ | VM_WRITE);
  return [call((lib, port) => lib.mprotect(port, mm, start, length, prot & VM_ACCESS_FLAGS))];
}

function sysMadvise({ host }: Context, _cpu: Cpu, mm: Mm, { operation, args }: SyscallAction): Call[] {
  const [start = 0, length = 0, advice = 0] = args;
  if (MODELLED_ADVICE.has(advice)) return [call((lib, port) => lib.madvise(port, mm, start, length, advice))];
  if (!HARMLESS_ADVICE.has(advice)) host.note(operation, `madvise advice ${advice} is not modelled`);
  return [];
}

function sysBrk({ spaces }: Context, _cpu: Cpu, mm: Mm, { args: [wanted = 0], ret }: SyscallAction): Call[] {
  const from = spaces.brk(mm);
  spaces.setBrk(mm, ret);
  if (from === null || wanted !== ret || from === ret) return [];
  return [call((lib, port) => lib.brk(port, mm, from, ret))];
}

function sysMlock(_: Context, cpu: Cpu, mm: Mm, { args: [start = 0, length = 0] }: SyscallAction): Call[] {
  const from = start - (start % 2 ** cpu.kernel.geometry.pageShift);
  const end = pageAlign(cpu, start + length);
  return [call((lib, port, files) => lib.mmPopulate(port, mm, from, end, files))];
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

/** What a system call did. */
export function syscallCalls(context: Context, cpu: Cpu, mm: Mm, action: SyscallAction): Call[] {
  if (action.ret < 0) return [];
  const make = SYSCALLS.get(action.name);
  if (make !== undefined) return make(context, cpu, mm, action);
  if (NOT_MODELLED.has(action.name)) context.host.note(action.operation, `${action.name} is not modelled`);
  return [];
}
