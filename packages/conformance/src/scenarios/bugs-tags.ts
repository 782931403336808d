/**
 * Historical bugs about which tag an mm's entries stand under, of architectures that are not here: at the level of the hardware, with a word
 * for the tag that the kernel gave the mm. They run where invalidations are broadcast by tag.
 *
 *     the tag is read            B20 (ARM, 2007)                         B48 (ia64)
 *     from the mm                when a lazy CPU comes back              when a page is purged
 *     from the CPU: wrong        it keeps what it had; others flush      the purge goes to the tag of before
 *                                the new one
 */
import { type Address, ALL_ASIDS, type Cell, type Cpu, NOTHING, type Steps } from '@mmu-gather/core/stepped';
import type { Layout, Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, type Only, thread } from '../scenario.ts';
import { setHardware } from './hardware-stage.ts';
import { PAGE } from './stage.ts';

/** Tags of the mm before and after it got another one. */
const [OLD, NEW] = [1, 2];
const ONLY: Only = { archs: ['arm64'], why: 'bare CPUs with tags and broadcast invalidations' };

/** An mm of one page, bare. */
interface Bare {
  readonly root: Address;
  readonly pte: Cell;
  readonly page: Address;
  /** The tag that the kernel gave the mm last. */
  readonly context: Cell;
}

/** Where the tag stands: the only word of its own that a scenario here has. */
let contextWord: Cell = 0;
function reserve(layout: Layout): void {
  contextWord = layout.reserve('mm.context', ['']);
}

/** Page 0 is mapped, and each CPU has the mm loaded under a tag. */
function bareMm(run: Run, loaded: readonly number[], context: number): Bare {
  const { root, ptes, pages } = setHardware(run, { tags: loaded });
  run(0, (cpu) => cpu.writeOnce(contextWord, context));
  return { root, pte: ptes[0]!, page: pages[0]!, context: contextWord };
}

/** Clears the entry, purges the page under a tag on every CPU, and frees it. */
function* unmap(cpu: Cpu, { pte, page }: Bare, tag: number): Steps<void> {
  yield* cpu.xchg(pte, 0);
  yield* cpu.invalidationBarrier();
  const leaves = { start: 0, end: PAGE };
  yield* cpu.invalidate({ asid: tag, leaves, walks: NOTHING, globals: false, broadcast: true });
  yield* cpu.invalidationBarrier();
  yield* cpu.free('page', page);
}

const lazyReturns = (recheck: boolean) => (mm: Bare) => [
  thread(function* (cpu) {
    yield* unmap(cpu, mm, yield* cpu.readOnce(mm.context));
  }),
  thread(function* (cpu) {
    // The task of before comes back: prev == next.
    if (recheck) yield* cpu.loadContext(mm.root, yield* cpu.readOnce(mm.context), true);
    yield* cpu.enterUser();
  }),
];

const b20 = defineScenario<Bare>({
  id: 'bug:B20/fixed',
  bug: 'B20',
  abstract: true,
  title: 'a CPU comes back from lazy mode to an mm that has got another ASID meanwhile, and takes that',
  source: '8678c1f04277 ([ARM] Fix ASID version switch)',
  cpus: 2,
  only: ONLY,
  reserve,
  setup: (run) => bareMm(run, [NEW, OLD], NEW),
  threads: lazyReturns(true),
  twins: [
    {
      id: 'bug:B20/buggy',
      why: 'the mm is the same, so the hardware keeps its old ASID; flushes go to the new one',
      oracle: 'O1',
      property: 'MISS',
      threads: lazyReturns(false),
    },
  ],
});

const purges = (tag: (cpu: Cpu, mm: Bare) => Steps<number>) => (mm: Bare) => [
  thread(function* (cpu) {
    yield* unmap(cpu, mm, yield* tag(cpu, mm));
  }),
  thread((cpu) => cpu.enterUser()),
];

const b48 = defineScenario<Bare>({
  id: 'bug:B48/fixed',
  bug: 'B48',
  abstract: true,
  title:
    'a kernel thread purges a page of the mm that it borrows, which runs elsewhere under another context number by now',
  source: 'cfbb1426bd76 (Hole in IA64 TLB flushing from system threads)',
  cpus: 2,
  only: ONLY,
  reserve,
  setup: (run) => bareMm(run, [OLD, NEW], NEW),
  threads: purges((cpu, mm) => cpu.readOnce(mm.context)),
  twins: [
    {
      id: 'bug:B48/buggy',
      why: 'the purge takes the context number from the region registers, which are those of before',
      oracle: 'O1',
      property: 'FUAF',
      threads: purges(function* () {
        return OLD;
      }),
    },
    {
      id: 'bug:B48/all-but-wait',
      why: 'every tag is purged, and nobody waits for it',
      oracle: 'O1',
      property: 'FUAF',
      threads: (mm) => [
        thread(function* (cpu) {
          yield* cpu.xchg(mm.pte, 0);
          const leaves = { start: 0, end: PAGE };
          yield* cpu.invalidate({ asid: ALL_ASIDS, leaves, walks: NOTHING, globals: false, broadcast: true });
          yield* cpu.free('page', mm.page);
        }),
        thread((cpu) => cpu.enterUser()),
      ],
    },
  ],
});

/** All of them. */
export const BUGS_OF_TAGS: readonly AnyScenario[] = [b20, b48];
