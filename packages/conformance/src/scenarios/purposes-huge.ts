/**
 * What operations on huge pages are for: the one of zeroes, hints, advice, several under one table, and where there shall be none.
 */
import type { Run } from '@mmu-gather/checker';
import { entryTarget, type Geometry, Page, PAGE_SHIFT, putPage, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  collapseHugePage,
  contextSwitch,
  dupMm,
  gupFast,
  hugepageMadvise,
  MADV_COLD,
  MADV_FREE,
  madvise,
  madviseDontneed,
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
  mwriteprotectRange,
  pagemapSoftDirty,
  pmdOffset,
  uffdRegisterWp,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import type { AnyScenario } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { gives, looks } from './look.ts';
import { purpose } from './purpose.ts';
import { PAGE, setStage, type Stage } from './stage.ts';

/** Memory of two huge pages, in which nothing is yet. */
function twoEmpty(run: Run): Stage {
  const stage = setStage(run, { pages: 4, touched: [], running: [0] });
  run(0, (cpu) => hugepageMadvise(cpu, stage.mm, 0, 4 * PAGE));
  return stage;
}

const zeroes = purpose(
  'huge-zeroes',
  'a read maps a huge page of zeroes, and a write there splits it (up to 6.12)',
  twoEmpty,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 0);
    looks(cpu, mm, '0-4 rw | [0r] [0r] - -');
    gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 0, 2 * PAGE, MADV_COLD), 0);
    looks(cpu, mm, '0-4 rw | [0r] [0r] - -');
    const child = yield* dupMm(cpu, mm);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 7), 0);
    looks(cpu, mm, '0-4 rw | 0r 7w - -');
    yield* contextSwitch(cpu, child);
    gives(cpu, 'a load of the child', yield* userLoad(cpu, child, 0), 0);
    yield* contextSwitch(cpu, mm);
    yield* mmput(cpu, child);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 2 * PAGE), 0);
    gives(cpu, 'MADV_DONTNEED of a part', yield* madviseDontneed(cpu, mm, 2 * PAGE, PAGE), 0);
    looks(cpu, mm, '0-4 rw | 0r 7w - 0r');
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 2 * PAGE, 2 * PAGE), 0);
    looks(cpu, mm, '0-2 rw | 0r 7w - -');
  },
  { hugeZeroPage: 'split' },
);

const hugeCopy = purpose(
  'huge-zeroes-copy',
  'a read maps a huge page of zeroes, and a write there puts a huge page in its place (6.13 on)',
  twoEmpty,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 0);
    looks(cpu, mm, '0-4 rw | [0r] [0r] - -');
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 7), 0);
    looks(cpu, mm, '0-4 rw | [0w] [7w] - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 2 * PAGE), 0);
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 2 * PAGE, 2 * PAGE), 0);
    looks(cpu, mm, '0-2 rw | [0w] [7w] - -');
  },
  { hugeZeroPage: 'huge' },
);

const wanted = purpose(
  'huge-wanted',
  'where huge pages are made, and where not',
  (run: Run) => {
    const stage = setStage(run, { pages: 3, touched: [], running: [0] });
    return { mm: stage.mm };
  },
  function* (cpu, { mm }, does) {
    gives(cpu, 'MADV_HUGEPAGE over a hole', (yield* hugepageMadvise(cpu, mm, 0, 4 * PAGE)) !== 0, true);
    gives(cpu, 'clear_refs where nothing is', yield* clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY), 0);
    looks(cpu, mm, '0-3 rw | - - - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 0);
    looks(cpu, mm, '0-3 rw | - 0r - -');
    if (does) gives(cpu, 'a store to what does not fit', yield* userStore(cpu, mm, 2 * PAGE, 3), 0);
    looks(cpu, mm, '0-3 rw | - 0r 3w -');
    gives(cpu, 'a collapse of what does not fit', yield* collapseHugePage(cpu, mm, 2 * PAGE), false);
    gives(cpu, 'a collapse of the zero page', yield* collapseHugePage(cpu, mm, 0), false);
    looks(cpu, mm, '0-3 rw | - 0r 3w -');
    gives(cpu, 'MADV_NOHUGEPAGE', yield* hugepageMadvise(cpu, mm, 0, 2 * PAGE, false), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 1), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 2), 0);
    gives(cpu, 'a collapse of what shall not', yield* collapseHugePage(cpu, mm, 0), false);
    looks(cpu, mm, '0-2 rw, 2-3 rw | 1w 2w 3w -');
    gives(cpu, 'MADV_HUGEPAGE', yield* hugepageMadvise(cpu, mm, 0, 2 * PAGE), 0);
    gives(cpu, 'a collapse', yield* collapseHugePage(cpu, mm, 0), true);
    looks(cpu, mm, '0-2 rw, 2-3 rw | [1w] [2w] 3w -');
    gives(cpu, 'a collapse of what is huge', yield* collapseHugePage(cpu, mm, 0), false);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 2);
    const child = yield* dupMm(cpu, mm);
    looks(cpu, child, '0-2 rw, 2-3 rw | [1r] [2r] 3r -');
    yield* mmput(cpu, child);
  },
);

