/**
 * What the threaded machine costs on one thread, beside plain functions that do the same by hand (a TLB over page tables in shared memory; a flush by
 * the same calls of the port), and beside the stepped build of the same code. A hit of the TLB must not allocate.
 */
import * as direct from '@mmu-gather/core';
import * as stepped from '@mmu-gather/core/stepped';
import { CountingMachine as SteppedMachine } from '@mmu-gather/counting/stepped';
import * as mm from '@mmu-gather/mm';
import * as steppedMm from '@mmu-gather/mm/stepped';
import { Machine } from '@mmu-gather/threads';
import { x86, X86_LINUX_6_18 } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';
import { HandMadeGather } from './hand-made-gather.ts';
import { HandMade } from './hand-made.ts';
import { roundTrips } from './shootdown.ts';
import { print, shortest } from './table.ts';

const PAGE = 4096;
const WORD = 8;
/** Words of a page that are accessed in turn; no power of two, so that each page meets each. */
const WORDS = 511;
/** Pages that are accessed; all of them fit into the TLB. */
const PAGES = 64;
/** So many do not, so that in turn each misses. */
const MANY_PAGES = 512;
const ACCESSES = 50_000;
const FLUSHES = 4000;
/** Nanoseconds of a round trip in which somebody slept. */
const SLEPT = 10_000;
const GATHERS = [1, 8, 64, 512] as const;
const SHAPE = { cpus: 1, geometry: direct.FOUR_LEVELS, profile: direct.LINUX_6_18 };

const machine = new Machine({ ...SHAPE, backend: x86(X86_LINUX_6_18), pools: { table: 16, page: MANY_PAGES + 64 } });
const cpu = machine.cpu(0);
const space = mm.mmAlloc(cpu);
mm.contextSwitch(cpu, space);
mm.mmap(cpu, space, 0, MANY_PAGES * PAGE, direct.VM_READ | direct.VM_WRITE);
for (let page = 0; page < MANY_PAGES; page++) mm.userStore(cpu, space, page * PAGE, page);
const { backend } = machine.memory.kernel;

const steppedMachine = new SteppedMachine({ ...SHAPE, backend: steppedX86(X86_LINUX_6_18) });
const steppedCpu = steppedMachine.cpus[0]!;
const steppedSpace = stepped.finish(steppedMm.mmAlloc(steppedCpu));
stepped.finish(steppedMm.contextSwitch(steppedCpu, steppedSpace));
const steppedBackend = steppedMachine.kernel.backend;

const hand = new HandMade(MANY_PAGES);
const byHand = new HandMadeGather(cpu, space);

/** One row: nanoseconds a time, for each way that there is. */
function row(
  what: string,
  times: number,
  ways: { direct: () => void; hand: () => void; stepped?: () => void },
): (string | number)[] {
  const works = [ways.direct, ways.hand, ...(ways.stepped === undefined ? [] : [ways.stepped])];
  const [ours, theirs, slow] = shortest(works).map((milliseconds) => (1e6 * milliseconds) / times) as [
    number,
    number,
    number?,
  ];
  return [what, ours, theirs, (ours / theirs).toFixed(2), slow === undefined ? '' : (slow / ours).toFixed(1)];
}

/** A loop over pages. */
function pages(times: number, body: (address: number) => void, count = PAGES): () => void {
  return () => {
    for (let n = 0; n < times; n++) body((n % count) * PAGE);
  };
}

/** The same, of words within pages. */
function words(times: number, body: (address: number) => void, count = PAGES): () => void {
  return () => {
    for (let n = 0; n < times; n++) body((n % count) * PAGE + WORD * (n % WORDS));
  };
}

let sum = 0;
const hits = words(ACCESSES, (address) => (sum += cpu.userRead(address)));
const rows = [
  row('TLB hit', ACCESSES, { direct: hits, hand: words(ACCESSES, (address) => (sum += hand.load(address))) }),
  row('TLB miss', FLUSHES, {
    direct: words(FLUSHES, (address) => (sum += cpu.userRead(address)), MANY_PAGES),
    hand: words(FLUSHES, (address) => (sum += hand.load(address)), MANY_PAGES),
  }),
  row('flush of 1 page', FLUSHES, {
    direct: pages(FLUSHES, (address) => backend.flushTlbPage(cpu, space, address)),
    hand: pages(FLUSHES, (address) => byHand.flush(address, address + PAGE, direct.PAGE_SHIFT, false)),
    stepped: pages(FLUSHES, (address) =>
      stepped.finish(steppedBackend.flushTlbPage(steppedCpu, steppedSpace, address)),
    ),
  }),
  row('flush of all', FLUSHES, {
    direct: pages(FLUSHES, () => backend.flushTlbMm(cpu, space)),
    hand: pages(FLUSHES, () => byHand.flush(0, direct.EVERYTHING, 0, true)),
    stepped: pages(FLUSHES, () => stepped.finish(steppedBackend.flushTlbMm(steppedCpu, steppedSpace))),
  }),
  ...GATHERS.map((count) => {
    const times = Math.ceil(FLUSHES / (10 + count));
    const end = count * PAGE;
    return row(`gather of ${count} page${count === 1 ? '' : 's'}`, times, {
      direct: pages(times, () => {
        const tlb = direct.tlbGatherMmu(cpu, space);
        for (let at = 0; at < end; at += PAGE) direct.tlbRemoveTlbEntry(cpu, tlb, at, 0);
        direct.tlbFinishMmu(cpu, tlb, 0, end);
      }),
      hand: pages(times, () => {
        const tlb = byHand.open();
        for (let at = 0; at < end; at += PAGE) byHand.note(tlb, at);
        byHand.finish(tlb);
      }),
      stepped: pages(times, () => stepped.finish(steppedGather(end))),
    });
  }),
];

function* steppedGather(end: number): stepped.Steps<void> {
  const tlb = yield* stepped.tlbGatherMmu(steppedCpu, steppedSpace);
  for (let at = 0; at < end; at += PAGE) stepped.tlbRemoveTlbEntry(steppedCpu, tlb, at, 0);
  yield* stepped.tlbFinishMmu(steppedCpu, tlb, 0, end);
}

/** Bytes that a hit allocates, of many. */
function allocated(): number {
  hits();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 10; n++) hits();
  return Math.max(0, process.memoryUsage().heapUsed - before) / (10 * ACCESSES);
}

const bytes = Math.min(allocated(), allocated(), allocated());
if (!Number.isFinite(sum)) throw new Error('nothing was read');
print(['one thread', 'direct, ns', 'by hand, ns', 'direct / by hand', 'stepped / direct'], rows);
console.log(`a TLB hit allocates ${bytes.toFixed(4)} bytes`);
if (bytes > 0.01) throw new Error('a TLB hit allocates');

const trips = await roundTrips();
print(
  ['two threads, round trip', 'this project, ns', 'by hand, ns', 'project / by hand'],
  trips.map(({ what, flush: ours, byHand: theirs }) => [what, ours, theirs, (ours / theirs).toFixed(2)]),
);
if (trips.some(({ flush: ours }) => ours > SLEPT))
  console.log('the other thread was never awake for long enough: round trips need two idle cores');
