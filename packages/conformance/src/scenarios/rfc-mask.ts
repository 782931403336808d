/**
 * Reclaim's mask of CPUs (RFC of 2021, patch 20): who is in it flushes before a page is freed, and leaves it by himself.
 */
import { type Cell, type Mm, type Profile, VM_READ } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  MADV_COLD,
  MADV_FREE,
  madvise,
  madviseDontneed,
  mmAlloc,
  mprotect,
  munmap,
  shrinkPages,
} from '@mmu-gather/mm/stepped';
import type { Body, Run } from '@mmu-gather/checker';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { PAGE, setStage, type StageOptions, toUser, type Page0, withPage0 } from './stage.ts';
import { RFC } from './rfc-source.ts';

/** Reclaim's deferral as in patch 20, which flushes whoever is left in the mask, with the acknowledgement corrected. */
export const MASK: Partial<Profile> = {
  batchedPending: 'cpumask',
  batchedTargets: 'shared',
  reclaimBatch: true,
  ptReclaim: false,
};

/** Page 0 was given up with MADV_FREE, so that reclaim frees it and nothing else holds it. */
export function discardable(run: Run, options: StageOptions = {}): Page0 {
  const stage = withPage0(run, setStage(run, options));
  run(0, (cpu) => madvise(cpu, stage.mm, 0, PAGE, MADV_FREE));
  return stage;
}

/** The same, and CPU 1 has gone to another mm since, and holds what it held under its old ASID. */
function discardableElsewhere(run: Run): Page0 {
  const stage = discardable(run, { running: [0, 1, 2], inKernel: [1] });
  const other = run(1, mmAlloc);
  run(1, (cpu) => contextSwitch(cpu, other));
  return stage;
}

const t5 = defineScenario<Page0>({
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

const t6 = defineScenario<Page0>({
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

const maskSettles = defineScenario<Page0>({
  id: 'rfc/mask-detection',
  title: "reclaim's mask tells a concurrent mprotect that an empty entry may still be cached",
  source: `${RFC}, patch 20`,
  cpus: 2,
  profile: { ...MASK, changeProtection: 'gather' },
  setup: (run) => withPage0(run, setStage(run, { touched: [0], inKernel: [1] })),
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

/** Reclaim beside process_madvise(MADV_COLD), whose full flush comes from a CPU that does not run the mm. */
const besideCold = ({ mm, p0 }: Page0): (Body | undefined)[] => [
  thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
  undefined,
  thread((cpu) => madvise(cpu, mm, PAGE, PAGE, MADV_COLD)),
];

const acknowledged = defineScenario<Page0>({
  id: 'rfc/mask-ack',
  title: 'reclaim beside process_madvise(MADV_COLD), whose full flush comes from a CPU that does not run the mm',
  source: `${RFC}, patch 20`,
  cpus: 3,
  profile: MASK,
  backend: { x86: { ceiling: 0 } },
  setup: (run) => discardable(run),
  threads: besideCold,
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
const strictly = defineScenario<Page0>({
  id: 'rfc/mask-strict',
  title:
    'reclaim flushes the CPUs of its own deferrals, whoever has left the mask: not even an NMI can use what it frees',
  source: `${RFC}, patch 20`,
  cpus: 3,
  strict: true,
  profile: { ...MASK, batchedTargets: 'own' },
  backend: { x86: { ceiling: 0 } },
  setup: (run) => discardable(run),
  threads: besideCold,
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
const orIfMissing = defineScenario<Page0>({
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
  threads: besideCold,
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

/** D9: whoever is left in the mask costs each zap in each mm that shares its CPU a flush of the whole mm. */
export function nobodyLeft(peek: (cell: Cell) => number, { mask }: { readonly mask: Cell }): string | undefined {
  return peek(mask) === 0 ? undefined : 'a CPU that took part is left in the mask: the next zap flushes for nothing';
}

const maskEmpties = defineScenario<Page0 & { readonly mask: Cell; readonly other: Mm }>({
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
  final: nobodyLeft,
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
const lazyLeaves = defineScenario<Page0 & { readonly mask: Cell }>({
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
  final: nobodyLeft,
  twins: [
    {
      id: 'rfc/mask-lazy/stays',
      why: 'as posted: only a full flush acknowledges, and a CPU that leaves the mm stays in the mask',
      oracle: 'assert',
      profile: { batchedAck: 'before-full-flush' },
    },
  ],
});

/** All of them. */
export const RFC_MASKS: readonly AnyScenario[] = [
  t5,
  t6,
  maskSettles,
  acknowledged,
  strictly,
  orIfMissing,
  maskEmpties,
  lazyLeaves,
];
