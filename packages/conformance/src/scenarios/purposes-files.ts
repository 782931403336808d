/**
 * What operations on files are for: faults that map neighbours, private copies, dirty bits that only the hardware has set, reclaim of a page
 * that was written.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type AddressSpace,
  type Cpu,
  type Geometry,
  type Mm,
  Page,
  PAGE_SHIFT,
  PG_DIRTY,
  putPage,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocFileMapping,
  allocFilePage,
  allocMapping,
  contextSwitch,
  doUserAddrFault,
  dupMm,
  EFAULT,
  EINVAL,
  fileBacking,
  filemapAdd,
  MADV_FREE,
  madvise,
  mmAlloc,
  mmap,
  mmput,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  type PageCache,
  pmdOffset,
  populate,
  retractPageTables,
  shrinkPages,
  truncatePagecache,
  unmapMappingRange,
  userLoad,
  userStore,
  wpSharedMappingRange,
  writebackPage,
} from '@mmu-gather/mm/stepped';
import type { AnyScenario } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { gives, looks } from './look.ts';
import { purpose } from './purpose.ts';
import { PAGE } from './stage.ts';

/** Two tables of four entries. */
const FOURS: Geometry = { pageShift: PAGE_SHIFT, bits: [2, 1] };

interface Numbered {
  readonly mm: Mm;
  readonly file: AddressSpace;
  readonly pages: readonly Address[];
  readonly cache: PageCache;
}

/** An mm that maps a file of seven pages, 100 to 106, from its second page on; all but one of them are up to date. */
function numberedFile(run: Run): Numbered {
  const file = run(0, (cpu) => allocFileMapping(cpu, 7));
  const pages = Array.from({ length: 7 }, (_, i) => run(0, (cpu) => allocFilePage(cpu, 7, 100 + i)));
  const cache: PageCache = {
    faultAround: 4,
    *fault(_cpu, _file, index) {
      return pages[index] ?? 0;
    },
    *cached(_cpu, _file, index) {
      return index === 2 ? 0 : (pages[index] ?? 0);
    },
  };
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  const backing = { file: 7, pgoff: 1, mapping: file.address };
  run(0, (cpu) => mmap(cpu, mm, PAGE, 7 * PAGE, VM_READ | VM_WRITE, backing));
  return { mm, file, pages, cache };
}

const around = purpose(
  'fault-around',
  'a fault on a file maps its neighbours, too; a write to a private mapping copies at once',
  numberedFile,
  function* (cpu, { mm, file, pages, cache }, does) {
    if (does) gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE, cache), 101);
    looks(cpu, mm, '1-8 rw | - 101r - 103r - - - -');
    gives(cpu, 'a load of what is not up to date', yield* userLoad(cpu, mm, 2 * PAGE, cache), 102);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 5 * PAGE, 9, cache), 0);
    gives(cpu, 'population', yield* populate(cpu, mm, 6 * PAGE, 7 * PAGE, true, cache), 0);
    looks(cpu, mm, '1-8 rw | - 101r 102r 103r - 9w 106w -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 4 * PAGE, cache), 104);
    looks(cpu, mm, '1-8 rw | - 101r 102r 103r 104r 9w 106w -');
    gives(cpu, 'a load behind the end', yield* userLoad(cpu, mm, 7 * PAGE, cache), -EFAULT);
    gives(cpu, 'a store behind the end', yield* userStore(cpu, mm, 7 * PAGE, 1, cache), -EFAULT);
    gives(cpu, 'advice for anonymous memory', yield* madvise(cpu, mm, PAGE, PAGE, MADV_FREE), -EINVAL);
    yield* unmapMappingRange(cpu, file, 0, 4, false);
    looks(cpu, mm, '1-8 rw | - - - - 104r 9w 106w -');
    yield* munmap(cpu, mm, 0, 8 * PAGE);
    for (const page of pages) yield* putPage(cpu, page);
  },
  { geometry: FOURS },
);

const SHARED = VM_READ | VM_WRITE | VM_SHARED;

/** Two pages of a file that a shared mapping has read, and may write to without a fault. */
function readShared(run: Run): FileStage {
  return setFileStage(run, { flags: SHARED, pages: 2, running: [0] });
}

function isDirty(cpu: Cpu, page: Address): boolean {
  return (cpu.read(Page.at(page).flags) & PG_DIRTY) !== 0;
}

const unnoticed = purpose(
  'dirty-entries',
  'what was written without a fault is known by its entry alone: who takes that away tells the page',
  readShared,
  function* (cpu, { mm, file, pages }, does) {
    if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 101w - -');
    yield* unmapMappingRange(cpu, file, 0, 1, false);
    looks(cpu, mm, '0-2 rw | - 101w - -');
    gives(cpu, 'a look at the page', isDirty(cpu, pages[0]!), true);
    gives(cpu, 'writeback', yield* writebackPage(cpu, file, 0), 1);
    gives(cpu, 'a look at the page', isDirty(cpu, pages[0]!), false);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 8), 0);
    const place = [{ page: pages[1]!, mm, address: PAGE }];
    gives(cpu, 'reclaim that does not write', yield* shrinkPages(cpu, place, file, true), 1);
    gives(cpu, 'a look at the page', isDirty(cpu, pages[1]!), true);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 8);
    gives(cpu, 'reclaim', yield* shrinkPages(cpu, place, file), 1);
    gives(cpu, 'a load of what has left the file', yield* userLoad(cpu, mm, PAGE), -EFAULT);
    gives(cpu, 'a store to what was unmapped', yield* userStore(cpu, mm, 0, 9), 0);
    gives(cpu, 'a look at the page', isDirty(cpu, pages[0]!), true);
    yield* truncatePagecache(cpu, file, 0);
    looks(cpu, mm, '0-2 rw | - - - -');
    const pmd = yield* pmdOffset(cpu, mm, 0);
    yield* retractPageTables(cpu, file, 0);
    gives(cpu, 'a look at the upper entry', yield* cpu.readOnce(pmd), 0);
  },
);

