/**
 * RISC-V: what its flushes rest on. Fences of one hart, masks that only grow, flushes that wait in queues, entries that are cached although they
 * are not valid.
 */
import type { Run } from '@mmu-gather/checker';
import { asidIn, type Cpu, type Kernel, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, mmAlloc, munmap, userStore } from '@mmu-gather/mm/stepped';
import type { Riscv } from '@mmu-gather/riscv/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Where } from '../scenario.ts';
import { pinAndPut } from './gup-fast.ts';
import { cameFromAnotherMm, newMm, noWait, PAGE, setStage, type Stage, syscall, toUser } from './stage.ts';
import { storeSoon } from './upgrades.ts';

/** The architecture. */
export const RISCV_ONLY: Only = { archs: ['riscv'], why: 'it is about how RISC-V flushes' };

/** Kernels that interrupt harts themselves: those that can defer. */
export const BY_IPI: Where = { backend: { riscv: { rfence: 'ipi' } } };

/** CPU 1 has not run the mm yet. */
function newcomer(run: Run): Stage {
  return setStage(run, { running: [0] });
}

const arrival = defineScenario<Stage>({
  id: 'riscv/arrival',
  title: 'a thread comes to a hart that never ran the mm, while another one unmaps',
  source: 'arch/riscv/mm/context.c set_mm; riscv-loongarch.md section 3',
  cpus: 2,
  only: RISCV_ONLY,
  setup: newcomer,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'riscv/arrival/as-in-linux',
      why: 'nothing orders the bit in mm_cpumask before the first walk: set_bit is relaxed, and satp orders no stores',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { arrivalFence: false } },
      memoryModels: ['weak'],
    },
    {
      id: 'riscv/arrival/satp-first',
      why: 'the bit is set when the tables are loaded already (the order of LoongArch)',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { arrival: 'satp-first' } },
    },
  ],
});

const unlinked = defineScenario<Stage>({
  id: 'riscv/unlinked-table',
  title: 'a thread comes to a hart that never ran the mm, while another one unlinks a table',
  source: 'arch/riscv/mm/tlbflush.c __flush_tlb_range; mm/memory.c free_pte_range',
  cpus: 2,
  only: RISCV_ONLY,
  setup: newcomer,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'riscv/unlinked-table/as-in-linux',
      why: 'the store that unlinks the table is still in the buffer when mm_cpumask is read',
      oracle: 'O4',
      property: 'TUAF',
      backend: { riscv: { flushFence: false } },
      memoryModels: ['tso'],
    },
  ],
});

const mask = defineScenario<Stage>({
  id: 'riscv/sticky-mask',
  title: 'a hart comes back to an mm whose entries it still has under its ASID',
  source: 'arch/riscv/mm/context.c set_mm',
  cpus: 2,
  only: RISCV_ONLY,
  where: { backend: { riscv: { asidAllocator: true } } },
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'riscv/sticky-mask/cleared',
      why: 'it has left the mask with the mm, and its entries have stayed',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { stickyMask: false } },
    },
  ],
});

const firmware = defineScenario<Stage>({
  id: 'riscv/firmware',
  title:
    'the firmware fences: munmap of a whole table beside a running thread, a lazy hart, and GUP-fast with interrupts off',
  source: 'arch/riscv/kernel/sbi.c; riscv-loongarch.md section 2',
  cpus: 3,
  only: RISCV_ONLY,
  backend: { riscv: { rfence: 'sbi' } },
  setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], inKernel: [1], lazy: [2] }),
  threads: ({ mm }) => [
    thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)),
    thread((cpu) =>
      syscall(cpu, function* () {
        yield* pinAndPut(cpu, mm, 0);
        return 0;
      }),
    ),
  ],
  twins: [
    noWait('riscv/firmware'),
    {
      id: 'riscv/firmware/batched',
      why: 'the table is freed after the flush, and the fence of the firmware waits for nobody who has interrupts off',
      oracle: 'O5',
      property: 'TUAF',
      profile: { tableFree: 'batched' },
    },
  ],
});

/** Flushes wait in queues, but for those that freed tables. */
export const DEFERRED: BackendOverrides = { riscv: { userFlush: 'deferred', deferTables: false } };

const deferred = defineScenario<Stage>({
  id: 'riscv/deferred',
  title: 'a flush is left in the queue of a hart that runs something else, while that hart comes back to the mm',
  source: 'riscv development tree, 2026: should_ipi_flush, set_mm_asid; riscv-loongarch.md section 2',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  backend: DEFERRED,
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'riscv/deferred/no-recheck',
      why: 'the flusher does not look again at what the hart has loaded',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { deferRecheck: false } },
    },
    {
      id: 'riscv/deferred/flusher-unordered',
      why: 'the flusher looks again before its flag is visible',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { deferFlusherFence: false } },
      memoryModels: ['tso'],
    },
    {
      id: 'riscv/deferred/switcher-unordered',
      why: 'the hart looks at the flag before what it has loaded is visible',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { deferSwitcherFence: false } },
      memoryModels: ['tso'],
    },
  ],
});

