/**
 * x86: global ASIDs and the transition to them, page-table isolation, guests of KVM, and global entries of the kernel.
 */
import { type Mm, VM_READ } from '@mmu-gather/core/stepped';
import { contextSwitch, mprotect, munmap, userStore } from '@mmu-gather/mm/stepped';
import { vcpuLoad, vcpuPut } from '@mmu-gather/x86/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Where } from '../scenario.ts';
import { kernelMapping, mapNext, type Mapped } from './kernel-mapping.ts';
import { cameFromAnotherMm, newMm, PAGE, setStage, type Stage, syscall, toUser } from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'it is about tags, guests or global entries of x86' };

/** Kernels that may have INVLPGB. */
const SINCE_6_15: Where = { backend: { x86: { switchingMark: 'before-generation' } } };

/** One mm may have a global ASID, as soon as it runs on two CPUs. */
const GLOBAL: BackendOverrides = { x86: { globalAsids: 1, globalAsidThreshold: 1 } };
/** And as soon as another CPU may have run it. */
const AT_ONCE: BackendOverrides = { x86: { globalAsids: 1, globalAsidThreshold: 0 } };

const transition = defineScenario<Stage>({
  id: 'global-asid/transition',
  title:
    'an mm gets a global ASID while another CPU runs it under its dynamic one: the first broadcast does not name that',
  source: 'arch/x86/mm/tlb.c consider_global_asid, finish_asid_transition (6.15)',
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: GLOBAL,
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 0, PAGE);
      yield* munmap(cpu, mm, PAGE, PAGE);
    }),
  ],
  twins: [
    {
      id: 'global-asid/transition/no-interrupt',
      why: 'the flush is broadcast, and nobody looks who runs the mm under another ASID',
      oracle: ['O1', 'O2', 'O4', 'O11'],
      property: 'MISS',
      backend: { x86: { transitionIpi: false } },
    },
    {
      id: 'global-asid/transition/no-sync',
      why: 'the initiator does not wait for its broadcast: it frees what is in its own TLB, and those of others',
      oracle: ['O1', 'O2', 'O4', 'O10', 'O11', 'O12'],
      property: 'FUAF',
      backend: { x86: { tlbsync: false, transitionIpi: false } },
    },
  ],
});

const switching = defineScenario<Stage>({
  id: 'global-asid/switching',
  title: 'a CPU that has chosen a dynamic ASID and is not there yet, while the mm gets a global one and is flushed',
  source: 'arch/x86/mm/tlb.c finish_asid_transition (6.15)',
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: AT_ONCE,
  setup: cameFromAnotherMm,
  threads: ({ mm }, kernel) => [
    thread(function* (cpu) {
      yield* kernel.backend.flushTlbPage(cpu, mm, PAGE);
      // To another thread of the mm and back: it goes over to the global ASID by itself.
      yield* contextSwitch(cpu, mm);
      yield* munmap(cpu, mm, 0, PAGE);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'global-asid/switching/not-waited-for',
      why: 'loaded_mm is SWITCHING, so it is not the mm, and the CPU is left out',
      oracle: ['O1', 'O2', 'O4', 'O11'],
      property: 'MISS',
      backend: { x86: { transitionWait: false } },
    },
  ],
});

const published = defineScenario<Stage>({
  id: 'global-asid/published',
  title: 'two CPUs flush an mm, one gives it a global ASID: the other one broadcasts, and must know of the transition',
  source: 'arch/x86/mm/tlb.c use_global_asid, mm_assign_global_asid (6.15)',
  cpus: 3,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: GLOBAL,
  setup: (run) => setStage(run, { running: [0, 1, 2], inKernel: [1] }),
  threads: ({ mm }, kernel) => [
    thread((cpu) => kernel.backend.flushTlbPage(cpu, mm, PAGE)),
    thread((cpu) => munmap(cpu, mm, 0, PAGE)),
  ],
  twins: [
    {
      id: 'global-asid/published/transition-later',
      why: 'the ASID can be seen before asid_transition: a broadcast in between interrupts nobody',
      oracle: ['O1', 'O2', 'O4', 'O11'],
      property: 'ORD',
      backend: { x86: { transitionFirst: false } },
    },
  ],
});

const lazy = defineScenario<Stage>({
  id: 'global-asid/lazy',
  title: 'a lazy CPU has the mm under a dynamic ASID while its tables go, and comes back to it',
  source: 'arch/x86/mm/tlb.c flush_tlb_func, switch_mm_irqs_off (6.15)',
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: AT_ONCE,
  setup: (run) => setStage(run, { pages: 4, touched: [0, 2], lazy: [1] }),
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* munmap(cpu, mm, 2 * PAGE, 2 * PAGE);
      yield* munmap(cpu, mm, 0, 2 * PAGE);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'global-asid/lazy/no-interrupt',
      why: 'nobody looks who has the mm loaded under another ASID: it walks a freed table',
      oracle: ['O1', 'O4', 'O11'],
      property: 'TUAF',
      backend: { x86: { transitionIpi: false } },
    },
  ],
});

