/**
 * The ASIDs of arm64: few of them here, so that they are all given out, and taken back, while flushes go on (arch/arm64/mm/context.c).
 *
 * The invariants of C. Marinas' model are those of arm64-asid-invariants.ts. Here O8 watches UniqueASIDPerCPU at each context load, O1 and O2
 * watch TLBEmptyInvalPTE, and the end of each execution is asked for the others.
 */
import { type Arm64, arm64MmContextGet, arm64MmContextPut, mmContextId } from '@mmu-gather/arm64/stepped';
import type { Run } from '@mmu-gather/checker';
import { asidIn, type Cpu, type Kernel, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, shrinkPages, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, thread } from '../scenario.ts';
import { ASIDS, asidsAtEnd } from './arm64-asid-invariants.ts';
import { clearFlushFree } from './arm64-flush.ts';
import { Words } from './bare-stage.ts';
import { type Mapping, mappingOf, newMm, toUser } from './stage.ts';

/** Three ASIDs for users: one more than CPUs can run with. */
const THREE: BackendOverrides = { arm64: { asids: 4 } };

/** Mms, the first ones with ASIDs, and where the first one's page is. */
interface Mms {
  readonly mms: readonly Mm[];
  readonly at0: Mapping;
  readonly arm64: Arm64;
}

/**
 * Makes mms with a page each, and lets CPUs run them in turn.
 * @param ran the CPU that runs each mm first, in the order in which ASIDs are given out; mms beyond have never run
 */
function setMms(run: Run, kernel: Kernel, count: number, ran: readonly number[]): Mms {
  const mms = Array.from({ length: count }, () => newMm(run));
  ran.forEach((cpu, i) => {
    run(cpu, (port) => contextSwitch(port, mms[i]!));
    run(cpu, (port) => userStore(port, mms[i]!, 0, 1 + i));
  });
  return { mms, at0: mappingOf(run, mms[0]!, 0), arm64: kernel.backend as Arm64 };
}

/** Lets a CPU run mms one after the other. */
function* runEach(cpu: Cpu, mms: readonly Mm[]): Steps<void> {
  for (const mm of mms) yield* contextSwitch(cpu, mm);
}

const rollover = defineScenario<Mms>({
  id: 'asid/rollover',
  title: 'two CPUs run four mms with three ASIDs: they roll over twice, on both CPUs at once',
  source: 'kernel-tla asidalloc.tla; arch/arm64/mm/context.c',
  cpus: 2,
  only: ASIDS,
  backend: THREE,
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  // ASID 1 was the first mm's, CPU 0 runs with 2 and CPU 1 with 3.
  setup: (run, kernel) => setMms(run, kernel, 4, [0, 0, 1]),
  threads: ({ mms: [a, , c, d] }) => [thread((cpu) => runEach(cpu, [a!, c!])), thread((cpu) => runEach(cpu, [d!, a!]))],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/rollover/nothing-reserved',
      why: 'a rollover does not keep the ASIDs that CPUs run with',
      oracle: ['O8', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { reserveActive: false } },
    },
    {
      id: 'asid/rollover/no-flush',
      why: 'a rollover flushes nobody: an ASID is reused on a CPU that has entries under it',
      oracle: 'O8',
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
  ],
});

const exchange = defineScenario<Mms>({
  id: 'bug:B78/fixed',
  bug: 'B78',
  title: 'the fast path takes its ASID unless a rollover has been there; two rollovers go on beside it',
  source: 'a8ffaaa060b8 (4.16)',
  cpus: 2,
  only: ASIDS,
  backend: THREE,
  pools: { mm: 5, page: 5, table: 10, vma: 5 },
  setup: (run, kernel) => setMms(run, kernel, 5, [0, 0, 1]),
  // The first mm has ASID 1, and the second one, which CPU 0 runs, 2.
  threads: ({ mms: [one, , , two, other] }) => [
    thread((cpu) => runEach(cpu, [one!])),
    thread((cpu) => runEach(cpu, [two!, other!, two!, one!])),
  ],
  final: asidsAtEnd,
  twins: [
    {
      id: 'bug:B78/buggy',
      why: 'it exchanges what a rollover has set to 0 for its old ASID, which the next rollover reserves for it: two mms share one ASID',
      oracle: ['O8', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { activeAsidUpdate: 'xchg' } },
    },
  ],
});

