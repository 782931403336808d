/**
 * What operations are for: calls one after the other on one CPU, and what memory looks like after each. An operation that does too little breaks
 * no TLB; these notice. Nothing races. The wrong form of each leaves its first operation out.
 */
import {
  ACCESSED,
  type Address,
  type Cpu,
  entryTarget,
  getPage,
  Page,
  PG_DIRTY,
  pteDirty,
  putPage,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  allocZeroedPage,
  brk,
  changeProtNuma,
  CLEAR_REFS_ALL,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  collapseHugePage,
  contextSwitch,
  doUserAddrFault,
  dupMm,
  EFAULT,
  EINVAL,
  ENOMEM,
  execMmap,
  exitMm,
  ksmMakeStable,
  ksmMerge,
  MADV_COLD,
  MADV_FREE,
  madvise,
  madviseDontneed,
  migrateMisplacedPage,
  migratePages,
  mmAlloc,
  mmdrop,
  mmgrab,
  mmap,
  mmput,
  mprotect,
  mremap,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  mwriteprotectRange,
  pagemapSoftDirty,
  pmdOffset,
  populate,
  ptepGet,
  secondaryFault,
  shrinkPages,
  splitHugePmd,
  truncatePagecache,
  uffdRegisterWp,
  unmapMappingRange,
  userLoad,
  userStore,
  vmallocInit,
  vmap,
  vmUnmapAliases,
  vunmap,
  writebackPage,
} from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import type { AnyScenario } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { setHugeStage } from './huge-stage.ts';
import { gives, looks } from './look.ts';
import { four, purpose, two } from './purpose.ts';
import { type Mapping, mappingOf, PAGE, type Stage, withPage0 } from './stage.ts';

const unmapping = purpose('munmap', 'munmap, mmap over a mapping, brk', four, function* (cpu, { mm }, does) {
  if (does) gives(cpu, 'munmap', yield* munmap(cpu, mm, PAGE, PAGE), 0);
  looks(cpu, mm, '0-1 rw, 2-4 rw | 1w - 3w 4w');
  gives(cpu, 'a load where nothing is', yield* userLoad(cpu, mm, PAGE), -EFAULT);
  gives(cpu, 'munmap of half a page', yield* munmap(cpu, mm, 1, PAGE), -EINVAL);
  gives(cpu, 'munmap of nothing', yield* munmap(cpu, mm, 0, 0), -EINVAL);
  gives(cpu, 'mmap', yield* mmap(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
  looks(cpu, mm, '0-2 r, 2-4 rw | - - 3w 4w');
  gives(cpu, 'a load of new memory', yield* userLoad(cpu, mm, 0), 0);
  gives(cpu, 'a store to it', yield* userStore(cpu, mm, 0, 7), -EFAULT);
  looks(cpu, mm, '0-2 r, 2-4 rw | 0r - 3w 4w');
  gives(cpu, 'brk', yield* brk(cpu, mm, 4 * PAGE, 3 * PAGE), 3 * PAGE);
  looks(cpu, mm, '0-2 r, 2-3 rw | 0r - 3w -');
  gives(cpu, 'brk', yield* brk(cpu, mm, 3 * PAGE, 4 * PAGE), 4 * PAGE);
  looks(cpu, mm, '0-2 r, 2-4 rw | 0r - 3w -');
  gives(cpu, 'a store to it', yield* userStore(cpu, mm, 3 * PAGE, 9), 0);
  looks(cpu, mm, '0-2 r, 2-4 rw | 0r - 3w 9w');
});

const protecting = purpose(
  'mprotect',
  'mprotect takes rights away, and gives them back',
  four,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, 2 * PAGE, VM_READ), 0);
    looks(cpu, mm, '0-1 rw, 1-3 r, 3-4 rw | 1w 2r 3r 4w');
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 7), -EFAULT);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 2);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, PAGE, 0), 0);
    looks(cpu, mm, '0-1 rw, 1-2 none, 2-3 r, 3-4 rw | 1w 2n 3r 4w');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), -EFAULT);
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, PAGE, 2 * PAGE, VM_READ | VM_WRITE), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 7), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 8), 0);
    looks(cpu, mm, '0-1 rw, 1-2 rw, 2-3 rw, 3-4 rw | 1w 7w 8w 4w');
    gives(cpu, 'mprotect of half a page', yield* mprotect(cpu, mm, 1, PAGE, VM_READ), -EINVAL);
    yield* munmap(cpu, mm, PAGE, PAGE);
    gives(cpu, 'mprotect over a hole', yield* mprotect(cpu, mm, 0, 4 * PAGE, VM_READ), -ENOMEM);
    looks(cpu, mm, '0-1 r, 2-3 rw, 3-4 rw | 1r - 8w 4w');
  },
);

