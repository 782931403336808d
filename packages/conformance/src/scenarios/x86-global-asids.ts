/**
 * x86: global ASIDs piece by piece (arch/x86/mm/tlb.c since 6.15): who gets one, who gives it back, and an mm that all its CPUs run under one.
 */
import type { Run } from '@mmu-gather/checker';
import { type Cell, type Cpu, type Mm, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import { contextSwitch, madviseDontneed, mmAlloc, mmap, mprotect, munmap, userStore } from '@mmu-gather/mm/stepped';
import { considerGlobalAsid, mmGlobalAsidCell, x86Of } from '@mmu-gather/x86/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Where } from '../scenario.ts';
import {
  cameFromAnotherMm,
  PAGE,
  putUnmapped,
  RW_MEMORY,
  setStage,
  type Stage,
  syscall,
  toUser,
  type Page0,
  withPage0,
} from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'it is about ASIDs that INVLPGB names' };
const SINCE_6_15: Where = { backend: { x86: { switchingMark: 'before-generation' } } };
const SOURCE = 'arch/x86/mm/tlb.c (6.15)';

function globalAsids(count: number, threshold: number): BackendOverrides {
  return { x86: { globalAsids: count, globalAsidThreshold: threshold } };
}

/** A new mm with a page, which this CPU goes to and which gets a global ASID, if there is one. */
function* begin(cpu: Cpu): Steps<Mm> {
  const mm = yield* mmAlloc(cpu);
  yield* contextSwitch(cpu, mm);
  yield* mmap(cpu, mm, 0, PAGE, RW_MEMORY);
  yield* userStore(cpu, mm, 0, 1);
  yield* considerGlobalAsid(cpu, mm);
  yield* contextSwitch(cpu, mm);
  return mm;
}

function expectAsid(cpu: Cpu, mm: Mm, n: number, why: string): void {
  const asid = cpu.read(mmGlobalAsidCell(mm));
  cpu.claim.that(asid === (n < 0 ? 0 : x86Of(cpu).slots + n), 'O16', `${why}, and it has ASID ${asid}`);
}

const space = defineScenario<null>({
  id: 'global-asid/space',
  title: 'two global ASIDs for five mms: none is given twice, and one that was given back is given again',
  source: `${SOURCE}: allocate_global_asid, reset_global_asid_space, mm_free_global_asid`,
  cpus: 1,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: globalAsids(2, 0),
  pools: { mm: 6, page: 8, table: 16, vma: 8 },
  sequential: 'it is about who gets what',
  setup: () => null,
  threads: (_env, kernel) => [
    thread(function* (cpu) {
      const first = yield* begin(cpu);
      const second = yield* begin(cpu);
      expectAsid(cpu, first, 0, 'the first one takes the first');
      expectAsid(cpu, second, 1, 'the second one takes the second');
      const third = yield* begin(cpu);
      expectAsid(cpu, third, -1, 'none is left');
      // An mm without one has none to give back.
      yield* kernel.backend.destroyContext!(cpu, third);
      yield* kernel.backend.destroyContext!(cpu, second);
      const fourth = yield* begin(cpu);
      expectAsid(cpu, fourth, 1, 'that of the second one is free again');
      const fifth = yield* begin(cpu);
      expectAsid(cpu, fifth, -1, 'both are in use');
    }),
  ],
  twins: [
    {
      id: 'global-asid/space/no-flush',
      why: 'what the second mm has left under its ASID is used by the fourth',
      oracle: ['O8', 'O1', 'O2', 'O4'],
      property: 'ALIAS',
      backend: { x86: { globalReuseFlush: false } },
    },
  ],
});

interface Space {
  readonly mms: readonly Mm[];
  readonly used: Cell;
  readonly freed: Cell;
}

function spaceOf(run: Run, mms: readonly Mm[]): Space {
  return run(0, function* (cpu): Steps<Space> {
    const { used, freed } = x86Of(cpu).globalAsids;
    return { mms, used, freed };
  });
}

const given = defineScenario<Space>({
  id: 'global-asid/given-at-once',
  title: 'two CPUs find at once that their mm should have a global ASID: it gets one, and no other is lost',
  source: `${SOURCE}: use_global_asid`,
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: globalAsids(2, 1),
  setup: (run) => spaceOf(run, [setStage(run, { touched: [0], inKernel: [1] }).mm]),
  threads: ({ mms }) => [0, 1].map(() => thread((cpu) => considerGlobalAsid(cpu, mms[0]!))),
  final: (peek, { used }) => (peek(used) === 1 ? undefined : `global ASIDs in use: ${peek(used).toString(2)}`),
  twins: [
    {
      id: 'global-asid/given-at-once/no-lock',
      why: 'without the lock',
      oracle: ['race', 'assert'],
      threads: ({ mms, used }) =>
        [1, 2].map((bit) =>
          thread(function* (cpu) {
            yield* cpu.localIrqDisable();
            if (cpu.read(mmGlobalAsidCell(mms[0]!)) === 0) cpu.write(used, cpu.read(used) | bit);
            yield* cpu.localIrqEnable();
          }),
        ),
    },
  ],
});