const flushed = defineScenario<Mms>({
  id: 'asid/flush',
  title: 'reclaim unmaps a page of an mm that runs nowhere, while that mm gets a new ASID on another CPU',
  source: '5e10f9887ed8 (5.14)',
  cpus: 2,
  only: ASIDS,
  backend: THREE,
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup: (run, kernel) => setMms(run, kernel, 4, [0, 0, 1]),
  threads: ({ mms: [a, , , d], at0 }) => [
    thread((cpu) => clearFlushFree(cpu, a!, at0)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, d!);
      yield* toUser(cpu, a!);
    }),
  ],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/flush/read-early',
      why: 'the ASID is read before the page-table store is visible: the mm gets another one, and walks the old entry under it',
      oracle: 'O1',
      property: 'MISS',
      backend: { arm64: { asidRead: 'before-barrier' } },
      memoryModels: ['tso'],
    },
  ],
});

const flushedLater = defineScenario<Mms>({
  id: 'asid/flush-later',
  title:
    'the same on a CPU that has flushed itself for this generation already: it gives the mm a new ASID, and no flush comes with that',
  source: '5e10f9887ed8 (5.14); arch/arm64/mm/context.c check_and_switch_context',
  cpus: 2,
  only: ASIDS,
  // ASID 1 goes from the first mm to the last one, and 3 is free.
  backend: { arm64: { asids: 5, asidBarrier: true } },
  pools: { mm: 5, page: 5, table: 10, vma: 5 },
  setup(run, kernel) {
    const stage = setMms(run, kernel, 5, [0, 0, 1, 1]);
    run(1, (cpu) => contextSwitch(cpu, stage.mms[4]!));
    return stage;
  },
  threads: ({ mms: [a], at0 }) => [thread((cpu) => clearFlushFree(cpu, a!, at0)), thread((cpu) => toUser(cpu, a!))],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/flush-later/as-in-linux',
      why: 'nothing orders the new ASID before the first walk under it: the flush names the old one, and the CPU keeps what it has walked',
      oracle: 'O1',
      property: 'MISS',
      backend: { arm64: { asidBarrier: false } },
      memoryModels: ['weak'],
    },
    {
      id: 'asid/flush-later/read-early',
      why: 'the ASID is read before the page-table store is visible: the mm gets another one, and walks the old entry under it',
      oracle: 'O1',
      property: 'MISS',
      backend: { arm64: { asidRead: 'before-barrier' } },
      memoryModels: ['tso'],
    },
  ],
});

const reclaimed = defineScenario<Mms>({
  id: 'asid/reclaim',
  title:
    'reclaim defers the flush of a page of an mm that runs nowhere, and that mm gets a new ASID between the TLBI and the wait for it',
  source: '5e10f9887ed8 (5.14), 43b3dfdd0455 (6.6)',
  cpus: 2,
  only: ASIDS,
  profile: { batchedPending: 'counters' },
  backend: { arm64: { asids: 4, tlbbatch: true } },
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup: (run, kernel) => setMms(run, kernel, 4, [0, 0, 1]),
  threads: ({ mms: [a, , , d], at0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: at0.page, mm: a!, address: 0 }])),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, d!);
      yield* toUser(cpu, a!);
    }),
  ],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/reclaim/no-dsb',
      why: 'nobody waits for the TLBI: the CPU that runs the mm by now still holds the entry',
      oracle: ['O1', 'O3'],
      property: 'FUAF',
      wrong: 'no-wait',
    },
    {
      id: 'asid/reclaim/read-early',
      why: 'the ASID is read before the entry that was cleared is visible: the mm gets another one, and walks the old entry under it',
      oracle: ['O1', 'O3'],
      property: 'MISS',
      backend: { arm64: { asidRead: 'before-barrier' } },
      memoryModels: ['weak'],
    },
  ],
});