/** A stage, and what a hart's queue says. */
interface Queued extends Stage {
  readonly hart: Riscv['harts'][number];
}

/** CPU 1 runs another mm; what was unmapped before it does waits in its queue. */
function setQueued(run: Run, kernel: Kernel, before: boolean): Queued {
  const stage = cameFromAnotherMm(run);
  if (before) run(0, (cpu) => munmap(cpu, stage.mm, 0, PAGE));
  return { ...stage, hart: (kernel.backend as Riscv).harts[1]! };
}

const leftForLater = defineScenario<Queued>({
  id: 'riscv/deferred-left',
  title: 'a flush of an mm that a hart has left is in its queue in the end: nobody interrupts it',
  source: 'riscv development tree, 2026: should_ipi_flush',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  backend: DEFERRED,
  setup: (run, kernel) => setQueued(run, kernel, false),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  sequential: 'the other hart does nothing',
  final: (peek, { hart }) =>
    peek(hart.queued) === 1 && peek(hart.needTlbFlush) === 1 ? undefined : 'the flush is not in the queue',
  twins: [
    {
      id: 'riscv/deferred-left/at-once',
      why: 'harts are interrupted whatever they run',
      oracle: 'assert',
      property: 'MISS',
      backend: { riscv: { userFlush: 'at-once' } },
    },
  ],
});

const takenUp = defineScenario<Queued>({
  id: 'riscv/deferred-taken-up',
  title: 'a hart that comes back to an mm does what is in its queue, which is empty then, and says so',
  source: 'riscv development tree, 2026: set_mm_asid',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  backend: DEFERRED,
  setup: (run, kernel) => setQueued(run, kernel, true),
  threads: ({ mm }) => [undefined, thread((cpu) => toUser(cpu, mm))],
  sequential: 'what is asked is what one hart leaves',
  final: (peek, { hart }) =>
    peek(hart.queued) === 0 && peek(hart.needTlbFlush) === 0 ? undefined : 'there is something in the queue',
  twins: [
    {
      id: 'riscv/deferred-taken-up/stays',
      why: 'the hart does not come back',
      oracle: 'assert',
      property: 'MISS',
      threads: () => [undefined, thread((cpu) => cpu.smpMb())],
    },
  ],
});

const full = defineScenario<Stage>({
  id: 'riscv/deferred-full',
  title: 'two flushes for a hart whose queue holds one: the second one interrupts it',
  source: 'riscv development tree, 2026',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  backend: DEFERRED,
  setup(run) {
    const stage = setStage(run, { pages: 4, touched: [0, 1, 2], inKernel: [1] });
    const other = run(1, mmAlloc);
    run(1, (cpu) => contextSwitch(cpu, other));
    return stage;
  },
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, PAGE);
      yield* munmap(cpu, mm, PAGE, 2 * PAGE);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'riscv/deferred-full/no-recheck',
      why: 'the flusher does not look again at what the hart has loaded',
      oracle: 'O1',
      property: 'MISS',
      backend: { riscv: { deferRecheck: false } },
    },
  ],
});

const tables = defineScenario<Stage>({
  id: 'riscv/deferred-tables',
  title:
    'a table is freed whose flush is left in a queue: the hart that comes back empties the queue before it loads satp',
  source: 'riscv development tree, 2026: set_mm_asid',
  cpus: 2,
  only: RISCV_ONLY,
  where: BY_IPI,
  backend: { riscv: { userFlush: 'deferred', drain: 'before-satp', deferQueue: 2 } },
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'riscv/deferred-tables/satp-first',
      why: 'satp is written first, as proposed: until the queue is empty, speculation walks the freed table',
      oracle: 'O4',
      property: 'TUAF',
      backend: { riscv: { drain: 'after-satp' } },
    },
  ],
});

/** CPU 0 maps what CPU 1 has found empty, and may have cached so. */
const spurious = defineScenario<Stage>({
  id: 'riscv/not-valid-cached',
  title: 'a page that another hart has mapped: whoever has cached that it was not there must come to see it',
  source: 'privileged manual, SFENCE.VMA; arch/riscv/include/asm/pgtable.h update_mmu_cache_range',
  cpus: 2,
  only: RISCV_ONLY,
  setup: (run) => setStage(run, { touched: [], inKernel: [1] }),
  threads: ({ mm }) => [thread((cpu) => userStore(cpu, mm, 0, 5)), thread((cpu) => storeSoon(cpu, mm))],
  twins: [
    {
      id: 'riscv/not-valid-cached/never-fenced',
      why: 'neither new entries nor spurious faults fence: the store faults for ever',
      oracle: 'O16',
      property: 'LIVE',
      backend: { riscv: { newMapping: 'never' } },
    },
    {
      id: 'riscv/not-valid-cached/upper-levels',
      why: 'what is cached as not valid is an entry for a table, which a fence with the address does not name',
      oracle: 'O16',
      property: 'LIVE',
      backend: { riscv: { cachesInvalid: 'all' } },
    },
  ],
});

