/**
 * The RFC of 2021, patch by patch, where it is not about generations (generations.ts): what need not be flushed, reclaim's mask of
 * CPUs, need_flush_all, and fork. Twins are what was posted; docs/rfc-2021.md says which defect is which.
 */
import {
  type Cell,
  type Cpu,
  decTlbFlushPending,
  type Entry,
  incTlbFlushPending,
  type Mm,
  type Profile,
  type Steps,
  type Vma,
  VM_READ,
} from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  CLEAR_REFS_MM_HIWATER_RSS,
  clearRefsWrite,
  contextSwitch,
  dupMm,
  MADV_COLD,
  MADV_FREE,
  madvise,
  madviseDontneed,
  mmAlloc,
  mprotect,
  munmap,
  pmdOffset,
  ptepGet,
  shrinkPages,
  splitHugePmd,
  userStore,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { COMPLETED, GENERATIONS } from './generations.ts';
import { setHugeStage } from './huge-stage.ts';
import { pendingReader } from './pending-reader.ts';
import {
  type Mapping,
  mappingOf,
  PAGE,
  RW_MEMORY,
  setStage,
  type Stage,
  type StageOptions,
  syscall,
  toUser,
} from './stage.ts';

const RFC = 'RFC 2021, N. Amit';

const FORK_POOLS = { mm: 3, page: 6, table: 8, vma: 6 };

/** Reclaim's deferral as in patch 20, which flushes whoever is left in the mask, with the acknowledgement corrected. */
export const MASK: Partial<Profile> = {
  batchedPending: 'cpumask',
  batchedTargets: 'shared',
  reclaimBatch: true,
  ptReclaim: false,
};

/** A page that reclaim may take. */
export interface Reclaimed extends Stage {
  readonly p0: Mapping;
}

/** Page 0 was given up with MADV_FREE, so that reclaim frees it and nothing else holds it. */
export function discardable(run: Run, options: StageOptions = {}): Reclaimed {
  const stage = setStage(run, options);
  const p0 = mappingOf(run, stage.mm, 0);
  run(0, (cpu) => madvise(cpu, stage.mm, 0, PAGE, MADV_FREE));
  return { ...stage, p0 };
}

/** The same, and CPU 1 has gone to another mm since, and holds what it held under its old ASID. */
function discardableElsewhere(run: Run): Reclaimed {
  const stage = discardable(run, { running: [0, 1, 2], inKernel: [1] });
  const other = run(1, mmAlloc);
  run(1, (cpu) => contextSwitch(cpu, other));
  return stage;
}

const t5 = defineScenario<Reclaimed>({
  id: 'T5/fixed',
  title: "a CPU leaves reclaim's mask before it flushes: what is set later is a request that it has not seen",
  source: `${RFC}, patch 20`,
  cpus: 2,
  profile: MASK,
  // Up to 5.12 the initiator flushes twice, and only a remote CPU can lose a request: see the next scenario.
  backend: { x86: { ceiling: 0, flushOrder: 'overlapped' } },
  setup: (run) => discardable(run, { inKernel: [1] }),
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread(function* (cpu) {
      yield* madviseDontneed(cpu, mm, PAGE, PAGE);
      yield* cpu.enterUser(0);
    }),
  ],
  twins: [
    {
      id: 'T5/naive',
      why: 'it leaves when it has flushed, and takes away the bit that was set meanwhile',
      oracle: ['O1', 'O12'],
      property: 'FUAF',
      profile: { batchedAck: 'after-full-flush' },
    },
  ],
});

const acknowledged = defineScenario<Reclaimed>({
  id: 'rfc/mask-ack',
  title: 'reclaim beside process_madvise(MADV_COLD), whose full flush comes from a CPU that does not run the mm',
  source: `${RFC}, patch 20`,
  cpus: 3,
  profile: MASK,
  backend: { x86: { ceiling: 0 } },
  setup: (run) => discardable(run),
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    undefined,
    thread((cpu) => madvise(cpu, mm, PAGE, PAGE, MADV_COLD)),
  ],
  twins: [
    {
      id: 'rfc/D6',
      why: 'as posted: a CPU leaves after its full flush, and a page that was unmapped meanwhile is freed without one',
      oracle: ['O1', 'O12'],
      property: 'FUAF',
      profile: { batchedAck: 'after-full-flush' },
    },
  ],
});

