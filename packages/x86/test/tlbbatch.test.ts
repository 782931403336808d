import { Mm, type Steps, type TlbBatch } from '@mmu-gather/core/stepped';
import { X86_LINUX_5_11, type X86Switches } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

function emptyBatch(): TlbBatch {
  return { cpumask: 0, writable: false, flushRequired: false, gens: new Map() };
}

/** A machine whose CPUs run one mm, and a batch that holds one page of it. */
function* deferred(
  machine: FakeMachine,
  cpus: readonly number[],
): Steps<{ readonly mm: Mm; readonly batch: TlbBatch }> {
  const mm = yield* machine.mm('a');
  for (const cpu of cpus) yield* machine.switchTo(cpu, mm);
  machine.takeEvents();
  machine.takeAccesses(0);
  const batch = emptyBatch();
  yield* machine.kernel.backend.tlbbatchAddPending(machine.cpus[0]!, batch, mm, 0x1000);
  return { mm, batch };
}

test(
  'deferring is worth it only if somebody else is in the mask',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const mm = yield* m.mm('a');
    const { backend } = m.kernel;
    yield* m.switchTo(0, mm);
    expect(yield* backend.tlbbatchShouldDefer(m.cpus[0]!, mm)).toBe(false);
    expect(yield* backend.tlbbatchShouldDefer(m.cpus[1]!, mm)).toBe(true);
  }),
);

test(
  'a deferral makes a generation, then reads the mask, and traces nothing',
  run(function* (): Steps<void> {
    const orders: readonly [Partial<X86Switches>, readonly string[]][] = [
      [{}, ['add a.tlbGen', 'read a.cpumask']],
      [{ maskRead: 'before-generation' }, ['read a.cpumask', 'add a.tlbGen']],
    ];
    for (const [switches, order] of orders) {
      const m = new FakeMachine(switches);
      const { mm, batch } = yield* deferred(m, [0, 1]);
      expect(m.takeAccesses(0)).toEqual(order);
      expect(m.takeEvents()).toEqual([]);
      expect(batch.cpumask).toBe(0b11);
      expect(m.words[mm.tlbGen]).toBe(1);
    }
  }),
);

test(
  '6.18: IPIs to all that are not lazy, and the local part with them',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const { batch } = yield* deferred(m, [0, 1, 2]);
    yield* m.idle(2);
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/-1', '0:2/-1']);
    expect(batch.cpumask).toBe(0);
  }),
);

test(
  'a batch belongs to no mm: a CPU that went on to another one is brought up to date with that',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, batch } = yield* deferred(m, [0, 1]);
    const other = yield* m.mm('b');
    yield* m.switchTo(1, other);
    m.words[other.tlbGen] = 1;
    m.takeEvents();
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/-1', '0:2/-1']);
    expect(m.mask(mm)).toBe(0b11);
  }),
);

test(
  'row 16: a CPU on init_mm is silent',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { batch } = yield* deferred(m, [0, 1]);
    yield* m.switchTo(1, Mm.at(m.kernel.initMm));
    m.takeEvents();
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.ipis).toEqual(['0>1']);
    expect(m.takeEvents()).toEqual(['0:4/-1', '0:2/-1']);
  }),
);

test(
  'row 14: such a request to a CPU that is up to date is traced with 0 pages',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { mm, batch } = yield* deferred(m, [0, 1]);
    yield* m.kernel.backend.flushTlbMm(m.cpus[1]!, mm);
    m.takeEvents();
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/0', '0:2/0']);
  }),
);

test(
  'the naive handler takes such a request for an old one',
  run(function* (): Steps<void> {
    const m = new FakeMachine({ staleRequest: 'silent-always' });
    const { batch } = yield* deferred(m, [0, 1]);
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:4/-1']);
  }),
);

test(
  'row 17: only this CPU, one event',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    const { batch } = yield* deferred(m, [0]);
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:2/-1']);
  }),
);

test(
  'an empty batch flushes nothing',
  run(function* (): Steps<void> {
    const m = new FakeMachine();
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, emptyBatch());
    expect(m.takeEvents()).toEqual([]);
    expect(m.takeAccesses(0)).toEqual([]);
  }),
);

test(
  '5.11: the local part first, then IPIs, then the initiator as a remote CPU',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_5_11);
    const { batch } = yield* deferred(m, [0, 1]);
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:2/-1', '0:4/-1', '1:1/-1', '0:1/0']);
  }),
);

test(
  "RFC 20: CPUs of the mm enter the machine's mask, and leave it when a request arrives",
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3, { batchedPending: 'cpumask', batchedTargets: 'shared' });
    const { mm, batch } = yield* deferred(m, [0, 1, 2]);
    const mask = m.kernel.batchedCpumask;
    expect([m.words[mask], batch.cpumask]).toEqual([0b111, 0]);
    // Somebody else's flush serves it, too.
    yield* m.kernel.backend.flushTlbMm(m.cpus[1]!, mm);
    expect(m.words[mask]).toBe(0);
    m.takeEvents();
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'RFC 20 corrected: the batch flushes its own CPUs, whoever is left in the mask',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 2, { batchedPending: 'cpumask' });
    const { mm, batch } = yield* deferred(m, [0, 1]);
    expect([m.words[m.kernel.batchedCpumask], batch.cpumask]).toEqual([0b11, 0b11]);
    yield* m.kernel.backend.flushTlbMm(m.cpus[1]!, mm);
    expect([m.words[m.kernel.batchedCpumask], batch.cpumask]).toEqual([0, 0b11]);
    m.takeEvents();
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.takeEvents()).toEqual(['0:4/-1', '1:1/0', '0:2/0']);
  }),
);

test(
  'RFC 20 as posted: a CPU that is up to date stays in the mask, and so does a lazy one',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3, {
      batchedPending: 'cpumask',
      batchedTargets: 'shared',
      batchedAck: 'after-full-flush',
    });
    const { mm, batch } = yield* deferred(m, [0, 1, 2]);
    const mask = m.kernel.batchedCpumask;
    yield* m.idle(2);
    yield* m.switchTo(1, yield* m.mm('b'));
    yield* m.kernel.backend.tlbbatchFlush(m.cpus[0]!, batch);
    expect(m.words[mask]).toBe(0b110);
    yield* m.switchTo(1, mm);
    yield* m.kernel.backend.flushTlbMm(m.cpus[1]!, mm);
    expect(m.words[mask]! & 0b010).toBe(0);
  }),
);

test(
  'RFC 19: nothing is written if the CPUs are in the mask',
  run(function* (): Steps<void> {
    for (const [batchedOr, writes] of [
      ['always', 2],
      ['if-missing', 1],
    ] as const) {
      const m = new FakeMachine({}, 2, { batchedPending: 'cpumask', batchedOr });
      const { mm, batch } = yield* deferred(m, [0, 1]);
      m.words[m.kernel.batchedCpumask] = 0;
      m.takeAccesses(0);
      yield* m.kernel.backend.tlbbatchAddPending(m.cpus[0]!, batch, mm, 0x2000);
      yield* m.kernel.backend.tlbbatchAddPending(m.cpus[0]!, batch, mm, 0x3000);
      const log = m.takeAccesses(0);
      expect(log.filter((access) => access === 'or tlb_flush_batched_cpumask')).toHaveLength(writes);
      expect(m.words[mm.tlbGen]).toBe(3);
    }
  }),
);
