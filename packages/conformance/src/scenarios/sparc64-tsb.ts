/**
 * sparc64's TSB: a table in memory that TLBs are filled from, between the page table and the TLB. What a flush forgets there comes back.
 *
 * Two of these races are in every kernel (D-S1, D-S2): found by reading, not reported from practice.
 */
import type { Run } from '@mmu-gather/checker';
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import {
  allocTsb,
  contextTsb,
  entriesOf,
  flushTsbUser,
  freeTsb,
  type Sparc64,
  TAG_INVALID,
  TSB_BASE,
  tsbGrow,
  type TsbMemory,
  tsbSlot,
} from '@mmu-gather/sparc/stepped';
import { contextSwitch, exitMm, mmAlloc, mmap, munmap, userLoad } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { type Mapping, mappingOf, noWait, PAGE, putUnmapped, RW_MEMORY, setStage, type Stage } from './stage.ts';

const ONLY = { archs: ['sparc64'], why: 'it is about the TSB' };

const order = defineScenario<Stage>({
  id: 'sparc64/tsb-order',
  title: 'a page is unmapped while another thread uses it: the TSB loses it before the TLBs do',
  source: 'arch/sparc/mm/tlb.c flush_tlb_pending; sheet T2',
  cpus: 2,
  only: ONLY,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  twins: [
    {
      id: 'sparc64/tsb-order/tlb-first',
      why: 'the TLB is demapped first, and filled again from the TSB',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { flushOrder: 'tlb-first' } },
    },
    {
      id: 'sparc64/tsb-order/self-only',
      why: 'the TSB is clean, and the other CPU keeps what it has in its TLB',
      oracle: 'O1',
      property: 'FUAF',
      wrong: 'self-only',
    },
  ],
});

const reload = defineScenario<Stage>({
  id: 'sparc64/tsb-reload',
  title: 'a miss has read the entry when the page is unmapped, and writes it into the TSB afterwards',
  source: 'arch/sparc/kernel/tsb.S tsb_reload; D-S1, sheet T3',
  cpus: 2,
  only: ONLY,
  // The second page takes the place of the first, so that CPU 1 misses.
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 1 } },
  setup: (run) => setStage(run, { touched: [0, 1], inKernel: [1] }),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* userLoad(cpu, mm, 0);
      yield* cpu.enterUser();
    }),
  ],
  twins: [
    {
      id: 'sparc64/tsb-reload/as-in-linux',
      why: 'the handler does not look at the entry again: the TSB keeps it, and TLBs are filled from there after the flush',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { recheckPte: false } },
    },
    noWait('sparc64/tsb-reload'),
  ],
});

const grow = defineScenario<Stage>({
  id: 'sparc64/tsb-grow',
  title: 'a page is unmapped while another CPU replaces the TSB by a larger one',
  source: 'arch/sparc/mm/tsb.c tsb_grow; D-S2, sheet T4',
  cpus: 3,
  only: ONLY,
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 2 } },
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [2] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), undefined, thread((cpu) => tsbGrow(cpu, mm, 2))],
  twins: [
    {
      id: 'sparc64/tsb-grow/as-in-linux',
      why: 'the flush looks into the new TSB only, and a CPU that has not left the old one is filled from there',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { growFlush: 'new-only' } },
    },
    {
      id: 'sparc64/tsb-grow/freed-early',
      why: 'the old TSB is freed while a CPU still has it in its register',
      oracle: 'O5',
      property: 'TUAF',
      backend: { sparc64: { oldTsbFree: 'before-sync' } },
    },
  ],
});

const missTable = defineScenario<Stage>({
  id: 'sparc64/miss-table',
  title: 'a miss walks the page table while its PTE table is unlinked and freed',
  source: 'arch/sparc/Kconfig MMU_GATHER_RCU_TABLE_FREE',
  cpus: 2,
  only: ONLY,
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 1 } },
  setup: (run) => setStage(run, { touched: [0, 1], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => userLoad(cpu, mm, 0))],
  twins: [
    {
      id: 'sparc64/miss-table/with-the-flush',
      why: 'the table is freed when the flush returns, which does not wait for a miss handler',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'batched' },
    },
    {
      id: 'sparc64/miss-table/at-once',
      why: 'the table is freed as soon as it is unlinked',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'no-sync' },
    },
  ],
});

/** An mm with a small TSB. */
interface Growing extends Stage {
  readonly backend: Sparc64;
}

/** More than there are in any scenario here: a list that leads back into itself ends, too. */
const MANY_TSBS = 8;

/** TSBs that were freed and serve nobody. */
function freeTsbs(peek: (cell: number) => number, { freed }: TsbMemory): number {
  let count = 0;
  for (let tsb = peek(freed); tsb !== 0 && count < MANY_TSBS; tsb = -1 - peek(tsb)) count++;
  return count;
}

