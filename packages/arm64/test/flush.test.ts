// Flushes: what is issued, in which order, and by which ASID.
import {
  ALL_PAGES,
  arm64MmContextGet,
  FLUSH_KERNEL,
  FLUSH_MM,
  FLUSH_PAGE,
  flushTlbKernelPgtable,
  flushTlbKernelRange,
  flushTlbMm,
  flushTlbPage,
  flushTlbRange,
  localFlushTlbPage,
} from '@mmu-gather/arm64/stepped';
import { EVERYTHING, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x1000;
const HUGE = 0x200000;

function* running(machine: FakeMachine): Steps<Mm> {
  const mm = yield* machine.mm('a');
  yield* machine.switchTo(0, mm);
  machine.takeLog();
  return mm;
}

test(
  'a flush: the store is visible, then the ASID is read, then TLBIs, then the wait',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    yield* flushTlbMm(m.cpus[0]!.port, mm);
    expect(m.takeLog()).toEqual(['0: DSB ISHST', '0: read a.context.id', '0: ASIDE1IS 1', '0: DSB ISH']);
    yield* flushTlbPage(m.cpus[0]!.port, mm, 3 * PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VALE1IS 1 [3,4)', 'DSB ISH']);
    expect(m.events).toEqual([
      `arm64_tlb_flush ${FLUSH_MM} 1 ${ALL_PAGES} 0`,
      `arm64_tlb_flush ${FLUSH_PAGE} 1 1 ${3 * PAGE}`,
    ]);
  }),
);

test(
  'an mm that never ran is flushed by the ASID of nobody',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    yield* flushTlbPage(m.cpus[0]!.port, mm, 0);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VALE1IS 0 [0,1)', 'DSB ISH']);
  }),
);

test(
  'a range of a VMA drops walk caches, by few operations on ranges; of huge pages, with their level',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    yield* flushTlbRange(m.cpus[0]!.port, mm, PAGE, 68 * PAGE, 0);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VAE1IS 1 [1,65)', 'VAE1IS 1 [65,67)', 'VAE1IS 1 [67,68)', 'DSB ISH']);
    yield* flushTlbRange(m.cpus[0]!.port, mm, 0, HUGE, 1);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VAE1IS 1 [0,512) level 1', 'DSB ISH']);
  }),
);

test(
  'without range operations: a TLBI for each page, up to MAX_DVM_OPS',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ tlbRange: false });
    const mm = yield* running(m);
    yield* flushTlbRange(m.cpus[0]!.port, mm, 0, 511 * PAGE, 0);
    expect(m.takeFlush()).toHaveLength(511 + 2);
    yield* flushTlbRange(m.cpus[0]!.port, mm, 0, 512 * PAGE, 0);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DSB ISH']);
    yield* flushTlbRange(m.cpus[0]!.port, mm, 0, 511 * HUGE, 1);
    expect(m.takeFlush()).toHaveLength(511 + 2);
  }),
);

test(
  'with them: up to 8 GiB',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* running(m);
    yield* flushTlbRange(m.cpus[0]!.port, mm, 0, 2097152 * PAGE, 0);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VAE1IS 1 [0,2097152)', 'DSB ISH']);
    yield* flushTlbRange(m.cpus[0]!.port, mm, 0, 2097153 * PAGE, 0);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DSB ISH']);
  }),
);

test(
  'KPTI: each operation once more, for the ASID of user mode',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ kpti: true });
    const mm = yield* running(m);
    yield* flushTlbMm(m.cpus[0]!.port, mm);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 2', 'ASIDE1IS 3', 'DSB ISH']);
    yield* localFlushTlbPage(m.cpus[0]!.port, mm, 0);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VALE1 2 [0,1)', 'VALE1 3 [0,1)']);
    expect(yield* arm64MmContextGet(m.cpus[0]!.port, mm)).toBe(3);
  }),
);

test(
  'CPUs that need TLBIs twice: each with a barrier between, or once more where a flush waits',
  run(function* (): Steps<void> {
    const each = new FakeMachine({ repeatTlbi: 'each' });
    let mm = yield* running(each);
    yield* flushTlbMm(each.cpus[0]!.port, mm);
    expect(each.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DMB ISH', 'ASIDE1IS 1', 'DSB ISH']);
    const sync = new FakeMachine({ repeatTlbi: 'sync' });
    mm = yield* running(sync);
    yield* flushTlbPage(sync.cpus[0]!.port, mm, PAGE);
    expect(sync.takeFlush().map((line) => line.split(' [')[0])).toEqual([
      'DSB ISHST',
      'VALE1IS 1',
      'DMB ISH',
      'VALE1IS 0',
      'DSB ISH',
    ]);
    // Nothing is left to wait for: a DSB is as good as any.
    yield* sync.arm64.switchTo!(sync.cpus[0]!.port);
    expect(sync.takeFlush()).toEqual(['DSB ISH']);
    const once = new FakeMachine({ repeatTlbi: 'each', repeats: false });
    mm = yield* running(once);
    yield* flushTlbMm(once.cpus[0]!.port, mm);
    yield* once.arm64.switchTo!(once.cpus[0]!.port);
    expect(once.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DMB ISH', 'DMB ISH']);
  }),
);

test(
  'kernel addresses: leaves in every ASID, everything beyond MAX_DVM_OPS; tables with their walk caches',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { port } = m.cpus[0]!;
    yield* flushTlbKernelRange(port, PAGE, 3 * PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VAALE1IS [1,2)', 'VAALE1IS [2,3)', 'DSB ISH']);
    yield* flushTlbKernelRange(port, 0, 513 * PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VMALLE1IS', 'DSB ISH']);
    yield* flushTlbKernelRange(port, 0, EVERYTHING);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VMALLE1IS', 'DSB ISH']);
    yield* flushTlbKernelPgtable(port, PAGE);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'VAAE1IS [1,2)', 'DSB ISH']);
    expect(m.events).toEqual([
      `arm64_tlb_flush ${FLUSH_KERNEL} 0 2 ${PAGE}`,
      `arm64_tlb_flush ${FLUSH_KERNEL} 0 ${ALL_PAGES} 0`,
      `arm64_tlb_flush ${FLUSH_KERNEL} 0 ${ALL_PAGES} 0`,
    ]);
  }),
);

test(
  'active_cpu: flushed here as long as nobody else has run the mm',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ localFlush: 'active-cpu' });
    const mm = yield* running(m);
    yield* flushTlbMm(m.cpus[0]!.port, mm);
    expect(m.takeLog()).toEqual([
      '0: read a.context.activeCpu',
      '0: DSB ISH',
      '0: read a.context.activeCpu',
      '0: read a.context.id',
      '0: ASIDE1 1',
      '0: DSB ISH',
    ]);
    yield* flushTlbMm(m.cpus[1]!.port, mm);
    expect(m.takeFlush()).toEqual(['DSB ISHST', 'ASIDE1IS 1', 'DSB ISH']);
    yield* m.switchTo(1, mm);
    expect(m.takeLog().filter((step) => /activeCpu|DSB/.test(step))).toEqual([
      '1: read a.context.activeCpu',
      '1: write a.context.activeCpu',
      '1: DSB ISHST',
    ]);
    yield* flushTlbMm(m.cpus[0]!.port, mm);
    expect(m.takeFlush()).toContain('ASIDE1IS 1');
  }),
);
