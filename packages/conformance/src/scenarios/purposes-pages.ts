/**
 * What pages are told, and by whom: who is alone with them, whether they may be dropped, whether they were written.
 */
import { ACCESSED, type Cell, PG_DIRTY, PG_LAZYFREE, Page, VM_READ, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  CLEAR_REFS_ALL,
  clearRefsWrite,
  dupMm,
  EINVAL,
  ENOMEM,
  ksmMakeStable,
  MADV_COLD,
  MADV_FREE,
  madvise,
  madviseDontneed,
  madvisePageout,
  migratePages,
  mmap,
  mmput,
  mprotect,
  munmap,
  pmdOffset,
  shrinkPages,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import type { AnyScenario } from '../scenario.ts';
import { gives, looks } from './look.ts';
import { four, purpose, two } from './purpose.ts';
import { mappingOf, PAGE } from './stage.ts';

const alone = purpose(
  'alone',
  'who is alone with a page again may write to it, move it, and be given rights at once',
  two,
  function* (cpu, { mm, p0, p1 }, does) {
    const places = [p0, p1].map(({ page }, i) => ({ page, mm, address: i * PAGE }));
    const child = yield* dupMm(cpu, mm);
    gives(cpu, 'migration of what is shared', yield* migratePages(cpu, places), 0);
    yield* mmput(cpu, child);
    looks(cpu, mm, '0-2 rw | 1r 2r - -');
    if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 2r - -');
    gives(cpu, 'migration', yield* migratePages(cpu, places), 1);
    looks(cpu, mm, '0-2 rw | 7w 2r - -');
  },
);

const givenUp = purpose(
  'given-up',
  'what MADV_FREE gave up is dropped, unless it was written since',
  two,
  function* (cpu, { mm, p0, p1 }, does) {
    const [first, second] = [p0, p1].map(({ page }, i) => [{ page, mm, address: i * PAGE }]);
    const flags = (page: number): number => cpu.read(Page.at(page).flags);
    gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, PAGE, PAGE, MADV_COLD), 0);
    gives(cpu, 'a look at the entry', (cpu.read(p1.pte) & ACCESSED) !== 0, false);
    if (does) gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 0, PAGE, MADV_FREE), 0);
    gives(cpu, 'a look at the page', (flags(p0.page) & PG_LAZYFREE) !== 0, true);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    // What the entry knows goes to the page when KSM makes it clean.
    gives(cpu, 'a merged page', yield* ksmMakeStable(cpu, { mm, address: 0 }), p0.page);
    gives(cpu, 'reclaim', yield* shrinkPages(cpu, first!), 0);
    looks(cpu, mm, '0-2 rw | 7r 2w - -');
    gives(cpu, 'a look at the page', (flags(p0.page) & PG_LAZYFREE) !== 0, false);
    gives(cpu, 'reclaim', yield* shrinkPages(cpu, first!), 1);
    looks(cpu, mm, '0-2 rw | 7s 2w - -');
    gives(cpu, 'a merged page', yield* ksmMakeStable(cpu, { mm, address: PAGE }), p1.page);
    gives(cpu, 'a look at the page', (flags(p1.page) & PG_DIRTY) !== 0, true);
    gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, PAGE, PAGE, MADV_FREE), 0);
    gives(cpu, 'reclaim', yield* shrinkPages(cpu, second!), 1);
    looks(cpu, mm, '0-2 rw | 7s - - -');
  },
);

const mergedClean = purpose(
  'merged-clean',
  "a page that KSM merges is nobody's alone any more, even if it could not be written to before: rights that come back make it no more",
  two,
  function* (cpu, { mm, p0 }, does) {
    gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 0, PAGE, MADV_FREE), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    if (does) gives(cpu, 'a merged page', yield* ksmMakeStable(cpu, { mm, address: 0 }), p0.page);
    looks(cpu, mm, '0-2 r | 1r 2r - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ | VM_WRITE), 0);
    looks(cpu, mm, '0-2 rw | 1r 2w - -');
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 2w - -');
  },
  { profile: { mprotectWritable: true, anonReuse: 'exclusive' } },
);

