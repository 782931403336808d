/**
 * Stage: what most scenarios begin with. All of it runs before the race, sequentially.
 */
import type { Run } from '@mmu-gather/checker';
import {
  type Address,
  type Cell,
  type Cpu,
  entryCell,
  entryTarget,
  type Mm,
  Page,
  putPage,
  type Steps,
  tablePtl,
  VM_READ,
  VM_WRITE,
} from '@mmu-gather/core/stepped';
import { contextSwitch, mmAlloc, mmap, mmget, pmdOffset, ptepGet, userStore } from '@mmu-gather/mm/stepped';
import type { Hold } from '../quiet/clause.ts';
import type { Twin } from '../scenario.ts';

/** Bytes in a page. */
export const PAGE = 4096;

/** Readable and writable private memory. */
export const RW_MEMORY: number = VM_READ | VM_WRITE;

/** An address space with memory, and CPUs that run it. */
export interface Stage {
  /** The mm. */
  readonly mm: Mm;
  /** Address of its memory. */
  readonly at: Address;
}

/** How a stage is set. */
export interface StageOptions {
  /** Pages that are mapped from address 0 on; 2 if not given. */
  readonly pages?: number;
  /** Pages of them that are written to, so that they are present, writable and dirty; all if not given. */
  readonly touched?: readonly number[];
  /** CPUs that run user code of the mm; 0 and 1 if not given. */
  readonly running?: readonly number[];
  /** CPUs of these that are in a system call when the race begins. */
  readonly inKernel?: readonly number[];
  /** CPUs of these that have gone idle since, and borrow the mm lazily. */
  readonly lazy?: readonly number[];
}

/** Makes an mm on CPU 0 and lets CPUs run it. They end in user mode, except CPU 0, which is left in the kernel. */
export function setStage(run: Run, options: StageOptions = {}): Stage {
  const pages = options.pages ?? 2;
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  run(0, (cpu) => mmap(cpu, mm, 0, pages * PAGE, RW_MEMORY));
  for (const page of options.touched ?? Array.from({ length: pages }, (_, p) => p)) {
    run(0, (cpu) => userStore(cpu, mm, page * PAGE, 1 + page));
  }
  const { running = [0, 1], inKernel = [], lazy = [] } = options;
  for (const n of running) {
    // The thread of a CPU that has gone idle since has exited.
    if (n !== 0) run(n, (cpu) => (lazy.includes(n) ? toUser(cpu, mm) : newThread(cpu, mm)));
  }
  for (const n of [...inKernel, ...lazy]) run(n, (cpu) => cpu.enterKernel());
  for (const n of lazy) run(n, (cpu) => contextSwitch(cpu, null));
  return { mm, at: 0 };
}

/** CPU 1 ran the mm of a stage before and has entries of it under its old ASID; now it runs another mm. */
export function cameFromAnotherMm(run: Run): Stage {
  const stage = setStage(run, { inKernel: [1] });
  const other = run(1, mmAlloc);
  run(1, (cpu) => contextSwitch(cpu, other));
  return stage;
}

/** Switches a CPU to an mm and returns to user mode. */
export function* toUser(cpu: Cpu, mm: Mm): Steps<void> {
  yield* contextSwitch(cpu, mm);
  yield* cpu.enterUser();
}

/** One more thread of an mm begins to run, in user mode. */
export function* newThread(cpu: Cpu, mm: Mm): Steps<void> {
  yield* mmget(cpu, mm);
  yield* toUser(cpu, mm);
}

/** A system call from user mode and back: of what happens in the kernel, user code keeps one word. */
export function* syscall(cpu: Cpu, call: () => Steps<number>): Steps<number> {
  yield* cpu.enterKernel();
  const result = yield* call();
  yield* cpu.enterUser(result);
  return result;
}

/** Where a page of a stage is mapped: its entry, its table's lock, and the page. */
export interface Mapping {
  /** Cell of the page-table entry. */
  readonly pte: Cell;
  /** The table's lock. */
  readonly ptl: Cell;
  /** The table. */
  readonly table: Address;
  /** The upper entry that points to the table. */
  readonly pmd: Cell;
  /** The page. */
  readonly page: Address;
}

/** Drops the reference of a mapping whose entry a scenario has cleared by itself: it counts as unmapped then, as if mm had done it. */
export function putUnmapped(cpu: Cpu, page: Address): Steps<void> {
  cpu.write(Page.at(page).mapcount, 0);
  return putPage(cpu, page);
}

/** Pages whose entries a scenario clears by itself, and keeps (`Scenario.holds`). */
export function keptPages(pages: readonly Address[]): readonly Hold[] {
  return pages.map((object) => ({ object, references: 1, mappings: 1 }));
}

/** A twin that every shootdown must refute. */
export function noWait<E>(scenario: string): Twin<E> {
  return {
    id: `${scenario}/no-ipi-wait`,
    why: 'the initiator does not wait until its flush took effect everywhere',
    oracle: ['O1', 'O2', 'O3', 'O4', 'O6', 'O9', 'O10', 'O11', 'O12', 'O13'],
    property: 'FUAF',
    wrong: 'no-wait',
  };
}

/** A twin where a CPU that borrows the mm may walk tables that go. */
export function lazySkipped<E>(scenario: string): Twin<E> {
  return {
    id: `${scenario}/lazy-skipped`,
    why: 'lazy CPUs are not interrupted although tables are freed',
    oracle: 'O4',
    property: 'TUAF',
    wrong: 'walks-kept',
  };
}

/** Looks up how an address is mapped, for scenarios that are written on core's step functions. */
export function mappingOf(run: Run, mm: Mm, address: number): Mapping {
  return run(0, function* (cpu): Steps<Mapping> {
    const pmd = yield* pmdOffset(cpu, mm, address);
    const table = entryTarget(yield* ptepGet(cpu, pmd));
    const pte = entryCell(cpu.kernel.geometry, table, 0, address);
    return { pte, ptl: tablePtl(cpu.kernel.geometry, table), table, pmd, page: entryTarget(yield* ptepGet(cpu, pte)) };
  });
}

/** An mm with a page of memory, which nobody runs yet. */
export function newMm(run: Run): Mm {
  const mm = run(0, mmAlloc);
  run(0, (cpu) => mmap(cpu, mm, 0, PAGE, RW_MEMORY));
  return mm;
}

/** A stage, and how its page 0 is mapped. */
export interface Page0 extends Stage {
  /** Where the page is mapped. */
  readonly p0: Mapping;
}

/** A stage whose page 0 is mapped. */
export function withPage0<S extends Stage>(run: Run, stage: S): S & Page0 {
  return { ...stage, p0: mappingOf(run, stage.mm, 0) };
}