const bothReserve = defineScenario<Mms>({
  id: 'asid/reserved-twice',
  title:
    'two CPUs run an mm at a rollover, one of them through the next one, too: the mm keeps its ASID, and is flushed under it',
  source: 'arch/arm64/mm/context.c check_update_reserved_asid',
  cpus: 2,
  only: ASIDS,
  backend: THREE,
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup(run, kernel) {
    const stage = setMms(run, kernel, 4, [0, 0, 0]);
    const [a] = stage.mms;
    run(1, (cpu) => toUser(cpu, a!));
    run(0, (cpu) => contextSwitch(cpu, a!));
    return stage;
  },
  threads: ({ mms: [a, b, c, d], at0 }) => [
    thread(function* (cpu) {
      yield* runEach(cpu, [d!, a!, b!, c!, a!]);
      yield* clearFlushFree(cpu, a!, at0);
    }),
  ],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/reserved-twice/first-only',
      why: 'only one of the two reserved copies moves to the new generation: at the next one the mm loses its ASID, and CPU 1 goes on with it',
      oracle: ['O1', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { reservedUpdate: 'first' } },
    },
    {
      id: 'asid/reserved-twice/nothing-reserved',
      why: 'a rollover does not keep the ASIDs that CPUs run with',
      oracle: ['O1', 'O8', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { reserveActive: false } },
    },
  ],
});

const pinned = defineScenario<Mms>({
  id: 'asid/pinned',
  title: 'a device uses the ASID of an mm that runs nowhere: rollovers leave it with the mm',
  source: 'arch/arm64/mm/context.c arm64_mm_context_get (SMMU SVA)',
  cpus: 1,
  only: ASIDS,
  backend: { arm64: { asids: 5 } },
  pools: { mm: 5, page: 5, table: 10, vma: 5 },
  setup(run, kernel) {
    const stage = setMms(run, kernel, 5, [0, 0, 0, 0]);
    run(0, (cpu) => arm64MmContextGet(cpu, stage.mms[0]!));
    return stage;
  },
  threads: ({ mms: [a, , c, , e] }) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, e!);
      yield* userStore(cpu, e!, 0, 1);
      yield* runEach(cpu, [c!, a!]);
    }),
  ],
  final: (peek, { mms: [a] }) =>
    asidIn(peek(mmContextId(a!))) === 1 ? undefined : 'the pinned ASID of an mm has changed',
  twins: [
    {
      id: 'asid/pinned/forgotten',
      why: 'a rollover gives the pinned ASID to another mm as well',
      oracle: ['O8', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { keepPinned: false } },
    },
  ],
});

/** Pins an mm. @param may whether enough ASIDs are left */
function* pin(cpu: Cpu, mm: Mm, may: boolean): Steps<void> {
  const asid = yield* arm64MmContextGet(cpu, mm);
  cpu.claim.that((asid !== 0) === may, 'O16', may ? 'an ASID cannot be pinned' : 'too many ASIDs are pinned');
}

const unpinned = defineScenario<Mms>({
  id: 'asid/unpinned',
  title: 'two ASIDs of four may be pinned; what devices have given back may be pinned again, and given to others',
  source: 'arch/arm64/mm/context.c arm64_mm_context_put (SMMU SVA)',
  cpus: 1,
  only: ASIDS,
  backend: { arm64: { asids: 5 } },
  pools: { mm: 6, page: 6, table: 12, vma: 6 },
  setup: (run, kernel) => setMms(run, kernel, 6, [0, 0, 0, 0]),
  threads: ({ mms: [a, b, c, d, e, f] }) => [
    thread(function* (cpu) {
      yield* pin(cpu, a!, true);
      yield* pin(cpu, b!, true);
      yield* pin(cpu, c!, false);
      yield* arm64MmContextPut(cpu, a!);
      yield* arm64MmContextPut(cpu, b!);
      yield* pin(cpu, c!, true);
      yield* pin(cpu, d!, true);
      for (const mm of [e!, f!, a!, c!]) {
        yield* contextSwitch(cpu, mm);
        yield* userStore(cpu, mm, 0, 1);
      }
    }),
  ],
  sequential: 'what is counted, and what a rollover keeps, is asked of one CPU',
  twins: [
    {
      id: 'asid/unpinned/forgotten',
      why: 'a rollover gives pinned ASIDs to other mms as well',
      oracle: ['O8', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { keepPinned: false } },
    },
  ],
});

