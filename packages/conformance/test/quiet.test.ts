/**
 * O17: each clause has a wrong end that it alone sees, and right ends pass.
 */
import { Machine, type Run, search } from '@mmu-gather/checker';
import {
  type Address,
  type Cpu,
  DIRTY,
  entryClear,
  entrySet,
  entryTarget,
  LINUX_6_18,
  mkEntry,
  mkMigrationPte,
  type Mm,
  NX,
  Page,
  PG_DIRTY,
  PG_KSM,
  pteMkclean,
  pteMkwrite,
  pteWrprotect,
  putPage,
  RW,
  SAVED_DIRTY,
  type Steps,
  taskSize,
  TINY,
  UFFD_WP,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
  Vma,
  type VmapLists,
  VmapLists as Lists,
} from '@mmu-gather/core/stepped';
import { allocMapping, dupMm, mmap, mmget, mmgrab, munmap, userStore, vmallocInit, vmap } from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { CLAUSES, type Hold, whenQuiet, X86 } from '../src/index.ts';
import { setFileStage } from '../src/scenarios/file-stage.ts';
import { type Mapping, mappingOf, PAGE, setStage } from '../src/scenarios/stage.ts';

interface Env {
  readonly mm: Mm;
  readonly p0: Mapping;
  readonly lists: VmapLists;
}

/** What one CPU does, and what is found when it has; with a stage of its own if need be. */
function verdict(
  body: (cpu: Cpu, env: Env) => Steps<unknown>,
  { without = [], holds, stage = (run) => setStage(run, { running: [0] }).mm }: Options = {},
): string {
  const options = {
    cpus: 1,
    geometry: TINY,
    profile: LINUX_6_18,
    backend: X86.backend({ ...X86.kernels['linux-6.18'], ...X86.explored }),
    memoryModel: 'sc' as const,
  };
  const machine = new Machine<Env>(options, {
    setup(run, kernel) {
      run(0, vmallocInit);
      const mm = stage(run);
      return { mm, p0: mappingOf(run, mm, 0), lists: Lists.at(kernel.vmap) };
    },
    threads: (env) => [(cpu) => body(cpu, env)],
    quiet: (begin, env, kernel) => whenQuiet(begin, { kernel, without, holds: holds?.(env) ?? [] }),
  });
  const { verdict: found, violation } = search(machine);
  return violation === undefined ? found : `${violation.oracle}: ${violation.message}`;
}

interface Options {
  readonly without?: readonly string[];
  readonly holds?: (env: Env) => readonly Hold[];
  readonly stage?: (run: Run) => Mm;
}

function* changed(cpu: Cpu, { p0 }: Env, change: (entry: number) => number): Steps<void> {
  yield* cpu.writeOnce(p0.pte, change(yield* cpu.readOnce(p0.pte)));
}

const onFile =
  (flags: number) =>
  (run: Run): Mm =>
    setFileStage(run, { flags, store: (flags & VM_SHARED) !== 0, running: [0] }).mm;

