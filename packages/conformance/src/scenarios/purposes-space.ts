/**
 * What operations on whole address spaces are for: tables of three levels, a stack that grows or moves, faults that leave mmap_lock alone.
 */
import type { Run } from '@mmu-gather/checker';
import {
  ACCESSED,
  type Geometry,
  type Mm,
  PAGE_SHIFT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  contextSwitch,
  doUserAddrFault,
  dupMm,
  EFAULT,
  gupFast,
  MADV_COLD,
  madvise,
  mmAlloc,
  mmap,
  mmput,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  relocateVmaDown,
  secondaryFault,
  userLoad,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import type { AnyScenario } from '../scenario.ts';
import { gives, looks } from './look.ts';
import { purpose } from './purpose.ts';
import { mappingOf, PAGE, RW_MEMORY, setStage, type Stage } from './stage.ts';

/** A VMA over a range of pages, of which some are stored to, page n with n. */
function mapped(run: Run, first: number, end: number, stored: readonly number[], flags = RW_MEMORY): Stage {
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  run(0, (cpu) => mmap(cpu, mm, first * PAGE, (end - first) * PAGE, flags));
  for (const page of stored) run(0, (cpu) => userStore(cpu, mm, page * PAGE, page));
  return { mm, at: first * PAGE };
}

const THREE_LEVELS: Geometry = { pageShift: PAGE_SHIFT, bits: [1, 1, 1] };

const levels = purpose(
  'levels',
  'operations walk down three levels, and free the tables of all of them',
  (run) => {
    const stage = mapped(run, 0, 8, [1, 2, 5]);
    return { ...stage, p2: mappingOf(run, stage.mm, 2 * PAGE) };
  },
  function* (cpu, { mm, p2 }, does) {
    gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 0, 8 * PAGE, MADV_COLD), 0);
    gives(cpu, 'a look at the entry', (cpu.read(p2.pte) & ACCESSED) === 0, true);
    const child = yield* dupMm(cpu, mm);
    looks(cpu, child, '0-8 rw | - 1r 2r - - 5r - -');
    gives(cpu, 'a write fault of the child', yield* doUserAddrFault(cpu, child, 2 * PAGE, true), 0);
    looks(cpu, child, '0-8 rw | - 1r 2w - - 5r - -');
    yield* mmput(cpu, child);
    if (does) gives(cpu, 'munmap', yield* munmap(cpu, mm, 4 * PAGE, 4 * PAGE), 0);
    looks(cpu, mm, '0-4 rw | - 1r 2r - - - - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 5 * PAGE), -EFAULT);
    gives(cpu, 'a look from outside', yield* secondaryFault(cpu, mm, 5 * PAGE), 0);
    gives(cpu, 'a look without locks', yield* gupFast(cpu, mm, 5 * PAGE, false), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    gives(cpu, 'hints', yield* changeProtNuma(cpu, mm, 2 * PAGE, 4 * PAGE), 1);
    looks(cpu, mm, '0-2 r, 2-4 rw | - 1r 2n - - - - -');
    const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    gives(cpu, 'a move', yield* mremap(cpu, mm, 2 * PAGE, 2 * PAGE, 2 * PAGE, fixed, 5 * PAGE), 5 * PAGE);
    looks(cpu, mm, '0-2 r, 5-7 rw | - 1r - - - 2n - -');
    gives(cpu, 'a move', yield* mremap(cpu, mm, 5 * PAGE, 2 * PAGE, PAGE, fixed, 7 * PAGE), 7 * PAGE);
    looks(cpu, mm, '0-2 r, 7-8 rw | - 1r - - - - - 2n');
    gives(cpu, 'mmap beside it', yield* mmap(cpu, mm, 2 * PAGE, PAGE, RW_MEMORY), 2 * PAGE);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 8), 0);
    gives(cpu, 'a move to more room', yield* mremap(cpu, mm, PAGE, PAGE, 2 * PAGE, fixed, 4 * PAGE), 4 * PAGE);
    looks(cpu, mm, '0-1 r, 2-3 rw, 4-6 r, 7-8 rw | - - 8w - 1r - - 2n');
  },
  { geometry: THREE_LEVELS },
);

const FOUR_TABLES: Geometry = { pageShift: PAGE_SHIFT, bits: [1, 2] };

const stack = purpose(
  'stack',
  'exec moves its stack down, by more than its size and by less, and frees the tables that it leaves',
  (run) => mapped(run, 5, 7, [5, 6]),
  function* (cpu, { mm }, does) {
    const vma = vmaLookup(cpu, mm, 5 * PAGE)!;
    if (does) yield* relocateVmaDown(cpu, mm, vma, 3 * PAGE);
    looks(cpu, mm, '2-4 rw | - - 5w 6w - - - -');
    gives(cpu, 'a load where it was', yield* userLoad(cpu, mm, 5 * PAGE), -EFAULT);
    yield* relocateVmaDown(cpu, mm, vma, PAGE);
    looks(cpu, mm, '1-3 rw | - 5w 6w - - - - -');
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 7), 0);
    gives(cpu, 'mmap above it', yield* mmap(cpu, mm, 4 * PAGE, PAGE, RW_MEMORY), 4 * PAGE);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 4 * PAGE, 8), 0);
    yield* relocateVmaDown(cpu, mm, vma, PAGE);
    looks(cpu, mm, '0-2 rw, 4-5 rw | 5w 7w - - 8w - - -');
  },
  { geometry: FOUR_TABLES },
);

