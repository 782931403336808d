/**
 * The flush ring (core's deferral/ring.ts): who folds slots, how far, and what is claimed to be done afterwards.
 */
import type { Body, Run } from '@mmu-gather/checker';
import { type Kernel, type Profile, VM_READ, pteWrprotect } from '@mmu-gather/core/stepped';
import { madviseDontneed, mprotect } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { changeDeferred } from './deferred-change.ts';
import { pendingReader } from './pending-reader.ts';
import { PAGE, setStage, type Stage, syscall, toUser, type Page0, withPage0 } from './stage.ts';

const LUTOMIRSKI = 'mail of A. Lutomirski, 2021-02-01';

/** A ring of so many slots, and all who defer record in it. */
function ring(ringSlots: number, more: Partial<Profile> = {}): Partial<Profile> {
  return { deferral: 'ring', ringSlots, nestedFinish: 'whole-mm', changeProtection: 'gather', ...more };
}

/** CPU 0 gives page 0 back; CPU 1 flushes page 1, and goes back to user mode, where it may use what CPU 0 frees. */
function giveBackAndFlush({ mm }: Stage, kernel: Kernel): readonly Body[] {
  return [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* kernel.backend.flushTlbPage(cpu, mm, PAGE);
      yield* cpu.enterUser(0);
    }),
  ];
}

function deferringStage(run: Run): Page0 {
  const stage = setStage(run, { inKernel: [1] });
  return withPage0(run, stage);
}

/** CPU 0 write-protects page 0 and flushes later; CPU 1 flushes page 1, and goes back to user mode. */
function deferAndFlush({ mm, p0 }: Page0, kernel: Kernel): readonly Body[] {
  return [
    thread((cpu) => changeDeferred(cpu, mm, p0, 0, pteWrprotect)),
    thread(function* (cpu) {
      yield* kernel.backend.flushTlbPage(cpu, mm, PAGE);
      yield* cpu.enterUser(0);
    }),
  ];
}

const t21 = defineScenario<Stage>({
  id: 'T21/fixed',
  title: 'the slot of the completed generation is still there: only those after it are folded',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(2),
  setup(run) {
    const stage = setStage(run);
    run(0, (cpu) => cpu.kernel.backend.flushTlbPage(cpu, stage.mm, PAGE));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE))],
  twins: [
    {
      id: 'T21/naive',
      why: 'the loop runs from the completed generation up to the one before the newest',
      oracle: ['O1', 'O11'],
      property: 'FUAF',
      profile: { ringFold: 'off-by-one' },
    },
  ],
});

const t22 = defineScenario<Stage>({
  id: 'T22/fixed',
  title: 'an entry comes in while the ring is flushed: what was folded is published, and no more',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(2),
  setup: (run) => setStage(run, { inKernel: [1] }),
  threads: giveBackAndFlush,
  twins: [
    {
      id: 'T22/naive',
      why: 'the newest generation is published, and its owner finds it done',
      oracle: ['O1', 'O10', 'O12'],
      property: 'FUAF',
      profile: { ringPublish: 'newest' },
    },
  ],
});

const fits = defineScenario<Stage>({
  id: 'ring/fits',
  title: 'one gather over two tables: both of its entries are in the ring when a thread arrives',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(2),
  setup: (run) => setStage(run, { pages: 4, touched: [1, 2], running: [0] }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, PAGE, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'ring/fits/bump-first',
      why: 'the generation is taken before the entries are changed: a CPU may have it and cache what is changed after',
      oracle: ['O1', 'O10'],
      property: 'FUAF',
      profile: { recordDeferral: 'start' },
    },
  ],
});

const overflows = defineScenario<Stage>({
  id: 'ring/overflows',
  title: 'one gather over two tables, and one slot: CPUs that are behind its reach flush everything',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(1),
  setup: (run) => setStage(run, { pages: 4, touched: [1, 2] }),
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, PAGE, 2 * PAGE))],
  twins: [
    {
      id: 'ring/overflows/any-base',
      why: 'a CPU that misses what came before the fold takes its range for all there is',
      oracle: ['O1', 'O11'],
      property: 'FUAF',
      profile: { ringBase: false },
    },
  ],
});

