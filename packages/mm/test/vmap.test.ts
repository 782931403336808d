/** vmap: when addresses of the kernel are flushed, and which of them may be handed out again. */
import { type Address, type Profile, type Steps, TINY, VmapLists } from '@mmu-gather/core/stepped';
import {
  changePageAttr,
  ENOMEM,
  flushTlbKernelAll,
  vmallocInit,
  vmap,
  vmUnmapAliases,
  vunmap,
} from '@mmu-gather/mm/stepped';
import { expect, test } from 'vitest';
import { FakeMachine, run } from './fake-machine.ts';

const PAGE = 4096;

interface Setting {
  readonly m: FakeMachine;
  readonly pages: readonly Address[];
}

function* booted(profile: Partial<Profile>): Steps<Setting> {
  const m = new FakeMachine({ geometry: TINY, profile });
  yield* vmallocInit(m.cpu);
  const pages: Address[] = [];
  for (let i = 0; i < 4; i++) pages.push(yield* m.cpu.alloc('page'));
  return { m, pages };
}

test(
  'unmapped areas wait for one flush of their hull; then the lowest address is used again',
  run(function* (): Steps<void> {
    const { m, pages } = yield* booted({ vmapLazyPages: 1 });
    expect(yield* vmap(m.cpu, [pages[0]!])).toBe(0);
    expect(yield* vmap(m.cpu, [pages[1]!, pages[2]!])).toBe(PAGE);
    yield* vunmap(m.cpu, 0);
    yield* m.cpu.free('page', pages[0]!);
    expect(m.takeFlushes()).toEqual([]);
    // Its address is not free yet.
    expect(yield* vmap(m.cpu, [pages[3]!])).toBe(3 * PAGE);
    // lazy_max_pages is 2 with two CPUs: the third page is too much.
    yield* vunmap(m.cpu, PAGE);
    expect(m.takeFlushes()).toEqual([{ by: 'kernel', local: 3, sent: 3, tables: false }]);
    expect(m.words[VmapLists.at(m.kernel.vmap).lazyPages]).toBe(0);
    expect(yield* vmap(m.cpu, [pages[1]!])).toBe(0);
    expect(m.live.area.size).toBe(2);
  }),
);

test(
  'addresses that run out are purged; if there are none, the call fails',
  run(function* (): Steps<void> {
    const { m, pages } = yield* booted({});
    expect(yield* vmap(m.cpu, pages)).toBe(0);
    expect(yield* vmap(m.cpu, [pages[0]!])).toBe(-ENOMEM);
    yield* vunmap(m.cpu, 0);
    expect(m.takeFlushes()).toEqual([]);
    expect(yield* vmap(m.cpu, [pages[0]!])).toBe(0);
    expect(m.takeFlushes()).toHaveLength(1);
    expect(m.live.area.size).toBe(1);
  }),
);

test(
  'a change of attributes flushes unmapped aliases, and nothing if there are none',
  run(function* (): Steps<void> {
    const { m, pages } = yield* booted({});
    yield* changePageAttr(m.cpu);
    expect(m.takeFlushes()).toEqual([]);
    yield* vunmap(m.cpu, yield* vmap(m.cpu, [pages[0]!]));
    yield* changePageAttr(m.cpu);
    expect(m.takeFlushes()).toHaveLength(1);
    yield* vmUnmapAliases(m.cpu);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'flush before remap: a full flush after the unmapping sets the address free without another one',
  run(function* (): Steps<void> {
    const { m, pages } = yield* booted({ vmapReuse: 'generation' });
    yield* flushTlbKernelAll(m.cpu);
    yield* vunmap(m.cpu, yield* vmap(m.cpu, [pages[0]!]));
    m.takeFlushes();
    expect(yield* vmap(m.cpu, [pages[1]!])).toBe(PAGE);
    yield* flushTlbKernelAll(m.cpu);
    expect(m.takeFlushes()).toEqual([{ by: 'kernel', local: -1, sent: -1, tables: false }]);
    expect(yield* vmap(m.cpu, [pages[0]!])).toBe(0);
    expect(m.takeFlushes()).toEqual([]);
  }),
);

test(
  'flush before remap: what a purge has flushed does not count any more, so the next one is as far away as the first',
  run(function* (): Steps<void> {
    const { m, pages } = yield* booted({ vmapReuse: 'generation', vmapLazyPages: 1 });
    const addresses: number[] = [];
    for (const page of pages) addresses.push(yield* vmap(m.cpu, [page]));
    // lazy_max_pages is 2: the third page is too much, and the fourth is the first of the next purge.
    for (const [i, address] of addresses.entries()) {
      yield* vunmap(m.cpu, address);
      expect(m.takeFlushes()).toHaveLength(i === 2 ? 1 : 0);
    }
  }),
);