interface Advised extends Stage {
  readonly p2: Mapping;
}

function advised(run: Run): Advised {
  const stage = four(run);
  return { ...stage, p2: mappingOf(run, stage.mm, 2 * PAGE) };
}

const advising = purpose('madvise', 'madvise: contents go, or may go', advised, function* (cpu, { mm, p2 }, does) {
  if (does) gives(cpu, 'MADV_DONTNEED', yield* madviseDontneed(cpu, mm, 0, 2 * PAGE), 0);
  looks(cpu, mm, '0-4 rw | - - 3w 4w');
  gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 0);
  gives(cpu, 'populate', yield* populate(cpu, mm, 0, 2 * PAGE, true), 0);
  looks(cpu, mm, '0-4 rw | 0w 0w 3w 4w');
  gives(cpu, 'MADV_FREE', yield* madvise(cpu, mm, 2 * PAGE, 2 * PAGE, MADV_FREE), 0);
  gives(cpu, 'a load', yield* userLoad(cpu, mm, 2 * PAGE), 3);
  gives(cpu, 'a store', yield* userStore(cpu, mm, 3 * PAGE, 5), 0);
  gives(cpu, 'reclaim', yield* shrinkPages(cpu, [{ page: p2.page, mm, address: 2 * PAGE }]), 1);
  looks(cpu, mm, '0-4 rw | 0w 0w - 5w');
  gives(cpu, 'MADV_COLD', yield* madvise(cpu, mm, 0, 4 * PAGE, MADV_COLD), 0);
  gives(cpu, 'advice that there is not', yield* madvise(cpu, mm, 0, PAGE, 99), -EINVAL);
  gives(cpu, 'advice for half a page', yield* madviseDontneed(cpu, mm, 1, PAGE), -EINVAL);
  yield* munmap(cpu, mm, 2 * PAGE, PAGE);
  gives(cpu, 'advice over a hole', yield* madviseDontneed(cpu, mm, 0, 4 * PAGE), -ENOMEM);
  looks(cpu, mm, '0-2 rw, 3-4 rw | - - - -');
});

const swapping = purpose('swap', 'pages are swapped out and come back', two, function* (cpu, { mm, p0, p1 }, does) {
  const out = [p0, p1].map(({ page }, i) => ({ page, mm, address: i * PAGE }));
  if (does) gives(cpu, 'reclaim', yield* shrinkPages(cpu, out), 2);
  looks(cpu, mm, '0-2 rw | 1s 2s - -');
  gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 1);
  looks(cpu, mm, '0-2 rw | 1r 2s - -');
  const child = yield* dupMm(cpu, mm);
  looks(cpu, child, '0-2 rw | 1r 2s - -');
  gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 7), 0);
  looks(cpu, mm, '0-2 rw | 1r 7w - -');
  looks(cpu, child, '0-2 rw | 1r 2s - -');
  yield* mmput(cpu, child);
  gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 6), 0);
  looks(cpu, mm, '0-2 rw | 6w 7w - -');
});

const forking = purpose('fork', 'fork: both see the same until one writes', two, function* (cpu, { mm }, does) {
  const child = does ? yield* dupMm(cpu, mm) : yield* mmAlloc(cpu);
  looks(cpu, mm, '0-2 rw | 1r 2r - -');
  looks(cpu, child, '0-2 rw | 1r 2r - -');
  gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
  yield* contextSwitch(cpu, child);
  gives(cpu, 'a store of the child', yield* userStore(cpu, child, PAGE, 8), 0);
  gives(cpu, 'a load of the child', yield* userLoad(cpu, child, 0), 1);
  looks(cpu, mm, '0-2 rw | 7w 2r - -');
  looks(cpu, child, '0-2 rw | 1r 8w - -');
  gives(cpu, 'a store of the child', yield* userStore(cpu, child, 0, 9), 0);
  looks(cpu, child, '0-2 rw | 9w 8w - -');
  yield* contextSwitch(cpu, mm);
  yield* mmput(cpu, child);
  gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 6), 0);
  looks(cpu, mm, '0-2 rw | 7w 6w - -');
});

