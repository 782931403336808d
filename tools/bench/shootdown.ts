/**
 * The round trip of a shootdown between two threads: what both sides agree on.
 *
 *     this thread                              the other one, all the time
 *     asks                                     accesses a page through its TLB
 *     waits                                    looks whether it was asked: drops the page, answers
 *
 * Once as a flush of this project between two CPUs that run one mm, once by hand with a word for questions and one for answers.
 */
import { FOUR_LEVELS, LINUX_6_18, type Mm, VM_READ, VM_WRITE } from '@mmu-gather/core';
import { contextSwitch, mmAlloc, mmap, mprotect, userStore } from '@mmu-gather/mm';
import { Machine, type MachineOptions, spawn, type ThreadCpu } from '@mmu-gather/threads';
import { x86, X86_LINUX_6_18 } from '@mmu-gather/x86';

const PAGE = 4096;
/** Round trips of a sample: few, so that in some samples nothing else disturbs either thread. */
const TRIPS = 20;
/** Milliseconds of samples: long enough for both threads to have their last compiled code for most of it. */
const BUDGET = 2000;

/** The machine of both. */
export const TWO_CPUS: MachineOptions = {
  cpus: 2,
  geometry: FOUR_LEVELS,
  profile: LINUX_6_18,
  backend: x86(X86_LINUX_6_18),
  pools: { table: 16, page: 16 },
  words: ['mm'],
};

/** Words of an array that both share. */
export const PHASE = 0;
/** How often this thread has asked, by hand; on a cache line of its own. */
export const ASKED = 16;
/** How often the other one has answered. */
export const ANSWERED = 32;
/** Number of those words. */
export const SHARED_WORDS = 48;

/** What the other thread does: not there yet, the project's flush, by hand, over. */
export const PHASES = { none: 0, flush: 1, hand: 2, over: 3 } as const;

/** What the other thread is started with. */
export interface Partner {
  /** Memory of the machine. */
  readonly buffer: SharedArrayBuffer;
  /** The words. */
  readonly shared: Int32Array;
}

/** What one kind of round trip took. */
export interface Trip {
  /** What was asked. */
  readonly what: string;
  /** Nanoseconds of the clock on the wall, in the best of many samples: what else the machine does only adds to it. */
  readonly flush: number;
  /** The same by hand. */
  readonly byHand: number;
}

/** Measures. Both threads need a core of their own meanwhile. */
export async function roundTrips(): Promise<Trip[]> {
  const machine = new Machine(TWO_CPUS);
  const cpu = machine.cpu(0);
  const space = mmAlloc(cpu);
  contextSwitch(cpu, space);
  mmap(cpu, space, 0, 2 * PAGE, VM_READ | VM_WRITE);
  for (const page of [0, PAGE]) userStore(cpu, space, page, 1);
  machine.memory.words.store(machine.memory.own, space.address);
  const shared = new Int32Array(new SharedArrayBuffer(4 * SHARED_WORDS));
  const partner: Partner = { buffer: machine.memory.buffer, shared };
  const thread = spawn(new URL('./shootdown-worker.ts', import.meta.url), partner, {
    message: () => thread.terminate(),
    failed: (message) => {
      throw new Error(message);
    },
  });
  while (Atomics.load(shared, PHASE) === PHASES.none) await new Promise((resolve) => setTimeout(resolve, 10));
  const flush = nanoseconds(() => machine.memory.kernel.backend.flushTlbPage(cpu, space, 0));
  const call = nanoseconds((n) => protect(cpu, space, n));
  Atomics.store(shared, PHASE, PHASES.hand);
  const byHand = nanoseconds(() => ask(shared));
  Atomics.store(shared, PHASE, PHASES.over);
  return [
    { what: 'flush of 1 page', flush, byHand },
    { what: 'mprotect of 1 page, each second one flushes', flush: call, byHand },
  ];
}

/** A system call: the page beside the one that the other CPU uses becomes read-only, and writable again. */
function protect(cpu: ThreadCpu, space: Mm, n: number): void {
  mprotect(cpu, space, PAGE, PAGE, n % 2 === 0 ? VM_READ : VM_READ | VM_WRITE);
}

/** By hand: a flag, and a spin until it is answered. */
function ask(shared: Int32Array): void {
  const asked = Atomics.add(shared, ASKED, 1) + 1;
  while (Atomics.load(shared, ANSWERED) !== asked);
}

function nanoseconds(trip: (n: number) => void): number {
  let best = Infinity;
  for (const end = performance.now() + BUDGET; performance.now() < end; ) {
    const began = performance.now();
    for (let n = 0; n < TRIPS; n++) trip(n);
    best = Math.min(best, (1e6 * (performance.now() - began)) / TRIPS);
  }
  return best;
}
