/**
 * Records of deferrals (RFC of 2021, patches 15 to 17) where what they are in is copied, by a fork, or what they are about is split.
 */
import { type Cell, type Cpu, type Entry, type Mm, type Steps, VM_READ, type Vma } from '@mmu-gather/core/stepped';
import {
  changeProtNuma,
  contextSwitch,
  dupMm,
  madviseDontneed,
  mprotect,
  pmdOffset,
  ptepGet,
  splitHugePmd,
  vmaLookup,
} from '@mmu-gather/mm/stepped';
import type { Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { COMPLETED, GENERATIONS } from './generations.ts';
import { setHugeStage } from './huge-stage.ts';
import { pendingReader } from './pending-reader.ts';
import { PAGE, RW_MEMORY, setStage, type Stage } from './stage.ts';
import { RFC } from './rfc-source.ts';

const FORK_POOLS = { mm: 3, page: 6, table: 8, vma: 6 };

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
export const RFC_RECORDS: readonly AnyScenario[] = [forkVma, forkMm, splitPending];
