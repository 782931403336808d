/**
 * Blocks of contiguous entries on arm64 (contpte): what a CPU takes one entry for, and break before make.
 */
import { contpteFold, contpteUnfold, PTE_CONT } from '@mmu-gather/arm64/stepped';
import type { Run } from '@mmu-gather/checker';
import {
  type Cell,
  type Cpu,
  DIRTY,
  entryClear,
  entrySet,
  type Kernel,
  type Mm,
  Page,
  type Steps,
} from '@mmu-gather/core/stepped';
import { userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, putUnmapped, setStage, type Stage } from './stage.ts';

const BLOCKS: Only = { archs: ['arm64'], why: 'it is about its contiguous hint' };

/** Two pages side by side, in memory as in the table, which CPU 1 uses. */
interface Block extends Stage {
  readonly at0: Mapping;
}

function setBlock(run: Run, folded: boolean): Block {
  const stage = setStage(run);
  const at0 = mappingOf(run, stage.mm, 0);
  if (folded) run(0, (cpu) => foldRightly(cpu, stage.mm, at0.pte));
  return { ...stage, at0 };
}

/** A block gets its hint as it must, whatever is wrong with the race that follows. */
function* foldRightly(cpu: Cpu, mm: Mm, pte: Cell): Steps<void> {
  const entries = [yield* cpu.xchg(pte, 0), yield* cpu.xchg(pte + 1, 0)];
  yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
  yield* cpu.invalidationBarrier();
  for (const [i, entry] of entries.entries()) yield* cpu.writeOnce(pte + i, entrySet(entry, PTE_CONT));
}

/** Zaps the block's first page, whose hint is gone. Under the PTL. */
function* zapFirst(cpu: Cpu, kernel: Kernel, { mm, at0 }: Block): Steps<void> {
  yield* kernel.backend.pte.ptepGetAndClear(cpu, mm, 0, at0.pte, 0);
  yield* kernel.backend.flushTlbPage(cpu, mm, 0);
}

const partial = defineScenario<Block>({
  id: 'contpte/zap-one',
  title: 'one page of a block is unmapped: the block loses its hint first',
  source: 'arch/arm64/mm/contpte.c contpte_try_unfold_partial (6.9)',
  cpus: 2,
  only: BLOCKS,
  setup: (run) => setBlock(run, true),
  threads: (env, kernel) => [
    thread(function* (cpu) {
      yield* cpu.spinLock(env.at0.ptl);
      yield* contpteUnfold(cpu, env.mm, 0, env.at0.pte);
      yield* zapFirst(cpu, kernel, env);
      yield* cpu.spinUnlock(env.at0.ptl);
      yield* putUnmapped(cpu, env.at0.page);
    }),
  ],
  twins: [
    {
      id: 'contpte/zap-one/still-folded',
      why: 'the other entry keeps the hint: who walks it takes the whole block for mapped, the freed page too',
      oracle: 'O1',
      property: 'FUAF',
      threads: (env, kernel) => [
        thread(function* (cpu) {
          yield* cpu.spinLock(env.at0.ptl);
          yield* zapFirst(cpu, kernel, env);
          yield* cpu.spinUnlock(env.at0.ptl);
          yield* putUnmapped(cpu, env.at0.page);
        }),
      ],
    },
    {
      id: 'contpte/zap-one/in-place',
      why: 'the hint is taken from one entry after the other: block and single entries are cached for one address',
      oracle: 'O14',
      property: 'MISS',
      backend: { arm64: { contpteConvert: 'in-place' } },
    },
    {
      id: 'contpte/zap-one/no-dsb',
      why: 'the entries are written anew while the block may still be cached',
      oracle: ['O14', 'O1'],
      property: 'MISS',
      wrong: 'no-wait',
    },
  ],
});

