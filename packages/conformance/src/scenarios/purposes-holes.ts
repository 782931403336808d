/**
 * Calls that find nothing, or not what they want: they say so, and leave everything as it is.
 */
import type { Run } from '@mmu-gather/checker';
import { getPage, putPage, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE } from '@mmu-gather/core/stepped';
import {
  brk,
  changeProtNuma,
  dupMm,
  EFAULT,
  EINVAL,
  filemapGetLocked,
  gupFast,
  ksmMakeStable,
  ksmMerge,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  madvise,
  madvisePageout,
  migrateMisplacedPage,
  mmap,
  mmPopulate,
  mmput,
  mprotect,
  mremap,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  mwriteprotectRange,
  populate,
  processMadvise,
  retractPageTables,
  secondaryFault,
  shrinkPages,
  uffdRegisterWp,
  unmapMappingRange,
  userLoad,
  userStore,
  wpSharedMappingRange,
} from '@mmu-gather/mm/stepped';
import type { AnyScenario } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { gives, looks } from './look.ts';
import { type MappedStage, setPfnmapStage } from './mapping-stage.ts';
import { four, purpose, two } from './purpose.ts';
import { PAGE, setStage, type Stage } from './stage.ts';

/** Nothing but the first of four pages. */
function one(run: Run): Stage {
  return setStage(run, { pages: 1, running: [0] });
}

const holes = purpose('holes', 'calls for where nothing is mapped', one, function* (cpu, { mm }, does) {
  const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
  gives(cpu, 'munmap', yield* munmap(cpu, mm, 2 * PAGE, PAGE), 0);
  gives(cpu, 'mmap of half a page', yield* mmap(cpu, mm, 1, PAGE, VM_READ), -EINVAL);
  gives(cpu, 'mmap of nothing', yield* mmap(cpu, mm, PAGE, 0, VM_READ), -EINVAL);
  gives(cpu, 'a move of half a page', yield* mremap(cpu, mm, 1, PAGE, PAGE, fixed, PAGE), -EINVAL);
  gives(cpu, 'a move to half a page', yield* mremap(cpu, mm, 0, PAGE, PAGE, fixed, PAGE + 1), -EINVAL);
  gives(cpu, 'a move to nothing', yield* mremap(cpu, mm, 0, PAGE, 0, fixed, PAGE), -EINVAL);
  gives(cpu, 'a place for what may not move', yield* mremap(cpu, mm, 0, PAGE, PAGE, MREMAP_FIXED, PAGE), -EINVAL);
  gives(cpu, 'a second map of private memory', yield* mremap(cpu, mm, 0, 0, PAGE, MREMAP_MAYMOVE, PAGE), -EINVAL);
  const stay = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  gives(cpu, 'a larger copy', yield* mremap(cpu, mm, 0, PAGE, 2 * PAGE, stay, 2 * PAGE), -EINVAL);
  gives(cpu, 'a move of more than there is', yield* mremap(cpu, mm, 0, 2 * PAGE, PAGE, fixed, 3 * PAGE), -EFAULT);
  gives(cpu, 'a move to behind the last address', yield* mremap(cpu, mm, 0, PAGE, PAGE, fixed, 4 * PAGE), -EINVAL);
  gives(cpu, 'a move to where it is', yield* mremap(cpu, mm, 0, PAGE, PAGE, 0), 0);
  gives(cpu, 'no advice', yield* processMadvise(cpu, mm, [], MADV_DONTNEED), 0);
  gives(cpu, 'a merged page', yield* ksmMakeStable(cpu, { mm, address: 2 * PAGE }), 0);
  gives(cpu, 'a merge', yield* ksmMerge(cpu, { mm, address: 2 * PAGE }, 0), false);
  gives(cpu, 'a move between nodes', yield* migrateMisplacedPage(cpu, mm, 2 * PAGE), false);
  gives(cpu, 'hints', yield* changeProtNuma(cpu, mm, PAGE, 4 * PAGE), 0);
  gives(cpu, 'a look from outside', yield* secondaryFault(cpu, mm, 2 * PAGE), 0);
  gives(cpu, 'a look without locks', yield* gupFast(cpu, mm, 2 * PAGE, false), 0);
  gives(cpu, 'population', (yield* populate(cpu, mm, PAGE, 2 * PAGE, true)) !== 0, true);
  gives(cpu, 'population', (yield* mmPopulate(cpu, mm, PAGE, 2 * PAGE)) !== 0, true);
  gives(cpu, 'userfaultfd for half a page', yield* uffdRegisterWp(cpu, mm, 1, PAGE), -EINVAL);
  gives(cpu, 'userfaultfd for nothing', yield* uffdRegisterWp(cpu, mm, 0, 0), -EINVAL);
  gives(cpu, 'protection for nothing', yield* mwriteprotectRange(cpu, mm, 0, 0, true), -EINVAL);
  gives(cpu, 'pageout of half a page', yield* madvisePageout(cpu, mm, 1, PAGE, () => false), -EINVAL);
  gives(cpu, 'mprotect to what it is', yield* mprotect(cpu, mm, 0, PAGE, VM_READ | VM_WRITE), 0);
  looks(cpu, mm, '0-1 rw | 1w - - -');
  if (does) gives(cpu, 'brk', yield* brk(cpu, mm, 2 * PAGE, 3 * PAGE), 3 * PAGE);
  looks(cpu, mm, '0-1 rw, 2-3 rw | 1w - - -');
  gives(cpu, 'brk to where it is', yield* brk(cpu, mm, 3 * PAGE, 3 * PAGE), 3 * PAGE);
  gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 5), 0);
  looks(cpu, mm, '0-1 rw, 2-3 rw | 1w - 5w -');
  gives(cpu, 'mmap', yield* mmap(cpu, mm, 3 * PAGE, PAGE, VM_READ | VM_WRITE), 3 * PAGE);
  gives(cpu, 'population', yield* mmPopulate(cpu, mm, 2 * PAGE, 4 * PAGE), 0);
  looks(cpu, mm, '0-1 rw, 2-3 rw, 3-4 rw | 1w - 5w 0w');
});

