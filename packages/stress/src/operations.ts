/**
 * Operations: what tasks do at random, each with how often. All of them are system calls, faults or kernel threads of the mm package, as they stand.
 */
import { AddressSpace, FILE_PAGES, putPage, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core';
import {
  changeProtNuma,
  CLEAR_REFS_ALL,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  contextSwitch,
  dupMm,
  execMmap,
  exitMm,
  fileBacking,
  gupFast,
  ksmMakeStable,
  kthreadUnuseMm,
  kthreadUseMm,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  madvise,
  madvisePageout,
  mmAlloc,
  mmap,
  mmput,
  mprotect,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mremap,
  munmap,
  shrinkPages,
  userLoad,
  userStore,
  writebackPage,
} from '@mmu-gather/mm';
import { anonPageAt } from './pages.ts';
import { getSlot, putSlot } from './slots.ts';
import { PAGE, PAGES, SLOTS } from './space.ts';
import type { Task } from './task.ts';

/** One thing that a task may do. */
export interface Operation {
  /** What it is called. */
  readonly name: string;
  /** How often, beside the others. */
  readonly weight: number;
  /** Does it. */
  run(task: Task): void;
}

const RW = VM_READ | VM_WRITE;
const RIGHTS: readonly number[] = [VM_READ, RW, RW, 0];
const ADVICE: readonly number[] = [MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_COLD];
/** Accesses of a user at a stretch. */
const STRETCH = 40;
/** Addresses that reclaim looks at. */
const RECLAIMED = 4;
/** Rests of a CPU that is idle. */
const IDLE_TURNS = 60;

function access(task: Task): void {
  const { cpu, mm, chance, shared } = task;
  const [one, other] = [task.page(), task.page()];
  const accesses = 1 + chance.below(STRETCH);
  for (let n = 0; n < accesses; n++) {
    const address = chance.once(4) ? other : one;
    if (chance.once(2)) userStore(cpu, mm, address, 1 + chance.below(1000));
    else userLoad(cpu, mm, address);
  }
  cpu.write(shared.count(cpu.id, 'accesses'), cpu.read(shared.count(cpu.id, 'accesses')) + accesses);
}

function mapMemory(task: Task): void {
  const { start, length } = task.range();
  mmap(task.cpu, task.mm, start, length, task.chance.once(6) ? VM_READ : RW);
}

function mapFile(task: Task): void {
  const { cpu, mm, shared } = task;
  const start = Math.min(task.page(), (PAGES - FILE_PAGES) * PAGE);
  mmap(cpu, mm, start, FILE_PAGES * PAGE, RW | VM_SHARED, fileBacking(cpu.read(shared.file)));
}

function unmap(task: Task): void {
  const { start, length } = task.range();
  munmap(task.cpu, task.mm, start, length);
}

function protect(task: Task): void {
  const { start, length } = task.range();
  mprotect(task.cpu, task.mm, start, length, RIGHTS[task.chance.below(RIGHTS.length)]!);
}

function advise(task: Task): void {
  const { start, length } = task.range();
  madvise(task.cpu, task.mm, start, length, ADVICE[task.chance.below(ADVICE.length)]!);
}

function pageout(task: Task): void {
  const { start, length } = task.range();
  madvisePageout(task.cpu, task.mm, start, length, () => false);
}

function move(task: Task): void {
  const { start, length } = task.range();
  // The caller sees to it that the new place is within the address space.
  const to = Math.min(task.page(), PAGES * PAGE - length);
  mremap(task.cpu, task.mm, start, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

function numa(task: Task): void {
  const { start, length } = task.range();
  changeProtNuma(task.cpu, task.mm, start, start + length);
}

function clearRefs(task: Task): void {
  clearRefsWrite(task.cpu, task.mm, task.chance.once(2) ? CLEAR_REFS_ALL : CLEAR_REFS_SOFT_DIRTY);
}

function writeback({ cpu, chance, shared }: Task): void {
  writebackPage(cpu, AddressSpace.at(cpu.read(shared.file)), chance.below(FILE_PAGES));
}

function pin({ cpu, mm, chance }: Task): void {
  const page = gupFast(cpu, mm, PAGE * chance.below(PAGES), chance.once(2));
  if (page !== 0) putPage(cpu, page);
}

/** kswapd: pages of any mm. */
function reclaim(task: Task): void {
  const { cpu, chance, shared } = task;
  const mm = getSlot(cpu, shared, chance.below(SLOTS));
  const addresses = new Set(Array.from({ length: RECLAIMED }, () => task.page()));
  const found = [...addresses].map((address) => ({ mm, address, page: anonPageAt(cpu, mm, address) }));
  const held = found.filter(({ page }) => page !== 0);
  // A page that has moved meanwhile was found twice.
  const pages = new Set(held.map(({ page }) => page));
  shrinkPages(cpu, pages.size === held.length ? held : []);
  for (const { page } of held) putPage(cpu, page);
  mmput(cpu, mm);
}

/** ksmd: makes a page a merged one. */
function merge(task: Task): void {
  const { cpu, chance, shared } = task;
  const mm = getSlot(cpu, shared, chance.below(SLOTS));
  ksmMakeStable(cpu, { mm, address: task.page() });
  mmput(cpu, mm);
}

/** The child becomes what a slot holds. */
function fork({ cpu, mm, chance, shared }: Task): void {
  putSlot(cpu, shared, chance.below(SLOTS), dupMm(cpu, mm));
}

/** A thread of another mm runs on. */
function migrate(task: Task): void {
  const { cpu, chance, shared } = task;
  const next = getSlot(cpu, shared, chance.below(SLOTS));
  const before = task.mm;
  contextSwitch(cpu, next);
  task.mm = next;
  mmput(cpu, before);
}

/** The task sleeps: its CPU is idle, borrows its mm, and comes back. */
function sleep({ cpu, mm, chance }: Task): void {
  contextSwitch(cpu, null);
  const turns = chance.below(IDLE_TURNS);
  for (let turn = 0; turn < turns; turn++) cpu.idle(turn);
  contextSwitch(cpu, mm);
}

function exec(task: Task): void {
  const { cpu } = task;
  const fresh = mmAlloc(cpu);
  mmap(cpu, fresh, 0, 8 * PAGE, RW);
  execMmap(cpu, fresh);
  task.mm = fresh;
}

/** The task exits; what runs next belongs to a slot. */
function exit(task: Task): void {
  const { cpu, chance, shared } = task;
  exitMm(cpu);
  const turns = chance.below(IDLE_TURNS);
  for (let turn = 0; turn < turns; turn++) cpu.idle(turn);
  task.mm = getSlot(cpu, shared, chance.below(SLOTS));
  contextSwitch(cpu, task.mm);
}

/** A kernel thread works in an mm of a slot. */
function kthread(task: Task): void {
  const { cpu, mm, chance, shared } = task;
  const other = getSlot(cpu, shared, chance.below(SLOTS));
  contextSwitch(cpu, null);
  kthreadUseMm(cpu, other);
  for (let n = 0; n < 4; n++) userLoad(cpu, other, task.page());
  kthreadUnuseMm(cpu, other);
  contextSwitch(cpu, mm);
  mmput(cpu, other);
}

/** All of them. */
export const OPERATIONS: readonly Operation[] = [
  { name: 'access', weight: 50, run: access },
  { name: 'mmap', weight: 8, run: mapMemory },
  { name: 'mmap file', weight: 2, run: mapFile },
  { name: 'munmap', weight: 6, run: unmap },
  { name: 'mprotect', weight: 8, run: protect },
  { name: 'madvise', weight: 8, run: advise },
  { name: 'MADV_PAGEOUT', weight: 2, run: pageout },
  { name: 'mremap', weight: 3, run: move },
  { name: 'NUMA hints', weight: 1, run: numa },
  { name: 'clear_refs', weight: 1, run: clearRefs },
  { name: 'writeback', weight: 3, run: writeback },
  { name: 'get_user_pages_fast', weight: 2, run: pin },
  { name: 'reclaim', weight: 4, run: reclaim },
  { name: 'KSM', weight: 1, run: merge },
  { name: 'fork', weight: 1, run: fork },
  { name: 'switch', weight: 4, run: migrate },
  { name: 'sleep', weight: 3, run: sleep },
  { name: 'exec', weight: 1, run: exec },
  { name: 'exit', weight: 1, run: exit },
  { name: 'kthread', weight: 1, run: kthread },
];
