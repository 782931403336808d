/**
 * Local flushes of arm64: by the CPU that faulted, and of an mm that has run on one CPU.
 */
import type { Run } from '@mmu-gather/checker';
import { contextSwitch, doUserAddrFault } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { ARM64_ONLY, clearFlushFree, type OnePage } from './arm64-flush.ts';
import { mappingOf, newMm, toUser } from './stage.ts';
import { protectedPage, storeSoon } from './upgrades.ts';

const faultedHere = defineScenario({
  id: 'arm64/upgrade-here',
  title: 'two threads store to a page that was write-protected: each CPU drops the older entry for itself',
  source: 'arch/arm64/mm/fault.c, local_flush_tlb_page_nonotify (November 2025)',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { accessFlagsFlush: 'local' } },
  setup: (run) => protectedPage(run),
  threads: ({ mm }) => [thread((cpu) => storeSoon(cpu, mm)), thread((cpu) => storeSoon(cpu, mm))],
  twins: [
    {
      id: 'arm64/upgrade-here/nowhere',
      why: 'nobody drops the older entry: the CPU that holds it faults for ever',
      oracle: 'O16',
      property: 'LIVE',
      backend: { arm64: { accessFlagsFlush: 'none' } },
    },
  ],
});

const faultedHereKpti = defineScenario({
  id: 'arm64/upgrade-here-kpti',
  title: 'the same with KPTI: user mode has entries under an ASID of its own',
  source: 'arch/arm64/include/asm/tlbflush.h __tlbi_user',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { accessFlagsFlush: 'local', kpti: true, asids: 8 } },
  setup: (run) => protectedPage(run),
  threads: ({ mm }) => [thread((cpu) => storeSoon(cpu, mm))],
  twins: [
    {
      id: 'arm64/upgrade-here-kpti/once',
      why: 'only the ASID of the kernel is flushed',
      oracle: 'O16',
      property: 'LIVE',
      backend: { arm64: { kptiUserTlbi: false } },
    },
  ],
});

/** An mm that has run nowhere; its page was faulted in from outside. */
function setFresh(run: Run): OnePage {
  const mm = newMm(run);
  run(0, (cpu) => doUserAddrFault(cpu, mm, 0, true));
  return { mm, at: 0, at0: mappingOf(run, mm, 0) };
}

const bothArrive = defineScenario<OnePage>({
  id: 'arm64/active-cpu-both',
  title: 'two CPUs are the first to run an mm, at once, and one of them unmaps a page: it has run on more than one',
  source: 'R. Roberts, "Don\'t broadcast if mm was only active on local cpu", RFC of August 2025',
  cpus: 2,
  only: ARM64_ONLY,
  backend: { arm64: { localFlush: 'active-cpu' } },
  setup: setFresh,
  threads: ({ mm, at0 }) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, mm);
      yield* clearFlushFree(cpu, mm, at0);
    }),
    thread((cpu) => toUser(cpu, mm)),
  ],
  twins: [
    {
      id: 'arm64/active-cpu-both/unordered',
      why: 'a CPU that notes itself has no barrier before it walks',
      oracle: ['O1', 'O2'],
      property: 'FUAF',
      backend: { arm64: { activeCpuBarrier: false } },
      memoryModels: ['weak'],
    },
  ],
});

/** All of them. */
export const ARM64_LOCAL: readonly AnyScenario[] = [faultedHere, faultedHereKpti, bothArrive];
