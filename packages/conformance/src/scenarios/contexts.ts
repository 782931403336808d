/**
 * Contexts: address spaces that begin and end, on two CPUs at once and one after the other, and CPUs that come to one together. What a new one is
 * given (an ASID, a PID, a context number, an ASCE) must be nobody else's, and must go back.
 *
 * Little happens besides, so that these are small on all architectures.
 */
import type { Body, Run } from '@mmu-gather/checker';
import { type Cpu, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { contextSwitch, doUserAddrFault, execMmap, exitMm, mmAlloc, mmap, userStore } from '@mmu-gather/mm/stepped';
import { type AnyScenario, defineScenario, thread, type Twin } from '../scenario.ts';
import { type Mapping, mappingOf, newMm, PAGE, putUnmapped, RW_MEMORY, setStage, toUser } from './stage.ts';
import { storeSoon } from './upgrades.ts';

/** An mm that has run nowhere, with a page that was faulted in from outside. */
interface Fresh {
  readonly mm: Mm;
  readonly at0: Mapping;
}

function setFresh(run: Run): Fresh {
  const mm = newMm(run);
  run(0, (cpu) => doUserAddrFault(cpu, mm, 0, true));
  return { mm, at0: mappingOf(run, mm, 0) };
}

/** ptep_get_and_clear, flush_tlb_page under the PTL, put_page. */
function* clearFlushFree(cpu: Cpu, { mm, at0 }: Fresh): Steps<void> {
  const { backend } = cpu.kernel;
  yield* cpu.spinLock(at0.ptl);
  yield* backend.pte.ptepGetAndClear(cpu, mm, 0, at0.pte, 0);
  yield* backend.flushTlbPage(cpu, mm, 0);
  yield* backend.flushTlbMm(cpu, mm);
  yield* cpu.spinUnlock(at0.ptl);
  yield* putUnmapped(cpu, at0.page);
}

/** The page goes before the flush. */
function freedFirst<E extends Fresh>(scenario: string): Twin<E> {
  return {
    id: `${scenario}/freed-first`,
    why: 'the page is freed before the flush',
    oracle: ['O1', 'O16'],
    property: 'FUAF',
    threads: (env) => [thread((cpu) => putUnmapped(cpu, env.at0.page)), thread((cpu) => toUser(cpu, env.mm))],
  };
}

const together = defineScenario<Fresh>({
  id: 'contexts/arrive-together',
  title: 'two CPUs are the first to run an mm, at once, and one of them unmaps a page: it reaches the other one',
  cpus: 2,
  setup: setFresh,
  threads: (env) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, env.mm);
      yield* clearFlushFree(cpu, env);
    }),
    thread((cpu) => toUser(cpu, env.mm)),
  ],
  twins: [freedFirst('contexts/arrive-together')],
});

const leaveAndArrive = defineScenario<Fresh & { readonly other: Mm }>({
  id: 'contexts/leave-and-arrive',
  title: 'a CPU leaves an mm, comes back and unmaps a page, while another CPU is switched to the mm for the first time',
  cpus: 2,
  setup(run) {
    const fresh = setFresh(run);
    const other = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, fresh.mm));
    return { ...fresh, other };
  },
  threads: (env) => [
    thread(function* (cpu) {
      yield* contextSwitch(cpu, env.other);
      yield* contextSwitch(cpu, env.mm);
      yield* clearFlushFree(cpu, env);
    }),
    thread((cpu) => toUser(cpu, env.mm)),
  ],
  twins: [freedFirst('contexts/leave-and-arrive')],
});

const exec = defineScenario<Fresh>({
  id: 'contexts/exec',
  title:
    'a task executes another program while a thread of that one, on another CPU, unmaps its page: it reaches the task',
  cpus: 2,
  setup(run) {
    const fresh = setFresh(run);
    const before = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, before));
    return fresh;
  },
  threads: (env) => [
    thread(function* (cpu) {
      yield* execMmap(cpu, env.mm);
      yield* cpu.enterUser();
    }),
    thread(function* (cpu) {
      yield* contextSwitch(cpu, env.mm);
      yield* clearFlushFree(cpu, env);
    }),
  ],
  twins: [
    {
      id: 'contexts/exec/freed-first',
      why: 'the page is freed before the flush',
      oracle: ['O1', 'O16'],
      property: 'FUAF',
      threads: (env) => [
        thread(function* (cpu) {
          yield* execMmap(cpu, env.mm);
          yield* cpu.enterUser();
        }),
        thread((cpu) => putUnmapped(cpu, env.at0.page)),
      ],
    },
  ],
});

