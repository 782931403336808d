/**
 * Historical bugs of devices with TLBs of their own. A device is a CPU that only uses what it has loaded; what invalidates it is a cross call
 * that it takes at once, as a write to its register.
 */
import type { Body, Layout } from '@mmu-gather/checker';
import { type Cpu, DIRTY, entryClear, FAULT, mkEntry, Page, pteDirty, type Steps } from '@mmu-gather/core/stepped';
import { type AnyScenario, defineScenario, type Scenario, thread } from '../scenario.ts';
import {
  BARE,
  BARE_X86,
  clearEntry,
  everyCpu,
  makeSpace,
  NO_LEAVES,
  READABLE,
  runs,
  shootdown,
  type Space,
  type What,
  Words,
  WRITABLE,
} from './bare-stage.ts';

// ---- B54: a GPU ----

/** Two engines of a GPU, each with a TLB; the second one ignores what is written to its register without mask bits. */
const ENGINES = [1, 2];

/** A buffer is given back. @param flushed of the TLBs of the GPU */
const release =
  (flushed: (cpu: Cpu) => What) =>
  ({ table, frames }: Space): Body[] => [
    thread(function* (cpu) {
      yield* clearEntry(cpu, table);
      yield* shootdown(cpu, flushed(cpu));
      yield* cpu.free('page', frames[0]!);
    }),
    // A batch of commands that uses the buffer, and one that does not.
    thread((cpu) => cpu.userWrite(0, 2)),
  ];

const b54 = defineScenario<Space>({
  id: 'bug:B54/fixed',
  bug: 'B54',
  abstract: true,
  title: 'a buffer is given back that the engines of a GPU may use without having said so',
  source: 'CVE-2022-0330, CVE-2022-4139 (2022)',
  cpus: 3,
  only: BARE_X86,
  setup(run) {
    const space = makeSpace(run, [1]);
    for (const engine of ENGINES) runs(run, engine, space, 0);
    return space;
  },
  threads: release(() => ({})),
  twins: [
    {
      id: 'bug:B54/buggy',
      why: 'the table of the GPU is changed and its TLBs are left as they are',
      oracle: 'O1',
      property: 'FUAF',
      threads: release(() => NO_LEAVES),
    },
    {
      id: 'bug:B54/rung-no-mask-bits',
      why: 'the TLBs are invalidated, and one engine ignores that (CVE-2022-4139)',
      oracle: 'O1',
      property: 'FUAF',
      threads: release((cpu) => ({ cpus: everyCpu(cpu) & ~(1 << ENGINES[1]!) })),
    },
  ],
});

// ---- B55: a right that a device does not hear of ----

const faults = new Words('fault', ['reported', 'served']);

/** The driver serves the first fault of the device: from here on it may write. @param tells the device, too */
function* serve(cpu: Cpu, { table, frames }: Space, tells: boolean): Steps<void> {
  yield* cpu.waitFor(faults.at('reported'), 'equal', 1);
  yield* cpu.writeOnce(table, mkEntry(frames[0]!, WRITABLE));
  yield* shootdown(cpu, tells ? {} : { cpus: 1 << cpu.id });
  yield* cpu.storeRelease(faults.at('served'), 1);
}

/**
 * The device writes, and tries again once its fault was served. If it faults then, memory has allowed it for long and nothing changes any more:
 * it faults for ever.
 */
function* writeUntilDone(cpu: Cpu): Steps<void> {
  if ((yield* cpu.userWrite(0, 2)) !== FAULT) return;
  yield* cpu.storeRelease(faults.at('reported'), 1);
  yield* cpu.waitFor(faults.at('served'), 'equal', 1);
  if ((yield* cpu.userWrite(0, 2)) === FAULT)
    throw new Error('the device faults again on what was served, and will for ever');
}

/** A right is granted. @param tells the device, too */
export function granting(tells: boolean): (env: Space) => Body[] {
  return (env) => [thread((cpu) => serve(cpu, env, tells)), thread((cpu) => writeUntilDone(cpu))];
}

/** What scenarios of it have in common: words, and a device that has a read-only page. */
export const GRANT: Pick<Scenario<Space>, 'cpus' | 'setup'> & { readonly reserve: (layout: Layout) => void } = {
  reserve: faults.reserve,
  cpus: 2,
  setup(run): Space {
    const space = makeSpace(run, [1], READABLE);
    runs(run, 1, space, 0);
    return space;
  },
};

const b55 = defineScenario<Space>({
  ...GRANT,
  id: 'bug:B55/fixed',
  bug: 'B55',
  abstract: true,
  title: 'a device faults on a read-only page that is made writable: it is told, and does not fault again',
  source: '6bbd42e2df8f (2023)',
  only: { archs: ['riscv'], why: 'an access may fault by what is cached although memory allows it' },
  backend: { riscv: { cachesInvalid: 'leaves' } },
  threads: granting(true),
  twins: [
    {
      id: 'bug:B55/buggy',
      why: 'notifiers are called where rights shrink, and not where they grow: the device keeps its entry and faults for ever',
      oracle: 'assert',
      property: 'LIVE',
      threads: granting(false),
    },
  ],
});

// ---- B74: an error path ----

const vtd = new Words('vtd', ['suppress']);

/** What is done with the flag that holds flushes back when a batch fails, and how it is tested. */
interface Flag {
  readonly clearedOnError: boolean;
  readonly inverted: boolean;
}