const unwanted = purpose(
  'huge-unwanted',
  'where huge pages are not wanted any more a fault makes small ones',
  twoEmpty,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'MADV_NOHUGEPAGE', yield* hugepageMadvise(cpu, mm, 0, 2 * PAGE, false), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 1), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 3), 0);
    looks(cpu, mm, '0-2 rw, 2-4 rw | 1w - [3w] [0w]');
  },
);

/** Two huge pages under one table, 1 0 3 0. */
function twoHuge(run: Run): Stage {
  const stage = setHugeStage(run, { mapped: 'huge', pages: 4, running: [0] });
  run(0, (cpu) => userStore(cpu, stage.mm, 2 * PAGE, 3));
  return stage;
}

const several = purpose(
  'huge-several',
  'two huge pages under one table, each with a table deposited: hints, advice, splits',
  twoHuge,
  function* (cpu, { mm }, does) {
    looks(cpu, mm, '0-4 rw | [1w] [0w] [3w] [0w]');
    const page = yield* gupFast(cpu, mm, PAGE, true);
    gives(cpu, 'a look without locks', page !== 0, true);
    yield* putPage(cpu, page);
    gives(cpu, 'hints', yield* changeProtNuma(cpu, mm, 0, 4 * PAGE), 4);
    gives(cpu, 'the same hints', yield* changeProtNuma(cpu, mm, 0, 4 * PAGE), 0);
    looks(cpu, mm, '0-4 rw | [1n] [0n] [3n] [0n]');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 1);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 5), 0);
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, 2 * PAGE), true);
    gives(cpu, 'clear_refs', yield* clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY), 0);
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, 2 * PAGE), false);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 6), 0);
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, 2 * PAGE), true);
    if (does) gives(cpu, 'munmap of a part', yield* munmap(cpu, mm, 3 * PAGE, PAGE), 0);
    looks(cpu, mm, '0-3 rw | [1r] [0r] 6w -');
    gives(cpu, 'pageout', yield* madvisePageout(cpu, mm, 0, 2 * PAGE, () => false), 0);
    looks(cpu, mm, '0-3 rw | 1r 0r 6w -');
  },
  { profile: { clearRefs: 'pending-mm' } },
);

const advised = purpose(
  'huge-advised',
  'a huge page is given up as a whole or in part, watched, and moved',
  twoHuge,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 0, 2 * PAGE, MADV_FREE), 0);
    gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 2 * PAGE, 2 * PAGE, MADV_COLD), 0);
    looks(cpu, mm, '0-4 rw | [1w] [0w] [3w] [0w]');
    const huge = entryTarget(yield* cpu.readOnce(yield* pmdOffset(cpu, mm, 2 * PAGE)));
    const part = { page: huge + Page.words, mm, address: 3 * PAGE };
    gives(cpu, 'migration of a part', yield* migratePages(cpu, [part]), 1);
    looks(cpu, mm, '0-4 rw | [1w] [0w] 3w 0w');
    gives(cpu, 'pageout', yield* madvisePageout(cpu, mm, 0, PAGE, () => false), 0);
    looks(cpu, mm, '0-4 rw | - 0w 3w 0w');
    gives(cpu, 'pageout of what is gone', yield* madvisePageout(cpu, mm, 0, PAGE, () => false), 0);
    gives(cpu, 'register', yield* uffdRegisterWp(cpu, mm, 2 * PAGE, 2 * PAGE), 0);
    gives(cpu, 'protect', yield* mwriteprotectRange(cpu, mm, 2 * PAGE, 2 * PAGE, true), 0);
    looks(cpu, mm, '0-2 rw, 2-4 rw | - 0w 3r! 0r!');
    gives(cpu, 'let in', yield* mwriteprotectRange(cpu, mm, 2 * PAGE, 2 * PAGE, false), 0);
    gives(cpu, 'MADV_FREE where nothing is', yield* madvise(cpu, mm, 0, PAGE, MADV_FREE), 0);
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 0, 4 * PAGE), 0);
    looks(cpu, mm, ' | - - - -');
  },
);