/** The page is freed while the CPU that has just left the mask is in its handler, where only an NMI could still read user memory. */
const strictly = defineScenario<Reclaimed>({
  id: 'rfc/mask-strict',
  title:
    'reclaim flushes the CPUs of its own deferrals, whoever has left the mask: not even an NMI can use what it frees',
  source: `${RFC}, patch 20`,
  cpus: 3,
  strict: true,
  profile: { ...MASK, batchedTargets: 'own' },
  backend: { x86: { ceiling: 0 } },
  setup: (run) => discardable(run),
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    undefined,
    thread((cpu) => madvise(cpu, mm, PAGE, PAGE, MADV_COLD)),
  ],
  twins: [
    {
      id: 'rfc/mask-strict/shared',
      why: 'it takes the word of a CPU that has left the mask and not flushed yet',
      oracle: ['O1s', 'O1'],
      property: 'FUAF',
      profile: { batchedTargets: 'shared' },
    },
  ],
});

/**
 * D8: CPU 1's bit is set already, by somebody who is flushing. Whoever adds nothing relies on a bit that is about to go. If CPUs
 * leave on arrival this is sound: who has seen the bit has changed the entry before CPU 1 flushes. If they leave after it, the window
 * of D6 is as long as the other's flush.
 */
const orIfMissing = defineScenario<Reclaimed>({
  id: 'rfc/mask-if-missing',
  title: 'reclaim finds the bits that it needs set by somebody else, and adds nothing to the mask',
  source: `${RFC}, patch 19`,
  cpus: 3,
  profile: { ...MASK, batchedOr: 'if-missing' },
  backend: { x86: { ceiling: 0 } },
  setup(run, kernel) {
    const stage = discardable(run);
    run(2, (cpu) => cpu.atomicOr(kernel.batchedCpumask, 0b011));
    return stage;
  },
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    undefined,
    thread((cpu) => madvise(cpu, mm, PAGE, PAGE, MADV_COLD)),
  ],
  twins: [
    {
      id: 'rfc/D8',
      why: 'as posted: the flush that takes the bit away began before the entry was changed',
      oracle: ['O1', 'O12'],
      property: 'FUAF',
      profile: { batchedAck: 'after-full-flush' },
    },
  ],
});

const t6 = defineScenario<Reclaimed>({
  id: 'T6/fixed',
  title: 'a deferred unmap makes its generation, then reads mm_cpumask: a CPU that arrives sees one or is in the other',
  source: `${RFC}, patches 7 and 20`,
  cpus: 3,
  profile: { ...MASK, batchedPending: 'counters' },
  // From 6.13 on a CPU stays in mm_cpumask when it switches away, and the order matters less.
  backend: { x86: { clearPrevBit: true } },
  setup: discardableElsewhere,
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'T6/naive',
      why: 'the mask is read before the generation is made: the CPU is not in it, and finds its slot up to date',
      oracle: ['O1', 'O12', 'O11'],
      property: 'FUAF',
      profile: { batchedOrder: 'mask-first' },
    },
    {
      id: 'rfc/D7',
      why: "as posted in patch 20: CPUs enter reclaim's mask before the generation is made",
      oracle: ['O1', 'O12', 'O11'],
      property: 'FUAF',
      profile: { batchedPending: 'cpumask', batchedOrder: 'mask-first' },
    },
  ],
});

const maskSettles = defineScenario<Reclaimed>({
  id: 'rfc/mask-detection',
  title: "reclaim's mask tells a concurrent mprotect that an empty entry may still be cached",
  source: `${RFC}, patch 20`,
  cpus: 2,
  profile: { ...MASK, changeProtection: 'gather' },
  setup(run) {
    const stage = setStage(run, { touched: [0], inKernel: [1] });
    return { ...stage, p0: mappingOf(run, stage.mm, 0) };
  },
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread((cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ)),
  ],
  twins: [
    {
      id: 'rfc/mask-detection/none',
      why: 'nothing tells it',
      oracle: ['O2', 'O10'],
      property: 'SAC',
      profile: { batchedPending: 'none' },
    },
  ],
});