/** A batch of mappings, which may fail midway. Flushes of single pages are held back meanwhile. */
function* mapBatch(cpu: Cpu, { clearedOnError }: Flag): Steps<void> {
  yield* cpu.writeOnce(vtd.at('suppress'), 1);
  const failed = (yield* cpu.mayFail()) === 1;
  if (failed && !clearedOnError) return;
  yield* cpu.writeOnce(vtd.at('suppress'), 0);
  yield* shootdown(cpu);
}

/** A page that a device may use is unmapped and given back. */
function* unmapOne(cpu: Cpu, { table, frames }: Space, { inverted }: Flag): Steps<void> {
  yield* clearEntry(cpu, table);
  const suppressed = (yield* cpu.readOnce(vtd.at('suppress'))) !== 0;
  if (suppressed === inverted) yield* shootdown(cpu);
  yield* cpu.free('page', frames[0]!);
}

const batching =
  (flag: Flag) =>
  (env: Space): Body[] => [
    thread(function* (cpu) {
      yield* mapBatch(cpu, flag);
      yield* unmapOne(cpu, env, flag);
    }),
  ];

const b74 = defineScenario<Space>({
  id: 'bug:B74/fixed',
  bug: 'B74',
  abstract: true,
  title: 'a batch of mappings for a device fails or not, and a page is unmapped after it',
  source: 'CVE-2013-6400 (XSA-80), CVE-2013-6375 (XSA-78)',
  cpus: 2,
  only: BARE_X86,
  reserve: vtd.reserve,
  setup(run) {
    const space = makeSpace(run, [1]);
    runs(run, 1, space, 0);
    return space;
  },
  threads: batching({ clearedOnError: true, inverted: false }),
  twins: [
    {
      id: 'bug:B74/buggy',
      why: 'the error leaves the flag set, and the next unmapping flushes nothing',
      oracle: 'O1',
      property: 'FUAF',
      threads: batching({ clearedOnError: false, inverted: false }),
    },
    {
      id: 'bug:B74/rung-inverted',
      why: 'the flag is tested the wrong way round (XSA-78)',
      oracle: 'O1',
      property: 'FUAF',
      threads: batching({ clearedOnError: true, inverted: true }),
    },
  ],
});

// ---- B86: a page that was to move to a device ----

/** What the page held when it was swapped out, and what was stored to it since. */
const [SWAPPED, STORED] = [1, 2];
const swap = new Words('swap', ['ptl', 'pageDirty', 'copy', 'dropped']);

/** Collects the page for a device and gives up: the entry comes back, and not dirty. @param keeps the dirty bit in the page */
function* collect(cpu: Cpu, { table, frames }: Space, keeps: boolean): Steps<void> {
  yield* cpu.spinLock(swap.at('ptl'));
  const entry = yield* clearEntry(cpu, table);
  yield* shootdown(cpu);
  if (keeps && pteDirty(entry)) yield* cpu.writeOnce(swap.at('pageDirty'), 1);
  yield* cpu.spinUnlock(swap.at('ptl'));
  if (entry === 0) return;
  yield* cpu.spinLock(swap.at('ptl'));
  yield* cpu.writeOnce(table, entryClear(mkEntry(frames[0]!, WRITABLE), DIRTY));
  yield* cpu.spinUnlock(swap.at('ptl'));
}

/** Reclaim drops the page if it is mapped and gives its lock: what is clean is in swap as it is. */
function* reclaim(cpu: Cpu, { table, frames }: Space): Steps<void> {
  yield* cpu.spinLock(swap.at('ptl'));
  const entry = yield* clearEntry(cpu, table);
  if (entry !== 0) {
    yield* shootdown(cpu);
    if (pteDirty(entry) || (yield* cpu.readOnce(swap.at('pageDirty'))) !== 0)
      yield* cpu.writeOnce(swap.at('copy'), yield* cpu.readOnce(Page.at(frames[0]!).data));
    yield* cpu.writeOnce(swap.at('dropped'), 1);
  }
  yield* cpu.spinUnlock(swap.at('ptl'));
}

const collecting =
  (keeps: boolean) =>
  (env: Space): Body[] => [thread((cpu) => collect(cpu, env, keeps)), thread((cpu) => reclaim(cpu, env))];

const b86 = defineScenario<Space>({
  id: 'bug:B86/fixed',
  bug: 'B86',
  abstract: true,
  title: 'a page is collected for a device and put back, and reclaimed meanwhile or after',
  source: 'fd35ca3d12cc (2022)',
  cpus: 2,
  only: BARE,
  reserve: swap.reserve,
  setup(run) {
    const space = makeSpace(run, [STORED]);
    run(0, (cpu) => cpu.writeOnce(swap.at('copy'), SWAPPED));
    return space;
  },
  threads: collecting(true),
  final: (peek) =>
    peek(swap.at('dropped')) === 1 && peek(swap.at('copy')) !== STORED
      ? 'the page is dropped, and swap has what it held before the last store'
      : undefined,
  twins: [
    {
      id: 'bug:B86/buggy',
      why: 'the dirty bit is dropped with the entry: the page comes back clean',
      oracle: 'assert',
      property: 'LOSTW',
      threads: collecting(false),
    },
  ],
});

/** All of them. */
export const BUGS_OF_DEVICES: readonly AnyScenario[] = [b54, b55, b74, b86];