const written = purpose(
  'written-by-entry',
  'what the entry alone tells of is written out, and what nobody has written to is not',
  readShared,
  function* (cpu, { mm, file, pages }, does) {
    if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 101w - -');
    gives(cpu, 'writeback', yield* writebackPage(cpu, file, 0), 1);
    yield* unmapMappingRange(cpu, file, 0, 1, false);
    gives(cpu, 'writeback of a clean page that nobody maps', yield* writebackPage(cpu, file, 0), 0);
    yield* truncatePagecache(cpu, file, 0);
    const gone = [{ page: pages[0]!, mm, address: 0 }];
    gives(cpu, 'reclaim of a page that is gone', yield* shrinkPages(cpu, gone, file), 0);
  },
);

/** Two of four pages of a file are mapped, shared, and nobody has touched them. */
function halfMapped(run: Run): { readonly mm: Mm; readonly mapping: AddressSpace } {
  const mapping = run(0, allocMapping);
  for (const index of [0, 1, 2, 3]) run(0, (cpu) => filemapAdd(cpu, mapping, index, 100 + index));
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  run(0, (cpu) => mmap(cpu, mm, 0, 2 * PAGE, SHARED, fileBacking(mapping.address)));
  return { mm, mapping };
}

const places = purpose(
  'file-places',
  'a mapping of a file grows, is cut, moves and is copied: each page of it stays the one that it was',
  halfMapped,
  function* (cpu, { mm, mapping }, does) {
    gives(cpu, 'write protection of what nobody has used', yield* wpSharedMappingRange(cpu, mapping, 0, 4), 0);
    if (does) gives(cpu, 'growth', yield* mremap(cpu, mm, 0, 2 * PAGE, 4 * PAGE, 0), 0);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 3 * PAGE), 103);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, PAGE, VM_READ | VM_SHARED), 0);
    gives(cpu, 'a load of the middle', yield* userLoad(cpu, mm, PAGE), 101);
    gives(cpu, 'a load of the rest', yield* userLoad(cpu, mm, 2 * PAGE), 102);
    const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    gives(cpu, 'a move', yield* mremap(cpu, mm, 3 * PAGE, PAGE, PAGE, fixed, 5 * PAGE), 5 * PAGE);
    looks(cpu, mm, '0-1 rw, 1-2 r, 2-3 rw, 5-6 rw | - 101r 102w - - 103w - -');
    const child = yield* dupMm(cpu, mm);
    gives(cpu, 'a fault of the child', yield* doUserAddrFault(cpu, child, 5 * PAGE, false), 0);
    looks(cpu, child, '0-1 rw, 1-2 r, 2-3 rw, 5-6 rw | - - - - - 103w - -');
    yield* mmput(cpu, child);
    const copies = fileBacking(mapping.address, 2);
    gives(cpu, 'mmap', yield* mmap(cpu, mm, 7 * PAGE, PAGE, VM_READ | VM_WRITE, copies), 7 * PAGE);
    gives(cpu, 'a load of what may be copied', yield* userLoad(cpu, mm, 7 * PAGE), 102);
    gives(cpu, 'writeback', yield* writebackPage(cpu, mapping, 2), 1);
    looks(cpu, mm, '0-1 rw, 1-2 r, 2-3 rw, 5-6 rw, 7-8 rw | - 101r 102r - - 103w - 102r');
    gives(cpu, 'population', yield* populate(cpu, mm, 7 * PAGE, 8 * PAGE, true), 0);
    looks(cpu, mm, '0-1 rw, 1-2 r, 2-3 rw, 5-6 rw, 7-8 rw | - 101r 102r - - 103w - 102w');
  },
  { geometry: FOURS },
);

/** Two places for the two pages of a file, far apart; one of them was touched, and has a table, in which nothing is. */
function twoPlaces(run: Run): { readonly mm: Mm; readonly mapping: AddressSpace } {
  const mapping = run(0, allocMapping);
  for (const index of [0, 1]) run(0, (cpu) => filemapAdd(cpu, mapping, index, 100 + index));
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  for (const at of [0, 4 * PAGE]) run(0, (cpu) => mmap(cpu, mm, at, 2 * PAGE, SHARED, fileBacking(mapping.address)));
  run(0, (cpu) => userLoad(cpu, mm, 0));
  run(0, (cpu) => unmapMappingRange(cpu, mapping, 0, 2, false));
  return { mm, mapping };
}

const retracted = purpose(
  'retracted',
  'the tables of a file that has a huge page now go wherever there are some, and come back when they are needed',
  twoPlaces,
  function* (cpu, { mm, mapping }, does) {
    const pmd = yield* pmdOffset(cpu, mm, 0);
    if (does) yield* retractPageTables(cpu, mapping, 0);
    gives(cpu, 'a look at the upper entry', yield* cpu.readOnce(pmd), 0);
    gives(cpu, 'a look at the other place', yield* pmdOffset(cpu, mm, 4 * PAGE), 0);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 101);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 4 * PAGE), 100);
    looks(cpu, mm, '0-2 rw, 4-6 rw | - 101w - - 100w - - -');
  },
  { geometry: { pageShift: PAGE_SHIFT, bits: [1, 1, 1] } },
);

/** All of them. */
export const PURPOSES_OF_FILES: readonly AnyScenario[] = [around, unnoticed, written, places, retracted];
