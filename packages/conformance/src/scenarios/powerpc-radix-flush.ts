/**
 * powerpc radix: who is flushed, how much, and by which means.
 */
import { type Cell, type Cpu, Mm, type Steps } from '@mmu-gather/core/stepped';
import { madviseDontneed, mmget, munmap, userStore, vmallocInit, vmap } from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Twin } from '../scenario.ts';
import { setHugeStage } from './huge-stage.ts';
import { mappingOf, noWait, PAGE, putUnmapped, setStage, type Stage, toUser, type Page0, withPage0 } from './stage.ts';

/** What all scenarios here are about. */
export const RADIX: Only = { archs: ['powerpc-radix'], why: 'it is about how radix flushes' };

/** Switches of radix. */
export function radix(switches: Readonly<Record<string, unknown>>): BackendOverrides {
  return { 'powerpc-radix': switches };
}

/** A wrong form by switches of radix. */
function wrongBy(
  id: string,
  why: string,
  oracle: string | readonly string[],
  switches: Readonly<Record<string, unknown>>,
): Twin<Stage> {
  return { id, why, oracle, property: 'FUAF', backend: radix(switches) };
}

/** A thread of the mm begins to run on a CPU that has never run it. It was a user before. */
const arrival = defineScenario<Stage>({
  id: 'powerpc-radix/arrival',
  title:
    'a thread arrives at a CPU that has never run the mm, while a page is unmapped: the flush is broadcast, or it walks the new entry',
  source: 'switch_mm_irqs_off, flush_type_needed; sheet, litmus 3',
  cpus: 2,
  only: RADIX,
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    run(0, (cpu) => mmget(cpu, stage.mm));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    wrongBy(
      'powerpc-radix/arrival/type-first',
      'who uses the mm is read before the entry is cleared: the CPU arrives in between, and is not flushed',
      'O1',
      { typeRead: 'before-clear' },
    ),
    {
      ...wrongBy(
        'powerpc-radix/arrival/no-switch-fence',
        'nothing orders the bit in mm_cpumask before the first walk',
        'O1',
        { switchFence: false },
      ),
      memoryModels: ['weak'],
    },
    wrongBy('powerpc-radix/arrival/self-only', 'a flush of this CPU alone, whoever is in the mask', 'O1', {
      reach: 'self',
    }),
  ],
});

/** An entry is cleared and flushed under its PTL, with nothing in between, and its page given up. */
export function* clearFlush(cpu: Cpu, { mm, p0 }: Page0): Steps<void> {
  const { backend } = cpu.kernel;
  yield* cpu.spinLock(p0.ptl);
  yield* backend.pte.ptepGetAndClear(cpu, mm, 0, p0.pte, 0);
  yield* backend.flushTlbPage(cpu, mm, 0);
  yield* cpu.spinUnlock(p0.ptl);
  yield* putUnmapped(cpu, p0.page);
}

/** What a change of an entry orders by itself is nothing: radix__pte_update is a loop of ldarx and stdcx. */
const clearFlushed = defineScenario<Page0>({
  id: 'powerpc-radix/clear-flush',
  title: 'the same with the least that there is between the change and the flush: the barrier of the flush itself',
  source: 'switch_mm_irqs_off, radix__flush_tlb_page_psize',
  cpus: 2,
  only: RADIX,
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    run(0, (cpu) => mmget(cpu, stage.mm));
    return withPage0(run, stage);
  },
  threads: (env) => [thread((cpu) => clearFlush(cpu, env)), thread((cpu) => toUser(cpu, env.mm))],
  twins: [
    {
      id: 'powerpc-radix/clear-flush/no-fence',
      why: 'nothing orders the change of the entry before the read of mm_cpumask: the CPU that has arrived is not seen',
      oracle: 'O1',
      property: 'FUAF',
      backend: radix({ flushFence: false }),
      memoryModels: ['weak'],
    },
    {
      id: 'powerpc-radix/clear-flush/no-switch-fence',
      why: 'nothing orders the bit in mm_cpumask before the first walk',
      oracle: 'O1',
      property: 'FUAF',
      backend: radix({ switchFence: false }),
      memoryModels: ['weak'],
    },
  ],
});

