/**
 * Two at one entry: both have seen it as it was, without its lock, and the second one finds it changed under the lock; or both change what stands
 * beside it, a list or a count.
 *
 *     CPU 0                                  CPU 1
 *     reads the entry
 *     prepares what shall take its place     the same
 *     lock; still the same? install          lock; changed: drop what was prepared
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type Cpu,
  type Geometry,
  type Mm,
  PAGE_SHIFT,
  type Steps,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
} from '@mmu-gather/core/stepped';
import {
  allocMapping,
  changeProtNuma,
  CLEAR_REFS_SOFT_DIRTY,
  clearRefsWrite,
  collapseHugePage,
  contextSwitch,
  doUserAddrFault,
  exitMm,
  fileBacking,
  filemapAdd,
  hugepageMadvise,
  MADV_FREE,
  madvise,
  madviseDontneed,
  migratePages,
  mmAlloc,
  mmap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mremap,
  mwriteprotectRange,
  pmdOffset,
  shrinkPages,
  uffdRegisterWp,
  userLoad,
  userStore,
  writebackPage,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Scenario, thread } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { setHugeStage } from './huge-stage.ts';
import { newThread, PAGE, RW_MEMORY, setStage, type Stage, type Page0, withPage0 } from './stage.ts';

type Act<E> = (cpu: Cpu, env: E) => Steps<unknown>;

/** Clears an upper entry without its lock, and keeps no table in mind. */
function* loses(cpu: Cpu, { mm }: { readonly mm: Mm }): Steps<void> {
  yield* cpu.writeOnce(yield* pmdOffset(cpu, mm, 0), 0);
}

function two<E extends { readonly mm: Mm }>(
  id: string,
  title: string,
  setup: (run: Run) => E,
  first: Act<E>,
  second: Act<E>,
  options: Pick<Scenario<E>, 'profile' | 'geometry' | 'final' | 'hugeZeroPage'> = {},
): AnyScenario {
  return defineScenario<E>({
    id: `two/${id}`,
    title,
    cpus: 2,
    pools: { mm: 3, page: 12, table: 10, vma: 8 },
    ...options,
    setup,
    threads: (env) => [thread((cpu) => first(cpu, env)), thread((cpu) => second(cpu, env))],
    twins: [
      {
        id: `two/${id}/unlocked`,
        why: 'the upper entry is cleared without its lock: what it leads to is lost',
        oracle: [
          'O17',
          'O16',
          'O14',
          'O11',
          'O10',
          'O9',
          'O7',
          'O6',
          'O5',
          'O4',
          'O2',
          'O1',
          'race',
          'deadlock',
          'assert',
        ],
        threads: (env) => [thread((cpu) => first(cpu, env)), thread((cpu) => loses(cpu, env))],
      },
    ],
  });
}

const write = (cpu: Cpu, { mm }: { readonly mm: Mm }): Steps<number> => doUserAddrFault(cpu, mm, 0, true);
const read = (cpu: Cpu, { mm }: { readonly mm: Mm }): Steps<number> => doUserAddrFault(cpu, mm, PAGE, false);

/** Memory for a huge page, in which nothing is. */
function emptyHuge(run: Run): Stage {
  const stage = setStage(run, { touched: [], inKernel: [1] });
  run(0, (cpu) => hugepageMadvise(cpu, stage.mm, 0, 2 * PAGE));
  return stage;
}

/** A huge page that may be written to, and was made read-only to see who does. */
function watchedHuge(run: Run): Stage {
  const stage = setHugeStage(run, { mapped: 'huge', inKernel: [1] });
  run(0, (cpu) => clearRefsWrite(cpu, stage.mm, CLEAR_REFS_SOFT_DIRTY));
  return stage;
}

function present(run: Run): Page0 {
  const stage = setStage(run, { pages: 1, inKernel: [1] });
  return withPage0(run, stage);
}