const moving = purpose('mremap', 'mremap moves, grows, shrinks', two, function* (cpu, { mm }, does) {
  const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
  if (does) gives(cpu, 'a move', yield* mremap(cpu, mm, 0, PAGE, PAGE, fixed, 3 * PAGE), 3 * PAGE);
  looks(cpu, mm, '1-2 rw, 3-4 rw | - 2w - 1w');
  gives(cpu, 'a load', yield* userLoad(cpu, mm, 3 * PAGE), 1);
  gives(cpu, 'a load where it was', yield* userLoad(cpu, mm, 0), -EFAULT);
  gives(cpu, 'growth', yield* mremap(cpu, mm, PAGE, PAGE, 2 * PAGE, 0), PAGE);
  looks(cpu, mm, '1-3 rw, 3-4 rw | - 2w - 1w');
  gives(cpu, 'growth without room', yield* mremap(cpu, mm, PAGE, 2 * PAGE, 3 * PAGE, 0), -ENOMEM);
  gives(cpu, 'a store', yield* userStore(cpu, mm, 2 * PAGE, 7), 0);
  gives(cpu, 'shrinking', yield* mremap(cpu, mm, PAGE, 2 * PAGE, PAGE, 0), PAGE);
  looks(cpu, mm, '1-2 rw, 3-4 rw | - 2w - 1w');
  const stay = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  gives(cpu, 'a move that leaves the VMA', yield* mremap(cpu, mm, PAGE, PAGE, PAGE, stay, 0), 0);
  looks(cpu, mm, '0-1 rw, 1-2 rw, 3-4 rw | 2w - - 1w');
  gives(cpu, 'a move of what is not there', yield* mremap(cpu, mm, 2 * PAGE, PAGE, PAGE, fixed, 0), -EFAULT);
  gives(cpu, 'a move onto itself', yield* mremap(cpu, mm, 0, PAGE, PAGE, fixed, 0), -EINVAL);
  gives(cpu, 'a move over what is there', yield* mremap(cpu, mm, 3 * PAGE, PAGE, PAGE, fixed, 0), 0);
  looks(cpu, mm, '0-1 rw, 1-2 rw | 1w - - -');
});

const hinting = purpose(
  'numa',
  'NUMA hints: an access brings a page back, or moves it',
  two,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'the scan', yield* changeProtNuma(cpu, mm, 0, 2 * PAGE), 2);
    looks(cpu, mm, '0-2 rw | 1n 2n - -');
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 2n - -');
    gives(cpu, 'a move', yield* migrateMisplacedPage(cpu, mm, PAGE), true);
    looks(cpu, mm, '0-2 rw | 7w 2w - -');
    gives(cpu, 'a move of what is not hinted at', yield* migrateMisplacedPage(cpu, mm, 0), false);
  },
);

