/**
 * x86 as the suite uses it.
 */
import { x86, X86_AXES, X86_PROFILES, type X86Switches } from '@mmu-gather/x86/stepped';
import { type Architecture, switchesById } from '../architecture.ts';
import type { Broken } from '../profiles/spec.ts';

/** ASID slots of an explored CPU: two show every reuse that six do. */
const EXPLORED_ASIDS = 2;

/** What a CPU may walk that borrows an mm and goes to another one. */
const LEAVES_MASK_FIRST: Broken = {
  oracle: 'O4',
  why: 'a CPU that leaves an mm leaves its mask before it loads other tables: amid that it may still walk what is freed (up to 6.12)',
};

/** x86 with the switches of each kernel version. */
export const X86: Architecture = {
  id: 'x86',
  kernels: switchesById(X86_PROFILES),
  explored: { dynAsids: EXPLORED_ASIDS },
  axes: X86_AXES,
  wrongs: {
    'no-wait': { waitForIpis: false },
    'kernel-no-wait': { waitForIpis: false },
    'leave-no-wait': { waitForIpis: false },
    'others-only': { localFlush: false },
    'targets-first': { maskRead: 'before-generation' },
    'arrival-unordered': { fenceIfBitSet: false },
    'lazy-unchecked': { lazyExitCheck: false },
    'walks-kept': { freedTablesReachLazy: false },
    'range-keeps-walks': { rangeFreesTables: false },
    'leave-skips-lazy': { leaveReachesLazy: false },
    'tag-reused': { flushReusedSlot: false },
    'tag-comes-round': { ctxIdSpace: 1 },
  },
  skips: [],
  mends: {},
  breaks: {
    'leave-mm/idle@linux-5.11,linux-6.1,linux-6.12': LEAVES_MASK_FIRST,
    'exec/kernel-thread@linux-5.11,linux-6.1,linux-6.12': LEAVES_MASK_FIRST,
  },
  backend: (switches) => x86(switches as unknown as X86Switches),
};