function swappedOut(run: Run): Page0 {
  const stage = present(run);
  run(0, (cpu) => shrinkPages(cpu, [{ page: stage.p0.page, mm: stage.mm, address: 0 }]));
  return stage;
}

function hinted(run: Run): Stage {
  const stage = setStage(run, { pages: 1, inKernel: [1] });
  run(0, (cpu) => changeProtNuma(cpu, stage.mm, 0, PAGE));
  return stage;
}

interface FilePage {
  readonly mm: Mm;
  readonly page: Address;
}

/** One page of a file, at two places that have tables of their own; nobody has touched it. */
function twoPlaces(run: Run): FilePage {
  const mapping = run(0, allocMapping);
  const page = run(0, (cpu) => filemapAdd(cpu, mapping, 0, 100));
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  for (const at of [0, 2 * PAGE])
    run(0, (cpu) => mmap(cpu, mm, at, PAGE, VM_READ | VM_SHARED, fileBacking(mapping.address)));
  run(1, (cpu) => newThread(cpu, mm));
  run(1, (cpu) => cpu.enterKernel());
  return { mm, page };
}

/** Four upper entries in one table. */
const FOUR_TABLES: Geometry = { pageShift: PAGE_SHIFT, bits: [1, 2] };

/** Two VMAs: pages of the first are small or huge, in the second there was something huge, and is not any more. */
function neighbours(run: Run, huge: boolean): Stage {
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  for (const at of [0, 2 * PAGE]) {
    run(0, (cpu) => mmap(cpu, mm, at, 2 * PAGE, RW_MEMORY));
    if (huge || at > 0) run(0, (cpu) => hugepageMadvise(cpu, mm, at, 2 * PAGE));
    run(0, (cpu) => userStore(cpu, mm, at, 1));
  }
  run(0, (cpu) => hugepageMadvise(cpu, mm, 0, 2 * PAGE));
  run(0, (cpu) => madviseDontneed(cpu, mm, 2 * PAGE, 2 * PAGE));
  run(1, (cpu) => newThread(cpu, mm));
  run(1, (cpu) => cpu.enterKernel());
  return { mm, at: 0 };
}

const LOCKED_VMAS = { perVmaLocks: true, vmaWriters: 'all', vmaFree: 'rcu' } as const;
const FIXED = MREMAP_MAYMOVE | MREMAP_FIXED;

/** A page of a file that hears of the first write to it; it was written to once, and will be written out. */
function noticed(run: Run): FileStage {
  const flags = VM_READ | VM_WRITE | VM_SHARED | VM_WRITENOTIFY;
  const stage = setFileStage(run, { flags, store: true, inKernel: [1] });
  run(0, (cpu) => writebackPage(cpu, stage.file, 0));
  return stage;
}

/** One page, which userfaultfd protects. */
function watched(run: Run): Stage {
  const stage = setStage(run, { pages: 1, inKernel: [1] });
  run(0, (cpu) => uffdRegisterWp(cpu, stage.mm, 0, PAGE));
  run(0, (cpu) => mwriteprotectRange(cpu, stage.mm, 0, PAGE, true));
  return stage;
}