const swapped = purpose(
  'swapped',
  'what is swapped out is unmapped, given up, and not moved',
  two,
  function* (cpu, { mm, p0, p1 }, does) {
    const out = [p0, p1].map(({ page }, i) => ({ page, mm, address: i * PAGE }));
    if (does) gives(cpu, 'reclaim', yield* shrinkPages(cpu, out), 2);
    looks(cpu, mm, '0-2 rw | 1s 2s - -');
    gives(cpu, 'reclaim of what is out', yield* shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]), 0);
    gives(cpu, 'a merged page', yield* ksmMakeStable(cpu, { mm, address: 0 }), 0);
    gives(cpu, 'hints', yield* changeProtNuma(cpu, mm, 0, 2 * PAGE), 0);
    gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 0, 2 * PAGE, MADV_COLD), 0);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    looks(cpu, mm, '0-2 r | 1s 2s - -');
    gives(cpu, 'a move', yield* mremap(cpu, mm, 0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 3 * PAGE), 3 * PAGE);
    looks(cpu, mm, '1-2 r, 3-4 r | - 2s - 1s');
    gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, PAGE, PAGE, MADV_FREE), 0);
    looks(cpu, mm, '1-2 r, 3-4 r | - - - 1s');
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 3 * PAGE, PAGE), 0);
    looks(cpu, mm, '1-2 r | - - - -');
  },
);

