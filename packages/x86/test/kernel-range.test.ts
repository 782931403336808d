/** Kernel addresses are flushed on every CPU: page by page up to the ceiling, lazy and kernel-only CPUs included. */
import { EVERYTHING, type Steps } from '@mmu-gather/core/stepped';
import { flushTlbKernelRange } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;

/** What was invalidated since the last call: CPU and addresses of the leaves, all of them with global entries. */
function taken(m: FakeMachine): string[] {
  return m.invalidations
    .splice(0)
    .map(({ cpu, scope }) => `${cpu}: ${scope.leaves.start}-${scope.leaves.end}${scope.globals ? '' : ' not global'}`)
    .toSorted();
}

test(
  'few pages: one INVLPG each on every CPU, whatever it runs, and no event',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 3);
    const mm = yield* m.mm('mm');
    yield* m.switchTo(0, mm);
    yield* m.switchTo(1, mm);
    yield* m.idle(1);
    m.takeEvents();
    taken(m);
    yield* flushTlbKernelRange(m.cpus[0]!, 3 * PAGE, 5 * PAGE);
    const both = (cpu: number): string[] => [`${cpu}: ${3 * PAGE}-${4 * PAGE}`, `${cpu}: ${4 * PAGE}-${5 * PAGE}`];
    expect(taken(m)).toEqual([...both(0), ...both(1), ...both(2)]);
    expect(m.takeEvents()).toEqual([]);
  }),
);

test(
  'beyond the ceiling, or with no end: everything, once on each CPU',
  run(function* (): Steps<void> {
    const m = new FakeMachine({}, 2);
    for (const end of [34 * PAGE, EVERYTHING]) {
      yield* flushTlbKernelRange(m.cpus[0]!, 0, end);
      expect(taken(m)).toEqual([`0: 0-${EVERYTHING}`, `1: 0-${EVERYTHING}`]);
    }
    yield* flushTlbKernelRange(m.cpus[0]!, 0, 33 * PAGE);
    expect(taken(m)).toHaveLength(66);
  }),
);