const watching = purpose(
  'userfaultfd',
  'userfaultfd: writes are kept out until they are let in',
  two,
  function* (cpu, { mm }, does) {
    gives(cpu, 'register', yield* uffdRegisterWp(cpu, mm, 0, 2 * PAGE), 0);
    if (does) gives(cpu, 'protect', yield* mwriteprotectRange(cpu, mm, 0, 2 * PAGE, true), 0);
    looks(cpu, mm, '0-2 rw | 1r! 2r! - -');
    const child = yield* dupMm(cpu, mm);
    looks(cpu, child, '0-2 rw | 1r 2r - -');
    // The child is not registered: a userfaultfd has no say there.
    gives(cpu, 'protection of the child', yield* mwriteprotectRange(cpu, child, 0, PAGE, true), 0);
    looks(cpu, child, '0-2 rw | 1r 2r - -');
    yield* mmput(cpu, child);
    gives(cpu, 'let in', yield* mwriteprotectRange(cpu, mm, 0, PAGE, false), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 2r! - -');
    gives(cpu, 'half a page', yield* mwriteprotectRange(cpu, mm, 1, PAGE, true), -EINVAL);
    gives(cpu, 'a hole', yield* mwriteprotectRange(cpu, mm, 2 * PAGE, PAGE, true), -ENOMEM);
    gives(cpu, 'register a hole', yield* uffdRegisterWp(cpu, mm, 2 * PAGE, PAGE), -EINVAL);
  },
);

const softDirty = purpose(
  'clear-refs',
  'clear_refs: which pages were written since',
  two,
  function* (cpu, { mm, p0 }, does) {
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, 0), true);
    if (does) gives(cpu, 'clear_refs', yield* clearRefsWrite(cpu, mm, CLEAR_REFS_SOFT_DIRTY), 0);
    looks(cpu, mm, '0-2 rw | 1r 2r - -');
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, 0), false);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, 0), true);
    gives(cpu, 'soft-dirty', yield* pagemapSoftDirty(cpu, mm, PAGE), false);
    gives(cpu, 'soft-dirty where nothing is', yield* pagemapSoftDirty(cpu, mm, 2 * PAGE), false);
    gives(cpu, 'clear_refs', yield* clearRefsWrite(cpu, mm, CLEAR_REFS_ALL), 0);
    gives(cpu, 'a look at the accessed bit', ((yield* ptepGet(cpu, p0.pte)) & ACCESSED) !== 0, false);
    gives(cpu, 'clear_refs of what there is not', yield* clearRefsWrite(cpu, mm, 99), -EINVAL);
    looks(cpu, mm, '0-2 rw | 7w 2r - -');
  },
  // 5.11.0 flushes nothing here, and misses what is written through an old entry.
  { profile: { clearRefs: 'pending-mm' } },
);

const migrating = purpose(
  'migrate',
  'pages move to other frames, unless somebody holds them',
  two,
  function* (cpu, env, does) {
    const { mm, p0, p1 } = env;
    const places = [p0, p1].map(({ page }, i) => ({ page, mm, address: i * PAGE }));
    yield* getPage(cpu, p1.page);
    if (does) gives(cpu, 'migration', yield* migratePages(cpu, places), 1);
    const frame = (pte: number): Address => entryTarget(cpu.read(pte));
    gives(cpu, 'a comparison of frames', frame(p0.pte) !== p0.page, true);
    gives(cpu, 'a comparison of frames', frame(p1.pte) === p1.page, true);
    yield* putPage(cpu, p1.page);
    looks(cpu, mm, '0-2 rw | 1w 2w - -');
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 2w - -');
  },
);

const merging = purpose(
  'ksm',
  'equal pages become one, until one is written',
  two,
  function* (cpu, { mm, p0, p1 }, does) {
    const [one, other] = [
      { mm, address: 0 },
      { mm, address: PAGE },
    ];
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 1), 0);
    const merged = yield* ksmMakeStable(cpu, one);
    gives(cpu, 'a merged page', merged, p0.page);
    if (does) gives(cpu, 'a merge', yield* ksmMerge(cpu, other, merged), true);
    looks(cpu, mm, '0-2 rw | 1r 1r - -');
    gives(cpu, 'a comparison of frames', entryTarget(cpu.read(p1.pte)) === p0.page, true);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 8), 0);
    looks(cpu, mm, '0-2 rw | 1r 8w - -');
    gives(cpu, 'a merge of different pages', yield* ksmMerge(cpu, other, merged), false);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 9), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 9w - -');
  },
);

const SHARED = VM_READ | VM_WRITE | VM_SHARED;

/** Two pages of a file, both written to: 1 and 2. */
function sharedFile(run: Run): FileStage & { readonly p0: Mapping } {
  const stage = setFileStage(run, { flags: SHARED, pages: 2, store: true, running: [0] });
  return withPage0(run, stage);
}

function dirty(cpu: Cpu, page: Address): boolean {
  return (cpu.read(Page.at(page).flags) & PG_DIRTY) !== 0;
}

