/**
 * System calls that change an address space: recorded arguments and result, turned into the mm operation that ran.
 *
 * Calls that failed did nothing that flushes. What has no mm operation yet says so in a note.
 */
import {
  type Cpu,
  entryPresent,
  entrySize,
  type Mm,
  pageSize,
  type Vma,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_LOCKED,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
} from '@mmu-gather/core';
import {
  ANONYMOUS,
  findVma,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  pageAlign,
  vmaLookup,
  vmaNext,
} from '@mmu-gather/mm';
import type { AdvisedRange } from '../read/event.ts';
import type { SyscallAction } from '../schedule/action.ts';
import type { Descriptors } from './descriptors.ts';
import {
  madviseRemove,
  sysFallocate,
  sysFsync,
  sysFtruncate,
  sysMsync,
  sysShmat,
  sysShmdt,
  sysSyncFileRange,
} from './file-syscalls.ts';
import type { Files } from './files.ts';
import type { Host } from './host.ts';
import { type Call, call, quietly } from './library.ts';
import { equalPart, mostOf, partsOf } from './parts.ts';
import { splitCalls } from './splits.ts';
import { leafEntry, type Spaces } from './space.ts';
import { sysIoctl, type Userfaults } from './userfaults.ts';

/** What the operations need beside the machine. */
export interface Context {
  readonly host: Host;
  readonly files: Files;
  readonly spaces: Spaces;
  readonly userfaults: Userfaults;
}

/** Who calls. */
export interface Caller {
  /** The CPU that it runs on. */
  readonly cpu: Cpu;
  /** Its address space. */
  readonly mm: Mm;
  /** Its open files. */
  readonly fds: Descriptors;
}

/** The calls that a system call made; it succeeded. */
type Syscall = (context: Context, caller: Caller, action: SyscallAction) => Call[];

const MAP_SHARED = 0x1;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_GROWSDOWN = 0x100;
const MAP_POPULATE = 0x8000;
const MAP_NONBLOCK = 0x10000;

const MADV_REMOVE = 9;
const MADV_HUGEPAGE = 14;
const MADV_NOHUGEPAGE = 15;
const MADV_PAGEOUT = 21;
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;
const MADV_COLLAPSE = 25;
const MADV_GUARD_INSTALL = 102;
const MADV_GUARD_REMOVE = 103;

const MADV_WILLNEED = 3;

// Flags of mappings that say nothing of flushes, but set a mapping apart from its neighbours: what lies in two of them is flushed as two.
const VM_SEQ_READ = 2 ** 20;
const VM_RAND_READ = 2 ** 21;
const VM_DONTCOPY = 2 ** 22;
const VM_MERGEABLE = 2 ** 23;
const VM_DONTDUMP = 2 ** 24;
const VM_WIPEONFORK = 2 ** 25;
/** VM_HUGEPAGE where huge pages are off. */
const VM_HUGE_IN_VAIN = 2 ** 26;

/** Advice that only sets flags of the mapping: which it sets, and which it clears (madvise_vma_behavior). */
const FLAG_ADVICE: ReadonlyMap<number, readonly [set: number, clear: number]> = new Map([
  [0, [0, VM_SEQ_READ | VM_RAND_READ]],
  [1, [VM_RAND_READ, VM_SEQ_READ]],
  [2, [VM_SEQ_READ, VM_RAND_READ]],
  [10, [VM_DONTCOPY, 0]],
  [11, [0, VM_DONTCOPY]],
  [12, [VM_MERGEABLE, 0]],
  [13, [0, VM_MERGEABLE]],
  [MADV_HUGEPAGE, [VM_HUGE_IN_VAIN, VM_NOHUGEPAGE]],
  [MADV_NOHUGEPAGE, [VM_NOHUGEPAGE, VM_HUGE_IN_VAIN]],
  [16, [VM_DONTDUMP, 0]],
  [17, [0, VM_DONTDUMP]],
  [18, [VM_WIPEONFORK, 0]],
  [19, [0, VM_WIPEONFORK]],
]);