/** Mms, the first ones with ASIDs. */
export interface Mms {
  /** They. */
  readonly mms: readonly Mm[];
  /** The backend, with its words. */
  readonly riscv: Riscv;
}

/** Two harts run two mms, and have two ASIDs. */
function twoAsids(peek: (cell: number) => number, { riscv }: Mms): string | undefined {
  const [a, b] = riscv.harts.map(({ active, reserved, loadedMm }) => ({
    mm: peek(loadedMm),
    asid: asidIn(peek(active) === 0 ? peek(reserved) : peek(active)),
  }));
  if (a!.mm === riscv.initMm || b!.mm === riscv.initMm) return undefined;
  if ((a!.mm === b!.mm) === (a!.asid === b!.asid)) return undefined;
  return `hart 0 runs mm ${a!.mm} with ASID ${a!.asid}, hart 1 mm ${b!.mm} with ASID ${b!.asid}`;
}

function* runEach(cpu: Cpu, mms: readonly Mm[]): Steps<void> {
  for (const mm of mms) yield* contextSwitch(cpu, mm);
}

/**
 * A setup of mms with a page each.
 * @param ran the hart that runs each mm first, in the order in which ASIDs are given out; the other mms have never run
 */
export function setMms(count: number, ran: readonly number[]): Parameters<typeof defineScenario<Mms>>[0]['setup'] {
  return (run, kernel) => {
    const mms = Array.from({ length: count }, () => newMm(run));
    ran.forEach((cpu, i) => {
      run(cpu, (port) => contextSwitch(port, mms[i]!));
      run(cpu, (port) => userStore(port, mms[i]!, 0, 1 + i));
    });
    return { mms, riscv: kernel.backend as Riscv };
  };
}

/** Three ASIDs for users: one more than harts can run with. */
export const THREE: BackendOverrides = { riscv: { asids: 4 } };

const rollover = defineScenario<Mms>({
  id: 'riscv/asid-rollover',
  title: 'five mms share three ASIDs: two rollovers go on beside a hart that takes its ASID on the fast path',
  source: 'arch/riscv/mm/context.c; the race of bug B78',
  cpus: 2,
  only: RISCV_ONLY,
  where: { backend: { riscv: { asidAllocator: true } } },
  backend: THREE,
  pools: { mm: 5, page: 5, table: 10, vma: 5 },
  setup: setMms(5, [0, 0, 1]),
  threads: ({ mms: [one, , , two, other] }) => [
    thread((cpu) => runEach(cpu, [one!])),
    thread((cpu) => runEach(cpu, [two!, other!, two!, one!])),
  ],
  final: twoAsids,
  twins: [
    {
      id: 'riscv/asid-rollover/nothing-reserved',
      why: 'a rollover does not keep the ASIDs that harts run with',
      oracle: ['O8', 'assert'],
      property: 'ALIAS',
      backend: { riscv: { reserveActive: false } },
    },
  ],
});

const lazyRollover = defineScenario<Mms>({
  id: 'riscv/lazy-rollover',
  title:
    'a lazy hart goes on with its mm after a rollover: it has not looked at the ASID again, so that must be the same',
  source: 'arch/riscv/mm/context.c; the shape of bug B20',
  cpus: 2,
  only: RISCV_ONLY,
  where: { backend: { riscv: { asidAllocator: true } } },
  backend: THREE,
  pools: { mm: 4, page: 4, table: 8, vma: 4 },
  setup(run, kernel) {
    const stage = setMms(4, [1, 0, 0])(run, kernel);
    run(1, (cpu) => contextSwitch(cpu, null));
    return stage;
  },
  threads: ({ mms: [lazy, , , other] }) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, other!);
      yield* contextSwitch(cpu, lazy!);
      yield* munmap(cpu, lazy!, 0, PAGE);
    }),
    thread((cpu) => toUser(cpu, lazy!)),
  ],
  twins: [
    {
      id: 'riscv/lazy-rollover/nothing-reserved',
      why: 'the mm has got another ASID: flushes name that, and the hart uses what it has under the old one',
      oracle: ['O1', 'O4', 'O8'],
      property: 'ALIAS',
      backend: { riscv: { reserveActive: false } },
    },
  ],
});

/** All of them. */
export const RISCV_SCENARIOS: readonly AnyScenario[] = [
  arrival,
  unlinked,
  mask,
  firmware,
  deferred,
  leftForLater,
  takenUp,
  full,
  tables,
  spurious,
  rollover,
  lazyRollover,
];