const writing = purpose(
  'writeback',
  'a file is written out, unmapped, truncated',
  sharedFile,
  function* (cpu, env, does) {
    const { mm, file, pages, p0 } = env;
    if (does) gives(cpu, 'writeback', yield* writebackPage(cpu, file, 0), 1);
    looks(cpu, mm, '0-2 rw | 1r 2w - -');
    gives(cpu, 'a look at the page', dirty(cpu, pages[0]!), false);
    gives(cpu, 'writeback of a clean page', yield* writebackPage(cpu, file, 0), 0);
    gives(cpu, 'writeback of no page', yield* writebackPage(cpu, file, 3), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    yield* unmapMappingRange(cpu, file, 0, 1, true);
    looks(cpu, mm, '0-2 rw | - 2w - -');
    gives(cpu, 'a look at the page', dirty(cpu, pages[0]!), true);
    gives(cpu, 'a load', yield* userLoad(cpu, mm, 0), 7);
    gives(cpu, 'MADV_DONTNEED', yield* madviseDontneed(cpu, mm, 0, PAGE), 0);
    looks(cpu, mm, '0-2 rw | - 2w - -');
    gives(cpu, 'a write fault', yield* doUserAddrFault(cpu, mm, 0, true), 0);
    looks(cpu, mm, '0-2 rw | 7w 2w - -');
    gives(cpu, 'a look at the entry', pteDirty(cpu.read(p0.pte)), true);
    yield* truncatePagecache(cpu, file, 1);
    looks(cpu, mm, '0-2 rw | 7w - - -');
    gives(cpu, 'a load behind the end', yield* userLoad(cpu, mm, PAGE), -EFAULT);
  },
);

/** Two pages of a file, 100 and 101, which a private mapping has read. */
function privateFile(run: Run): FileStage {
  return setFileStage(run, { flags: VM_READ | VM_WRITE, pages: 2, running: [0] });
}

const copying = purpose(
  'private-file',
  'a private mapping of a file',
  privateFile,
  function* (cpu, { mm, file, pages }, does) {
    if (does) gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 7), 0);
    looks(cpu, mm, '0-2 rw | 7w 101r - -');
    gives(cpu, 'a look at the file', cpu.read(Page.at(pages[0]!).data), 100);
    yield* unmapMappingRange(cpu, file, 0, 2, false);
    looks(cpu, mm, '0-2 rw | 7w - - -');
    gives(cpu, 'a load', yield* userLoad(cpu, mm, PAGE), 101);
    const child = yield* dupMm(cpu, mm);
    looks(cpu, child, '0-2 rw | 7r 101r - -');
    yield* mmput(cpu, child);
    gives(cpu, 'reclaim', yield* shrinkPages(cpu, [{ page: pages[1]!, mm, address: PAGE }], file), 1);
    looks(cpu, mm, '0-2 rw | 7r - - -');
    gives(cpu, 'a load of what has left the file', yield* userLoad(cpu, mm, PAGE), -EFAULT);
    yield* truncatePagecache(cpu, file, 0);
    looks(cpu, mm, '0-2 rw | - - - -');
  },
);

/** A huge page, 1 and 0. */
function huge(run: Run): Stage {
  return setHugeStage(run, { mapped: 'huge', running: [0] });
}