const WRONG: readonly [
  clause: string,
  what: string,
  body: (cpu: Cpu, env: Env) => Steps<unknown>,
  message: RegExp,
  stage?: (run: Run) => Mm,
][] = [
  [
    'reverse-map',
    'a VMA has pages of its own and does not know it',
    function* (cpu, { mm }) {
      yield* cpu.writeOnce(Vma.at(cpu.read(mm.mmap)).anonVma, 0);
    },
    /nobody finds by its page/,
  ],
  ['sections', 'interrupts stay off', (cpu) => cpu.localIrqDisable(), /CPU 0 has interrupts off/],
  ['sections', 'an RCU section is not left', (cpu) => cpu.rcuReadLock(), /CPU 0 is in an RCU section/],
  ['locks', 'mmap_lock is kept', (cpu, { mm }) => cpu.downRead(mm.mmapLock), /mm0\.mmapLock is still locked/],
  [
    'locks',
    'a VMA stays locked for write',
    function* (cpu, { mm }) {
      yield* cpu.smpMb();
      cpu.write(Vma.at(cpu.read(mm.mmap)).lockSeq, cpu.read(mm.vmaLockSeq) + 1);
    },
    /vma0 is still locked for write/,
  ],
  ['locks', 'a PTL is kept', (cpu, { p0 }) => cpu.spinLock(p0.ptl), /ptl is still locked/],
  [
    'pending',
    'an invalidation does not end',
    (cpu, { mm }) => cpu.atomicAdd(mm.notifierCount, 1),
    /notifierCount is 1/,
  ],
  ['vmas', 'a VMA is in no list', (cpu) => cpu.alloc('vma'), /vma1 is on the lists of 0 mms/],
  [
    'vmas',
    'a VMA is empty',
    function* (cpu, { mm }) {
      yield* munmap(cpu, mm, 0, 2 * PAGE);
      yield* mmap(cpu, mm, 0, PAGE, VM_READ);
      const vma = Vma.at(cpu.read(mm.mmap));
      cpu.write(vma.start, PAGE);
    },
    /is empty/,
  ],
  [
    'files',
    'a file lists a VMA that maps another one',
    function* (cpu, { mm }) {
      cpu.write(Vma.at(cpu.read(mm.mmap)).mapping, (yield* allocMapping(cpu)).address);
    },
    /mapping0 does not list vma0/,
  ],
  ['places', 'a migration entry is left', (cpu, env) => leaveMigration(cpu, env), /which nobody will replace/],
  ['rights', 'the VMA is read-only', (cpu, { mm }) => vmaFlags(cpu, mm, VM_READ), /its VMA is not writable/],
  ['rights', 'the VMA allows nothing', (cpu, { mm }) => vmaFlags(cpu, mm, 0), /its VMA allows no access/],
  ['rights', 'an entry is executable', (cpu, env) => changed(cpu, env, (e) => entryClear(e, NX)), /is not executable/],
  [
    'rights',
    'no userfaultfd knows of it',
    (cpu, env) => changed(cpu, env, (e) => entrySet(pteWrprotect(e), UFFD_WP)),
    /a userfaultfd that is not there/,
  ],
  [
    'dirty-bit',
    'a read-only entry is dirty',
    (cpu, env) => changed(cpu, env, (e) => entryClear(e, RW)),
    /dirty as only a writable entry is/,
  ],
  [
    'dirty-bit',
    'a writable entry is dirty for software only',
    (cpu, env) => changed(cpu, env, (e) => entrySet(entryClear(e, DIRTY), SAVED_DIRTY)),
    /dirty as only a read-only entry is/,
  ],
  [
    'sharing',
    'fork leaves the entry of the parent writable',
    function* (cpu, env) {
      yield* dupMm(cpu, env.mm);
      yield* changed(cpu, env, pteMkwrite);
    },
    /and 2 places share it, each as its own/,
  ],
  ['sharing', 'a merged page', (cpu, { p0 }) => cpu.atomicOr(Page.at(p0.page).flags, PG_KSM), /which is merged/],
  [
    'sharing',
    'the page of a file',
    (cpu, env) => changed(cpu, env, (e) => entrySet(e, RW)),
    /that is the page of a file, and the VMA private/,
    onFile(VM_READ | VM_WRITE),
  ],
  [
    'contents',
    'the VMA has no file',
    (cpu, { mm }) => vmaField(cpu, Vma.at(cpu.read(mm.mmap)).file, 0),
    /its VMA maps another file, or none/,
    onFile(VM_READ),
  ],
  [
    'contents',
    'the VMA begins elsewhere in its file',
    (cpu, { mm }) => vmaField(cpu, Vma.at(cpu.read(mm.mmap)).pgoff, 1),
    /that is not page 1 of its file/,
    onFile(VM_READ),
  ],
  [
    'notice',
    'the file was not told of a write',
    (cpu, env) => cpu.atomicAndNot(Page.at(env.p0.page).flags, PG_DIRTY),
    /its file does not know that it may be written to/,
    onFile(VM_READ | VM_WRITE | VM_SHARED | VM_WRITENOTIFY),
  ],
  [
    'notice',
    'a page is cleaned, and stays writable',
    function* (cpu, env) {
      yield* changed(cpu, env, pteMkclean);
      yield* cpu.atomicAndNot(Page.at(env.p0.page).flags, PG_DIRTY);
    },
    /its file does not know that it may be written to/,
    onFile(VM_READ | VM_WRITE | VM_SHARED | VM_WRITENOTIFY),
  ],
  ['tables', 'a table is unlinked, and not freed', (cpu) => cpu.alloc('table'), /is led to by no entry/],
  [
    'tables',
    'an empty table stays where nothing is mapped any more',
    function* (cpu, { mm, p0 }) {
      const upper = yield* cpu.readOnce(p0.pmd);
      yield* munmap(cpu, mm, 0, 2 * PAGE);
      yield* cpu.writeOnce(p0.pmd, mkEntry(yield* cpu.alloc('table'), upper - mkEntry(entryTarget(upper), 0)));
    },
    /no VMA needs table\d+ any more/,
  ],
  [
    'pages',
    'a reference is not dropped',
    (cpu, { p0 }) => add(cpu, Page.at(p0.page).refcount),
    /counts 2 references, and 1/,
  ],
  [
    'pages',
    'a mapping is not counted',
    (cpu, { p0 }) => add(cpu, Page.at(p0.page).mapcount),
    /counts 2 mappings, and 1/,
  ],
  ['pages', 'a page is allocated, and forgotten', (cpu) => cpu.alloc('page'), /has no references, and was not freed/],
  ['mms', 'an mm is borrowed for ever', (cpu, { mm }) => mmgrab(cpu, mm), /mm0 counts 2 references, and 1 are there/],
  [
    'mms',
    'an mm without users still maps something',
    (cpu, { mm }) => cpu.atomicAdd(mm.mmUsers, -1),
    /mm0 has no users, and still maps something/,
  ],
  ['areas', 'an area is on no list', (cpu) => cpu.alloc('area'), /area0 is on no list, and was not freed/],
  [
    'areas',
    'pages count as waiting for a flush',
    (cpu, { lists }) => cpu.atomicAdd(lists.lazyPages, 1),
    /1 pages count as not flushed, and 0 wait/,
  ],
  [
    'areas',
    'an entry of an area that was freed stays',
    function* (cpu, { lists }) {
      yield* vmap(cpu, [yield* cpu.alloc('page')]);
      yield* cpu.free('area', cpu.read(lists.busy));
      cpu.write(lists.busy, 0);
    },
    /stands at a kernel address that nobody uses/,
  ],
];

