/**
 * Kernel addresses: unmapped lazily, flushed before they are used again.
 */
import type { Body, Run } from '@mmu-gather/checker';
import { type Address, EVERYTHING, VmapLists } from '@mmu-gather/core/stepped';
import { changePageAttr, flushTlbKernelAll, vmallocInit, vmap, vmUnmapAliases, vunmap } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { gives } from './look.ts';
import { PAGE } from './stage.ts';

interface Mapped {
  /** Frames that are mapped one after the other. */
  readonly frames: readonly Address[];
  /** Addresses of those that are mapped. */
  readonly at: readonly number[];
}

/** Some frames, of which the first few are mapped; every CPU may have cached that. */
function mapped(count: number, mappings: number): (run: Run) => Mapped {
  return (run) => {
    run(0, vmallocInit);
    const frames = Array.from({ length: count }, () => run(0, (cpu) => cpu.alloc('page')));
    const at = frames.slice(0, mappings).map((frame) => run(0, (cpu) => vmap(cpu, [frame])));
    return { frames, at };
  };
}

const t25 = defineScenario<Mapped>({
  id: 'T25/fixed',
  title: 'an address of the kernel is unmapped, its page is freed at once, and the address maps another page',
  source: 'mm/vmalloc.c, db64fe02258f (2.6.28)',
  cpus: 2,
  profile: { vmapLazyPages: 0 },
  setup: mapped(2, 1),
  threads: ({ frames, at }) => [
    thread(function* (cpu) {
      yield* vunmap(cpu, at[0]!);
      yield* cpu.free('page', frames[0]!);
      yield* vmap(cpu, [frames[1]!]);
    }),
  ],
  twins: [
    {
      id: 'T25/naive',
      why: 'the address is handed out again before it was flushed',
      oracle: 'O15',
      property: 'SAC',
      profile: { vmapReuse: 'at-once' },
    },
    {
      id: 'T25/no-ipi-wait',
      why: 'the purge does not wait until its flush took effect everywhere',
      oracle: 'O15',
      property: 'SAC',
      wrong: 'kernel-no-wait',
    },
  ],
});

const full = defineScenario<Mapped>({
  id: 'vmap/no-address-left',
  title: 'addresses run out while one is queued: it is purged before it is taken, while another CPU unmaps, too',
  source: 'mm/vmalloc.c alloc_vmap_area',
  cpus: 2,
  pools: { area: 6 },
  setup: mapped(4, 4),
  threads: ({ frames, at }) => [
    thread(function* (cpu) {
      yield* vunmap(cpu, at[0]!);
      gives(cpu, 'a search for an address', (yield* vmap(cpu, [frames[0]!])) >= 0, true);
    }),
    thread((cpu) => vunmap(cpu, at[1]!)),
  ],
  twins: [
    {
      id: 'vmap/no-address-left/at-once',
      why: 'the address is handed out again before it was flushed',
      oracle: 'O15',
      property: 'SAC',
      profile: { vmapReuse: 'at-once' },
    },
  ],
});

/** An address was unmapped, and is to be flushed. */
function unmapped(run: Run): Mapped {
  const stage = mapped(1, 1)(run);
  run(0, (cpu) => vunmap(cpu, stage.at[0]!));
  return stage;
}

function purge({ at }: Mapped): Body {
  return thread(function* (cpu) {
    yield* vmUnmapAliases(cpu);
    cpu.claim.reassigned({ start: at[0]!, end: at[0]! + PAGE });
  });
}

const purges = defineScenario<Mapped>({
  id: 'vmap/two-purges',
  title: 'two CPUs purge at once: each returns when what was unmapped before is flushed, whoever does it',
  source: 'mm/vmalloc.c vmap_purge_lock',
  cpus: 2,
  profile: { vmapReuse: 'purge' },
  setup: unmapped,
  threads: (env) => [purge(env), purge(env)],
  twins: [
    {
      id: 'vmap/two-purges/no-ipi-wait',
      why: 'the purge does not wait until its flush took effect everywhere',
      oracle: 'O15',
      property: 'SAC',
      wrong: 'kernel-no-wait',
    },
  ],
});

