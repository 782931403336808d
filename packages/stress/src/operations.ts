/**
 * Operations: what tasks do at random, each with how often. All of them are system calls, faults or kernel threads of the mm package, as they stand.
 */
import { AddressSpace, FILE_PAGES, type Mm, Page, putPage, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core';
import {
  allocZeroedPage,
  changeProtNuma,
  CLEAR_REFS_ALL,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  collapseHugePage,
  contextSwitch,
  dupMm,
  execMmap,
  exitMm,
  fileBacking,
  gupFast,
  hugepageMadvise,
  ksmMakeStable,
  ksmMerge,
  kthreadUnuseMm,
  kthreadUseMm,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  madvise,
  madvisePageout,
  migratePages,
  mmAlloc,
  mmap,
  mmput,
  mprotect,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mremap,
  munmap,
  processMadvise,
  type Rmap,
  shrinkPages,
  userLoad,
  userStore,
  vmap,
  vunmap,
  writebackPage,
} from '@mmu-gather/mm';
import { anonPageAt, getKsmPage } from './pages.ts';
import { getSlot, putSlot } from './slots.ts';
import { AREAS, HUGE, PAGE, PAGES, SLOTS } from './space.ts';
import type { Task } from './task.ts';

/** One thing that a task may do. */
export interface Operation {
  /** What it is called. */
  readonly name: string;
  /** How often, beside the others. */
  readonly weight: number;
  /** The architecture that does not have it. */
  readonly notOn?: string;
  /** Does it. */
  run(task: Task): void;
}

const RW = VM_READ | VM_WRITE;
const RIGHTS: readonly number[] = [VM_READ, RW, RW, 0];
const ADVICE: readonly number[] = [MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_COLD];
/** Accesses of a user at a stretch. */
const STRETCH = 40;
/** Addresses that reclaim and migration look at. */
const ISOLATED = 4;
/** Values that users store: few, so that pages are equal now and then. */
const VALUES = 3;
/** Rests of a CPU that is idle. */
const IDLE_TURNS = 60;

function access(task: Task): void {
  const { cpu, mm, chance, shared } = task;
  const [one, other] = [task.page(), task.page()];
  const accesses = 1 + chance.below(STRETCH);
  for (let n = 0; n < accesses; n++) {
    const address = chance.once(4) ? other : one;
    if (chance.once(2)) userStore(cpu, mm, address, 1 + chance.below(VALUES));
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
  mremap(task.cpu, task.mm, start, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, task.page());
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
  const held = isolate(task, mm);
  shrinkPages(cpu, held);
  for (const { page } of held) putPage(cpu, page);
  mmput(cpu, mm);
}

/** Pages of an mm, with a reference to each; none if a page that has moved meanwhile was found twice. */
function isolate(task: Task, mm: Mm): readonly Rmap[] {
  const { cpu } = task;
  const addresses = new Set(Array.from({ length: ISOLATED }, () => task.page()));
  const found = [...addresses].map((address) => ({ mm, address, page: anonPageAt(cpu, mm, address) }));
  const held = found.filter(({ page }) => page !== 0);
  if (new Set(held.map(({ page }) => page)).size === held.length) return held;
  for (const { page } of held) putPage(cpu, page);
  return [];
}

/**
 * kcompactd: pages of any mm move. Who moves a page has the only other reference to it, and may find that it is gone. A fault on a migration entry waits
 * with mmap_lock, which stands for the locks of the reverse map here: no writer may come between it and who ends the migration.
 */
function migratePagesOf(task: Task): void {
  const { cpu, chance, shared } = task;
  const mm = getSlot(cpu, shared, chance.below(SLOTS));
  const pages = isolate(task, mm);
  for (const { page } of pages) putPage(cpu, page);
  cpu.downRead(mm.mmapLock);
  migratePages(cpu, pages);
  cpu.upRead(mm.mmapLock);
  mmput(cpu, mm);
}

function adviseHuge(task: Task): void {
  const { cpu, mm, chance } = task;
  const page = task.page();
  hugepageMadvise(cpu, mm, page - (page % HUGE), HUGE, !chance.once(6));
}

/** MADV_COLLAPSE of memory that other threads of the task use: small pages first, so that there is something to collapse. */
function collapseOwn(task: Task): void {
  const { cpu, mm, chance } = task;
  const page = task.page();
  const start = page - (page % HUGE);
  mmap(cpu, mm, start, HUGE, RW);
  for (let at = start; at < start + HUGE; at += PAGE) userStore(cpu, mm, at, 1 + chance.below(VALUES));
  hugepageMadvise(cpu, mm, start, HUGE);
  collapseHugePage(cpu, mm, start);
}

/** khugepaged. */
function collapse(task: Task): void {
  const { cpu, chance, shared } = task;
  const mm = getSlot(cpu, shared, chance.below(SLOTS));
  collapseHugePage(cpu, mm, task.page());
  mmput(cpu, mm);
}

/** process_madvise: advice for two ranges of another task. */
function adviseOther(task: Task): void {
  const { cpu, chance, shared } = task;
  const mm = getSlot(cpu, shared, chance.below(SLOTS));
  const ranges = [task.range(), task.range()].map(({ start, length }) => ({ start, end: start + length }));
  processMadvise(cpu, mm, ranges, ADVICE[chance.below(ADVICE.length)]!);
  mmput(cpu, mm);
}

/** A page of the kernel's own is mapped at some address, or not any more. */
function mapKernel({ cpu, chance, shared }: Task): void {
  const area = shared.area(chance.below(AREAS));
  cpu.spinLock(area.lock);
  const held = cpu.read(area.page);
  if (held === 0) {
    const page = allocZeroedPage(cpu);
    const value = chance.below(2 ** 30);
    cpu.write(Page.at(page).data, value);
    cpu.write(area.value, value);
    cpu.write(area.page, page);
    cpu.write(area.address, vmap(cpu, [page]));
  } else {
    cpu.write(area.page, 0);
    vunmap(cpu, cpu.read(area.address));
    putPage(cpu, held);
  }
  cpu.spinUnlock(area.lock);
}

/** Reads what is mapped at an address of the kernel: no CPU may find there what was before. */
function readKernel({ cpu, chance, shared }: Task): void {
  const area = shared.area(chance.below(AREAS));
  cpu.spinLock(area.lock);
  if (cpu.read(area.page) !== 0) {
    const right = cpu.kernelRead(cpu.read(area.address)) === cpu.read(area.value);
    cpu.claim.that(right, 'O15', `kernel address 0x${cpu.read(area.address).toString(16)} leads to an older page`);
  }
  cpu.spinUnlock(area.lock);
}

/** ksmd: makes a page a merged one, and another page the same one if their contents are equal. */
function merge(task: Task): void {
  const { cpu, chance, shared } = task;
  const [one, other] = [getSlot(cpu, shared, chance.below(SLOTS)), getSlot(cpu, shared, chance.below(SLOTS))];
  const page = getKsmPage(cpu, ksmMakeStable(cpu, { mm: one, address: task.page() }));
  if (page !== 0) {
    ksmMerge(cpu, { mm: other, address: task.page() }, page);
    putPage(cpu, page);
  }
  mmput(cpu, one);
  mmput(cpu, other);
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
  { name: 'clear_refs', weight: 5, run: clearRefs },
  { name: 'writeback', weight: 3, run: writeback },
  { name: 'get_user_pages_fast', weight: 2, run: pin },
  { name: 'reclaim', weight: 4, run: reclaim },
  { name: 'migration', weight: 3, run: migratePagesOf },
  { name: 'MADV_HUGEPAGE', weight: 4, notOn: 'powerpc-hash', run: adviseHuge },
  { name: 'MADV_COLLAPSE', weight: 2, notOn: 'powerpc-hash', run: collapseOwn },
  { name: 'khugepaged', weight: 2, notOn: 'powerpc-hash', run: collapse },
  { name: 'process_madvise', weight: 3, run: adviseOther },
  { name: 'vmap', weight: 3, run: mapKernel },
  { name: 'kernel load', weight: 4, run: readKernel },
  { name: 'KSM', weight: 2, run: merge },
  { name: 'fork', weight: 2, run: fork },
  { name: 'switch', weight: 4, run: migrate },
  { name: 'sleep', weight: 3, run: sleep },
  { name: 'exec', weight: 1, run: exec },
  { name: 'exit', weight: 1, run: exit },
  { name: 'kthread', weight: 1, run: kthread },
];