/** Advice that starts reading, or takes markers away. */
const HARMLESS_ADVICE: ReadonlySet<number> = new Set([MADV_WILLNEED, MADV_GUARD_REMOVE]);

function sysMmap({ files, host }: Context, { cpu, mm, fds }: Caller, { args, ret: start }: SyscallAction): Call[] {
  const [, length = 0, prot = 0, mapFlags = 0, fd = -1, offset = 0] = args;
  const anonymous = (mapFlags & MAP_ANONYMOUS) !== 0;
  const shared = (mapFlags & MAP_SHARED) !== 0;
  let flags = prot & VM_ACCESS_FLAGS;
  let backing = ANONYMOUS;
  if (shared) flags |= VM_SHARED;
  else if (anonymous && host.thp === 'always') flags |= VM_HUGEPAGE;
  const pgoff = offset / pageSize(cpu.kernel.geometry);
  if (!anonymous && shared && (prot & VM_WRITE) !== 0) backing = files.backing(cpu, fds, fd, pgoff);
  else if (!anonymous) backing = { file: files.open(), pgoff };
  else if (shared) backing = files.openShared(cpu);
  if (shared && !anonymous) flags |= VM_WRITENOTIFY;
  if ((mapFlags & host.arch.mapLocked) !== 0) flags |= VM_LOCKED;
  if ((mapFlags & host.arch.mapNoreserve) !== 0) flags |= VM_NORESERVE;
  else if (isPromised(flags)) flags |= VM_ACCOUNT;
  if ((mapFlags & MAP_GROWSDOWN) !== 0) flags |= VM_GROWSDOWN;
  const calls: Call[] = [];
  // Without MAP_FIXED the kernel chose a place that was free.
  if ((mapFlags & MAP_FIXED) === 0) calls.push(quietly((lib, port) => lib.munmap(port, mm, start, length)));
  calls.push(call((lib, port) => lib.mmap(port, mm, start, length, flags, backing)));
  const populates =
    (mapFlags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE || (mapFlags & host.arch.mapLocked) !== 0;
  if (populates && (prot & VM_ACCESS_FLAGS) !== 0) {
    const end = start + pageAlign(cpu, length);
    calls.push(call((lib, port, cache) => lib.mmPopulate(port, mm, start, end, cache)));
  }
  return calls;
}

function sysMunmap({ host, spaces }: Context, { mm }: Caller, { operation, args }: SyscallAction): Call[] {
  const [start = 0, length = 0] = args;
  if (spaces.wasGuessed(mm, start, start + length))
    host.note(operation, 'which pages process_madvise took away before is not recorded');
  return [call((lib, port) => lib.munmap(port, mm, start, length))];
}

/** What is private and may be written to counts as promised, and does so as long as it is mapped. */
function isPromised(flags: number): boolean {
  return (flags & (VM_WRITE | VM_SHARED | VM_NORESERVE)) === VM_WRITE;
}

function sysMprotect({ spaces }: Context, caller: Caller, { args }: SyscallAction): Call[] {
  const { cpu, mm } = caller;
  const [start = 0, length = 0, prot = 0] = args;
  const end = start + pageAlign(cpu, length);
  // It succeeded, so all of the range was mapped.
  spaces.imply(cpu, mm, start, end, VM_READ | VM_WRITE);
  const access = prot & VM_ACCESS_FLAGS;
  const promises = modifyCalls(caller, start, end, (flags) =>
    isPromised((flags & ~VM_ACCESS_FLAGS) | access) ? flags | VM_ACCOUNT : flags,
  );
  return [...promises, call((lib, port) => lib.mprotect(port, mm, start, length, access))];
}

function sysMadvise(context: Context, caller: Caller, action: SyscallAction): Call[] {
  const { operation, args } = action;
  const { cpu, mm } = caller;
  const [start = 0, length = 0, advice = 0] = args;
  const end = start + pageAlign(cpu, length);
  const onDisk = (file: number): boolean => context.files.isOnDisk(file);
  switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
    case MADV_COLD:
      return [
        ...splitCalls(cpu, mm, action.returned),
        call((lib, port) => lib.madvise(port, mm, start, length, advice)),
      ];
    case MADV_REMOVE:
      return madviseRemove(context, caller, start, length);
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      return [call((lib, port, files) => lib.populate(port, mm, start, end, advice === MADV_POPULATE_WRITE, files))];
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
      if (context.host.thp === 'never') return flagCalls(caller, start, end, advice);
      return [call((lib, port) => lib.hugepageMadvise(port, mm, start, length, advice === MADV_HUGEPAGE))];
    case MADV_PAGEOUT:
      return [call((lib, port) => lib.madvisePageout(port, mm, start, length, ({ file }) => onDisk(cpu.read(file))))];
    case MADV_COLLAPSE:
      if (context.host.thp === 'never') return [];
      return hugeRanges(cpu, start, length).map((at) => call((lib, port) => lib.collapseHugePage(port, mm, at)));
    case MADV_GUARD_INSTALL:
      // The range is emptied first; that its entries then hold markers changes nothing that a TLB could hold.
      return [call((lib, port) => lib.madviseDontneed(port, mm, start, length))];
    default:
      if (FLAG_ADVICE.has(advice)) return flagCalls(caller, start, end, advice);
      if (!HARMLESS_ADVICE.has(advice)) context.host.note(operation, `madvise advice ${advice} is not modelled`);
      return [];
  }
}