const hugePages = purpose(
  'huge',
  'a huge page is protected, shared, split, and made again',
  huge,
  function* (cpu, { mm }, does) {
    if (does) gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ), 0);
    looks(cpu, mm, '0-2 r | [1r] [0r] - -');
    gives(cpu, 'mprotect', yield* mprotect(cpu, mm, 0, 2 * PAGE, VM_READ | VM_WRITE), 0);
    gives(cpu, 'a store', yield* userStore(cpu, mm, PAGE, 7), 0);
    looks(cpu, mm, '0-2 rw | [1w] [7w] - -');
    const child = yield* dupMm(cpu, mm);
    looks(cpu, mm, '0-2 rw | [1r] [7r] - -');
    looks(cpu, child, '0-2 rw | [1r] [7r] - -');
    yield* mmput(cpu, child);
    gives(cpu, 'a store', yield* userStore(cpu, mm, 0, 5), 0);
    gives(
      cpu,
      'a move',
      yield* mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2 * PAGE),
      2 * PAGE,
    );
    looks(cpu, mm, '2-4 rw | - - [5w] [7w]');
    yield* splitHugePmd(cpu, mm, yield* pmdOffset(cpu, mm, 2 * PAGE), 2 * PAGE);
    looks(cpu, mm, '2-4 rw | - - 5w 7w');
    gives(cpu, 'MADV_DONTNEED', yield* madviseDontneed(cpu, mm, 3 * PAGE, PAGE), 0);
    looks(cpu, mm, '2-4 rw | - - 5w -');
    gives(cpu, 'a collapse', yield* collapseHugePage(cpu, mm, 2 * PAGE), true);
    looks(cpu, mm, '2-4 rw | - - [5w] [0w]');
    gives(cpu, 'munmap', yield* munmap(cpu, mm, 3 * PAGE, PAGE), 0);
    looks(cpu, mm, '2-3 rw | - - 5w -');
  },
);

const kernelAddresses = purpose(
  'vmap',
  'kernel addresses are given out, taken back, and given out again',
  (run) => run(0, vmallocInit),
  function* (cpu, _env, does) {
    const frames = [yield* allocZeroedPage(cpu), yield* allocZeroedPage(cpu)];
    for (const [i, frame] of frames.entries()) yield* cpu.writeOnce(Page.at(frame).data, 5 + i);
    const at = yield* vmap(cpu, frames);
    gives(cpu, 'a load of the kernel', yield* cpu.kernelRead(at + PAGE), 6);
    if (does) yield* vunmap(cpu, at);
    gives(cpu, 'a third area', yield* vmap(cpu, [frames[0]!]), 2 * PAGE);
    yield* vmUnmapAliases(cpu);
    gives(cpu, 'a load where nothing is', yield* cpu.kernelRead(at), -1);
    gives(cpu, 'the first address again', yield* vmap(cpu, [frames[0]!]), at);
    gives(cpu, 'a load of the kernel', yield* cpu.kernelRead(at), 5);
    gives(cpu, 'more than there is room for', yield* vmap(cpu, [...frames, ...frames, ...frames]), -ENOMEM);
    yield* vunmap(cpu, at);
    yield* vunmap(cpu, 2 * PAGE);
    for (const frame of frames) yield* putPage(cpu, frame);
  },
);

const leaving = purpose('exit', 'exec and exit give everything back', two, function* (cpu, { mm }, does) {
  const next = yield* mmAlloc(cpu);
  yield* mmap(cpu, next, 0, PAGE, VM_READ | VM_WRITE);
  gives(cpu, 'a look from outside', yield* secondaryFault(cpu, mm, 2 * PAGE), 0);
  gives(cpu, 'users', cpu.read(mm.mmUsers), 1);
  yield* getPage(cpu, entryTarget(yield* secondaryFault(cpu, mm, 0)));
  yield* putPage(cpu, entryTarget(yield* secondaryFault(cpu, mm, 0)));
  yield* mmgrab(cpu, mm);
  if (does) yield* execMmap(cpu, next);
  gives(cpu, 'users of what it ran before', cpu.read(mm.mmUsers), 0);
  yield* mmdrop(cpu, mm);
  gives(cpu, 'a load', yield* userLoad(cpu, next, 0), 0);
  looks(cpu, next, '0-1 rw | 0r - - -');
  gives(cpu, 'a store', yield* userStore(cpu, next, 0, 7), 0);
  looks(cpu, next, '0-1 rw | 7w - - -');
  yield* mmgrab(cpu, next);
  yield* exitMm(cpu);
  gives(cpu, 'users', cpu.read(next.mmUsers), 0);
  looks(cpu, next, ' | - - - -');
  yield* mmdrop(cpu, next);
  yield* contextSwitch(cpu, yield* mmAlloc(cpu));
});

/** All of them. */
export const PURPOSES: readonly AnyScenario[] = [
  unmapping,
  protecting,
  advising,
  swapping,
  forking,
  moving,
  hinting,
  watching,
  softDirty,
  migrating,
  merging,
  writing,
  copying,
  hugePages,
  kernelAddresses,
  leaving,
];
