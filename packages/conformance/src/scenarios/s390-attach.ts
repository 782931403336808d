/**
 * s390: who attaches to an mm, and who changes its entries meanwhile: the handshake of flush_count, and the two masks.
 */
import type { Body, Run } from '@mmu-gather/checker';
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  doUserAddrFault,
  execMmap,
  madviseDontneed,
  mmAlloc,
  munmap,
  shrinkPages,
} from '@mmu-gather/mm/stepped';
import { attachMask, tlbFlushMm } from '@mmu-gather/s390/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Scenario, thread } from '../scenario.ts';
import { S390_ONLY } from './s390-only.ts';
import {
  cameFromAnotherMm,
  type Mapping,
  mappingOf,
  newMm,
  PAGE,
  type Page0,
  putUnmapped,
  setStage,
  type Stage,
  toUser,
  withPage0,
} from './stage.ts';

const arrives = defineScenario<Stage>({
  id: 'bug:B80/fixed',
  bug: 'B80',
  title:
    'a page is unmapped lazily, by the only CPU that is attached, while a thread of the mm is switched in elsewhere: it waits, and pays',
  source: '53e857f30867 (s390/mm,tlb: race of lazy TLB flush vs. recreation of TLB entries)',
  cpus: 2,
  only: S390_ONLY,
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, PAGE);
      yield* cpu.enterUser(0);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'bug:B80/buggy',
      why: 'who attaches does not wait for those who found themselves alone',
      oracle: ['O1', 'O2', 'O10'],
      property: 'SAC',
      backend: { s390: { attachWait: false } },
    },
    {
      id: 'bug:B80/unfenced',
      why: 'flush_count += 1 is no barrier: attach_mask is read before it',
      oracle: ['O1', 'O2', 'O10'],
      property: 'ORD',
      backend: { s390: { atomicFence: 'none' } },
    },
    {
      id: 'bug:B80/marked-late',
      why: 'who attaches waits first and enters attach_mask then',
      oracle: ['O1', 'O2', 'O10'],
      property: 'ORD',
      backend: { s390: { attachBit: 'after-wait' } },
    },
    {
      id: 'bug:B80/unpaid',
      why: 'who attaches has entries from before, and does not pay what is owed',
      oracle: ['O1', 'O2', 'O10'],
      property: 'MISS',
      backend: { s390: { attachPays: false } },
    },
  ],
});

const reaper = defineScenario<Stage>({
  id: 's390/oom-reaper',
  title:
    'a kernel thread zaps the mm that it has borrowed, as the only CPU that is attached, while the only thread of the mm is switched in elsewhere',
  source: 'mm/oom_kill.c oom_reap_task_mm; 53e857f30867',
  cpus: 2,
  only: S390_ONLY,
  setup(run) {
    const stage = setStage(run, { running: [0], touched: [0] });
    run(0, (cpu) => contextSwitch(cpu, null));
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 's390/oom-reaper/one-user',
      why: 'the mm has one user, and is active here: that says nothing of who is switched in elsewhere (2.6)',
      oracle: ['O1', 'O2', 'O10'],
      property: 'SAC',
      backend: { s390: { era: 'E0' } },
    },
    {
      id: 's390/oom-reaper/unwaited',
      why: 'who attaches does not wait for those who found themselves alone',
      oracle: ['O1', 'O2', 'O10'],
      property: 'SAC',
      backend: { s390: { attachWait: false } },
    },
  ],
});

/** The mm has run on CPU 0 alone, which runs a kernel thread now: kswapd, on the mm that it borrows. */
function kswapd(run: Run): Page0 {
  const stage = withPage0(run, setStage(run, { running: [0], touched: [0] }));
  run(0, (cpu) => contextSwitch(cpu, null));
  return stage;
}

/** ptep_clear_flush in a CPU that may be alone, and a thread that is switched in. */
function reclaimBesideArrival({ mm, p0 }: Page0): readonly Body[] {
  return [thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])), thread((cpu) => toUser(cpu, mm))];
}