/** A flush by other means than tlbie: a running thread, and a CPU that is lazy; a whole table goes. */
function byOtherMeans(
  name: string,
  title: string,
  switches: Readonly<Record<string, unknown>>,
  twins: readonly Twin<Stage>[],
): AnyScenario {
  return defineScenario<Stage>({
    id: `powerpc-radix/${name}`,
    title,
    cpus: 3,
    only: RADIX,
    backend: radix(switches),
    setup: (run) => setStage(run, { touched: [0], running: [0, 1, 2], lazy: [2] }),
    threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
    twins,
  });
}

const TABLE: readonly string[] = ['O4', 'O1'];

const multicast = byOtherMeans(
  'multicast',
  'where tlbie reaches nobody (Microwatt, disable_tlbie) every CPU of the mask is interrupted, lazy ones too',
  { tlbie: false },
  [
    wrongBy('powerpc-radix/multicast/no-wait', 'the initiator does not wait for its interrupts', TABLE, {
      waitForIpis: false,
    }),
    wrongBy('powerpc-radix/multicast/others-only', 'the initiator leaves itself out', ['O4', 'O1', 'O10'], {
      ownPart: false,
    }),
    wrongBy('powerpc-radix/multicast/no-pwc', 'and nobody drops the ways to the table', 'O4', { gatherPwc: false }),
  ],
);

const hypervisor = byOtherMeans(
  'hypervisor',
  'a guest without tlbie (GTSE=0) asks the hypervisor: H_RPT_INVALIDATE returns when it is done',
  { gtse: false },
  [
    wrongBy('powerpc-radix/hypervisor/no-wait', 'it returns before', TABLE, { tlbsync: false }),
    wrongBy('powerpc-radix/hypervisor/no-pwc', 'the ways to the table are not asked for', 'O4', { gatherPwc: false }),
  ],
);

/** A machine with errata of POWER9. */
function errata(name: 'stq' | 'erat' | 'both'): AnyScenario {
  return byOtherMeans(
    `errata-${name}`,
    `POWER9 (${name}): the broadcast is repeated as the fixups do, and only then is it waited for`,
    { errata: name },
    [
      wrongBy(`powerpc-radix/errata-${name}/unfixed`, 'one tlbie, as on machines without the errata', TABLE, {
        fixups: false,
      }),
    ],
  );
}

/** The same of one page. */
function errataOfPage(name: 'stq' | 'erat' | 'both'): AnyScenario {
  return defineScenario<Page0>({
    id: `powerpc-radix/errata-${name}-page`,
    title: `POWER9 (${name}): a page is flushed on another CPU, which runs the mm`,
    cpus: 2,
    only: RADIX,
    backend: radix({ errata: name }),
    setup: (run) => withPage0(run, setStage(run, { touched: [0] })),
    threads: (env) => [thread((cpu) => clearFlush(cpu, env))],
    twins: [
      {
        id: `powerpc-radix/errata-${name}-page/unfixed`,
        why: 'one tlbie, as on machines without the errata',
        oracle: ['O1', 'O10'],
        property: 'FUAF',
        backend: radix({ errata: name, fixups: false }),
      },
    ],
  });
}

/** munmap of a whole table: with few pages addresses and RIC 1, beyond the ceiling the PID with RIC 2. */
function pwc(name: string, ceiling: number): AnyScenario {
  return defineScenario<Stage>({
    id: `powerpc-radix/${name}`,
    title: `a table is freed while a thread runs: tlbie of ${ceiling === 0 ? 'the PID, RIC 2' : 'its addresses, and of the PID, RIC 1'}`,
    source: 'radix__flush_tlb_pwc_range_psize; sheet, litmus 5',
    cpus: 2,
    only: RADIX,
    backend: radix({ ceiling, localCeiling: ceiling }),
    setup: (run) => setStage(run, { touched: [0] }),
    threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
    twins: [
      wrongBy(`powerpc-radix/${name}/no-pwc`, 'RIC 0: the thread walks through the way that it has cached', 'O4', {
        gatherPwc: false,
      }),
    ],
  });
}

