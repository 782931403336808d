/**
 * Every operation of mm, as one call with a few random numbers, for sequences that both builds run.
 *
 * An operation looks up what it needs (which page is where, who maps it) in memory, so that it does the same in both builds, and
 * leaves out what no kernel would do.
 */
import * as core from '@mmu-gather/core';
import type { CountingMachine } from '@mmu-gather/counting';
import type { CountingMachine as SteppedMachine } from '@mmu-gather/counting/stepped';
import type * as directMm from '@mmu-gather/mm';

/** Bytes in a page. */
export const PAGE = 4096;
/** Three levels, so that tables of two kinds come and go within few pages. */
export const GEOMETRY: core.Geometry = { pageShift: 12, bits: [2, 2, 2] };
/** User pages. */
export const PAGES = 64;
/** CPUs of the machine. */
export const CPUS = 3;
/** Most mms that are alive at a time. */
const MMS = 6;
/** Pages of a huge page. */
const HUGE = 4;

/** A build: `run` finishes steps, or just has their value. */
export interface Build {
  readonly machine: CountingMachine | SteppedMachine;
  readonly mm: typeof directMm;
  /** core's putPage in this build. */
  readonly putPage: typeof core.putPage;
  readonly run: <T>(steps: T) => T;
}

/** What a sequence has made so far. */
export interface World extends Build {
  readonly cpus: readonly core.Cpu[];
  readonly mms: core.Mm[];
  /** What each CPU runs; null is the idle task. */
  readonly current: (core.Mm | null)[];
  readonly files: core.AddressSpace[];
  /** Addresses of vmap areas. */
  readonly areas: number[];
  /** Pages that the kernel maps in them. */
  readonly kernelPages: core.Address[];
}

/** One operation of a CPU that runs `own`: `at` is an address, `a` and `b` are small numbers. Returns what can be seen of it. */
type Operation = (world: World, cpu: core.Cpu, own: core.Mm, a: number, b: number) => unknown;

const { VM_READ, VM_WRITE, VM_SHARED } = core;

/** The present leaf entry of a base page; 0 if there is none. */
function entryAt({ mm, run }: World, cpu: core.Cpu, of: core.Mm, page: number): number {
  const pmd = run(mm.pmdOffset(cpu, of, page * PAGE));
  const table = pmd === 0 ? 0 : cpu.read(pmd);
  if (!mm.leadsToTable(table)) return 0;
  const entry = cpu.read(core.entryCell(GEOMETRY, core.entryTarget(table), 0, page * PAGE));
  return core.entryPresent(entry) ? entry : 0;
}

/** The page that a base page is mapped to, if it is one that the reverse map would find. */
function frameAt(world: World, cpu: core.Cpu, of: core.Mm, page: number): core.Address {
  const entry = entryAt(world, cpu, of, page);
  const frame = entry === 0 ? 0 : world.mm.vmNormalPage(entry);
  return frame === cpu.kernel.zeroPage ? 0 : frame;
}

/** All places that map a page. */
function placesOf(world: World, cpu: core.Cpu, frame: core.Address): directMm.Rmap[] {
  const places: directMm.Rmap[] = [];
  for (const of of world.mms) {
    for (let page = 0; page < PAGES; page++) {
      if (frameAt(world, cpu, of, page) === frame) places.push({ page: frame, mm: of, address: page * PAGE });
    }
  }
  return places;
}

/** Different anonymous pages of a range. */
function anonIn(world: World, cpu: core.Cpu, own: core.Mm, first: number, pages: number): core.Address[] {
  const found = new Set<core.Address>();
  for (let page = first; page < Math.min(PAGES, first + pages); page++) {
    const frame = frameAt(world, cpu, own, page);
    if (frame !== 0 && world.mm.pageAnon(cpu, frame)) found.add(frame);
  }
  return [...found];
}

/** Pages of a range, within user space. */
function length(a: number, b: number): number {
  return Math.min(b, PAGES - a) * PAGE;
}