/** A direct flush that may be local beside an arrival, in one form of the handshake. */
function direct(id: string, title: string, right: BackendOverrides, twins: Scenario<Page0>['twins']): AnyScenario {
  return defineScenario<Page0>({
    id,
    title: `reclaim purges an entry directly while a thread is switched in elsewhere: ${title}`,
    source: 'arch/s390/include/asm/mmu_context.h finish_arch_post_lock_switch, mm/pgtable.c ptep_flush_direct',
    cpus: 2,
    only: S390_ONLY,
    backend: right,
    setup: kswapd,
    threads: reclaimBesideArrival,
    twins,
  });
}

/** As every kernel since 2017 is. */
function asInLinux(id: string): Scenario<Page0>['twins'][number] {
  return {
    id: `${id}/as-in-linux`,
    why: 'who attaches enters mm_cpumask after it has waited: in between a flush that asks mm_cpumask finds itself alone, and purges here',
    oracle: ['O3', 'O9'],
    property: 'MISS',
    backend: { s390: { attachRepair: 'none' } },
  };
}

function unwaited(id: string): Scenario<Page0>['twins'][number] {
  return {
    id: `${id}/unwaited`,
    why: 'who attaches does not wait for flushes that have asked before',
    oracle: ['O3', 'O9'],
    property: 'MISS',
    backend: { s390: { attachWait: false } },
  };
}

const D1 = [
  direct('s390/D1-test-attach', 'it asks attach_mask too', { s390: { attachRepair: 'test-attach' } }, [
    asInLinux('s390/D1-test-attach'),
    unwaited('s390/D1-test-attach'),
  ]),
  direct(
    's390/D1-mask-twice',
    'mm_cpumask is set before the wait, too, and nobody copies attach_mask',
    { s390: { attachRepair: 'mask-twice' } },
    [asInLinux('s390/D1-mask-twice'), unwaited('s390/D1-mask-twice')],
  ),
  direct(
    's390/D1-wait-twice',
    'flush_count is waited for again after mm_cpumask was set',
    { s390: { attachRepair: 'wait-twice' } },
    [asInLinux('s390/D1-wait-twice'), unwaited('s390/D1-wait-twice')],
  ),
  direct(
    's390/D1-count',
    'one count of the attached and of flushers (up to 4.8)',
    { s390: { era: 'E1', attachRepair: 'none' } },
    [unwaited('s390/D1-count')],
  ),
  direct(
    's390/D1-both-masks',
    'in both masks before the wait (4.9 to 4.13)',
    { s390: { era: 'E2', attachRepair: 'none' } },
    [unwaited('s390/D1-both-masks')],
  ),
  direct('s390/D1-no-local', 'a machine without local clearing', { s390: { tlbLc: false, attachRepair: 'none' } }, [
    {
      id: 's390/D1-no-local/here',
      why: 'the purge acts on the CPU that does it',
      oracle: ['O3', 'O9'],
      property: 'MISS',
      backend: { s390: { globalPurge: 'here' } },
    },
  ]),
];

