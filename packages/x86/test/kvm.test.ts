import type { Steps } from '@mmu-gather/core/stepped';
import {
  flushTlbPage,
  KVM_VCPU_FLUSH_TLB,
  KVM_VCPU_PREEMPTED,
  preemptedCell,
  vcpuLoad,
  vcpuPut,
} from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

/** Three virtual CPUs run an mm; CPU 2 is put. */
function* guest(): Steps<{ m: FakeMachine; flush: () => Steps<void> }> {
  const m = new FakeMachine({ pvFlush: true }, 3);
  const mm = yield* m.mm('mm');
  for (const cpu of [0, 1, 2]) yield* m.switchTo(cpu, mm);
  yield* vcpuPut(m.cpus[2]!);
  m.takeEvents();
  return { m, flush: () => flushTlbPage(m.cpus[0]!, mm, 0) };
}

test(
  'a virtual CPU that does not run is told, and not interrupted; the event is there even so',
  run(function* (): Steps<void> {
    const { m, flush } = yield* guest();
    yield* flush();
    expect(m.ipis).toEqual(['0>1']);
    expect(m.words[preemptedCell(m.cpus[0]!, 2)]).toBe(KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:1/1', '0:3/1']);
    m.invalidations.length = 0;
    yield* vcpuLoad(m.cpus[2]!);
    expect(m.takeInvalidations(2)).toEqual({ pages: [0], full: 0 });
    expect(m.words[preemptedCell(m.cpus[0]!, 2)]).toBe(0);
  }),
);

test(
  'one that runs again before it could be told is interrupted',
  run(function* (): Steps<void> {
    const { m, flush } = yield* guest();
    m.before = (cpu, access): void => {
      if (access === 'cmpxchg kvm_steal_time.preempted.2') m.words[preemptedCell(cpu, 2)] = 0;
    };
    m.cpus[2]!.irqsOff = 0;
    yield* flush();
    expect(m.ipis).toEqual(['0>1', '0>2']);
  }),
);

test(
  'its generation stays behind: its next flush is one of everything',
  run(function* (): Steps<void> {
    const { m, flush } = yield* guest();
    yield* flush();
    yield* vcpuLoad(m.cpus[2]!);
    m.takeEvents();
    yield* flush();
    expect(m.takeEvents()).toEqual(['0:4/1', '1:1/1', '2:1/-1', '0:3/1']);
  }),
);