/** Advice that only sets flags. */
function flagCalls(caller: Caller, start: number, end: number, advice: number): Call[] {
  const [set, clear] = FLAG_ADVICE.get(advice)!;
  const modifies = modifyCalls(caller, start, end, (flags) => (flags & ~clear) | set);
  return [...modifies, quietly((lib, port) => lib.vmaMergeRange(port, caller.mm, start, end))];
}

/** process_madvise: its ranges are in the caller's memory, so they are known only where a probe has shown them. They are taken to be its own. */
function sysProcessMadvise(context: Context, caller: Caller, action: SyscallAction): Call[] {
  const advice = action.args[3] ?? 0;
  if (action.ranges !== null) return recordedRanges(context, caller, action, action.ranges, advice);
  return FLAG_ADVICE.has(advice) || HARMLESS_ADVICE.has(advice) ? [] : guessedRanges(context, caller, action, advice);
}

/** The ranges that were recorded, as far as the call got. */
function recordedRanges(
  context: Context,
  caller: Caller,
  action: SyscallAction,
  recorded: readonly AdvisedRange[],
  advice: number,
): Call[] {
  const { cpu, mm } = caller;
  let left = action.ret;
  const ranges = recorded.flatMap(({ start, length }) => {
    const advised = Math.min(length, left);
    left -= advised;
    return advised > 0 ? [{ start, end: start + advised }] : [];
  });
  const first = ranges[0];
  if (first !== undefined && vmaLookup(cpu, mm, first.start) === null) {
    context.host.note(action.operation, 'process_madvise of another process is not modelled');
    return [];
  }
  const few = action.ret <= FEW * context.host.pageSize;
  const used = few ? ranges.flatMap(({ start, end }) => usedCalls(cpu, mm, start, end - start)) : [];
  if (isTogether(cpu, advice)) return [...used, call((lib, port) => lib.processMadvise(port, mm, ranges, advice))];
  const calls = ranges.flatMap(({ start, end }) =>
    sysMadvise(context, caller, { ...action, args: [start, end - start, advice] }),
  );
  return [...used, ...calls];
}

/** Whether what takes pages away flushes once for all ranges. */
function isTogether(cpu: Cpu, advice: number): boolean {
  return EMPTIES.has(advice) && cpu.kernel.profile.madviseGather === 'per-call';
}

/**
 * Ranges that nobody knows are taken to be equal parts of the mapping in which the caller faulted last. What empties a range flushes once for all
 * of them where madvise does so for all of its mappings.
 */