const folding = defineScenario<Block>({
  id: 'contpte/fold',
  title: 'a block gets its hint while a thread stores to it: who faults meanwhile waits for the PTL',
  source: 'arch/arm64/mm/contpte.c contpte_convert (6.9)',
  cpus: 2,
  only: BLOCKS,
  setup: (run) => {
    const block = setBlock(run, false);
    run(1, (cpu) => cpu.enterKernel());
    return block;
  },
  threads: ({ mm, at0 }) => [
    thread(function* (cpu) {
      yield* cpu.spinLock(at0.ptl);
      yield* contpteFold(cpu, mm, 0, at0.pte);
      yield* cpu.spinUnlock(at0.ptl);
    }),
    thread((cpu) => userStore(cpu, mm, PAGE, 7)),
  ],
  twins: [
    {
      id: 'contpte/fold/no-flush',
      why: 'the old entries are not flushed before the block appears, on a CPU that aborts then',
      oracle: 'O14',
      property: 'MISS',
      backend: { arm64: { contpteConvert: 'no-flush' } },
    },
  ],
});

const levelTwo = defineScenario<Block>({
  id: 'contpte/bbml2',
  title:
    'on a CPU with BBML2 a block loses its hint without a flush, and one page is unmapped: one flush does for both sizes',
  source: 'arch/arm64/mm/contpte.c, ARM64_HAS_BBML2_NOABORT',
  cpus: 2,
  only: BLOCKS,
  backend: { arm64: { bbml2: true, contpteConvert: 'no-flush' } },
  setup: (run) => setBlock(run, true),
  threads: (env, kernel) => [
    thread(function* (cpu) {
      yield* cpu.spinLock(env.at0.ptl);
      yield* contpteUnfold(cpu, env.mm, 0, env.at0.pte);
      yield* zapFirst(cpu, kernel, env);
      yield* cpu.spinUnlock(env.at0.ptl);
      yield* putUnmapped(cpu, env.at0.page);
    }),
  ],
  twins: [
    {
      id: 'contpte/bbml2/old-cpu',
      why: 'the same on a CPU that aborts where two sizes are cached',
      oracle: 'O14',
      property: 'MISS',
      backend: { arm64: { bbml2: false } },
    },
  ],
});

/** A clean entry, which nobody holds. */
function setClean(run: Run): Block {
  const block = setBlock(run, false);
  run(0, function* (cpu) {
    const entry = yield* cpu.xchg(block.at0.pte, 0);
    yield* cpu.kernel.backend.flushTlbMm(cpu, block.mm);
    yield* cpu.writeOnce(block.at0.pte, entryClear(entry, DIRTY));
  });
  return block;
}

/** contpte_fold as a load and a store of each entry. */
function* foldSplit(cpu: Cpu, mm: Mm, pte: Cell): Steps<void> {
  const entry = yield* cpu.readOnce(pte);
  yield* cpu.writeOnce(pte, 0);
  yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
  yield* cpu.writeOnce(pte, entrySet(entry, PTE_CONT));
}

const dirtied = defineScenario<Block>({
  id: 'contpte/fold-dirty',
  title: 'a clean entry gets the hint while the hardware sets its dirty bit: the bit is not lost',
  source: 'arch/arm64/mm/contpte.c contpte_convert (6.9)',
  cpus: 2,
  only: BLOCKS,
  // A dirty entry of a block makes the others count as dirty; here there are none.
  backend: { arm64: { contPtes: 1 } },
  setup: setClean,
  threads: ({ mm, at0 }) => [thread((cpu) => contpteFold(cpu, mm, 0, at0.pte)), thread((cpu) => cpu.userWrite(0, 7))],
  final: (peek, { at0 }) =>
    peek(Page.at(at0.page).data) === 7 && (peek(at0.pte) & DIRTY) === 0
      ? 'the page has changed, and its entry does not say so'
      : undefined,
  twins: [
    {
      id: 'contpte/fold-dirty/split',
      why: 'entries are read and then cleared: the bit that is set in between is overwritten',
      oracle: ['assert', 'O13', 'O3'],
      property: 'LOSTW',
      threads: ({ mm, at0 }) => [thread((cpu) => foldSplit(cpu, mm, at0.pte)), thread((cpu) => cpu.userWrite(0, 7))],
    },
  ],
});

/** All of them. */
export const ARM64_CONTPTE: readonly AnyScenario[] = [partial, folding, dirtied, levelTwo];
