/**
 * Economy of single architectures: what their own ways of flushing save, and of an mm that one CPU alone runs.
 */
import { type Cpu, FAULT, type Mm, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import { tsbGrow } from '@mmu-gather/sparc/stepped';
import {
  changeProtNuma,
  contextSwitch,
  doUserAddrFault,
  dupMm,
  exitMm,
  hugepageMadvise,
  MADV_COLD,
  madvise,
  madviseDontneed,
  mmAlloc,
  mmap,
  mmput,
  mprotect,
  mremap,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  munmap,
  shrinkPages,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import type { AnyScenario } from '../scenario.ts';
import { flushHere } from './bare-stage.ts';
import { type Crowd, economy } from './economy.ts';
import { PAGE, RW_MEMORY } from './stage.ts';

/** More mms than there are ASIDs. */
const MANY = 7;

/** Changes of an mm that a CPU runs. */
function* change(cpu: Cpu, mm: Mm): Steps<void> {
  yield* mmap(cpu, mm, 8 * PAGE, 4 * PAGE, RW_MEMORY);
  for (const page of [8, 9, 10, 11]) yield* userStore(cpu, mm, page * PAGE, 1);
  yield* mprotect(cpu, mm, 8 * PAGE, PAGE, VM_READ);
  yield* madviseDontneed(cpu, mm, 9 * PAGE, PAGE);
  yield* munmap(cpu, mm, 10 * PAGE, 2 * PAGE);
}

/** A new mm, which this CPU runs from here on. */
function* runNew(cpu: Cpu): Steps<Mm> {
  const mm = yield* mmAlloc(cpu);
  yield* contextSwitch(cpu, mm);
  return mm;
}

function* alone(cpu: Cpu): Steps<void> {
  yield* change(cpu, yield* runNew(cpu));
}

/** CPU 0 comes to run what CPU 3 has run before ASIDs were given anew. */
function* aloneAgain(cpu: Cpu, { other }: Crowd): Steps<void> {
  for (let i = 0; i < MANY; i++) {
    const mm = yield* runNew(cpu);
    yield* mmap(cpu, mm, 0, PAGE, RW_MEMORY);
    yield* userStore(cpu, mm, 0, 1);
    yield* exitMm(cpu);
  }
  yield* contextSwitch(cpu, other);
  yield* change(cpu, other);
}

/** The kernel reads user memory, with an empty TLB to begin with: what is not in the TSB, either, is a miss. */
function* readCold(cpu: Cpu, mm: Mm, pages: readonly number[]): Steps<void> {
  yield* flushHere(cpu);
  for (const page of pages) {
    while ((yield* cpu.userRead(page * PAGE)) === FAULT) {
      if (yield* cpu.kernel.backend.tlbMiss!(cpu, mm, page * PAGE, false)) continue;
      yield* doUserAddrFault(cpu, mm, page * PAGE, false);
    }
  }
}

/** All of them. */
export const ARCH_ECONOMY: readonly AnyScenario[] = [
  economy('alone', 'an mm that one CPU alone runs is changed', () => [alone], {
    backend: { s390: { attachRepair: 'test-attach' } },
  }),
  economy(
    'alone-again',
    'an mm is changed that had run on other CPUs under its ASID of before',
    (crowd) => [
      (cpu) => aloneAgain(cpu, crowd),
      (cpu) => shrinkPages(cpu, [{ page: crowd.others.page, mm: crowd.other, address: 0 }]),
    ],
    {
      pools: { mm: 4 * (MANY + 2), vma: 4 * (MANY + 8), page: 4 * (MANY + 16), table: 4 * (2 * MANY + 8) },
      backend: { arm64: { localFlush: 'reset', asids: MANY } },
      beside: ({ mm }) => [undefined, undefined, (cpu) => contextSwitch(cpu, mm)],
    },
  ),
  economy(
    'left-for-later',
    'a hart that runs another mm is not interrupted, and flushes when it comes back, as far as what is left for it goes',
    (crowd) => [
      (cpu) => madviseDontneed(cpu, crowd.mm, 2 * PAGE, PAGE),
      (cpu) => munmap(cpu, crowd.mm, 4 * PAGE, 2 * PAGE),
      (cpu) => mprotect(cpu, crowd.mm, 8 * PAGE, PAGE, VM_READ),
      function* (cpu) {
        yield* contextSwitch(cpu, crowd.other);
        yield* change(cpu, crowd.other);
        yield* contextSwitch(cpu, crowd.mm);
        yield* munmap(cpu, crowd.mm, 0, PAGE);
      },
    ],
    {
      backend: { riscv: { userFlush: 'deferred', deferQueue: 2 } },
      beside: ({ mm, other }) => [
        undefined,
        undefined,
        function* (cpu) {
          for (let i = 0; i < 4; i++) {
            yield* contextSwitch(cpu, mm);
            yield* contextSwitch(cpu, other);
          }
        },
      ],
    },
  ),
  economy(
    'trim',
    'a thread flushes now and then, while the other CPUs of its mm are lazy and need not be in its mask',
    ({ mm }) => [0, 2, 4, 6].map((page) => (cpu) => madviseDontneed(cpu, mm, page * PAGE, PAGE)),
    {
      backend: { 'powerpc-radix': { trimTimer: 2 } },
      beside: () => [
        function* (cpu) {
          yield* cpu.enterKernel();
          yield* contextSwitch(cpu, null);
        },
      ],
    },
  ),
  economy(
    'exit-untrimmed',
    'an mm ends while other CPUs borrow it: its mask is not worth trimming any more',
    ({ mm }) => [(cpu) => mmput(cpu, mm), (cpu) => exitMm(cpu)],
    {
      only: { archs: ['powerpc-radix'], why: 'it is about mm_cpumask, which others do not trim' },
      backend: { 'powerpc-radix': { trimTimer: 1 } },
      beside: () => [
        function* (cpu) {
          yield* cpu.enterKernel();
          yield* exitMm(cpu);
        },
      ],
    },
  ),
  economy(
    'tsb',
    'what faults and misses have put into the TSB is found there, also when it has grown: a miss walks the table, and a fault does more',
    ({ mm }) => [
      (cpu) => madviseDontneed(cpu, mm, 0, 4 * PAGE),
      (cpu) => userStore(cpu, mm, PAGE, 5),
      (cpu) => cpu.kernel.backend.tlbMiss!(cpu, mm, 2 * PAGE, false),
      (cpu) => tsbGrow(cpu, mm, 16),
      (cpu) => readCold(cpu, mm, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]),
    ],
    {
      only: { archs: ['sparc64'], why: 'it is about the TSB' },
      huge: true,
      backend: { sparc64: { tsbEntries: 8, tsbMaxEntries: 16, hugeTsbEntries: 2 } },
    },
  ),
  economy(
    'told-of-faults',
    'a page is used again, and a huge page after a hint: the access that has faulted finds what the fault has made of the entry',
    ({ mm }) => [
      (cpu) => munmap(cpu, mm, 4 * PAGE, 4 * PAGE),
      (cpu) => mmap(cpu, mm, 4 * PAGE, 4 * PAGE, RW_MEMORY),
      (cpu) => hugepageMadvise(cpu, mm, 4 * PAGE, 4 * PAGE),
      (cpu) => userStore(cpu, mm, 4 * PAGE, 5),
      (cpu) => changeProtNuma(cpu, mm, 4 * PAGE, 8 * PAGE),
      (cpu) => userLoad(cpu, mm, 4 * PAGE),
      (cpu) => madvise(cpu, mm, 3 * PAGE, PAGE, MADV_COLD),
      (cpu) => userLoad(cpu, mm, 3 * PAGE),
    ],
    {
      only: { archs: ['sparc64', 'riscv'], why: 'elsewhere update_mmu_cache does nothing for them' },
      backend: { riscv: { svadu: false } },
    },
  ),
  economy(
    'cached-changes',
    'changes of one table wait for the end of their section, and go by one purge',
    ({ mm }) => [
      (cpu) => madvise(cpu, mm, 6 * PAGE, 2 * PAGE, MADV_COLD),
      (cpu) => mprotect(cpu, mm, 0, 3 * PAGE, VM_READ),
      (cpu) => dupMm(cpu, mm),
      (cpu) => mremap(cpu, mm, 4 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 12 * PAGE),
      (cpu) => munmap(cpu, mm, 8 * PAGE, 3 * PAGE),
      (cpu) => exitMm(cpu),
      alone,
    ],
    { profile: { agingFlush: 'dirty' }, backend: { s390: { lazyMmu: 'v6' } } },
  ),
  economy(
    'without-idte',
    'entries change on a machine that purges everything where it has no instruction for less',
    ({ mm }) => [
      (cpu) => madviseDontneed(cpu, mm, 0, PAGE),
      (cpu) => mprotect(cpu, mm, PAGE, PAGE, VM_READ),
      (cpu) => munmap(cpu, mm, 4 * PAGE, PAGE),
    ],
    { backend: { s390: { idte: false } } },
  ),
];
