/**
 * powerpc radix: coprocessors, which walk an mm's tables on their own (mm_context_add_copro, mm_context_remove_copro).
 */
import type { Layout, Run } from '@mmu-gather/checker';
import { type Cell, type Cpu, FAULT, Mm, type Steps, VM_READ } from '@mmu-gather/core/stepped';
import { contextSwitch, doUserAddrFault, exitMm, mmAlloc, mmap, mprotect, munmap } from '@mmu-gather/mm/stepped';
import { mmContextAddCopro, mmContextRemoveCopro, mmPid } from '@mmu-gather/powerpc/stepped';
import { type AnyScenario, defineScenario, thread } from '../scenario.ts';
import { RADIX, radix } from './powerpc-radix-flush.ts';
import { PAGE, RW_MEMORY, setStage, type Stage } from './stage.ts';
import { protectedPage } from './upgrades.ts';

/** A coprocessor walks an mm's tables: it has the PID, is in no mask, and takes no interrupts. Here it is a CPU. */
function* coprocessor(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.loadContext(cpu.read(mm.pgd), cpu.read(mmPid(mm)), true);
  yield* cpu.enterUser();
}

/** A coprocessor stops. */
function* coprocessorStops(cpu: Cpu): Steps<void> {
  yield* cpu.enterKernel();
  yield* cpu.loadContext(0, 0, true);
}

/** A coprocessor begins to use an mm. It is CPU 1. */
function attach(run: Run, mm: Mm): void {
  run(0, (cpu) => mmContextAddCopro(cpu, mm));
  run(1, (cpu) => coprocessor(cpu, mm));
}

/** With what a flush reaches a coprocessor. @param pages how many there are, of one table, which all go with it */
function copro(name: string, title: string, switches: Readonly<Record<string, unknown>>, pages: 1 | 2): AnyScenario {
  return defineScenario<Stage>({
    id: `powerpc-radix/${name}`,
    title,
    source: 'mm_context_add_copro; flush_type_needed, _tlbiel_va_range_multicast',
    cpus: 2,
    only: RADIX,
    backend: radix(switches),
    setup(run) {
      const stage = setStage(run, { touched: [0, 1].slice(0, pages), running: [0] });
      attach(run, stage.mm);
      return stage;
    },
    threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, 2 * PAGE))],
    twins: [
      {
        id: `powerpc-radix/${name}/uncounted`,
        why: 'coprocessors are not asked for: a flush of the CPUs of the mask does not reach them',
        oracle: ['O4', 'O1'],
        property: 'FUAF',
        backend: radix({ countCopros: false, tlbie: false }),
      },
    ],
  });
}

let nextMm: Cell;

const detached = defineScenario<Stage & { readonly daemon: Mm }>({
  id: 'powerpc-radix/copro-detached',
  title:
    'a coprocessor has stopped and is detached, the mm ends, and the coprocessor gets another mm, which has the PID',
  source: 'mm_context_remove_copro: flush first, then stop counting',
  cpus: 2,
  only: RADIX,
  pools: { mm: 3, page: 4, table: 6, vma: 2 },
  reserve(layout: Layout) {
    nextMm = layout.reserve('next_mm', ['']);
  },
  setup(run) {
    const stage = setStage(run, { touched: [0], running: [0] });
    attach(run, stage.mm);
    run(1, (cpu) => coprocessorStops(cpu));
    return { ...stage, daemon: run(0, mmAlloc) };
  },
  threads: ({ mm, daemon }) => [
    thread(function* (cpu) {
      yield* mmContextRemoveCopro(cpu, mm);
      yield* exitMm(cpu);
      yield* contextSwitch(cpu, daemon);
      const next = yield* mmAlloc(cpu);
      yield* mmap(cpu, next, 0, PAGE, RW_MEMORY);
      yield* mmContextAddCopro(cpu, next);
      yield* cpu.storeRelease(nextMm, next.address);
    }),
    thread(function* (cpu) {
      yield* coprocessor(cpu, Mm.at(yield* cpu.waitFor(nextMm, 'notEqual', 0)));
    }),
  ],
  twins: [
    {
      id: 'powerpc-radix/copro-detached/flush-last',
      why: 'it is flushed when it is no more counted, that is, not at all: it finds what it knew of the PID',
      oracle: ['O8', 'O4'],
      property: 'ALIAS',
      backend: radix({ coproFlush: 'after-detach' }),
    },
  ],
});