const held = purpose('held', 'pages that somebody else uses stay as they are', four, function* (cpu, { mm }, does) {
  const page = yield* gupFast(cpu, mm, 0, true);
  gives(cpu, 'a look without locks', page !== 0, true);
  gives(cpu, 'a merged page', yield* ksmMakeStable(cpu, { mm, address: 0 }), 0);
  looks(cpu, mm, '0-4 rw | 1w 2w 3w 4w');
  yield* putPage(cpu, page);
  gives(cpu, 'MADV_DONTNEED', yield* madvise(cpu, mm, 3 * PAGE, PAGE, MADV_DONTNEED), 0);
  gives(cpu, 'a load', yield* userLoad(cpu, mm, 3 * PAGE), 0);
  gives(cpu, 'a look without locks at no page', yield* gupFast(cpu, mm, 3 * PAGE, false), 0);
  gives(cpu, 'hints', yield* changeProtNuma(cpu, mm, PAGE, 4 * PAGE), 2);
  gives(cpu, 'the same hints', yield* changeProtNuma(cpu, mm, PAGE, 4 * PAGE), 0);
  looks(cpu, mm, '0-4 rw | 1w 2n 3n 0r');
  gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 3 * PAGE, PAGE, MADV_COLD), 0);
  gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 3 * PAGE, PAGE, MADV_FREE), 0);
  const child = yield* dupMm(cpu, mm);
  gives(cpu, 'MADV_FREE of what is shared', yield* madvise(cpu, mm, 0, PAGE, MADV_FREE), 0);
  yield* mmput(cpu, child);
  if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
  looks(cpu, mm, '0-4 rw | 7w 2n 3n 0r');
});

/** One page of a file, which a private mapping has written to. */
function copied(run: Run): FileStage {
  return setFileStage(run, { flags: VM_READ | VM_WRITE, store: true, running: [0] });
}

const copies = purpose(
  'copies',
  "a copy of a file page is the writer's own, in memory or swapped out",
  copied,
  function* (cpu, { mm, file, pages }, does) {
    const copy = yield* gupFast(cpu, mm, 0, true);
    yield* putPage(cpu, copy);
    if (does) gives(cpu, 'reclaim', yield* shrinkPages(cpu, [{ page: copy, mm, address: 0 }]), 1);
    looks(cpu, mm, '0-1 rw | 1s - - -');
    yield* unmapMappingRange(cpu, file, 0, 1, false);
    looks(cpu, mm, '0-1 rw | 1s - - -');
    yield* retractPageTables(cpu, file, 0);
    gives(cpu, 'a page behind the last one', yield* filemapGetLocked(cpu, file, 4), 0);
    yield* getPage(cpu, pages[0]!);
    gives(cpu, 'reclaim of what is held', yield* shrinkPages(cpu, [{ page: pages[0]!, mm, address: 0 }], file), 0);
    yield* putPage(cpu, pages[0]!);
    yield* unmapMappingRange(cpu, file, 0, 1, true);
    looks(cpu, mm, '0-1 rw | - - - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 100);
  },
);

const frames = purpose(
  'pfnmap',
  "frames of a driver are nobody's pages: advice does not touch them, and a fault does not bring them back",
  (run) => setPfnmapStage(run, { pages: 2, running: [0] }),
  function* (cpu, { mm, mapping }: MappedStage, does) {
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    gives(cpu, 'MADV_DONTNEED', yield* madvise(cpu, mm, 0, PAGE, MADV_DONTNEED), -EINVAL);
    gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 0, PAGE, MADV_COLD), -EINVAL);
    gives(cpu, 'a load of what the driver has not mapped', yield* userLoad(cpu, mm, PAGE), -EFAULT);
    gives(cpu, 'a look without locks', yield* gupFast(cpu, mm, 0, false), 0);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 7);
    gives(cpu, 'write protection', yield* wpSharedMappingRange(cpu, mapping, 0, 2), 1);
    gives(cpu, 'a store that faults', yield* userStore(cpu, mm, 0, 8), 0);
    gives(cpu, 'write protection', yield* wpSharedMappingRange(cpu, mapping, 0, 2), 1);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 8);
    const more = VM_READ | VM_WRITE | VM_SHARED | VM_PFNMAP;
    gives(cpu, 'mmap', yield* mmap(cpu, mm, 2 * PAGE, PAGE, more), 2 * PAGE);
    if (does) yield* unmapMappingRange(cpu, mapping, 0, 2, false);
    gives(cpu, 'a load of what was unmapped', yield* userLoad(cpu, mm, 0), -EFAULT);
  },
);

/** All of them. */
export const PURPOSES_OF_HOLES: readonly AnyScenario[] = [holes, swapped, held, copies, frames];