/** What devices were told. */
const DEVICE = new Words('device', ['asid', 'other']);

const pinnedBeside = defineScenario<Mms>({
  id: 'asid/pinned-beside',
  title: 'the ASID of an mm is pinned and given back, while another CPU uses up what is left, and rolls over',
  source: 'arch/arm64/mm/context.c arm64_mm_context_get, new_context',
  cpus: 2,
  only: ASIDS,
  backend: { arm64: { asids: 6 } },
  pools: { mm: 6, page: 6, table: 12, vma: 6 },
  reserve: DEVICE.reserve,
  setup: (run, kernel) => setMms(run, kernel, 6, [0, 0, 0, 1]),
  threads: ({ mms: [a, , , , e, f] }) => [
    thread(function* (cpu) {
      yield* cpu.writeOnce(DEVICE.at('asid'), yield* arm64MmContextGet(cpu, a!));
      yield* arm64MmContextGet(cpu, a!);
      yield* arm64MmContextPut(cpu, a!);
      yield* contextSwitch(cpu, a!);
    }),
    thread((cpu) => runEach(cpu, [e!, f!])),
  ],
  final: (peek, stage) =>
    asidIn(peek(mmContextId(stage.mms[0]!))) === peek(DEVICE.at('asid'))
      ? asidsAtEnd(peek, stage)
      : 'the pinned ASID of an mm has changed',
  twins: [
    {
      id: 'asid/pinned-beside/forgotten',
      why: 'a rollover takes the pinned ASID away',
      oracle: ['O8', 'assert'],
      property: 'ALIAS',
      backend: { arm64: { keepPinned: false } },
    },
  ],
});

/** Pins an mm for a device, and for a moment once more. */
function* pinTwice(cpu: Cpu, mm: Mm, device: 'asid' | 'other'): Steps<void> {
  yield* cpu.writeOnce(DEVICE.at(device), yield* arm64MmContextGet(cpu, mm));
  yield* arm64MmContextGet(cpu, mm);
  yield* arm64MmContextPut(cpu, mm);
}

/** Pins an mm for another device, and gives it back. */
function* pinOnce(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.writeOnce(DEVICE.at('other'), yield* arm64MmContextGet(cpu, mm));
  yield* arm64MmContextPut(cpu, mm);
}

const pinnedTwice = defineScenario<Mms>({
  id: 'asid/pinned-twice',
  title:
    "two devices begin to use an mm at once, whose ASID is another mm's since a rollover: both are told the new one",
  source: 'arch/arm64/mm/context.c arm64_mm_context_get, arm64_mm_context_put',
  cpus: 2,
  only: ASIDS,
  backend: { arm64: { asids: 6 } },
  pools: { mm: 6, page: 6, table: 12, vma: 6 },
  reserve: DEVICE.reserve,
  setup(run, kernel) {
    const stage = setMms(run, kernel, 6, [0, 0, 1, 1, 1]);
    run(1, (cpu) => contextSwitch(cpu, stage.mms[5]!));
    return stage;
  },
  threads: ({ mms: [a] }) => [thread((cpu) => pinTwice(cpu, a!, 'asid')), thread((cpu) => pinOnce(cpu, a!))],
  final(peek, { mms: [a], arm64 }) {
    const asid = asidIn(peek(mmContextId(a!)));
    if (peek(DEVICE.at('asid')) !== asid || peek(DEVICE.at('other')) !== asid) return 'a device was told an old ASID';
    return peek(arm64.nrPinned) === 1 ? undefined : `${peek(arm64.nrPinned)} ASIDs count as pinned, which is one`;
  },
  twins: [
    {
      id: 'asid/pinned-twice/not-counted',
      why: 'one of them gives it back for good: nobody counts it any more',
      oracle: 'assert',
      property: 'ALIAS',
      threads: ({ mms: [a] }) => [
        thread(function* (cpu) {
          yield* pinTwice(cpu, a!, 'asid');
          yield* arm64MmContextPut(cpu, a!);
        }),
      ],
    },
  ],
});