interface TwoMms {
  readonly first: Mm;
  readonly second: Mm;
}

const reuse = defineScenario<TwoMms>({
  id: 'global-asid/reused',
  title: 'the global ASID of an mm that died without a flush is given to another one',
  source: 'arch/x86/mm/tlb.c reset_global_asid_space, mm_free_global_asid (6.15)',
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: AT_ONCE,
  pools: { mm: 4, page: 6, table: 8, vma: 4 },
  setup(run) {
    const { mm } = setStage(run, { inKernel: [1] });
    // The first flush gives it a global ASID, the second one makes both CPUs load that.
    run(0, (cpu) => mprotect(cpu, mm, 0, PAGE, VM_READ));
    run(0, (cpu) => mprotect(cpu, mm, PAGE, PAGE, VM_READ));
    const second = newMm(run);
    for (const n of [0, 1]) run(n, (cpu) => contextSwitch(cpu, second));
    return { first: mm, second };
  },
  threads: ({ first, second }, kernel) => [
    thread(function* (cpu) {
      // The first mm is gone, and what destroy_context does; its entries have stayed under the ASID.
      yield* kernel.backend.destroyContext!(cpu, first);
      yield* userStore(cpu, second, 0, 1);
      yield* mprotect(cpu, second, 0, PAGE, VM_READ);
      yield* contextSwitch(cpu, second);
    }),
  ],
  twins: [
    {
      id: 'global-asid/reused/no-flush',
      why: 'nobody has dropped what stands under it',
      oracle: ['O8', 'O1', 'O2'],
      property: 'ALIAS',
      backend: { x86: { globalReuseFlush: false } },
    },
  ],
});

const PTI: BackendOverrides = { x86: { pti: true } };

const isolatedGlobal = defineScenario<Stage>({
  id: 'global-asid/pti',
  title: 'with page-table isolation a broadcast names two PCIDs: that of the kernel and that of user mode',
  source: 'arch/x86/mm/tlb.c broadcast_tlb_flush (6.15)',
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: { x86: { ...GLOBAL['x86'], pti: true } },
  setup(run, kernel) {
    const stage = setStage(run, { inKernel: [1] });
    // The first flush gives the mm a global ASID, the second one makes both CPUs load it, the third finds the transition over.
    for (let i = 0; i < 3; i++) run(0, (cpu) => kernel.backend.flushTlbPage(cpu, stage.mm, PAGE));
    run(1, (cpu) => cpu.enterUser());
    return stage;
  },
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  twins: [
    {
      id: 'global-asid/pti/kernel-only',
      why: "only the kernel's PCID is named",
      oracle: ['O1', 'O2', 'O10', 'O11'],
      property: 'MISS',
      backend: { x86: { ptiUserFlush: false } },
    },
  ],
});

function isolated(id: string, title: string, more: Readonly<Record<string, unknown>> = {}): AnyScenario {
  return defineScenario<Stage>({
    id: `pti/${id}`,
    title,
    source: 'arch/x86/mm/tlb.c flush_tlb_one_user, invalidate_user_asid; x86.md section 5',
    cpus: 2,
    only: X86_ONLY,
    backend: { x86: { ...PTI['x86'], ...more } },
    setup: (run) => setStage(run, { pages: 4, touched: [0, 1, 2], inKernel: [1] }),
    threads: ({ mm }) => [
      thread((cpu) => syscall(cpu, () => mprotect(cpu, mm, 2 * PAGE, PAGE, VM_READ))),
      thread((cpu) => syscall(cpu, () => munmap(cpu, mm, 0, 2 * PAGE))),
    ],
    twins: [
      {
        id: `pti/${id}/kernel-only`,
        why: "only the kernel's PCID is flushed",
        oracle: ['O1', 'O2', 'O10', 'O11'],
        property: 'MISS',
        backend: { x86: { ptiUserFlush: false } },
      },
    ],
  });
}