let asked: Cell;
let answered: Cell;

/** Faults that a store of a coprocessor may take: while the entry is changed, and by what grants less. */
const FAULTS = 2;

/** What a coprocessor asks for when it has stored, rather than that a fault be answered. */
const DONE = FAULTS + 1;

/** A coprocessor stores, and stands still at each fault until the driver has answered it. */
function* coproStores(cpu: Cpu): Steps<void> {
  for (let faults = 0; (yield* cpu.userWrite(0, 7)) === FAULT; ) {
    yield* cpu.enterKernel();
    cpu.claim.that(faults < FAULTS, 'O16', 'a store of a coprocessor faults for ever');
    if (faults++ === FAULTS) break;
    yield* cpu.storeRelease(asked, faults);
    yield* cpu.waitFor(answered, 'equal', faults);
    yield* cpu.enterUser(faults);
  }
  yield* cpu.storeRelease(asked, DONE);
}

/** The driver: copro_handle_mm_fault for each fault of the coprocessor. */
function* answerFaults(cpu: Cpu, mm: Mm): Steps<void> {
  for (let fault = 0; ; ) {
    fault = yield* cpu.waitFor(asked, 'notEqual', fault);
    if (fault === DONE) return;
    yield* doUserAddrFault(cpu, mm, 0, true);
    yield* cpu.storeRelease(answered, fault);
  }
}

/**
 * The nest MMU before ISA 3.1 does not walk again when an entry allows too little.
 *
 *     CPU 0 (fault, mprotect)                nest MMU
 *     entry = 0                              holds it, read-only
 *     tlbie of the page                      holds nothing, and finds nothing
 *     entry = writable                       walks, and may store
 *     // flushed first, it could cache the read-only one again; not flushed, it faults for ever
 */
function nestMmu(
  name: string,
  title: string,
  setup: (run: Run) => Stage,
  first?: (cpu: Cpu, stage: Stage) => Steps<unknown>,
): AnyScenario {
  return defineScenario<Stage>({
    id: `powerpc-radix/${name}`,
    title,
    source: 'radix__ptep_set_access_flags, radix__ptep_modify_prot_commit; sheet, section 5',
    cpus: 2,
    only: RADIX,
    backend: radix({ keepsNarrower: true }),
    reserve(layout: Layout) {
      asked = layout.reserve('asked', ['']);
      answered = layout.reserve('answered', ['']);
    },
    setup(run) {
      const stage = setup(run);
      attach(run, stage.mm);
      return stage;
    },
    threads: (stage) => [
      thread(function* (cpu) {
        if (first !== undefined) yield* first(cpu, stage);
        yield* answerFaults(cpu, stage.mm);
      }),
      thread(coproStores),
    ],
    twins: [
      {
        id: `powerpc-radix/${name}/not-flushed`,
        why: 'the entry is changed as for a CPU, which walks again: the nest MMU goes on with the one that it has',
        oracle: 'O16',
        property: 'LIVE',
        backend: radix({ keepsNarrower: true, isa31: true }),
      },
    ],
  });
}

/** All of them. */
export const RADIX_COPROS: readonly AnyScenario[] = [
  copro(
    'copro',
    'a page of an mm that a coprocessor uses is unmapped by its only thread: the flush is broadcast',
    {},
    1,
  ),
  copro(
    'copro-multicast',
    'the same where CPUs are interrupted: a tlbie follows for the coprocessor',
    { tlbie: false },
    1,
  ),
  copro(
    'copro-multicast-pid',
    'the same of so many pages that the whole PID is flushed',
    { tlbie: false, ceiling: 1 },
    2,
  ),
  detached,
  nestMmu(
    'nest-fault',
    'a coprocessor stores to a page that is write-protected: the fault is answered, and it gets through',
    (run) => protectedPage(run, false),
  ),
  nestMmu(
    'nest-mprotect',
    'mprotect gives a page back the right to be written to, while a coprocessor stores to it',
    (run) => {
      const stage = setStage(run, { touched: [0], running: [0] });
      run(0, (cpu) => mprotect(cpu, stage.mm, 0, PAGE, VM_READ));
      return stage;
    },
    (cpu, { mm }) => mprotect(cpu, mm, 0, PAGE, RW_MEMORY),
  ),
];