function guessedRanges(context: Context, caller: Caller, action: SyscallAction, advice: number): Call[] {
  const { host, spaces } = context;
  const { cpu, mm } = caller;
  host.note(action.operation, 'the ranges of process_madvise are in memory that is not recorded');
  const parts = partsOf(action, host.pageSize)!;
  const vma = vmaLookup(cpu, mm, spaces.touched(mm));
  if (vma === null) return [];
  const ranges = isTogether(cpu, advice)
    ? [[0, parts.pages] as const]
    : Array.from({ length: parts.count }, (_, at) => equalPart(parts, at));
  const few = mostOf(parts) > 0 && parts.pages <= FEW;
  const start = cpu.read(vma.start);
  const end = cpu.read(vma.end);
  const room = end - start;
  if (EMPTIES.has(advice)) spaces.guess(mm, start, end);
  return ranges.flatMap(([from, to]) => {
    const length = Math.min(to * host.pageSize, room) - from * host.pageSize;
    if (length <= 0) return [];
    return [
      ...(few ? usedCalls(cpu, mm, start + from * host.pageSize, length) : []),
      ...sysMadvise(context, caller, { ...action, args: [start + from * host.pageSize, length, advice] }),
    ];
  });
}

/** Reads of pages that are there: they leave no event. */
function usedCalls(cpu: Cpu, mm: Mm, start: number, length: number): Call[] {
  const size = pageSize(cpu.kernel.geometry);
  return Array.from({ length: Math.ceil(length / size) }, (_, page) => start + page * size)
    .filter((page) => entryPresent(leafEntry(cpu, mm, page)))
    .map((page) => quietly((lib, port, files) => lib.doUserAddrFault(port, mm, page, false, files)));
}

/** Pages that are read one by one: what is advised again was used since, as far as few are concerned. */
const FEW = 64;

/** Advice that takes pages away, or may. */
const EMPTIES: ReadonlySet<number> = new Set([MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE]);

/** Starts of the huge pages that lie in a range. */
function hugeRanges(cpu: Cpu, start: number, length: number): number[] {
  const size = entrySize(cpu.kernel.geometry, 1);
  const starts: number[] = [];
  for (let at = Math.ceil(start / size) * size; at + size <= start + length; at += size) starts.push(at);
  return starts;
}

function sysBrk({ spaces }: Context, { mm }: Caller, { args: [wanted = 0], ret }: SyscallAction): Call[] {
  const from = spaces.brk(mm);
  spaces.setBrk(mm, ret);
  if (from === null || wanted !== ret || from === ret) return [];
  return [call((lib, port) => lib.brk(port, mm, from, ret))];
}

/** Where it went is where it returned: the model need not choose a place. */
function sysMremap({ spaces }: Context, { cpu, mm }: Caller, { args, ret: to }: SyscallAction): Call[] {
  const [from = 0, oldLength = 0, newLength = 0, flags = 0] = args;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  const newSize = pageAlign(cpu, newLength);
  spaces.imply(cpu, mm, from, from + pageAlign(cpu, oldLength), VM_READ | VM_WRITE);
  if (to === from) return [call((lib, port) => lib.mremap(port, mm, from, oldLength, newLength, 0))];
  const calls: Call[] = [];
  if (!fixed) calls.push(quietly((lib, port) => lib.munmap(port, mm, to, newSize)));
  const moves = MREMAP_MAYMOVE | MREMAP_FIXED | (flags & MREMAP_DONTUNMAP);
  calls.push(call((lib, port) => lib.mremap(port, mm, from, oldLength, newLength, moves, to)));
  return calls;
}

/** Gives the mappings of a range other flags: they are split where it ends. */
function modifyCalls({ cpu, mm }: Caller, start: number, end: number, change: (flags: number) => number): Call[] {
  return vmasIn(cpu, mm, start, end)
    .filter(({ vma }) => change(cpu.read(vma.flags)) !== cpu.read(vma.flags))
    .map(({ vma, start: from, end: to }) =>
      quietly((lib, port) => lib.vmaModifyFlags(port, mm, vma, from, to, change(cpu.read(vma.flags)))),
    );
}