const ptiSlot = defineScenario<Stage>({
  id: 'pti/returns',
  title: 'with a pair of PCIDs for each slot, a thread comes back to an mm that was flushed meanwhile',
  source: 'arch/x86/mm/tlb.c switch_mm_irqs_off, load_new_mm_cr3',
  cpus: 2,
  only: X86_ONLY,
  backend: PTI,
  setup: cameFromAnotherMm,
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => toUser(cpu, mm))],
  twins: [
    {
      id: 'pti/returns/unordered',
      why: "the arriving CPU's bit may become visible after it has read the generation",
      oracle: 'O1',
      property: 'MISS',
      backend: { x86: { setOwnBit: 'unlocked' } },
      // From 6.13 on the CPU is still in the mask.
      where: { backend: { x86: { clearPrevBit: true } } },
      memoryModels: ['tso'],
    },
    {
      id: 'pti/returns/not-a-target',
      why: 'a CPU amid a switch is not counted',
      oracle: 'O1',
      property: 'MISS',
      backend: { x86: { switchingIsTarget: false } },
      where: { backend: { x86: { targets: 'loaded' } } },
    },
  ],
});

const preempted = defineScenario<Stage>({
  id: 'kvm/preempted',
  title: 'a virtual CPU stops to run and goes on, while another one unmaps a page of its mm',
  source: 'arch/x86/kernel/kvm.c kvm_flush_tlb_multi; x86.md section 5',
  cpus: 2,
  only: X86_ONLY,
  where: { backend: { x86: { flushOrder: 'overlapped' } } },
  backend: { x86: { pvFlush: true } },
  setup: (run) => setStage(run),
  threads: ({ mm }) => [
    thread((cpu) => syscall(cpu, () => munmap(cpu, mm, 0, PAGE))),
    thread(function* (cpu) {
      yield* vcpuPut(cpu);
      yield* vcpuLoad(cpu);
    }),
  ],
  twins: [
    {
      id: 'kvm/preempted/stored',
      why: 'the flag is stored after it was seen that the CPU does not run: it runs again, and nobody flushes',
      oracle: ['O1', 'O2', 'O11'],
      property: 'MISS',
      backend: { x86: { pvFlag: 'store' } },
    },
    {
      id: 'kvm/preempted/read-then-clear',
      why: 'the host looks for the flag before it says that the CPU runs: one that comes in between is lost',
      oracle: ['O1', 'O2', 'O11'],
      property: 'MISS',
      backend: { x86: { pvResume: 'read-then-clear' } },
    },
    {
      id: 'kvm/preempted/no-flush',
      why: 'the host does not flush',
      oracle: ['O1', 'O2', 'O11'],
      property: 'MISS',
      backend: { x86: { pvResume: 'no-flush' } },
    },
  ],
});

const b75 = defineScenario<Mapped>({
  id: 'bug:B75/fixed',
  bug: 'B75',
  title: 'an address of the kernel is flushed, and handed out again: its entries are global',
  source: 'ce0b15d11ad8 (2023); Intel SDM 4.10.4',
  cpus: 2,
  only: X86_ONLY,
  profile: { vmapLazyPages: 0, vmapReuse: 'purge' },
  setup: kernelMapping,
  threads: (env) => [thread((cpu) => mapNext(cpu, env))],
  twins: [
    {
      id: 'bug:B75/buggy',
      why: 'INVLPG leaves global entries with PCID on (some hybrid cores before new microcode)',
      oracle: 'O15',
      property: 'MISS',
      backend: { x86: { invlpgGlobals: false } },
    },
    {
      id: 'bug:B75/by-cr3',
      why: 'a write of CR3 keeps global entries',
      oracle: 'O15',
      property: 'MISS',
      backend: { x86: { kernelFlush: 'cr3' } },
    },
  ],
});

/** All of them. */
export const X86_ASIDS: readonly AnyScenario[] = [
  transition,
  switching,
  published,
  lazy,
  reuse,
  isolatedGlobal,
  isolated('two-flushes', 'with a PCID of its own for user mode: a page is protected while a table goes'),
  isolated('no-invpcid', 'the same without INVPCID: the user PCID is flushed as a whole', { invpcid: false }),
  ptiSlot,
  preempted,
  b75,
];