const execAlone = defineScenario<Fresh>({
  id: 'contexts/exec-alone',
  title: 'a task executes another program, and gets through with its first store',
  cpus: 1,
  setup(run) {
    const fresh = setFresh(run);
    const before = run(0, mmAlloc);
    run(0, (cpu) => contextSwitch(cpu, before));
    return fresh;
  },
  threads: ({ mm }) => [
    thread(function* (cpu) {
      yield* execMmap(cpu, mm);
      yield* storeSoon(cpu, mm);
    }),
  ],
  sequential: 'how many faults an access takes is asked of one CPU',
  twins: [
    {
      id: 'contexts/exec-alone/as-load',
      why: 'a fault is not answered: the store never gets through',
      oracle: 'O16',
      property: 'LIVE',
      threads: ({ mm, at0 }) => [
        thread(function* (cpu) {
          yield* execMmap(cpu, mm);
          yield* cpu.kernel.backend.pte.ptepGetAndClear(cpu, mm, 0, at0.pte, 0);
          yield* cpu.kernel.backend.flushTlbMm(cpu, mm);
          yield* storeSoon(cpu, mm, function* () {
            return 0;
          });
        }),
      ],
    },
  ],
});

/** Begins an address space, and stores to its one page. */
function* begin(cpu: Cpu, value: number): Steps<Mm> {
  const mm = yield* mmAlloc(cpu);
  yield* contextSwitch(cpu, mm);
  yield* mmap(cpu, mm, 0, PAGE, RW_MEMORY);
  yield* userStore(cpu, mm, 0, value);
  return mm;
}

/** One after the other begins and ends. */
function* comeAndGo(cpu: Cpu, times: number): Steps<void> {
  for (let n = 0; n < times; n++) {
    yield* begin(cpu, 1 + n);
    yield* exitMm(cpu);
  }
}

/** Pools for so many address spaces on a CPU. */
const POOLS = { mm: 8, vma: 8, page: 8, table: 16 } as const;

const inTurn = defineScenario<{ readonly mm: Mm }>({
  id: 'contexts/in-turn',
  title: 'more address spaces than there are tags begin and end, one after the other: what they were given goes back',
  cpus: 1,
  pools: POOLS,
  setup: (run) => setStage(run, { pages: 1, running: [0] }),
  threads: () => [thread((cpu) => comeAndGo(cpu, 6))],
  sequential: 'what is given back is asked of one CPU',
  twins: [
    {
      id: 'contexts/in-turn/kept',
      why: 'none of them ends: there are not enough',
      oracle: ['assert', 'O16'],
      property: 'LIVE',
      threads: () => [
        thread(function* (cpu) {
          const { asids } = cpu.kernel.backend.isa;
          for (let n = 0; n < 6; n++) yield* begin(cpu, 1 + n);
          cpu.claim.that(asids > 1_000, 'O16', 'none of six address spaces has ended');
        }),
      ],
    },
  ],
});

/** Half of an address space goes back. */
function structAlone<E>(scenario: string, other: (env: E) => Body): Twin<E> {
  return {
    id: `${scenario}/struct-alone`,
    why: "of a new address space only the struct is given back: its table and what it was given are nobody's",
    oracle: ['O16', 'O17'],
    property: 'LIVE',
    threads: (env) => [
      thread(function* (cpu) {
        const mm = yield* mmAlloc(cpu);
        yield* cpu.free('mm', mm.address);
      }),
      other(env),
    ],
  };
}

const atOnce = defineScenario<object>({
  id: 'contexts/at-once',
  title: 'address spaces begin on two CPUs at once: each gets a tag of its own',
  cpus: 2,
  pools: POOLS,
  setup: () => ({}),
  threads: () => [thread(mmAlloc), thread((cpu) => begin(cpu, 2))],
  twins: [structAlone('contexts/at-once', () => thread((cpu) => begin(cpu, 2)))],
});

interface Ending {
  readonly other: Mm;
}

/** An address space ends, and its CPU goes on with another one. */
function ends({ other }: Ending): Body {
  return thread(function* (cpu) {
    yield* exitMm(cpu);
    yield* contextSwitch(cpu, other);
  });
}

const besideEnd = defineScenario<Ending>({
  id: 'contexts/begin-beside-end',
  title: 'an address space begins while another one ends on another CPU, whose tag goes back',
  cpus: 2,
  only: {
    archs: ['powerpc-hash', 'powerpc-radix', 's390', 'sparc64'],
    why: 'a tag goes back with its address space there, and not all at once',
  },
  pools: POOLS,
  setup(run) {
    const [ending, other] = [run(1, mmAlloc), run(1, mmAlloc)];
    run(1, (cpu) => contextSwitch(cpu, ending));
    return { other };
  },
  threads: (env) => [thread(mmAlloc), ends(env)],
  twins: [structAlone('contexts/begin-beside-end', ends)],
});

/** All of them. */
export const CONTEXTS: readonly AnyScenario[] = [together, leaveAndArrive, exec, execAlone, inTurn, atOnce, besideEnd];