const pageSizes = defineScenario<Stage>({
  id: 'powerpc-radix/page-sizes',
  title: 'a huge page and small ones in one gather: it flushes in between, for tlbie drops leaves of one size',
  source: 'MMU_GATHER_PAGE_SIZE; radix__tlb_flush',
  cpus: 2,
  only: RADIX,
  backend: radix({ ceiling: 8, localCeiling: 8 }),
  setup(run) {
    // CPU 1 runs user code. The third page is small: no huge one fits there.
    const stage = setHugeStage(run, { mapped: 'huge', pages: 3 });
    run(0, (cpu) => userStore(cpu, stage.mm, 2 * PAGE, 3));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, 3 * PAGE))],
  twins: [
    {
      ...wrongBy(
        'powerpc-radix/page-sizes/merged',
        'one flush for all of them, of the size that was recorded last',
        ['O1', 'O10'],
        { pageSizeFlush: false },
      ),
      // Elsewhere a record is a range of whatever pages.
      where: { profile: { deferral: 'counter' } },
    },
    noWait('powerpc-radix/page-sizes'),
  ],
});

interface KernelPage {
  readonly address: number;
  readonly pte: Cell;
}

/** A kernel address loses its page and is flushed, with nothing in between. */
function* clearKernelPage(cpu: Cpu, { address, pte }: KernelPage): Steps<void> {
  const range = { start: address, end: address + PAGE };
  yield* cpu.xchg(pte, 0, 'relaxed');
  yield* cpu.kernel.backend.flushTlbKernelRange(cpu, range.start, range.end);
  cpu.claim.reassigned(range);
}

/** The twin that every broadcast must refute. An interrupt is a barrier itself. */
function unordered(name: string): Twin<KernelPage> {
  return {
    id: `powerpc-radix/${name}/no-ptesync`,
    why: 'nothing orders the entry before the invalidation: a walk may bring the old one back behind it',
    oracle: 'O15',
    property: 'SAC',
    backend: radix({ ptesync: false }),
    memoryModels: ['weak'],
  };
}

/** By which means kernel addresses are flushed: there is no smp_mb for a mask here, ptesync alone orders the entry. */
function kernelRange(name: string, switches: Readonly<Record<string, unknown>>): AnyScenario {
  return defineScenario<KernelPage>({
    id: `powerpc-radix/${name}`,
    title: 'a kernel address is unmapped and flushed on every CPU: ptesync comes before the invalidation',
    source: 'radix__flush_tlb_kernel_range',
    cpus: 2,
    only: RADIX,
    backend: radix(switches),
    setup(run, kernel) {
      run(0, vmallocInit);
      const frame = run(0, (cpu) => cpu.alloc('page'));
      const address = run(0, (cpu) => vmap(cpu, [frame]));
      // What this CPU asked of others before was about a user's PID.
      const { mm } = setStage(run, { touched: [0] });
      run(0, (cpu) => cpu.kernel.backend.flushTlbMm(cpu, mm));
      return { address, pte: mappingOf(run, Mm.at(kernel.initMm), address).pte };
    },
    threads: (page) => [thread((cpu) => clearKernelPage(cpu, page))],
    twins: [
      ...(name === 'kernel-range-multicast' ? [] : [unordered(name)]),
      {
        id: `powerpc-radix/${name}/no-wait`,
        why: 'the address is handed out before every CPU has done it',
        oracle: 'O15',
        property: 'SAC',
        backend: radix({ kernelTlbsync: false }),
      },
    ],
  });
}

/** All of them. */
export const RADIX_FLUSHES: readonly AnyScenario[] = [
  arrival,
  clearFlushed,
  multicast,
  hypervisor,
  errata('stq'),
  errata('erat'),
  errata('both'),
  errataOfPage('stq'),
  errataOfPage('erat'),
  errataOfPage('both'),
  pwc('pwc-range', 8),
  pwc('pwc-pid', 0),
  pageSizes,
  kernelRange('kernel-range', {}),
  kernelRange('kernel-range-errata', { errata: 'both' }),
  kernelRange('kernel-range-multicast', { tlbie: false }),
  kernelRange('kernel-range-hypervisor', { gtse: false }),
];
