import type { Mm, Steps } from '@mmu-gather/core/stepped';
import { flushTlbMm, flushTlbPage, X86_LINUX_5_11 } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 0x1000;

function* running(count: number, machine: FakeMachine): Steps<Mm> {
  const mm = yield* machine.mm('a');
  for (let cpu = 0; cpu < count; cpu++) yield* machine.switchTo(cpu, mm);
  machine.takeEvents();
  machine.takeAccesses(0);
  return mm;
}

test(
  'local part, IPIs, peers, and the remote function once more on the initiator',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_5_11);
    const a = yield* running(2, m);
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:3/1', '0:4/1', '1:1/1', '0:1/0']);
    const accesses = m.takeAccesses(0);
    expect(accesses.indexOf('invalidate 1')).toBeLessThan(accesses.indexOf('ipi 1'));
    expect(accesses.indexOf('wait')).toBeLessThan(accesses.indexOf('read cpu_tlbstate[0].isLazy'));
  }),
);

test(
  'not with freed tables: smp_call_function_many leaves the caller out',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_5_11);
    const a = yield* running(2, m);
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.takeEvents()).toEqual(['0:3/-1', '0:4/-1', '1:1/-1']);
  }),
);

test(
  'an old request is traced',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_5_11);
    const a = yield* running(2, m);
    m.before = (cpu, access) => {
      if (cpu.id === 0 && access === 'ipi 1') {
        m.before = undefined;
        run(() => flushTlbMm(m.cpus[1]!, a))();
      }
    };
    yield* flushTlbMm(m.cpus[0]!, a);
    expect(m.takeEvents()).toEqual(['0:3/-1', '0:4/-1', '1:3/-1', '1:4/-1', '0:1/-1', '1:1/0']);
  }),
);

test(
  'an mm that is not loaded here is flushed on the others alone',
  run(function* (): Steps<void> {
    const m = new FakeMachine(X86_LINUX_5_11);
    const a = yield* running(2, m);
    yield* m.switchTo(0, yield* m.mm('b'));
    m.takeEvents();
    yield* flushTlbPage(m.cpus[0]!, a, PAGE);
    expect(m.takeEvents()).toEqual(['0:4/1', '1:1/1']);
  }),
);