const growTwice = defineScenario<Growing>({
  id: 'sparc64/tsb-grow-twice',
  title:
    'two threads find the TSB too small: one of them replaces it with all that is in it, and nobody keeps, or frees, what serves',
  source: 'arch/sparc/mm/tsb.c tsb_grow',
  cpus: 2,
  only: ONLY,
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 4, hugeTsbEntries: 0, tsbs: 2 } },
  setup: (run, kernel) => ({
    ...setStage(run, { touched: [0], inKernel: [1] }),
    backend: kernel.backend as Sparc64,
  }),
  threads: ({ mm }) => [thread((cpu) => tsbGrow(cpu, mm, 4)), thread((cpu) => tsbGrow(cpu, mm, 2))],
  final(peek, { mm, at, backend }) {
    const entries = peek(peek(contextTsb(mm)));
    if (entries < 2) return `the TSB has ${entries} entries: nobody has replaced it`;
    const found = backend.translationTable!.lookup(peek, 0, at, 0);
    if (found.length === 0) return 'what a fault has put into the TSB is not in the larger one';
    const free = freeTsbs(peek, backend.tsbs);
    return free === 2 ? undefined : `${free} of three TSBs are free, and one is in use`;
  },
  twins: [
    {
      id: 'sparc64/tsb-grow-twice/freed-early',
      why: 'the old TSB is freed while a CPU still has it in its register',
      oracle: 'O5',
      property: 'TUAF',
      backend: { sparc64: { oldTsbFree: 'before-sync' } },
    },
  ],
});

const growHuge = defineScenario<Growing>({
  id: 'sparc64/tsb-grow-huge',
  title: 'the TSB for base pages is replaced by a larger one: what huge pages have stays with the mm',
  source: 'arch/sparc/mm/tsb.c tsb_grow, MM_TSB_HUGE',
  cpus: 1,
  only: ONLY,
  backend: { sparc64: { tsbEntries: 1, tsbMaxEntries: 2, hugeTsbEntries: 2, tsbs: 2 } },
  setup: (run, kernel) => ({ ...setHugeStage(run, { mapped: 'huge' }), backend: kernel.backend as Sparc64 }),
  threads: ({ mm }) => [thread((cpu) => tsbGrow(cpu, mm, 2))],
  sequential: 'it is about what is copied, on one CPU',
  final(peek, { at, backend }) {
    const found = backend.translationTable!.lookup(peek, 0, at, 0);
    return found.length === 1 ? undefined : 'what a fault has put into the TSB of huge pages is not there any more';
  },
  twins: [
    {
      id: 'sparc64/tsb-grow-huge/freed-early',
      why: 'the old TSB is freed while the CPU still has it in its register',
      oracle: 'O5',
      property: 'TUAF',
      backend: { sparc64: { oldTsbFree: 'before-sync' } },
    },
  ],
});

/** Ends the mm that runs, and begins another one: from then on the CPU does not borrow the first one any more. */
function* another(cpu: Cpu): Steps<void> {
  yield* exitMm(cpu);
  const mm = yield* mmAlloc(cpu);
  yield* mmap(cpu, mm, 0, PAGE, RW_MEMORY);
  yield* contextSwitch(cpu, mm);
}

/** Two more mms, of which the second has the TSB of the first. */
function* twoMore(cpu: Cpu): Steps<void> {
  yield* another(cpu);
  yield* another(cpu);
  yield* cpu.enterUser();
}

const again = defineScenario<Stage>({
  id: 'sparc64/tsb-again',
  title: 'the TSB of an mm that has ended serves another one, with none of its entries',
  source: 'arch/sparc/mm/tsb.c tsb_free, tsb_init',
  cpus: 1,
  only: ONLY,
  // Nobody clears what the TSB has of a dying mm.
  profile: { exitZeroes: false },
  backend: { sparc64: { tsbs: 2, hugeTsbEntries: 0 } },
  setup: (run) => setStage(run, { touched: [0], running: [0] }),
  threads: () => [thread(twoMore)],
  sequential: 'one mm after the other, on one CPU',
  twins: [
    {
      id: 'sparc64/tsb-again/freed-early',
      why: 'it is freed while the CPU has it in its register',
      oracle: 'O5',
      property: 'TUAF',
      threads: ({ mm }) => [
        thread(function* (cpu) {
          yield* freeTsb(cpu, cpu.read(contextTsb(mm)));
          yield* twoMore(cpu);
        }),
      ],
    },
  ],
});

function* takeAndFree(cpu: Cpu): Steps<void> {
  yield* freeTsb(cpu, yield* allocTsb(cpu, 1));
}

interface OneSlot extends Stage {
  readonly at0: Mapping;
}

/** A miss on a page that stays where it is. */
function* missStable(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const found = yield* cpu.kernel.backend.tlbMiss!(cpu, mm, address, false);
  cpu.claim.that(found, 'O16', 'a page that is mapped, and stays so, is not found');
}

/** Where TSBs are that have been freed. */
interface Freed {
  readonly tsbs: TsbMemory;
}

/** An mm begins and ends. */
function* take(cpu: Cpu): Steps<void> {
  const tsb = yield* allocTsb(cpu, 4);
  cpu.claim.that(entriesOf(cpu, tsb) === 4, 'O16', 'a TSB has not as many entries as were asked for');
  yield* cpu.smpMb();
  yield* freeTsb(cpu, tsb);
  yield* cpu.smpMb();
}