function add(cpu: Cpu, cell: Address): Steps<void> {
  return cpu.atomicAdd(cell, 1);
}

function vmaFlags(cpu: Cpu, mm: Mm, flags: number): Steps<void> {
  return vmaField(cpu, Vma.at(cpu.read(mm.mmap)).flags, flags);
}

function* vmaField(cpu: Cpu, field: Address, value: number): Steps<void> {
  yield* cpu.smpMb();
  cpu.write(field, value);
}

/** As it is while a page moves; the page is given up by its mapping, as then. */
function* leaveMigration(cpu: Cpu, { p0 }: Env): Steps<void> {
  yield* cpu.writeOnce(p0.pte, mkMigrationPte(p0.page));
  yield* cpu.atomicAdd(Page.at(p0.page).mapcount, -1);
  yield* putPage(cpu, p0.page);
}

test.for(WRONG)('%s: %s', ([clause, , body, message, stage]) => {
  const options = stage === undefined ? {} : { stage };
  expect(verdict(body, options)).toMatch(/^O17: all is quiet, and /);
  expect(verdict(body, options)).toMatch(message);
  expect(verdict(body, { ...options, without: [clause] })).toBe('holds');
});

test('each clause has one', () => {
  expect(new Set(WRONG.map(([clause]) => clause))).toEqual(new Set(CLAUSES.map(({ id }) => id)));
});

test('what operations leave is right: memory that is used, copied, unmapped', () => {
  const used = function* (cpu: Cpu, { mm }: Env): Steps<void> {
    const child = yield* dupMm(cpu, mm);
    yield* userStore(cpu, mm, 0, 7);
    yield* munmap(cpu, child, 0, taskSize(cpu.kernel.geometry));
    yield* mmget(cpu, child);
  };
  expect(verdict(used)).toBe('holds');
});

test('what a scenario keeps must be as it says', () => {
  const pin = (cpu: Cpu, { p0 }: Env): Steps<void> => add(cpu, Page.at(p0.page).refcount);
  const holding = (references: Hold['references']) => ({
    holds: ({ p0 }: Env): Hold[] => [{ object: p0.page, ...(references === undefined ? {} : { references }) }],
  });
  expect(verdict(pin, holding(1))).toBe('holds');
  expect(verdict(pin, holding([0, 1]))).toBe('holds');
  expect(verdict(pin, holding(undefined))).toMatch(/counts 2 references/);
  expect(verdict(pin, holding([2, 3]))).toMatch(/counts 2 references/);
});
