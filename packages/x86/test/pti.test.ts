import type { Steps } from '@mmu-gather/core/stepped';
import { flushTlbMm, flushTlbPage, invlpg, invpcidAddress, invpcidSingle, movCr3 } from '@mmu-gather/x86/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;
/** Slot 1, and its user PCID behind the six of the kernel. */
const [KERNEL, USER] = [1, 7];

/** What a CPU invalidates for a page, and for everything. */
function* flushes(switches: ConstructorParameters<typeof FakeMachine>[0]): Steps<unknown[][]> {
  const m = new FakeMachine({ pti: true, ...switches }, 1);
  const mm = yield* m.mm('mm');
  yield* m.switchTo(0, mm);
  expect(m.takeAccesses(0)).toContain(`cr3 ${USER} flush`);
  m.invalidations.length = 0;
  yield* flushTlbPage(m.cpus[0]!, mm, PAGE);
  const page = m.invalidations.splice(0).map(({ scope }) => scope);
  yield* flushTlbMm(m.cpus[0]!, mm);
  return [page, m.invalidations.map(({ scope }) => scope)];
}

test(
  'each flush names both PCIDs of its slot',
  run(function* (): Steps<void> {
    expect(yield* flushes({})).toEqual([
      [invlpg(KERNEL, PAGE), invpcidAddress(USER, PAGE)],
      [movCr3(KERNEL), invpcidSingle(USER)],
    ]);
  }),
);

test(
  'without INVPCID the user PCID goes as a whole',
  run(function* (): Steps<void> {
    expect((yield* flushes({ invpcid: false }))[0]).toEqual([invlpg(KERNEL, PAGE), invpcidSingle(USER)]);
  }),
);