/** D9: whoever is left in the mask costs each zap in each mm that shares its CPU a flush of the whole mm. */
const maskEmpties = defineScenario<Reclaimed & { readonly mask: number; readonly other: Mm }>({
  id: 'rfc/mask-empties',
  title: "a CPU that runs something else by the time of reclaim's flush leaves its mask all the same",
  source: `${RFC}, patch 20`,
  cpus: 2,
  profile: MASK,
  setup(run, kernel) {
    const stage = discardable(run, { inKernel: [1] });
    return { ...stage, mask: kernel.batchedCpumask, other: run(1, mmAlloc) };
  },
  threads: ({ mm, p0, other }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread((cpu) => toUser(cpu, other)),
  ],
  final: (peek, { mask }) =>
    peek(mask) === 0 ? undefined : 'a CPU that took part is left in the mask: the next zap flushes for nothing',
  twins: [
    {
      id: 'rfc/D9',
      why: 'as posted: only a full flush acknowledges, and a CPU that is up to date stays in the mask',
      oracle: 'assert',
      profile: { batchedAck: 'before-full-flush' },
    },
  ],
});

/** Reclaim's own flush leaves lazy CPUs out: they stay in the mask, until they are told that tables go. */
const lazyLeaves = defineScenario<Reclaimed & { readonly mask: number }>({
  id: 'rfc/mask-lazy',
  title:
    "a lazy CPU, which reclaim's flush leaves out, leaves the mask when it is interrupted for a table, and leaves the mm",
  source: `${RFC}, patch 20`,
  cpus: 2,
  only: { archs: ['x86'], why: 'there a lazy CPU is interrupted for tables alone, and leaves the mm then' },
  profiles: ['linux-6.18'],
  profile: MASK,
  setup: (run, kernel) => ({ ...discardable(run, { lazy: [1] }), mask: kernel.batchedCpumask }),
  threads: ({ mm, p0 }) => [
    thread(function* (cpu) {
      yield* shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]);
      yield* munmap(cpu, mm, 0, 4 * PAGE);
    }),
  ],
  final: (peek, { mask }) =>
    peek(mask) === 0 ? undefined : 'a CPU that took part is left in the mask: the next zap flushes for nothing',
  twins: [
    {
      id: 'rfc/mask-lazy/stays',
      why: 'as posted: only a full flush acknowledges, and a CPU that leaves the mm stays in the mask',
      oracle: 'assert',
      profile: { batchedAck: 'before-full-flush' },
    },
  ],
});

const needFlushAll = defineScenario<Stage>({
  id: 'rfc/need-flush-all',
  title: 'a nested finish asks for everything without saying that the mm dies',
  source: `${RFC}, patch 1; revived by J. Zhang, 2023-12-28`,
  cpus: 2,
  only: { archs: ['x86'], why: 'only its tlb_flush looks at need_flush_all' },
  // With generations the nested flush jumps over one, and is full whatever its range.
  profile: { nestedFinish: 'need-flush-all', deferral: 'counter' },
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'rfc/D14',
      why: 'tlb_flush does not look at need_flush_all, and the range is empty',
      oracle: ['O10', 'O11'],
      property: 'SAC',
      backend: { x86: { needFlushAll: 'ignored' } },
    },
  ],
});

/** A gather of the mm is open, and stays so: every finish is a nested one. */
function setNested(run: Run): Stage {
  const stage = setStage(run, { touched: [0], lazy: [1] });
  run(0, (cpu) => incTlbFlushPending(cpu, stage.mm));
  return stage;
}