const returned = defineScenario<Space>({
  id: 'global-asid/returned-at-once',
  title: 'two mms die at once: both of their ASIDs are noted as free',
  source: `${SOURCE}: mm_free_global_asid`,
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: globalAsids(2, 0),
  pools: { mm: 4, page: 6, table: 8, vma: 4 },
  setup: (run) => spaceOf(run, [run(0, begin), run(1, begin)]),
  threads: ({ mms }, kernel) =>
    mms.map((mm) =>
      thread(function* (cpu) {
        yield* kernel.backend.destroyContext!(cpu, mm);
        // Plain stores are looked at up to the next step.
        yield* cpu.smpMb();
      }),
    ),
  final: (peek, { freed }) =>
    peek(freed) === 3 ? undefined : `global ASIDs that are free: ${peek(freed).toString(2)}`,
  twins: [
    {
      id: 'global-asid/returned-at-once/no-lock',
      why: 'without the lock',
      oracle: 'race',
      threads: ({ freed }) =>
        [1, 2].map((bit) =>
          thread(function* (cpu) {
            yield* cpu.localIrqDisable();
            cpu.write(freed, cpu.read(freed) | bit);
            yield* cpu.localIrqEnable();
          }),
        ),
    },
  ],
});

/** All CPUs of the mm run it under its global ASID, and it is not in transition any more. */
function setGlobal(run: Run): Page0 {
  const stage = setStage(run, { inKernel: [1] });
  for (const prot of [VM_READ, RW_MEMORY, VM_READ]) run(0, (cpu) => mprotect(cpu, stage.mm, PAGE, PAGE, prot));
  run(1, (cpu) => cpu.enterUser());
  return withPage0(run, stage);
}

function settled(id: string, pti: boolean): AnyScenario {
  return defineScenario<Page0>({
    id: `global-asid/${id}`,
    title: `a page goes whose mm all CPUs run under its global ASID: the broadcast is all there is${pti ? ', with page-table isolation' : ''}`,
    source: `${SOURCE}: broadcast_tlb_flush`,
    cpus: 2,
    only: X86_ONLY,
    where: SINCE_6_15,
    backend: { x86: { ...globalAsids(1, 1)['x86'], pti } },
    setup: setGlobal,
    threads: ({ mm }) => [thread((cpu) => syscall(cpu, () => munmap(cpu, mm, 0, PAGE)))],
    twins: [
      {
        id: `global-asid/${id}/no-broadcast`,
        why: 'nothing is broadcast',
        oracle: ['O1', 'O2', 'O4', 'O10', 'O11', 'O12'],
        property: 'FUAF',
        threads: ({ p0 }) => [
          thread(function* (cpu) {
            yield* cpu.spinLock(p0.ptl);
            yield* cpu.writeOnce(p0.pte, 0);
            yield* cpu.spinUnlock(p0.ptl);
            yield* putUnmapped(cpu, p0.page);
          }),
        ],
      },
    ],
  });
}

const published = defineScenario<Stage>({
  id: 'global-asid/published-to-one',
  title: 'an mm gets a global ASID while another CPU zaps a page: it broadcasts and interrupts, or interrupts only',
  source: `${SOURCE}: use_global_asid, mm_assign_global_asid`,
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: globalAsids(1, 1),
  setup: (run) => setStage(run, { inKernel: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* considerGlobalAsid(cpu, mm);
      yield* cpu.enterUser();
    }),
    thread((cpu) => madviseDontneed(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'global-asid/published-to-one/transition-later',
      why: 'the ASID can be seen before asid_transition: a broadcast in between interrupts nobody',
      oracle: ['O1', 'O2', 'O4', 'O10', 'O11'],
      property: 'ORD',
      backend: { x86: { transitionFirst: false } },
    },
  ],
});

const arriving = defineScenario<Stage>({
  id: 'global-asid/arriving',
  title: 'a CPU that has chosen a dynamic ASID arrives while its mm goes over to a global one, and a page goes',
  source: `${SOURCE}: finish_asid_transition`,
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: globalAsids(1, 0),
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* considerGlobalAsid(cpu, mm);
      yield* contextSwitch(cpu, mm);
      yield* madviseDontneed(cpu, mm, 0, PAGE);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'global-asid/arriving/not-waited-for',
      why: 'loaded_mm is SWITCHING, so it is not the mm, and the CPU is left out',
      oracle: ['O1', 'O2', 'O4', 'O10', 'O11'],
      property: 'MISS',
      backend: { x86: { transitionWait: false } },
    },
  ],
});

/** All of them. */
export const X86_GLOBAL_ASIDS: readonly AnyScenario[] = [
  space,
  given,
  returned,
  settled('settled', false),
  settled('settled-pti', true),
  published,
  arriving,
];