function sysMlock(_: Context, caller: Caller, { args: [start = 0, length = 0] }: SyscallAction): Call[] {
  const { cpu, mm } = caller;
  const from = start - (start % pageSize(cpu.kernel.geometry));
  const end = pageAlign(cpu, start + length);
  const populate = call((lib, port, files) => lib.mmPopulate(port, mm, from, end, files));
  return [...modifyCalls(caller, from, end, (flags) => flags | VM_LOCKED), populate];
}

function sysMunlock(_: Context, caller: Caller, { args: [start = 0, length = 0] }: SyscallAction): Call[] {
  const { cpu } = caller;
  const from = start - (start % pageSize(cpu.kernel.geometry));
  return modifyCalls(caller, from, pageAlign(cpu, start + length), (flags) => flags & ~VM_LOCKED);
}

/** Pieces of mappings in a range, the last one first: changing one leaves those before it as they are. */
function vmasIn(cpu: Cpu, mm: Mm, start: number, end: number): { vma: Vma; start: number; end: number }[] {
  const found: { vma: Vma; start: number; end: number }[] = [];
  for (let vma = findVma(cpu, mm, start); vma !== null && cpu.read(vma.start) < end; vma = vmaNext(cpu, vma))
    found.unshift({ vma, start: Math.max(start, cpu.read(vma.start)), end: Math.min(end, cpu.read(vma.end)) });
  return found;
}

const SYSCALLS: ReadonlyMap<string, Syscall> = new Map<string, Syscall>([
  ['mmap', sysMmap],
  ['munmap', sysMunmap],
  ['mprotect', sysMprotect],
  ['pkey_mprotect', sysMprotect],
  ['madvise', sysMadvise],
  ['process_madvise', sysProcessMadvise],
  ['brk', sysBrk],
  ['mremap', sysMremap],
  ['msync', sysMsync],
  ['ftruncate', sysFtruncate],
  ['fallocate', sysFallocate],
  ['shmat', sysShmat],
  ['shmdt', sysShmdt],
  ['mlock', sysMlock],
  ['mlock2', sysMlock],
  ['munlock', sysMunlock],
  ['fsync', sysFsync],
  ['fdatasync', sysFsync],
  ['sync_file_range', sysSyncFileRange],
  ['ioctl', sysIoctl],
]);

/** System calls that flush, and why what they do is not predicted. */
const NOT_MODELLED: ReadonlyMap<string, string> = new Map([
  ['process_vm_writev', 'the ranges of process_vm_writev are in memory that is not recorded'],
  ['remap_file_pages', 'remap_file_pages is not modelled'],
  ['mlockall', 'mlockall is not modelled'],
]);

/** Whether a system call can change an address space at all. */
export function changesSpace(name: string): boolean {
  return SYSCALLS.has(name) || NOT_MODELLED.has(name);
}

/** The addresses that a system call looks at. @param brk the end of the heap, null if it is not known */
export function rangeOf(
  { name, args, ret, ranges }: SyscallAction,
  brk: number | null,
): { start: number; end: number } {
  const [start = 0, length = 0] = args;
  if (name === 'brk') return { start: Math.min(ret, brk ?? ret), end: Math.max(ret, brk ?? ret) };
  if (name === 'mmap') return { start: ret, end: ret + length };
  if (name === 'process_madvise') return hullOf(ranges ?? []);
  return { start, end: start + length };
}

function hullOf(ranges: readonly AdvisedRange[]): { start: number; end: number } {
  if (ranges.length === 0) return { start: 0, end: 0 };
  const ends = ranges.map(({ start, length }) => start + length);
  return { start: Math.min(...ranges.map(({ start }) => start)), end: Math.max(...ends) };
}

/** What a system call did. */
export function syscallCalls(context: Context, caller: Caller, action: SyscallAction): Call[] {
  if (action.ret < 0) return [];
  const make = SYSCALLS.get(action.name);
  if (make !== undefined) return make(context, caller, action);
  const why = NOT_MODELLED.get(action.name);
  if (why !== undefined) context.host.note(action.operation, why);
  return [];
}