const nobodys = purpose(
  'clear-refs-zeroes',
  'clear_refs takes accessed bits from the entries of pages, and not from that of the page of zeroes',
  two,
  function* (cpu, { mm, p0, p1 }, does) {
    const young = (pte: Cell): boolean => (cpu.read(pte) & ACCESSED) !== 0;
    gives(cpu, 'MADV_DONTNEED', yield* madviseDontneed(cpu, mm, PAGE, PAGE), 0);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 0);
    if (does) gives(cpu, 'clear_refs', yield* clearRefsWrite(cpu, mm, CLEAR_REFS_ALL), 0);
    gives(cpu, 'a look at the first entry', young(p0.pte), false);
    gives(cpu, 'a look at the second', young(p1.pte), true);
    gives(cpu, 'clear_refs where nothing is young', yield* clearRefsWrite(cpu, mm, CLEAR_REFS_ALL), 0);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 1);
  },
);

const pageout = purpose(
  'pageout',
  'MADV_PAGEOUT takes what was given up and nobody else maps, of its range alone',
  (run) => {
    const stage = four(run);
    return { ...stage, p3: mappingOf(run, stage.mm, 3 * PAGE) };
  },
  function* (cpu, { mm, p3 }, does) {
    gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 0, 3 * PAGE, MADV_FREE), 0);
    if (does) gives(cpu, 'pageout', yield* madvisePageout(cpu, mm, PAGE, PAGE, () => false), 0);
    looks(cpu, mm, '0-4 rw | 1w - 3w 4w');
    gives(cpu, 'pageout of what has nowhere to go', yield* madvisePageout(cpu, mm, 3 * PAGE, PAGE, () => false), 0);
    gives(cpu, 'a look at the entry', (cpu.read(p3.pte) & ACCESSED) === 0, cpu.kernel.profile.pageoutAges);
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 0, PAGE), 0);
    gives(cpu, 'pageout from a hole', yield* madvisePageout(cpu, mm, 0, 2 * PAGE, () => false), -ENOMEM);
    gives(cpu, 'pageout of half a page', yield* madvisePageout(cpu, mm, 1, PAGE, () => false), -EINVAL);
    looks(cpu, mm, '1-4 rw | - - 3w 4w');
    const child = yield* dupMm(cpu, mm);
    gives(cpu, 'pageout of what is shared', yield* madvisePageout(cpu, mm, PAGE, 3 * PAGE, () => false), 0);
    looks(cpu, mm, '1-4 rw | - - 3r 4r');
    yield* mmput(cpu, child);
    gives(cpu, 'mmap', yield* mmap(cpu, mm, 0, PAGE, VM_READ | VM_WRITE), 0);
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 3 * PAGE, PAGE), 0);
    gives(cpu, 'pageout into a hole', yield* madvisePageout(cpu, mm, 0, 4 * PAGE, () => false), -ENOMEM);
    looks(cpu, mm, '0-1 rw, 1-3 rw | - - - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 2 * PAGE), 0);
  },
);

const tableGone = purpose(
  'table-gone',
  'MADV_DONTNEED of a whole table takes the table, also if it has to let go of pages on the way (6.14)',
  two,
  function* (cpu, { mm }, does) {
    const pmd = yield* pmdOffset(cpu, mm, 0);
    gives(cpu, 'MADV_DONTNEED of a part', yield* madviseDontneed(cpu, mm, 0, PAGE), 0);
    gives(cpu, 'a look at the upper entry', (yield* cpu.readOnce(pmd)) !== 0, true);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    if (does) gives(cpu, 'MADV_DONTNEED', yield* madviseDontneed(cpu, mm, 0, 2 * PAGE), 0);
    gives(cpu, 'a look at the upper entry', yield* cpu.readOnce(pmd), 0);
    looks(cpu, mm, '0-2 rw | - - - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    looks(cpu, mm, '0-2 r | - 0r - -');
  },
  {
    profile: {
      ptReclaim: true,
      pteMap: 'rcu',
      gatherBatch: { bundle: 1, batch: 1, batches: 0, spare: 0 },
    },
  },
);

/** All of them. */
export const PURPOSES_OF_PAGES: readonly AnyScenario[] = [alone, givenUp, mergedClean, nobodys, pageout, tableGone];
