/**
 * x86 with global ASIDs: flushes that no mm's global ASID names. Addresses of the kernel, and reclaim's batch, which is of many mms, are broadcast, too;
 * and an mm in transition asks the CPUs of its mask, and nobody else.
 */
import { type Mm } from '@mmu-gather/core/stepped';
import { contextSwitch, mmAlloc, munmap, shrinkPages } from '@mmu-gather/mm/stepped';
import { considerGlobalAsid, mmGlobalAsidCell } from '@mmu-gather/x86/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread, type Where } from '../scenario.ts';
import { kernelMapping, mapNext, type Mapped } from './kernel-mapping.ts';
import { RECLAIMED } from './outcomes.ts';
import { noWait, PAGE, setStage, type Stage, type Page0, withPage0 } from './stage.ts';

const X86_ONLY: Only = { archs: ['x86'], why: 'it is about ASIDs that INVLPGB names' };
const SINCE_6_15: Where = { backend: { x86: { switchingMark: 'before-generation' } } };
const SOURCE = 'arch/x86/mm/tlb.c (6.15)';
const ONE_ASID: BackendOverrides = { x86: { globalAsids: 1, globalAsidThreshold: 1 } };

/** @param ceiling pages from which on everything is flushed */
function kernelAddress(id: string, title: string, ceiling: number): AnyScenario {
  return defineScenario<Mapped>({
    id: `global-asid/${id}`,
    title,
    source: `${SOURCE}: kernel_tlb_flush_range, invlpgb_flush_addr, invlpgb_flush_all`,
    cpus: 2,
    only: X86_ONLY,
    where: SINCE_6_15,
    profile: { vmapLazyPages: 0, vmapReuse: 'purge' },
    backend: { x86: { ...ONE_ASID['x86'], ceiling } },
    setup: kernelMapping,
    threads: (env) => [thread((cpu) => mapNext(cpu, env))],
    twins: [
      {
        id: `global-asid/${id}/no-sync`,
        why: 'nobody waits for the broadcast',
        oracle: 'O15',
        property: 'SAC',
        backend: { x86: { tlbsync: false } },
      },
    ],
  });
}

const reclaimed = defineScenario<Page0>({
  id: 'global-asid/reclaim',
  title: 'reclaim writes a page out whose mm runs under a dynamic ASID: its flush names none, and reaches all',
  source: `${SOURCE}: arch_tlbbatch_flush, invlpgb_flush_all_nonglobals`,
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: ONE_ASID,
  setup: (run) => withPage0(run, setStage(run, { touched: [0] })),
  threads: ({ mm, p0 }) => [thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }]))],
  sometimes: [RECLAIMED],
  twins: [
    {
      id: 'global-asid/reclaim/no-sync',
      why: 'nobody waits for the broadcast: writes are lost when the page is dropped as clean',
      oracle: ['O1', 'O3', 'O11', 'O12'],
      property: 'LOSTW',
      backend: { x86: { tlbsync: false } },
    },
  ],
});

interface Elsewhere extends Stage {
  readonly other: Mm;
}

const notInMask = defineScenario<Elsewhere>({
  id: 'global-asid/not-in-mask',
  title:
    'an mm goes over to a global ASID while a CPU that never ran it switches to another one: nobody looks at that one',
  source: `${SOURCE}: finish_asid_transition`,
  cpus: 3,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: ONE_ASID,
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0, 2] });
    run(0, (cpu) => considerGlobalAsid(cpu, stage.mm));
    run(0, (cpu) => contextSwitch(cpu, stage.mm));
    return { ...stage, other: run(1, mmAlloc) };
  },
  threads: ({ mm, other }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE)), thread((cpu) => contextSwitch(cpu, other))],
  twins: [
    {
      id: 'global-asid/not-in-mask/no-interrupt',
      why: 'nobody is interrupted: the other thread goes on under its dynamic ASID, which the broadcast does not name',
      oracle: ['O1', 'O2', 'O4', 'O10', 'O11'],
      property: 'MISS',
      backend: { x86: { transitionIpi: false } },
    },
  ],
});

const firstFlush = defineScenario<Stage>({
  id: 'global-asid/first-flush',
  title: 'a flush by interrupts is what makes an mm due for a global ASID: it is done under the ASIDs that CPUs have',
  source: `${SOURCE}: flush_tlb_mm_range, consider_global_asid`,
  cpus: 2,
  only: X86_ONLY,
  where: SINCE_6_15,
  backend: ONE_ASID,
  setup: (run) => setStage(run, { touched: [0] }),
  threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
  final: (peek, { mm }) => (peek(mmGlobalAsidCell(mm)) === 0 ? 'the mm has no global ASID' : undefined),
  twins: [noWait('global-asid/first-flush')],
});

/** All of them. */
export const X86_GLOBAL_FLUSHES: readonly AnyScenario[] = [
  kernelAddress('kernel-page', 'an address of the kernel is flushed by broadcast, and handed out again', 33),
  kernelAddress('kernel-all', 'the same past the ceiling: all is flushed, global entries included', 0),
  reclaimed,
  notInMask,
  firstFlush,
];