const recheck = defineScenario<Page0>({
  id: 'ring/slot-reused',
  title: 'a slot is given to a newer generation while it is read',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(1),
  setup: deferringStage,
  threads: deferAndFlush,
  twins: [
    {
      id: 'ring/slot-reused/no-recheck',
      why: 'the reader does not look at the generation again, and takes the new range for the old one',
      oracle: ['O11', 'O12'],
      property: 'SAC',
      profile: { ringRecheck: false },
    },
  ],
});

const handler = defineScenario<Page0>({
  id: 'ring/read-in-handler',
  title: 'each CPU folds for itself, from its own generation on',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(2, { ringReader: 'handler' }),
  setup: deferringStage,
  threads: deferAndFlush,
  twins: [
    {
      id: 'ring/read-in-handler/off-by-one',
      why: 'the fold begins with the generation that the CPU has, and leaves out the newest',
      oracle: ['O1', 'O11'],
      property: 'FUAF',
      profile: { ringFold: 'off-by-one' },
    },
    {
      id: 'ring/read-in-handler/no-recheck',
      why: 'a slot changes under the handler that reads it',
      oracle: ['O11', 'O12'],
      property: 'SAC',
      profile: { ringRecheck: false, ringSlots: 1 },
    },
  ],
});

const pending = defineScenario<Page0>({
  id: 'ring/pending',
  title: 'whether an entry is flushed is found by scanning the ring',
  source: LUTOMIRSKI,
  cpus: 3,
  profile: ring(2),
  setup: (run) => withPage0(run, setStage(run, { running: [0, 1, 2], inKernel: [1] })),
  threads: ({ mm, p0 }) => [
    thread((cpu) => changeDeferred(cpu, mm, p0, 0, pteWrprotect)),
    thread((cpu) => pendingReader(cpu, mm, 0)),
  ],
  twins: [
    {
      id: 'ring/pending/recorded-late',
      why: 'what was changed is put into the ring when it is flushed, after the PTL is released',
      oracle: 'O9',
      property: 'LOSTW',
      profile: { recordDeferral: 'flush' },
    },
  ],
});

const nested = defineScenario<Stage>({
  id: 'ring/nested',
  title:
    'a gather that finds its entries gone flushes up to the newest generation that touched its range, or finds it done',
  source: '7a30df49f63a, without its flush of the whole mm',
  cpus: 3,
  profile: ring(2, { nestedFinish: 'overlapping' }),
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2] }),
  threads: ({ mm }) => [
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
    thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, 0, PAGE))),
  ],
  twins: [
    {
      id: 'ring/nested/recorded-late',
      why: 'what was changed is put into the ring when it is flushed, after the PTL is released',
      oracle: ['O10', 'O1'],
      property: 'SAC',
      profile: { recordDeferral: 'flush' },
    },
  ],
});

const rights = defineScenario<Stage>({
  id: 'ring/mprotect',
  title: 'mprotect over two tables: one ranged flush for both',
  source: LUTOMIRSKI,
  cpus: 2,
  profile: ring(2),
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2] }),
  threads: ({ mm }) => [thread((cpu) => mprotect(cpu, mm, 0, 4 * PAGE, VM_READ))],
  twins: [
    {
      id: 'ring/mprotect/any-base',
      why: 'one slot, and a CPU that misses what came before takes the range for all there is',
      oracle: ['O2', 'O11'],
      property: 'SAC',
      profile: { ringSlots: 1, ringBase: false },
    },
  ],
});

/** All of them. */
export const RING_SCENARIOS: readonly AnyScenario[] = [
  t21,
  t22,
  fits,
  overflows,
  recheck,
  handler,
  pending,
  nested,
  rights,
];