/** All of them by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  // ---- mappings ----
  mmap: ({ mm, run }, cpu, own, a, b) =>
    run(mm.mmap(cpu, own, a * PAGE, length(a, b), VM_READ | (b % 3 === 0 ? 0 : VM_WRITE))),
  mmapFile: ({ mm, run, files }, cpu, own, a, b) => {
    const file = files[a % files.length]!;
    const flags = VM_READ | VM_WRITE | (b % 3 === 0 ? 0 : VM_SHARED);
    return run(
      mm.mmap(cpu, own, a * PAGE, length(a, Math.min(b, core.FILE_PAGES)), flags, mm.fileBacking(file.address)),
    );
  },
  munmap: ({ mm, run }, cpu, own, a, b) => run(mm.munmap(cpu, own, a * PAGE, length(a, b))),
  brk: ({ mm, run }, cpu, own, a, b) => run(mm.brk(cpu, own, a * PAGE, b % 2 === 0 ? a * PAGE + length(a, b) : 0)),
  mremap: ({ mm, run }, cpu, own, a, b) => {
    const to = ((a * 7 + b * 5) % (PAGES - 8)) * PAGE;
    const flags = mm.MREMAP_MAYMOVE | (b % 2 === 0 ? mm.MREMAP_FIXED : 0);
    return run(mm.mremap(cpu, own, a * PAGE, length(a, b), length(a, 1 + (b % 4)), flags, to));
  },
  mremapTable: ({ mm, run }, cpu, own, a) => {
    // Whole tables: both addresses at the start of one.
    const from = (a - (a % HUGE)) * PAGE;
    const to = ((a * 5) % PAGES) * PAGE;
    const size = HUGE * PAGE;
    return run(mm.mremap(cpu, own, from, size, size, mm.MREMAP_MAYMOVE | mm.MREMAP_FIXED, to - (to % size)));
  },
  mprotect: ({ mm, run }, cpu, own, a, b) =>
    run(mm.mprotect(cpu, own, a * PAGE, length(a, b), b % 2 === 0 ? VM_READ : VM_READ | VM_WRITE)),
  populate: ({ mm, run }, cpu, own, a, b) => run(mm.mmPopulate(cpu, own, a * PAGE, a * PAGE + length(a, b))),

  // ---- advice ----
  dontneed: ({ mm, run }, cpu, own, a, b) => run(mm.madviseDontneed(cpu, own, a * PAGE, length(a, b))),
  free: ({ mm, run }, cpu, own, a, b) => run(mm.madvise(cpu, own, a * PAGE, length(a, b), mm.MADV_FREE)),
  cold: ({ mm, run }, cpu, own, a, b) => run(mm.madvise(cpu, own, a * PAGE, length(a, b), mm.MADV_COLD)),
  processMadvise: ({ mm, run }, cpu, own, a, b) => {
    const ranges = [a, (a + 3 * b) % PAGES].map((page) => ({ start: page * PAGE, end: page * PAGE + length(page, b) }));
    return run(mm.processMadvise(cpu, own, ranges, mm.MADV_DONTNEED));
  },

  // ---- accesses ----
  store: ({ mm, run }, cpu, own, a, b) => run(mm.userStore(cpu, own, a * PAGE, b)),
  load: ({ mm, run }, cpu, own, a) => run(mm.userLoad(cpu, own, a * PAGE)),
  storeSame: ({ mm, run }, cpu, own, a) => run(mm.userStore(cpu, own, a * PAGE, 7)),
  storeRow: ({ mm, run }, cpu, own, a, b) => {
    const pages = Math.min(b, PAGES - a);
    run(mm.mmap(cpu, own, a * PAGE, pages * PAGE, VM_READ | VM_WRITE));
    for (let page = a; page < a + pages; page++) run(mm.userStore(cpu, own, page * PAGE, 7));
    return pages;
  },
  gup: ({ mm, run, putPage }, cpu, own, a, b) => {
    const page = run(mm.gupFast(cpu, own, a * PAGE, b % 2 === 0));
    if (page !== 0) run(putPage(cpu, page));
    return page;
  },
  secondary: ({ mm, run }, cpu, own, a) => run(mm.secondaryFault(cpu, own, a * PAGE)),

  // ---- write protection, dirty tracking ----
  uffdRegister: ({ mm, run }, cpu, own, a, b) => run(mm.uffdRegisterWp(cpu, own, a * PAGE, length(a, b))),
  uffdProtect: ({ mm, run }, cpu, own, a, b) =>
    run(mm.mwriteprotectRange(cpu, own, a * PAGE, length(a, b), b % 3 !== 0)),
  softDirty: ({ mm, run }, cpu, own, _a, b) =>
    run(mm.clearRefsWrite(cpu, own, b % 4 === 0 ? mm.CLEAR_REFS_MM_HIWATER_RSS : mm.CLEAR_REFS_SOFT_DIRTY)),
  pagemap: ({ mm, run }, cpu, own, a) => run(mm.pagemapSoftDirty(cpu, own, a * PAGE)),
  writeback: ({ mm, run, files }, cpu, _own, a, b) =>
    run(mm.writebackPage(cpu, files[a % files.length]!, b % core.FILE_PAGES)),
  wpMapping: ({ mm, run, files }, cpu, _own, a) =>
    run(mm.wpSharedMappingRange(cpu, files[a % files.length]!, 0, core.FILE_PAGES)),
  cleanMapping: ({ mm, run, files }, cpu, _own, a) =>
    run(mm.cleanRecordSharedMappingRange(cpu, files[a % files.length]!, 0, core.FILE_PAGES)),
  unmapMapping: ({ mm, run, files }, cpu, _own, a, b) =>
    run(mm.unmapMappingRange(cpu, files[a % files.length]!, b % core.FILE_PAGES, 2, b % 2 === 0)),

  // ---- pages that move or go ----
  numa: ({ mm, run }, cpu, own, a, b) => run(mm.changeProtNuma(cpu, own, a * PAGE, a * PAGE + length(a, b))),
  migrateMisplaced: ({ mm, run }, cpu, own, a) => run(mm.migrateMisplacedPage(cpu, own, a * PAGE)),
  migrate: (world, cpu, own, a, b) => {
    const single = anonIn(world, cpu, own, a, b).map((page) => placesOf(world, cpu, page));
    return world.run(
      world.mm.migratePages(
        cpu,
        single.flatMap((places) => (places.length === 1 ? places : [])),
      ),
    );
  },
  shrink: (world, cpu, own, a, b) =>
    world.run(
      world.mm.shrinkPages(
        cpu,
        anonIn(world, cpu, own, a, b).flatMap((page) => placesOf(world, cpu, page)),
      ),
    ),
  ksm: (world, cpu, own, a, b) => {
    const other = (a + b) % PAGES;
    if (frameAt(world, cpu, own, a) === 0 || frameAt(world, cpu, own, other) === 0) return 'nothing there';
    const page = world.run(world.mm.ksmMakeStable(cpu, { mm: own, address: a * PAGE }));
    return page === 0 ? 'in use' : world.run(world.mm.ksmMerge(cpu, { mm: own, address: other * PAGE }, page));
  },

  // ---- huge pages ----
  hugepage: ({ mm, run }, cpu, own, a, b) => run(mm.hugepageMadvise(cpu, own, a * PAGE, length(a, b))),
  hugeStore: ({ mm, run }, cpu, own, a, b) => {
    const from = (a - (a % HUGE)) * PAGE;
    run(mm.mmap(cpu, own, from, HUGE * PAGE, VM_READ | VM_WRITE));
    run(mm.hugepageMadvise(cpu, own, from, HUGE * PAGE));
    return run(mm.userStore(cpu, own, a * PAGE, b));
  },
  collapse: ({ mm, run }, cpu, own, a) => {
    const from = (a - (a % HUGE)) * PAGE;
    run(mm.hugepageMadvise(cpu, own, from, HUGE * PAGE));
    return run(mm.collapseHugePage(cpu, own, from));
  },

  // ---- the kernel's own addresses ----
  vmap: ({ mm, run, areas, kernelPages }, cpu, _own, a, b) => {
    const pages = Array.from({ length: 1 + (b % 3) }, (_, i) => kernelPages[(a + i) % kernelPages.length]!);
    const start = run(mm.vmap(cpu, pages));
    if (start > 0) areas.push(start);
    return start;
  },
  vunmap: ({ mm, run, areas }, cpu, _own, a) => {
    const [area] = areas.splice(a % Math.max(1, areas.length), 1);
    if (area !== undefined) run(mm.vunmap(cpu, area));
    return area;
  },
  unmapAliases: ({ mm, run }, cpu) => run(mm.vmUnmapAliases(cpu)),
  changeAttr: ({ mm, run }, cpu) => run(mm.changePageAttr(cpu)),

  // ---- address spaces ----
  fork: ({ mm, run, mms }, cpu, own) => {
    if (mms.length < MMS) mms.push(run(mm.dupMm(cpu, own)));
    return mms.length;
  },
  kthread: ({ mm, run, current }, cpu) => {
    run(mm.contextSwitch(cpu, null));
    current[cpu.id] = null;
  },
  exit: ({ mm, run, mms, current }, cpu, own) => {
    if (mms.length <= CPUS || current.filter((each) => each === own).length > 1) return 'is needed';
    run(mm.exitMm(cpu));
    mms.splice(mms.indexOf(own), 1);
    current[cpu.id] = null;
    return mms.length;
  },
  exec: ({ mm, run, mms, current }, cpu, own) => {
    if (current.filter((each) => each === own).length > 1) return 'has threads';
    const next = run(mm.mmAlloc(cpu));
    run(mm.execMmap(cpu, next));
    mms[mms.indexOf(own)] = next;
    current[cpu.id] = next;
    return mms.length;
  },
};

/** What the machine is like before the first operation: an mm on each CPU, two files, pages of the kernel. */
export function newWorld(build: Build): World {
  const { machine, mm, run } = build;
  const cpus = machine.cpus as readonly core.Cpu[];
  const world: World = {
    ...build,
    cpus,
    mms: [],
    current: cpus.map(() => null),
    files: [],
    areas: [],
    kernelPages: [],
  };
  const [boot] = cpus;
  run(mm.vmallocInit(boot!));
  for (let i = 0; i < 2; i++) {
    const file = run(mm.allocMapping(boot!));
    for (let index = 0; index < core.FILE_PAGES; index++) run(mm.filemapAdd(boot!, file, index, 100 + index));
    world.files.push(file);
  }
  for (let i = 0; i < 3; i++) world.kernelPages.push(run(mm.allocZeroedPage(boot!)));
  for (const cpu of cpus) {
    const own = run(mm.mmAlloc(cpu));
    world.mms.push(own);
    world.current[cpu.id] = own;
    run(mm.contextSwitch(cpu, own));
  }
  return world;
}

/** A CPU that runs nothing goes on with some mm. */
export function resume({ mm, run, mms, current }: World, cpu: core.Cpu, a: number): void {
  const next = mms[a % mms.length]!;
  if (current[cpu.id] !== null && current.includes(next)) return;
  run(mm.contextSwitch(cpu, next));
  current[cpu.id] = next;
}
