/**
 * Reclaim on arm64 tells all CPUs at once, under the PTL, and waits later: who else may rely on what, and what the wait is worth on another
 * CPU (arch/arm64/include/asm/tlbflush.h arch_tlbbatch_*, 6.6 on).
 */
import { FLUSH_RANGE, flushTlbPageNosync, TTL_UNKNOWN } from '@mmu-gather/arm64/stepped';
import type { Layout } from '@mmu-gather/checker';
import {
  ACCESSED,
  type Cell,
  type Cpu,
  entryClear,
  getPage,
  type Mm,
  putPage,
  type Steps,
  VM_READ,
} from '@mmu-gather/core/stepped';
import {
  contextSwitch,
  mprotect,
  ptepGet,
  shrinkPages,
  tlbBatch,
  tryToUnmapFlush,
  tryToUnmapOne,
} from '@mmu-gather/mm/stepped';
import { type AnyScenario, type BackendOverrides, defineScenario, type Only, thread } from '../scenario.ts';
import { type Mapping, PAGE, setStage, syscall, type Page0, withPage0 } from './stage.ts';

const DEFERS: Only = { archs: ['arm64'], why: 'its TLBIs are issued at once and waited for later' };
const DEFERRED: BackendOverrides = { arm64: { tlbbatch: true } };

const otherCpu = defineScenario<Page0>({
  id: 'arm64/batched-pending',
  title: 'mprotect finds an entry gone whose TLBI another CPU has issued and not waited for: it flushes the mm',
  source: '4b634918384c (6.16)',
  cpus: 3,
  only: DEFERS,
  profile: { batchedPending: 'counters' },
  backend: DEFERRED,
  setup: (run) => withPage0(run, setStage(run, { touched: [0], running: [0, 1, 2] })),
  threads: ({ mm, p0 }) => [
    thread((cpu) => shrinkPages(cpu, [{ page: p0.page, mm, address: 0 }])),
    thread((cpu) => syscall(cpu, () => mprotect(cpu, mm, 0, PAGE, VM_READ))),
  ],
  twins: [
    {
      id: 'arm64/batched-pending/dsb',
      why: 'a DSB waits for the TLBIs of its own CPU: mprotect returns while CPU 2, and its own, can still write (6.6 to 6.15)',
      oracle: ['O2', 'O10'],
      property: 'SAC',
      backend: { arm64: { batchedPendingFlush: 'dsb' } },
    },
  ],
});

interface Moving extends Page0 {
  readonly moved: Cell;
}

/** The word by which the scheduler hands a task to another CPU. Reserved before any kernel exists, so where it is is the same in all runs. */
let movedCell: Cell = 0;

/** Reclaim unmaps a page; then its task leaves this CPU. */
function* unmapAndLeave(cpu: Cpu, { mm, p0, moved }: Moving): Steps<void> {
  const batch = tlbBatch();
  yield* tryToUnmapOne(cpu, p0.page, mm, 0, batch);
  yield* contextSwitch(cpu, null);
  yield* cpu.storeRelease(moved, 1);
}

/** It goes on elsewhere, with what it had: its batch, and its reference to the page. */
function* arriveAndFree(cpu: Cpu, { p0, moved }: Moving): Steps<void> {
  const batch = tlbBatch();
  batch.flushRequired = true;
  yield* cpu.waitFor(moved, 'equal', 1);
  yield* tryToUnmapFlush(cpu, batch);
  yield* putPage(cpu, p0.page);
  // And the one of the swap cache.
  yield* putPage(cpu, p0.page);
}

const migrates = defineScenario<Moving>({
  id: 'arm64/reclaim-migrates',
  title: 'reclaim issues TLBIs on one CPU and waits for them on another: __switch_to has waited in between',
  source: 'arch/arm64/kernel/process.c __switch_to; 43b3dfdd0455',
  cpus: 3,
  only: DEFERS,
  profile: { batchedPending: 'counters' },
  backend: DEFERRED,
  reserve(layout: Layout) {
    movedCell = layout.reserve('task_moved', ['']);
  },
  setup(run) {
    const stage = withPage0(run, setStage(run, { touched: [0], running: [0, 2] }));
    run(0, (cpu) => getPage(cpu, stage.p0.page));
    return { ...stage, moved: movedCell };
  },
  threads: (env) => [thread((cpu) => unmapAndLeave(cpu, env)), thread((cpu) => arriveAndFree(cpu, env))],
  holds: ({ p0 }) => [{ object: p0.page, slotFreed: true }],
  twins: [
    {
      id: 'arm64/reclaim-migrates/no-barrier',
      why: 'the task leaves without waiting, and the DSB on its new CPU waits for nothing: the page is freed under CPU 2',
      oracle: 'O1',
      property: 'FUAF',
      backend: { arm64: { switchToBarrier: false } },
    },
  ],
});

/** ptep_clear_flush_young: the access flag goes, and the TLBI is not waited for. */
function* age(cpu: Cpu, mm: Mm, { pte, ptl }: Mapping): Steps<void> {
  yield* cpu.spinLock(ptl);
  const entry = yield* ptepGet(cpu, pte);
  yield* cpu.cmpxchg(pte, entry, entryClear(entry, ACCESSED));
  yield* flushTlbPageNosync(cpu, mm, 0, FLUSH_RANGE, TTL_UNKNOWN);
  yield* cpu.spinUnlock(ptl);
}

const aged = defineScenario<Page0>({
  id: 'bug:B81/fixed',
  bug: 'B81',
  title: 'an entry is aged, and then unmapped: that it is old does not say that no TLB holds it',
  source: '07509e10dcc7 (5.10)',
  cpus: 2,
  only: { archs: ['arm64'], why: 'aging there clears the access flag and does not wait for its TLBI' },
  // The hardware sets no access flags: an old entry is not walked any more.
  backend: { arm64: { hafdbs: false, tlbbatch: false } },
  setup(run) {
    const stage = withPage0(run, setStage(run, { touched: [0] }));
    run(0, (cpu) => getPage(cpu, stage.p0.page));
    return stage;
  },
  threads: ({ mm, p0 }) => [
    thread(function* (cpu) {
      yield* age(cpu, mm, p0);
      yield* tryToUnmapOne(cpu, p0.page, mm, 0, null);
      yield* putPage(cpu, p0.page);
      yield* putPage(cpu, p0.page);
    }),
  ],
  holds: ({ p0 }) => [{ object: p0.page, slotFreed: true }],
  twins: [
    {
      id: 'bug:B81/buggy',
      why: 'an old entry counts as one that cannot be cached, and nobody has waited for the TLBI',
      oracle: ['O1', 'O9'],
      property: 'FUAF',
      backend: { arm64: { accessibleRule: 'young' } },
    },
  ],
});

/** All of them. */
export const ARM64_RECLAIM: readonly AnyScenario[] = [otherCpu, migrates, aged];