const maskCopy = defineScenario<Page0 & { readonly other: Mm }>({
  id: 'bug:B79/fixed',
  bug: 'B79',
  title: 'a flush of the whole mm takes CPUs out of mm_cpumask that are attached no more, while one of them leaves',
  source: 'b3e5dc45fd1e (s390/mm: fix local TLB flushing vs. detach of an mm address space)',
  cpus: 2,
  only: S390_ONLY,
  // What every kernel lacks (s390/D1-*) would be found here first.
  backend: { s390: { attachRepair: 'test-attach' } },
  pools: { mm: 4, table: 8 },
  setup(run) {
    const stage = setStage(run, { pages: 4, touched: [0, 2] });
    return { ...withPage0(run, stage), other: run(1, mmAlloc) };
  },
  threads: ({ mm, p0, other }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 2 * PAGE, 2 * PAGE);
      yield* shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]);
    }),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* contextSwitch(cpu, other);
      yield* toUser(cpu, mm);
    }),
  ],
  twins: [
    {
      id: 'bug:B79/buggy',
      why: 'the mask is copied after the purge: who has cached an entry in between, and left, is in it no more',
      oracle: ['O3', 'O9'],
      property: 'MISS',
      backend: { s390: { maskCopy: 'after-purge' } },
    },
    {
      id: 'bug:B79/both-masks',
      why: 'mm_cpumask is set before the wait only (4.9 to 4.13; the other half of the fix): the copy takes the bit of who attaches away',
      oracle: ['O3', 'O9'],
      property: 'MISS',
      backend: { s390: { era: 'E2', attachRepair: 'none' } },
    },
    {
      id: 'bug:B79/mask-twice',
      why: 'mm_cpumask is set before the wait, and after it: between the copy and the second time a direct flush finds itself alone (Z-D1)',
      oracle: ['O3', 'O9'],
      property: 'MISS',
      backend: { s390: { attachRepair: 'mask-twice' } },
    },
    {
      id: 'bug:B79/detached-early',
      why: 'a CPU leaves attach_mask while the ASCE is still loaded: it caches an entry after the purge, and is not in the mask that was copied before',
      oracle: ['O3', 'O9'],
      property: 'MISS',
      backend: { s390: { detachBit: 'before-load' } },
    },
    {
      id: 'bug:B79/switched-late',
      why: 'a CPU is in the attach_mask of the next mm only, and still walks the tables of the one before (02a8f3abb708)',
      oracle: ['O3', 'O9', 'O4'],
      property: 'MISS',
      backend: { s390: { invalidBetween: false } },
    },
  ],
});

const maskUnlocked = defineScenario<Page0>({
  id: 's390/mask-copied',
  title: 'who pays a debt copies attach_mask while a thread is switched in, and purges an entry directly afterwards',
  source: 'arch/s390/include/asm/tlbflush.h __tlb_flush_mm',
  cpus: 2,
  only: S390_ONLY,
  // A direct flush goes by mm_cpumask alone, as in Linux, and is not what is wrong with it.
  backend: { s390: { attachRepair: 'wait-twice' } },
  setup: (run) => withPage0(run, setStage(run, { pages: 4, touched: [0, 2], running: [0] })),
  threads: ({ mm, p0 }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 2 * PAGE, 2 * PAGE);
      yield* shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 's390/mask-copied/uncounted',
      why: 'the copy does not hold up who attaches: the bit that he sets in between is lost',
      oracle: ['O3', 'O9'],
      property: 'MISS',
      backend: { s390: { payCounts: false } },
    },
  ],
});

interface Replaced extends Stage {
  readonly other: Mm;
}

/** A task on CPU 0 has executed another program, whose mm has a page. */
function setExec(run: Run): Replaced & { readonly p0: Mapping } {
  const stage = setStage(run, { touched: [0], running: [0] });
  const other = newMm(run);
  run(0, (cpu) => doUserAddrFault(cpu, other, 0, true));
  run(0, (cpu) => execMmap(cpu, other));
  run(0, (cpu) => cpu.enterUser());
  return { ...stage, other, p0: mappingOf(run, other, 0) };
}

/** An entry is cleared and purged by one instruction, and its page given up. */
function* clearDirectly(cpu: Cpu, mm: Mm, { ptl, pte, page }: Mapping): Steps<void> {
  yield* cpu.spinLock(ptl);
  yield* cpu.kernel.backend.pte.ptepClearFlush!(cpu, mm, 0, pte);
  yield* cpu.spinUnlock(ptl);
  yield* putUnmapped(cpu, page);
}