const together = defineScenario<Freed>({
  id: 'sparc64/tsb-taken-together',
  title: 'two CPUs take TSBs that were freed, and give them back, at once: each has one of its own meanwhile',
  source: 'arch/sparc/mm/tsb.c init_new_context',
  cpus: 2,
  only: ONLY,
  backend: { sparc64: { tsbs: 1, hugeTsbEntries: 0 } },
  setup(run, kernel) {
    for (const n of [0, 1]) run(n, (cpu) => takeAndFree(cpu));
    return { tsbs: (kernel.backend as Sparc64).tsbs };
  },
  threads: () => [thread(take), thread(take)],
  final(peek, { tsbs }) {
    const free = freeTsbs(peek, tsbs);
    return free === 2 ? undefined : `two TSBs were given back, and ${free} can be taken again`;
  },
  twins: [
    {
      id: 'sparc64/tsb-taken-together/given-back',
      why: 'one is freed and goes on being used',
      oracle: 'O5',
      property: 'TUAF',
      threads: () => [
        thread(function* (cpu) {
          const tsb = yield* allocTsb(cpu, 4);
          yield* freeTsb(cpu, tsb);
          entriesOf(cpu, tsb);
        }),
        thread(take),
      ],
    },
  ],
});

const ONE_SLOT = { sparc64: { tsbEntries: 1, tsbMaxEntries: 1, hugeTsbEntries: 0 } };

/** Page 0 stands in the only place of the TSB, and page 1 is mapped. */
function oneSlot(run: Run): OneSlot {
  const stage = setStage(run, { touched: [1, 0], running: [0, 1, 2], inKernel: [1, 2] });
  return { ...stage, at0: mappingOf(run, stage.mm, 0) };
}

const slot = defineScenario<OneSlot>({
  id: 'sparc64/tsb-slot',
  title: 'two CPUs miss different pages, which have one place in the TSB, while what stands there is flushed',
  source: 'arch/sparc/mm/tsb.c tsb_flush, include/asm/tsb.h TSB_LOCK_TAG',
  cpus: 3,
  only: ONLY,
  backend: ONE_SLOT,
  setup: oneSlot,
  threads: ({ mm, at0 }) => [
    thread(function* (cpu) {
      yield* cpu.kernel.backend.pte.ptepGetAndClear(cpu, mm, 0, at0.pte, 0);
      yield* putUnmapped(cpu, at0.page);
    }),
    thread(function* (cpu) {
      yield* cpu.kernel.backend.tlbMiss!(cpu, mm, 0, false);
      yield* cpu.enterUser();
    }),
    thread((cpu) => missStable(cpu, mm, PAGE)),
  ],
  twins: [
    {
      id: 'sparc64/tsb-slot/as-in-linux',
      why: 'the handler does not look at the entry again once it has the place',
      oracle: 'O1',
      property: 'FUAF',
      backend: { sparc64: { recheckPte: false } },
    },
  ],
});

/** tsb_flush without its casxa: whoever takes the place in between is not waited for. */
function* flushTornApart(cpu: Cpu, mm: Mm): Steps<void> {
  const { tsbs } = cpu.kernel.backend as Sparc64;
  const { cell, tag } = tsbSlot(tsbs, cpu.kernel.geometry, cpu.read(contextTsb(mm)), 1, 0, TSB_BASE);
  if ((yield* cpu.readOnce(cell)) === tag) yield* cpu.writeOnce(cell, TAG_INVALID);
}

const slotFlushed = defineScenario<Stage>({
  id: 'sparc64/tsb-slot-flushed',
  title: 'two CPUs miss a page in whose place another one stands that is flushed: one at a time writes there',
  source: 'arch/sparc/kernel/tsb.S __tsb_flush (casxa), include/asm/tsb.h TSB_LOCK_TAG',
  cpus: 3,
  only: ONLY,
  backend: ONE_SLOT,
  setup: oneSlot,
  threads: ({ mm }) => [
    thread((cpu) => flushTsbUser(cpu, mm, [0], TSB_BASE)),
    ...[1, 2].map(() => thread((cpu) => missStable(cpu, mm, PAGE))),
  ],
  twins: [
    {
      id: 'sparc64/tsb-slot-flushed/torn-apart',
      why: 'the tag is looked at and then made invalid: meanwhile a CPU has locked it, and another one locks it again',
      oracle: 'race',
      property: 'ALIAS',
      threads: ({ mm }) => [
        thread((cpu) => flushTornApart(cpu, mm)),
        ...[1, 2].map(() => thread((cpu) => missStable(cpu, mm, PAGE))),
      ],
    },
  ],
});

/** All of them. */
export const SPARC64_TSB: readonly AnyScenario[] = [
  order,
  reload,
  grow,
  growTwice,
  growHuge,
  again,
  together,
  slot,
  slotFlushed,
  missTable,
];