const needFlushAllTables = defineScenario<Stage>({
  id: 'rfc/need-flush-all-tables',
  title: 'the same of a gather that has unlinked a table: a lazy CPU may speculate through it',
  source: `${RFC}, patch 1`,
  cpus: 2,
  only: { archs: ['x86'], why: 'only its tlb_flush looks at need_flush_all' },
  profile: { nestedFinish: 'need-flush-all', deferral: 'counter' },
  sequential: 'what races are walks of a CPU that runs nothing',
  setup: setNested,
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, 2 * PAGE);
      yield* decTlbFlushPending(cpu, mm);
    }),
  ],
  twins: [
    {
      id: 'rfc/need-flush-all-tables/lazy-skipped',
      why: 'lazy CPUs are not interrupted although tables are freed',
      oracle: 'O4',
      property: 'TUAF',
      wrong: 'walks-kept',
    },
  ],
});

const cleanWritable = defineScenario<Stage>({
  id: 'rfc/clean-writable',
  title: 'mprotect of a writable page that nobody has written to needs no flush: a write would walk again',
  source: `${RFC}, patch 3; A. Cooper, 2021-01-31`,
  cpus: 2,
  only: { archs: ['x86'], why: 'it is about its rule for writable entries that are clean' },
  profile: { changeProtection: 'gather', needsFlush: 'architecture' },
  backend: { x86: { needsFlushRule: 'rfc' } },
  setup(run) {
    const stage = setStage(run, { touched: [0] });
    run(0, (cpu) => madvise(cpu, stage.mm, 0, PAGE, MADV_FREE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ)), thread((cpu) => cpu.userWrite(0, 7))],
  twins: [
    {
      id: 'rfc/clean-writable/seen',
      why: 'the decision looks at the entry before it is exchanged: the dirty bit may come between',
      oracle: ['O2', 'O10'],
      property: 'SAC',
      profile: { flushDecision: 'seen' },
    },
  ],
});

const clearFlush = defineScenario<Stage>({
  id: 'rfc/clear-flush',
  title:
    'copy-on-write under generations: the old entry says whether a CPU may hold it, and the record whether it is flushed',
  source: `${RFC}, patch 9`,
  cpus: 2,
  profile: GENERATIONS,
  backend: COMPLETED,
  setup(run) {
    const stage = setStage(run, { pages: 1 });
    run(0, (cpu) => dupMm(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 7))],
  twins: [
    {
      id: 'rfc/D2',
      why: 'as posted: pte_accessible looks at the slot, which was cleared a moment ago',
      oracle: ['O9', 'O6'],
      property: 'LOSTW',
      profile: { accessibleEntry: 'slot' },
    },
  ],
});

const clearRefsReset = defineScenario<Stage>({
  id: 'rfc/clear-refs-reset',
  title: 'the type of clear_refs that walks nothing, beside a gather',
  source: `${RFC}, patch 6`,
  cpus: 2,
  setup: (run) => setStage(run, { touched: [0], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => clearRefsWrite(cpu, mm, CLEAR_REFS_MM_HIWATER_RSS)),
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'rfc/D11',
      why: 'as posted: tlb_finish_mmu stands behind the label that this type jumps to, without a gather',
      oracle: 'O16',
      property: 'MISS',
      profile: { clearRefs: 'gather-unpaired' },
    },
  ],
});

interface Family extends Stage {
  readonly child: Mm;
  readonly childVma: Vma;
}

/** A parent with some generations behind it. */
function severalGenerations(run: Run): Stage {
  const stage = setStage(run, { touched: [0] });
  for (const prot of [VM_READ, RW_MEMORY, VM_READ, RW_MEMORY]) run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, prot));
  return stage;
}

/** Its child, which runs now. */
function forked(run: Run): Family {
  const stage = severalGenerations(run);
  const child = run(0, (cpu) => dupMm(cpu, stage.mm));
  const childVma = run(0, function* (cpu): Steps<Vma> {
    return vmaLookup(cpu, child, 0)!;
  });
  run(0, (cpu) => contextSwitch(cpu, child));
  return { ...stage, child, childVma };
}