const pagedOut = purpose(
  'huge-pageout',
  'MADV_PAGEOUT splits a huge page that nobody else maps, and takes what was given up',
  twoHuge,
  function* (cpu, { mm }, does) {
    const child = yield* dupMm(cpu, mm);
    gives(cpu, 'pageout of what is shared', yield* madvisePageout(cpu, mm, 0, 4 * PAGE, () => false), 0);
    looks(cpu, mm, '0-4 rw | [1r] [0r] [3r] [0r]');
    yield* mmput(cpu, child);
    if (does) gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 0, 2 * PAGE, MADV_FREE), 0);
    gives(cpu, 'pageout', yield* madvisePageout(cpu, mm, 0, 4 * PAGE, () => false), 0);
    looks(cpu, mm, '0-4 rw | - - 3r 0r');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 0);
  },
);

/** Upper tables of four entries: four huge pages of two pages each. */
const FOUR_HUGE: Geometry = { pageShift: PAGE_SHIFT, bits: [1, 2] };

const moved = purpose(
  'huge-moved',
  'a huge page moves as a whole if its new place is one, and in parts if not; a child shares it until it is split',
  (run: Run): Stage => {
    const mm = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, mm));
    run(0, (cpu) => mmap(cpu, mm, 0, 2 * PAGE, VM_READ | VM_WRITE));
    run(0, (cpu) => hugepageMadvise(cpu, mm, 0, 2 * PAGE));
    run(0, (cpu) => userStore(cpu, mm, 0, 1));
    return { mm, at: 0 };
  },
  function* (cpu, { mm }, does) {
    const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    if (does) gives(cpu, 'a move', yield* mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, fixed, 4 * PAGE), 4 * PAGE);
    looks(cpu, mm, '4-6 rw | - - - - [1w] [0w] - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 4 * PAGE, 2 * PAGE, VM_READ), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 4 * PAGE, 2 * PAGE, VM_READ | VM_WRITE), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 4 * PAGE, 1), 0);
    gives(cpu, 'a move to the middle', yield* mremap(cpu, mm, 4 * PAGE, 2 * PAGE, 2 * PAGE, fixed, PAGE), PAGE);
    looks(cpu, mm, '1-3 rw | - 1w 0w - - - - -');
    gives(cpu, 'a move back', yield* mremap(cpu, mm, PAGE, 2 * PAGE, 2 * PAGE, fixed, 6 * PAGE), 6 * PAGE);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 7 * PAGE, 2), 0);
    gives(cpu, 'a collapse', yield* collapseHugePage(cpu, mm, 6 * PAGE), true);
    looks(cpu, mm, '6-8 rw | - - - - - - [1w] [2w]');
    const child = yield* dupMm(cpu, mm);
    gives(cpu, 'a collapse of what is huge', yield* collapseHugePage(cpu, mm, 6 * PAGE), false);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 6 * PAGE, 5), 0);
    looks(cpu, mm, '6-8 rw | - - - - - - 5w 2r');
    gives(cpu, 'a collapse of what is shared', yield* collapseHugePage(cpu, mm, 6 * PAGE), false);
    looks(cpu, child, '6-8 rw | - - - - - - [1r] [2r]');
    yield* mmput(cpu, child);
    looks(cpu, mm, '6-8 rw | - - - - - - 5w 2r');
  },
  { geometry: FOUR_HUGE },
);

/** All of them. */
export const PURPOSES_OF_HUGE_PAGES: readonly AnyScenario[] = [
  zeroes,
  hugeCopy,
  wanted,
  unwanted,
  several,
  advised,
  pagedOut,
  moved,
];