const kpti = defineScenario<Mms>({
  id: 'asid/kpti',
  title: 'with KPTI user mode walks under an ASID of its own: a flush is told twice',
  source: 'arch/arm64/include/asm/tlbflush.h __tlbi_user; kernel-tla arm64kpti.tla',
  cpus: 2,
  only: ASIDS,
  backend: { arm64: { kpti: true, asids: 8 } },
  setup(run, kernel) {
    const stage = setMms(run, kernel, 1, [0]);
    run(1, (cpu) => toUser(cpu, stage.mms[0]!));
    return stage;
  },
  threads: ({ mms: [a], at0 }) => [thread((cpu) => clearFlushFree(cpu, a!, at0))],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/kpti/once',
      why: 'only the ASID of the kernel is flushed',
      oracle: 'O1',
      property: 'MISS',
      backend: { arm64: { kptiUserTlbi: false } },
    },
  ],
});

const kptiRollover = defineScenario<Mms>({
  id: 'asid/kpti-rollover',
  title: 'with KPTI half as many ASIDs: they roll over, and each mm keeps both of its own or none',
  source: 'arch/arm64/mm/context.c set_kpti_asid_bits; kernel-tla arm64kpti.tla',
  cpus: 2,
  only: ASIDS,
  backend: { arm64: { kpti: true, asids: 8 } },
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup: (run, kernel) => setMms(run, kernel, 4, [0, 0, 1]),
  threads: ({ mms: [a, , , d], at0 }) => [
    thread((cpu) => clearFlushFree(cpu, a!, at0)),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, d!);
      yield* toUser(cpu, a!);
    }),
  ],
  final: asidsAtEnd,
  twins: [
    {
      id: 'asid/kpti-rollover/no-flush',
      why: 'a rollover flushes nobody',
      oracle: ['O8', 'O1'],
      property: 'ALIAS',
      wrong: 'tag-reused',
    },
    {
      id: 'asid/kpti-rollover/once',
      why: 'only the ASID of the kernel is flushed',
      oracle: 'O1',
      property: 'MISS',
      backend: { arm64: { kptiUserTlbi: false } },
    },
  ],
});

const activeReset = defineScenario<Mms>({
  id: 'arm64/active-cpu-reset',
  title:
    'an mm that has run on both CPUs gets a new ASID, and has run on one again, while it arrives on the other, where it is flushed',
  source: 'review of C. Marinas of R. Roberts, RFC of August 2025',
  cpus: 2,
  only: ASIDS,
  backend: { arm64: { asids: 4, localFlush: 'reset' } },
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup(run, kernel) {
    const stage = setMms(run, kernel, 4, [0, 0, 1]);
    const [a, , c] = stage.mms;
    run(1, (cpu) => contextSwitch(cpu, a!));
    run(1, (cpu) => userStore(cpu, a!, 0, 1));
    run(1, (cpu) => contextSwitch(cpu, c!));
    return stage;
  },
  threads: ({ mms: [a, , , d], at0 }) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, d!);
      yield* toUser(cpu, a!);
    }),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, a!);
      yield* clearFlushFree(cpu, a!, at0);
    }),
  ],
  final: asidsAtEnd,
  twins: [
    {
      id: 'arm64/active-cpu-reset/late',
      why: 'CPU 0 notes itself, gives the mm a new ASID and forgets that: CPU 1 finds nobody, and flushes itself alone',
      oracle: ['O1', 'O2'],
      property: 'FUAF',
      backend: { arm64: { localFlush: 'reset-late' } },
    },
  ],
});

/** All of them. */
export const ARM64_ASIDS: readonly AnyScenario[] = [
  rollover,
  exchange,
  flushed,
  flushedLater,
  reclaimed,
  bothReserve,
  pinned,
  unpinned,
  pinnedBeside,
  pinnedTwice,
  kpti,
  kptiRollover,
  activeReset,
];
