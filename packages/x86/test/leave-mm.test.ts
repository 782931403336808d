/** Leaving an mm everywhere: who is interrupted, what is loaded then, and what an abandoned slot is worth. */
import { Mm, type Steps } from '@mmu-gather/core/stepped';
import { leaveMmEverywhere, tlbFlush, x86Of } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

/** CPUs 0, 1 and 2 are lazy on an mm. */
function* allLazy(m: FakeMachine): Steps<Mm> {
  const mm = yield* m.mm('mm');
  for (const cpu of [0, 1, 2]) {
    yield* m.switchTo(cpu, mm);
    yield* m.idle(cpu);
  }
  m.takeEvents();
  m.takeAccesses(0);
  return mm;
}

function loaded(m: FakeMachine, cpu: number): number {
  return m.words[x86Of(m.cpus[0]!).tlbstate[cpu]!.loadedMm]!;
}

test(
  'one interrupt for each CPU of the mask moves it to init_mm, and the caller too, without a flush',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const mm = yield* allLazy(m);
    yield* leaveMmEverywhere(m.cpus[0]!, mm);
    for (const cpu of [0, 1, 2]) expect(loaded(m, cpu)).toBe(m.kernel.initMm);
    // Context loads without a flush, and no invalidation: what is cached under the mm's ASID stays.
    expect(m.takeEvents().toSorted()).toEqual(['0:0/0', '1:0/0', '2:0/0']);
    for (const cpu of [0, 1, 2]) expect(m.takeInvalidations(cpu)).toEqual({ pages: [], full: 0 });
  }),
);

test(
  'a CPU that has another mm loaded is left alone',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const mm = yield* allLazy(m);
    const other = yield* m.mm('other');
    yield* m.switchTo(1, other);
    yield* leaveMmEverywhere(m.cpus[0]!, mm);
    expect(loaded(m, 1)).toBe(other.address);
    expect(loaded(m, 2)).toBe(m.kernel.initMm);
  }),
);

test(
  'a later mm is no owner of an abandoned slot, unless ctx_ids come round',
  run(function* (): Steps<void> {
    for (const [ctxIdSpace, load] of [
      [Number.MAX_SAFE_INTEGER, 'flush'],
      [1, ''],
    ] as const) {
      const m = new FakeMachine({ ctxIdSpace });
      const mm = yield* m.mm('mm');
      yield* m.switchTo(0, mm);
      yield* m.idle(0);
      yield* leaveMmEverywhere(m.cpus[0]!, mm);
      m.takeAccesses(0);
      yield* m.switchTo(0, yield* m.mm('next'));
      const loads = m.takeAccesses(0).filter((a) => a.startsWith('cr3'));
      expect(loads).toHaveLength(1);
      expect(loads[0]!.endsWith('flush')).toBe(load === 'flush');
    }
  }),
);

/**
 * The thread of March 2009 was about lazy CPUs that are interrupted, and reload CR3, once for each batch of an exit. How often that
 * is depends on when a CPU's bit leaves mm_cpumask ("CPUs that may hold user entries"): with the switch to init_mm, or later.
 */
function* interrupts(clearPrevBit: boolean, freedTables: boolean): Steps<{ ipis: number; loads: number }> {
  const m = new FakeMachine({ clearPrevBit, wrongMm: 'ignore' }, 3);
  const mm = yield* allLazy(m);
  let ipis = 0;
  let loads = 0;
  m.before = (_cpu, text) => {
    if (text.startsWith('ipi')) ipis++;
    if (text.startsWith('cr3')) loads++;
  };
  for (let batch = 0; batch < 3; batch++) {
    yield* tlbFlush(m.cpus[0]!, {
      mm,
      start: 0,
      end: 0,
      fullmm: true,
      exiting: true,
      needFlushAll: false,
      freedTables,
      cleared: 1,
    } as unknown as Parameters<typeof tlbFlush>[1]);
  }
  return { ipis, loads };
}

test(
  'three batches of an exit with CPUs 1 and 2 lazy: interrupts and context loads',
  run(function* (): Steps<void> {
    // Data pages only: lazy CPUs are left out (4.20 on), nobody is interrupted.
    expect(yield* interrupts(true, false)).toEqual({ ipis: 0, loads: 0 });
    // Tables: the first flush moves all of them to init_mm, and a strict mask forgets them.
    expect(yield* interrupts(true, true)).toEqual({ ipis: 2, loads: 3 });
    // A mask that keeps CPUs which have left: one interrupt for each CPU and batch, for nothing.
    expect(yield* interrupts(false, true)).toEqual({ ipis: 6, loads: 3 });
  }),
);