const attributes = defineScenario<Mapped>({
  id: 'T25/attributes',
  title: 'the memory attributes of a page change while an alias that was unmapped may still be cached',
  source: 'arch/x86/mm/pat/set_memory.c: vm_unmap_aliases in change_page_attr_set_clr',
  cpus: 2,
  setup: mapped(1, 1),
  threads: ({ at }) => [
    thread(function* (cpu) {
      yield* vunmap(cpu, at[0]!);
      yield* changePageAttr(cpu);
      cpu.claim.reassigned({ start: at[0]!, end: at[0]! + PAGE });
    }),
  ],
  twins: [
    {
      id: 'T25/attributes/no-flush',
      why: 'unmapped aliases are not flushed',
      oracle: 'O15',
      property: 'ALIAS',
      profile: { attributeFlush: false },
    },
  ],
});

/** CPU 1 happens to flush all kernel addresses, for a reason of its own. */
const generation = defineScenario<Mapped>({
  id: 'vmap/flush-before-remap',
  title: 'an unmapped address may be used again after any full flush that began later',
  source: 'J. Fitzhardinge, March 2009',
  cpus: 2,
  profile: { vmapReuse: 'generation' },
  setup: mapped(2, 1),
  threads: ({ frames, at }) => [
    thread(function* (cpu) {
      yield* vunmap(cpu, at[0]!);
      yield* vmap(cpu, [frames[1]!]);
    }),
    thread((cpu) => flushTlbKernelAll(cpu)),
  ],
  twins: [
    {
      id: 'vmap/flush-before-remap/ended-later',
      why: 'the flush began before the address was unmapped, and had passed a CPU already',
      oracle: 'O15',
      property: 'SAC',
      profile: { vmapReuse: 'any-generation' },
    },
  ],
});

const flushes = defineScenario<VmapLists>({
  id: 'vmap/two-flushes',
  title: 'two full flushes at once: both are counted, so that the next one has a number of its own',
  source: 'J. Fitzhardinge, March 2009',
  cpus: 2,
  profile: { vmapReuse: 'generation' },
  setup(run, kernel) {
    run(0, vmallocInit);
    return VmapLists.at(kernel.vmap);
  },
  threads: () => [thread(flushTlbKernelAll), thread(flushTlbKernelAll)],
  final: (peek, { flushBegun, flushDone }) =>
    peek(flushBegun) === 2 && peek(flushDone) === 2 ? undefined : 'two flushes were made, and others are counted',
  twins: [
    {
      id: 'vmap/two-flushes/uncounted',
      why: 'one of them is not counted',
      oracle: 'assert',
      threads: () => [
        thread(flushTlbKernelAll),
        thread((cpu) => cpu.kernel.backend.flushTlbKernelRange(cpu, 0, EVERYTHING)),
      ],
    },
  ],
});

/** The stack of a task goes with the task, another one gets its addresses, and is moved to another CPU. */
const stack = defineScenario<Mapped>({
  id: 'bug:B72/fixed',
  bug: 'B72',
  title:
    'addresses and frame of a stack of the kernel are given back, and a new stack is mapped there for a task that runs elsewhere',
  source: 'Asterinas 1952 and 3630 and others (2025), as vunmap and vmap would have it',
  cpus: 2,
  profile: { vmapLazyPages: 0, vmapReuse: 'purge' },
  setup: mapped(2, 1),
  threads: ({ frames, at }) => [
    thread(function* (cpu) {
      yield* vunmap(cpu, at[0]!);
      yield* vmap(cpu, [frames[1]!]);
      // Only now: the frame stays with whoever flushes.
      yield* cpu.free('page', frames[0]!);
    }),
    thread((cpu) => cpu.kernelRead(at[0]!)),
  ],
  twins: [
    {
      id: 'bug:B72/buggy',
      why: 'both are used again at once, and no other CPU is flushed: its task runs on the stack of before',
      oracle: 'O15',
      property: 'FUAF',
      profile: { vmapReuse: 'at-once' },
    },
    {
      id: 'bug:B72/rung-no-wait',
      why: 'other CPUs are flushed, and nobody waits for it',
      oracle: 'O15',
      property: 'FUAF',
      wrong: 'kernel-no-wait',
    },
  ],
});

/** All of them. */
export const VMAP: readonly AnyScenario[] = [t25, full, purges, flushes, attributes, generation, stack];