const execAndPurge = defineScenario<Replaced & { readonly p0: Mapping }>({
  id: 's390/exec-direct',
  title: 'a task has executed another program; a thread of it arrives on another CPU and purges an entry, on both',
  source: 'arch/s390/include/asm/mmu_context.h activate_mm',
  cpus: 2,
  only: S390_ONLY,
  setup: setExec,
  threads: ({ other, p0 }) => [
    undefined,
    thread(function* (cpu) {
      yield* contextSwitch(cpu, other);
      yield* clearDirectly(cpu, other, p0);
    }),
  ],
  final: (peek, { other }) => {
    const masks = [peek(attachMask(other)), peek(other.cpumask)];
    return masks.every((mask) => mask === 0b11)
      ? undefined
      : `attach_mask and mm_cpumask of the mm are ${masks.join(' and ')}`;
  },
  twins: [
    {
      id: 's390/exec-direct/here',
      why: 'the purge is one of the CPU that does it',
      oracle: ['O1', 'O10'],
      property: 'FUAF',
      backend: { s390: { globalPurge: 'here' } },
    },
  ],
});

/** An mm that has run nowhere, with a page. */
interface Fresh {
  readonly mm: Mm;
  readonly p0: Mapping;
}

/** Two CPUs come to a new mm at once, and the first purges an entry then: neither may lose the other one's bit in mm_cpumask. */
function bothArrive(
  id: string,
  title: string,
  arrive: (cpu: Cpu, mm: Mm) => Steps<unknown>,
  attachRepair: string,
): AnyScenario {
  return defineScenario<Fresh>({
    id,
    title,
    source: 'arch/s390/include/asm/mmu_context.h cpumask_set_cpu',
    cpus: 2,
    only: S390_ONLY,
    backend: { s390: { attachRepair } },
    setup(run) {
      const mm = newMm(run);
      run(0, (cpu) => doUserAddrFault(cpu, mm, 0, true));
      return { mm, p0: mappingOf(run, mm, 0) };
    },
    threads: ({ mm, p0 }) => [
      thread(function* (cpu) {
        yield* arrive(cpu, mm);
        yield* clearDirectly(cpu, mm, p0);
      }),
      thread((cpu) => toUser(cpu, mm)),
    ],
    twins: [
      {
        id: `${id}/here`,
        why: 'the purge is one of the CPU that does it',
        oracle: ['O1', 'O9', 'O10'],
        property: 'FUAF',
        backend: { s390: { globalPurge: 'here' } },
      },
    ],
  });
}

const ARRIVALS = [
  bothArrive('s390/arrive-together', 'two CPUs are switched to a new mm at once', contextSwitch, 'mask-twice'),
  bothArrive('s390/exec-arrives', 'a task executes a program while a thread of it arrives', execMmap, 'wait-twice'),
];

const leaves = defineScenario<Replaced>({
  id: 's390/leaves',
  title:
    'a CPU goes from an mm to another one: it is attached to that alone, and purges of the first are for who is left',
  source: 'arch/s390/include/asm/mmu_context.h switch_mm; asm/tlbflush.h __tlb_flush_mm',
  cpus: 2,
  only: S390_ONLY,
  setup: (run) => ({ ...setStage(run, { touched: [0] }), other: run(1, mmAlloc) }),
  threads: ({ mm, other }) => [
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
    thread(function* (cpu) {
      yield* cpu.enterKernel();
      yield* contextSwitch(cpu, other);
      yield* tlbFlushMm(cpu, mm);
    }),
  ],
  final: (peek, { mm, other }) => {
    const masks = [peek(attachMask(mm)), peek(mm.cpumask), peek(attachMask(other))];
    return masks.join() === '1,1,2'
      ? undefined
      : `attach_mask, mm_cpumask and the other attach_mask are ${masks.join(', ')}`;
  },
  twins: [
    {
      id: 's390/leaves/stays',
      why: 'the CPU stays',
      oracle: 'assert',
      property: 'MISS',
      threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => cpu.enterKernel())],
    },
  ],
});

/** All of them. */
export const S390_ATTACH: readonly AnyScenario[] = [
  arrives,
  reaper,
  ...D1,
  maskCopy,
  maskUnlocked,
  execAndPurge,
  ...ARRIVALS,
  leaves,
];