const stackTable = purpose(
  'stack-table',
  'exec moves its stack down by one table: where a whole table should go is the one that the first entry has just left, so entries move one by one',
  (run) => mapped(run, 3, 6, [3, 4, 5]),
  function* (cpu, { mm }, does) {
    if (does) yield* relocateVmaDown(cpu, mm, vmaLookup(cpu, mm, 3 * PAGE)!, 2 * PAGE);
    looks(cpu, mm, '1-4 rw | - 3w 4w 5w - - - -');
    gives(cpu, 'a load where it was', yield* userLoad(cpu, mm, 4 * PAGE), -EFAULT);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 3 * PAGE), 5);
  },
  { geometry: FOUR_TABLES },
);

const growth = purpose(
  'growth',
  'a stack grows down to where it is used, if it is one and there is nothing else',
  (run) => mapped(run, 3, 4, [3], VM_READ | VM_WRITE | VM_GROWSDOWN),
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'a store below', yield* userStore(cpu, mm, PAGE + 8, 7), 0);
    looks(cpu, mm, '1-4 rw | - 7w - 3w');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 2 * PAGE), 0);
    gives(cpu, 'mprotect', (yield* mprotect(cpu, mm, 0, PAGE, VM_READ)) !== 0, true);
    gives(cpu, 'munmap', yield* munmap(cpu, mm, PAGE, 3 * PAGE), 0);
    gives(cpu, 'mmap of what does not grow', yield* mmap(cpu, mm, 3 * PAGE, PAGE, RW_MEMORY), 3 * PAGE);
    gives(cpu, 'a store below', yield* userStore(cpu, mm, 2 * PAGE, 7), -EFAULT);
    gives(cpu, 'a store above', yield* userStore(cpu, mm, 3 * PAGE, 8), 0);
    looks(cpu, mm, '3-4 rw | - - - 8w');
  },
);

interface Two {
  readonly mm: Mm;
}

/** Two VMAs of two pages, in each of which a page is there. */
function twoVmas(run: Run): Two {
  const { mm } = setStage(run, { pages: 4, touched: [0, 2], running: [0] });
  run(0, (cpu) => mprotect(cpu, mm, 0, 2 * PAGE, VM_READ));
  return { mm };
}

const lockless = purpose(
  'vma-locks',
  'a fault goes on while somebody holds mmap_lock for write, for it locks its VMA; who has locked that lets go of it with mmap_lock',
  twoVmas,
  function* (cpu, { mm }, does) {
    yield* cpu.downWrite(mm.mmapLock);
    gives(cpu, 'a load of the first', yield* userLoad(cpu, mm, PAGE), 0);
    if (does) gives(cpu, 'a store to the second', yield* userStore(cpu, mm, 3 * PAGE, 7), 0);
    gives(cpu, 'a store to the first', yield* userStore(cpu, mm, 0, 7), -EFAULT);
    yield* cpu.upWrite(mm.mmapLock);
    looks(cpu, mm, '0-2 r, 2-4 rw | 1r 0r 3w 7w');
    gives(cpu, 'munmap, as a reader in the end', yield* munmap(cpu, mm, 3 * PAGE, PAGE), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ | VM_WRITE), 0);
    yield* cpu.downWrite(mm.mmapLock);
    gives(cpu, 'a store to the first', yield* userStore(cpu, mm, PAGE, 8), 0);
    yield* cpu.upWrite(mm.mmapLock);
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 0, PAGE), 0);
    yield* cpu.downWrite(mm.mmapLock);
    gives(cpu, 'a store to the rest', yield* userStore(cpu, mm, PAGE, 9), 0);
    yield* cpu.upWrite(mm.mmapLock);
    looks(cpu, mm, '1-2 rw, 2-3 rw | - 9w 3w -');
  },
  { profile: { perVmaLocks: true, vmaWriters: 'all', vmaFree: 'rcu' } },
);

const merged = purpose(
  'merged-vmas',
  'neighbours that are alike become one, with what fork must copy; others stay two',
  (run) => mapped(run, 0, 1, []),
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'mmap', yield* mmap(cpu, mm, PAGE, PAGE, RW_MEMORY), PAGE);
    looks(cpu, mm, '0-2 rw | - - - -');
    gives(cpu, 'mmap of what is not alike', yield* mmap(cpu, mm, 2 * PAGE, PAGE, VM_READ), 2 * PAGE);
    looks(cpu, mm, '0-2 rw, 2-3 r | - - - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, PAGE, VM_READ), 0);
    looks(cpu, mm, '0-1 rw, 1-3 r | - - - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, 2 * PAGE, VM_READ | VM_EXEC), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 2 * PAGE, PAGE, RW_MEMORY), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 7), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, PAGE, RW_MEMORY), 0);
    looks(cpu, mm, '0-3 rw | - - 7w -');
  },
  { profile: { vmaMerge: true } },
);

/** All of them. */
export const PURPOSES_OF_SPACES: readonly AnyScenario[] = [levels, stack, stackTable, growth, merged, lockless];