const forkVma = defineScenario<Family>({
  id: 'rfc/fork-vma',
  title: 'nothing was deferred in a child: none of its VMAs looks pending',
  source: `${RFC}, patch 15`,
  cpus: 2,
  pools: FORK_POOLS,
  profile: { ...GENERATIONS, deferral: 'vma-gen' },
  backend: COMPLETED,
  setup: forked,
  threads: ({ child }) => [thread((cpu) => pendingReader(cpu, child, 0))],
  sequential: 'it is about what a child begins with',
  final: (peek, { child, childVma }) =>
    peek(childVma.deferTlbGen) <= peek(child.tlbGenCompleted)
      ? undefined
      : "the child's VMA looks pending, because of a generation of its parent",
  twins: [
    {
      id: 'rfc/D16',
      why: 'as posted: vm_area_dup copies the generation of the parent',
      oracle: 'assert',
      profile: { forkVmaGen: 'inherited' },
    },
  ],
});

const forkMm = defineScenario<Stage>({
  id: 'rfc/D15',
  title: "a child that takes over its parent's newest deferred generation: its completed one may lag, and never leads",
  source: `${RFC}, patch 17`,
  cpus: 2,
  pools: FORK_POOLS,
  profile: { ...GENERATIONS, completedUpdate: 'conditional', forkMmGens: 'deferred' },
  backend: COMPLETED,
  setup: severalGenerations,
  threads: ({ mm }) => [
    thread(function* (cpu) {
      const child = yield* dupMm(cpu, mm);
      yield* contextSwitch(cpu, child);
      // Nobody has deferred anything in the child: by that generation it looks as if, and its flush is reported.
      yield* cpu.kernel.backend.flushTlbMm(cpu, child);
      cpu.claim.that((yield* cpu.readOnce(child.tlbGenCompleted)) !== 0, 'O17', 'a flush for nobody is not reported');
      yield* madviseDontneed(cpu, child, 0, PAGE);
      cpu.claim.that(!(yield* pendingReader(cpu, child, 0)), 'O9', 'pending although it was flushed');
    }),
  ],
  twins: [
    {
      id: 'rfc/D15/completed',
      why: "with the parent's completed generation the same mistake is not conservative",
      oracle: ['O9', 'O11'],
      property: 'LOSTW',
      profile: { forkMmGens: 'completed' },
    },
  ],
});

/** Splits the huge page at address 0 once its entry was changed, and asks about its first small one. */
function* splitAndAsk(cpu: Cpu, mm: Mm, pmd: Cell, before: Entry): Steps<boolean> {
  yield* cpu.waitFor(pmd, 'notEqual', before);
  yield* cpu.downRead(mm.mmapLock);
  yield* splitHugePmd(cpu, mm, pmd, 0);
  yield* cpu.upRead(mm.mmapLock);
  return yield* pendingReader(cpu, mm, 0);
}

interface HugeStage extends Stage {
  readonly pmd: Cell;
  readonly entry: Entry;
}

const splitPending = defineScenario<HugeStage>({
  id: 'rfc/split-pending',
  title: 'a deferral recorded for a huge entry, and a question about a small one after a split: the split flushes',
  source: `${RFC}, patch 16`,
  cpus: 3,
  profile: { ...GENERATIONS, hugeProtect: 'gather' },
  backend: COMPLETED,
  setup(run) {
    const stage = setHugeStage(run, { mapped: 'huge', running: [0, 1, 2], inKernel: [1] });
    const pmd = run(0, (cpu) => pmdOffset(cpu, stage.mm, 0));
    return { ...stage, pmd, entry: run(0, (cpu) => ptepGet(cpu, pmd)) };
  },
  threads: ({ mm, pmd, entry }) => [
    thread((cpu) => changeProtNuma(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) => splitAndAsk(cpu, mm, pmd, entry)),
  ],
  twins: [
    {
      id: 'rfc/D17',
      why: 'the page of the new table knows nothing of the deferral: if the split does not flush, it is missed',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { splitFlush: 'none' },
    },
  ],
});

/** All of them. */
export const RFC_SCENARIOS: readonly AnyScenario[] = [
  t5,
  t6,
  maskSettles,
  acknowledged,
  strictly,
  orIfMissing,
  maskEmpties,
  lazyLeaves,
  needFlushAll,
  needFlushAllTables,
  cleanWritable,
  clearFlush,
  clearRefsReset,
  forkVma,
  forkMm,
  splitPending,
];
