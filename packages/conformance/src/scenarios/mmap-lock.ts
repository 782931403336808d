/**
 * mmap_lock: calls that look at VMAs, or change them, beside a call that splits one. Each waits for the other.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type Cpu,
  type Profile,
  type Steps,
  VM_READ,
  VM_UFFD_WP,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import {
  brk,
  CLEAR_REFS_ALL,
  clearRefsWrite,
  dupMm,
  exitMm,
  hugepageMadvise,
  madvisePageout,
  migrateMisplacedPage,
  migratePages,
  mmap,
  mwriteprotectRange,
  pagemapSoftDirty,
  retractPageTables,
  uffdRegisterWp,
  vmaLookup,
  vmaModifyFlags,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread, type Twin } from '../scenario.ts';
import { type FileStage, setFileStage } from './file-stage.ts';
import { mappingOf, PAGE, RW_MEMORY, setStage, type Stage } from './stage.ts';

interface Place extends Stage {
  /** The first page. */
  readonly page: Address;
}

/** An mm with one page that is there and one that is not, and CPUs in system calls. */
function calls(run: Run): Place {
  const stage = setStage(run, { touched: [0], inKernel: [1] });
  return { ...stage, page: mappingOf(run, stage.mm, 0).page };
}

/** Splits the VMA between the two pages, as userfaultfd does when it is registered for the second one. */
function* splits(cpu: Cpu, { mm }: Stage): Steps<void> {
  yield* uffdRegisterWp(cpu, mm, PAGE, PAGE);
}

function* splitsUnlocked(cpu: Cpu, { mm }: Stage): Steps<void> {
  const vma = vmaLookup(cpu, mm, PAGE)!;
  yield* vmaModifyFlags(cpu, mm, vma, PAGE, 2 * PAGE, cpu.read(vma.flags) | VM_UFFD_WP);
}

function unlocked(scenario: string, call: (cpu: Cpu, place: Place) => Steps<unknown>): Twin<Place> {
  return {
    id: `${scenario}/unlocked`,
    why: 'the VMA is split without mmap_lock',
    oracle: ['race', 'O5', 'O16', 'O17'],
    threads: (place) => [thread((cpu) => call(cpu, place)), thread((cpu) => splitsUnlocked(cpu, place))],
  };
}

function beside(
  id: string,
  title: string,
  call: (cpu: Cpu, place: Place) => Steps<unknown>,
  profile: Partial<Profile> = {},
): AnyScenario {
  return defineScenario<Place>({
    id: `mmap-lock/${id}`,
    title: `${title}, while another thread splits the VMA`,
    cpus: 2,
    profile,
    pools: { mm: 3, page: 8, table: 8, vma: 8 },
    setup: calls,
    threads: (place) => [thread((cpu) => call(cpu, place)), thread((cpu) => splits(cpu, place))],
    twins: [unlocked(`mmap-lock/${id}`, call)],
  });
}

/** Two pages of a file, of which nobody has touched one. CPU 1 is in a system call. */
function file(run: Run): FileStage {
  return setFileStage(run, { flags: VM_READ | VM_WRITE, pages: 2, touched: [], inKernel: [1] });
}

/** The mms of a file whose tables khugepaged takes with mmap_lock for write (up to 6.4). */
const BY_MMAP_LOCK: Partial<Profile> = { retract: 'mmap-lock' };

const exits = defineScenario<FileStage>({
  id: 'mmap-lock/exit-retract',
  title: 'an mm ends while khugepaged takes the tables away from what it maps of a file',
  source: 'mm/khugepaged.c retract_page_tables (up to 6.4), mm/mmap.c exit_mmap',
  cpus: 2,
  profile: BY_MMAP_LOCK,
  setup: (run) => setFileStage(run, { flags: VM_READ, pages: 2, touched: [], running: [0] }),
  threads: ({ file: mapping }) => [thread((cpu) => exitMm(cpu)), thread((cpu) => retractPageTables(cpu, mapping, 0))],
  twins: [
    {
      id: 'mmap-lock/exit-retract/unlocked',
      why: 'the VMA is split without mmap_lock',
      oracle: ['race', 'O5', 'O16', 'O17'],
      threads: (stage) => [thread((cpu) => exitMm(cpu)), thread((cpu) => splitsUnlocked(cpu, stage))],
    },
  ],
});

const forks = defineScenario<FileStage>({
  id: 'mmap-lock/fork-retract',
  title: 'fork copies VMAs of a file, in which others find those of the child before it is done',
  source: 'kernel/fork.c dup_mmap',
  cpus: 2,
  profile: BY_MMAP_LOCK,
  pools: { mm: 3, page: 8, table: 8, vma: 8 },
  setup: file,
  threads: ({ mm, file: mapping }) => [
    thread((cpu) => dupMm(cpu, mm)),
    thread((cpu) => retractPageTables(cpu, mapping, 0)),
  ],
  twins: [
    {
      id: 'mmap-lock/fork-retract/unlocked',
      why: 'the VMA is split without mmap_lock',
      oracle: ['race', 'O5', 'O16', 'O17'],
      threads: (stage) => [thread((cpu) => dupMm(cpu, stage.mm)), thread((cpu) => splitsUnlocked(cpu, stage))],
    },
  ],
});

/** All of them. */
export const MMAP_LOCKS: readonly AnyScenario[] = [
  beside('mmap', 'mmap', (cpu, { mm }) => mmap(cpu, mm, 2 * PAGE, PAGE, RW_MEMORY)),
  beside('brk', 'brk', (cpu, { mm }) => brk(cpu, mm, 2 * PAGE, 3 * PAGE)),
  beside('clear-refs', 'clear_refs', (cpu, { mm }) => clearRefsWrite(cpu, mm, CLEAR_REFS_ALL)),
  beside('pagemap', 'a look at soft-dirty bits', (cpu, { mm }) => pagemapSoftDirty(cpu, mm, 0)),
  beside('huge-pages', 'MADV_HUGEPAGE', (cpu, { mm }) => hugepageMadvise(cpu, mm, 0, PAGE)),
  beside('migrate', 'migration', (cpu, { mm, page }) => migratePages(cpu, [{ page, mm, address: 0 }])),
  beside('migrate-hinted', 'migration to another node', (cpu, { mm }) => migrateMisplacedPage(cpu, mm, 0)),
  beside('register', 'userfaultfd is registered', (cpu, { mm }) => uffdRegisterWp(cpu, mm, 0, PAGE)),
  beside('protect', 'userfaultfd protects', (cpu, { mm }) => mwriteprotectRange(cpu, mm, 0, PAGE, true)),
  beside('pageout', 'MADV_PAGEOUT', (cpu, { mm }) => madvisePageout(cpu, mm, 0, PAGE, () => false)),
  exits,
  forks,
];
