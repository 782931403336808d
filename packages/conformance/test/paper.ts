/**
 * Paper: an architecture for tests. It has no tags, no masks and no generations: each flush interrupts every CPU, and each drops all it has.
 */
import {
  ALL,
  ALL_ASIDS,
  ASM_GENERIC,
  type Axes,
  axis,
  type Backend,
  type BackendSpec,
  type Cpu,
  type Entry,
  entryPresent,
  type Mm,
  onEachCpuCondMask,
  type Steps,
} from '@mmu-gather/core/stepped';
import { x86 } from '@mmu-gather/x86/stepped';
import type { Architecture } from '../src/index.ts';

/** How paper behaves. */
export interface PaperSwitches {
  /** Whom a flush reaches. */
  readonly reach: 'all' | 'self' | 'others';
  /** Whether it waits for them. */
  readonly wait: boolean;
}

const AXES: Axes<PaperSwitches> = { reach: axis(['all'], ['self', 'others']), wait: axis([true], [false]) };

/** The only handler: drops everything on this CPU. */
function* flushAll(cpu: Cpu): Steps<void> {
  yield* cpu.invalidate({ asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false });
}

/** Every flush is this one. */
function flusher({ reach, wait }: PaperSwitches): (cpu: Cpu) => Steps<void> {
  return (cpu) => {
    const [every, self] = [2 ** cpu.kernel.cpus - 1, 1 << cpu.id];
    const mask = reach === 'all' ? every : reach === 'self' ? self : every & ~self;
    return onEachCpuCondMask(cpu, mask, null, 0, 0, wait);
  };
}

function* nothing(): Steps<void> {}

function paper(switches: PaperSwitches): BackendSpec {
  const flush = flusher({ reach: switches.reach, wait: switches.wait });
  const isa = { ...x86().isa, asids: 1 };
  const backend: Backend = {
    ...ASM_GENERIC,
    id: 'paper',
    isa,
    handlers: [flushAll],
    initNewContext: nothing,
    *switchMm(cpu: Cpu, next: Mm): Steps<void> {
      yield* cpu.loadContext(cpu.read(next.pgd), 0, false);
    },
    enterLazyTlb: nothing,
    leaveMmEverywhere: () => {
      throw new Error('paper makes nobody leave');
    },
    tlbFlush: flush,
    flushTlbMm: flush,
    flushTlbRange: flush,
    flushTlbKernelRange: flush,
    flushTlbPage: flush,
    flushTlbGen: flush,
    *tlbbatchShouldDefer(): Steps<boolean> {
      return false;
    },
    tlbbatchAddPending: () => {
      throw new Error('paper defers nothing');
    },
    tlbbatchFlush: nothing,
    pteNeedsFlush: (old: Entry) => entryPresent(old),
    hugePmdNeedsFlush: (old: Entry) => entryPresent(old),
    pteAccessible: (entry: Entry) => entry !== 0,
  };
  return { id: 'paper', isa, mmContextFields: [], link: () => backend };
}

/** Paper as the suite sees it: it came late, so there is no 5.11 of it. */
export const PAPER: Architecture = {
  id: 'paper',
  kernels: { 'linux-6.18': { reach: 'all', wait: true } satisfies PaperSwitches },
  explored: {},
  axes: AXES,
  wrongs: {
    'no-wait': { wait: false },
    'kernel-no-wait': { wait: false },
    'others-only': { reach: 'others' },
    'self-only': { reach: 'self' },
  },
  skips: [
    { scenario: 'fullmm/F2*', why: 'nobody is made to leave an mm' },
    { scenario: 'T28/no-flush-teardown', why: 'nobody is made to leave an mm' },
  ],
  mends: {
    'bug:B02/buggy': 'reclaim defers nothing',
    'T3/naive': 'no CPU compares generations: each flush drops everything',
  },
  backend: (switches) => paper(switches as unknown as PaperSwitches),
};