/** All of them. */
export const TWO_FAULTS: readonly AnyScenario[] = [
  two('huge-faults', 'two faults each make the same huge page', emptyHuge, write, write),
  two('huge-and-small', 'one fault makes a huge page, another one a table in its place', emptyHuge, write, read),
  two(
    'huge-zero-read',
    'a fault makes a huge page, and another one, which only reads, maps the huge page of zeroes',
    emptyHuge,
    write,
    read,
    { hugeZeroPage: 'huge' },
  ),
  two(
    'huge-zero-writes',
    'two faults each put a huge page in the place of the one of zeroes',
    (run) => {
      const stage = emptyHuge(run);
      run(0, (cpu) => userLoad(cpu, stage.mm, 0));
      return stage;
    },
    write,
    write,
    { hugeZeroPage: 'huge' },
  ),
  two(
    'huge-write-zap',
    'a fault gives the right to write back to a huge page, which is zapped',
    watchedHuge,
    write,
    (cpu, { mm }) => madviseDontneed(cpu, mm, 0, 2 * PAGE),
  ),
  two(
    'huge-free-zap',
    'a huge page is given up, and is zapped',
    (run) => setHugeStage(run, { mapped: 'huge', inKernel: [1] }),
    (cpu, { mm }) => madvise(cpu, mm, 0, 2 * PAGE, MADV_FREE),
    (cpu, { mm }) => madviseDontneed(cpu, mm, 0, 2 * PAGE),
  ),
  two(
    'deposit-collapse',
    'khugepaged deposits a table while a fault in another VMA, by the lock of that alone, deposits one',
    (run) => neighbours(run, false),
    (cpu, { mm }) => collapseHugePage(cpu, mm, 0),
    (cpu, { mm }) => doUserAddrFault(cpu, mm, 2 * PAGE, true),
    { profile: LOCKED_VMAS, geometry: FOUR_TABLES },
  ),
  two(
    'deposit-move',
    'a huge page moves with its deposited table while a fault in another VMA, by the lock of that alone, deposits one',
    (run) => neighbours(run, true),
    (cpu, { mm }) => mremap(cpu, mm, 0, 2 * PAGE, 2 * PAGE, FIXED, 4 * PAGE),
    (cpu, { mm }) => doUserAddrFault(cpu, mm, 2 * PAGE, true),
    { profile: LOCKED_VMAS, geometry: FOUR_TABLES },
  ),
  two('swap-in', 'two faults bring the same page back', swappedOut, write, write),
  two('hinting-faults', 'two faults take the same hint', hinted, write, write),
  two(
    'anonymous-faults',
    'two faults each make a page for the same address',
    (run) => setStage(run, { pages: 1, touched: [], inKernel: [1] }),
    write,
    write,
  ),
  two(
    'let-in',
    'a fault waits until userfaultfd lets it in, and holds no lock meanwhile',
    watched,
    write,
    (cpu, { mm }) => mwriteprotectRange(cpu, mm, 0, PAGE, false),
  ),
  two(
    'noticed',
    'a page is written out, and to: if it can be written to in the end, its file knows',
    noticed,
    (cpu, { file }) => writebackPage(cpu, file, 0),
    write,
  ),
  two(
    'rmap',
    'two faults map one page of a file at two places: it counts both',
    twoPlaces,
    (cpu, { mm }) => doUserAddrFault(cpu, mm, 0, false),
    (cpu, { mm }) => doUserAddrFault(cpu, mm, 2 * PAGE, false),
  ),
  two(
    'migrate-zap',
    'a page is zapped while it moves: the copy goes, too',
    present,
    (cpu, { mm, p0 }) => migratePages(cpu, [{ page: p0.page, mm, address: 0 }]),
    (cpu, { mm }) => madviseDontneed(cpu, mm, 0, PAGE),
  ),
  two(
    'exits',
    'both threads of an mm exit at once: the last one tears it down',
    (run) => setStage(run, { pages: 1, inKernel: [1] }),
    (cpu) => exitMm(cpu),
    (cpu) => exitMm(cpu),
    { final: (peek, { mm }) => (peek(mm.mmUsers) === 0 ? undefined : 'nobody uses the mm any more, and it has users') },
  ),
  two(
    'thread-exit',
    'a thread exits while another one makes a third: the mm counts the two that are left',
    (run) => setStage(run, { pages: 1, inKernel: [1] }),
    (cpu) => exitMm(cpu),
    (cpu, { mm }) => newThread(cpu, mm),
    { final: (peek, { mm }) => (peek(mm.mmUsers) === 2 ? undefined : 'two use the mm, and it counts others') },
  ),
];
