/**
 * Bare stage: CPUs with page tables and nothing of a kernel, for scenarios at the level of the hardware. What kernel code, a hypervisor or a
 * driver does there is written out in the scenario, on words of its own.
 */
import {
  ACCESSED,
  type Address,
  ALL,
  ALL_ASIDS,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  type Extent,
  mkEntry,
  NOTHING,
  Page,
  PRESENT,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import type { Layout, Run } from '@mmu-gather/checker';
import type { Only } from '../scenario.ts';
import { PAGE } from './stage.ts';

/** A writable entry that is dirty already, or a pointer to a table. */
export const WRITABLE: number = PRESENT | USER | RW | ACCESSED | DIRTY;
/** A read-only one. */
export const READABLE: number = PRESENT | USER | ACCESSED;

/** One architecture that interrupts, under TSO, and one that broadcasts, weakly ordered. */
export const BARE: Only = {
  archs: ['x86', 'arm64'],
  why: 'bare CPUs: one architecture whose invalidations are cross calls, and one whose are broadcast',
};
/** A machine of x86. */
export const BARE_X86: Only = { archs: ['x86'], why: 'it is about what runs on x86: bare CPUs under TSO' };

/** An address space of bare tables. */
export interface Space {
  /** Its top-level table. */
  readonly root: Address;
  /** Its one table of leaf entries. */
  readonly table: Address;
  /** Pages that are mapped from address 0 on. */
  readonly frames: readonly Address[];
}

/** Makes a table on CPU 0 that maps so many pages, with these contents, and a root that leads to it from its first entry. */
export function makeSpace(run: Run, contents: readonly number[], flags: number = WRITABLE): Space {
  return run(0, function* (cpu): Steps<Space> {
    const root = yield* cpu.alloc('table');
    const table = yield* cpu.alloc('table');
    const frames: Address[] = [];
    for (const [at, value] of contents.entries()) {
      const frame = yield* makeFrame(cpu, value);
      yield* cpu.writeOnce(table + at, mkEntry(frame, flags));
      frames.push(frame);
    }
    yield* cpu.writeOnce(root, mkEntry(table, WRITABLE));
    return { root, table, frames };
  });
}

/** A page with contents. */
export function* makeFrame(cpu: Cpu, value: number): Steps<Address> {
  const frame = yield* cpu.alloc('page');
  yield* cpu.writeOnce(Page.at(frame).data, value);
  return frame;
}

/** A CPU, a virtual one or a device begins to use a space: from here on it may use whatever its TLB holds. */
export function runs(run: Run, n: number, { root }: Pick<Space, 'root'>, tag: number): void {
  run(n, (cpu) => cpu.loadContext(root, tag, false));
  run(n, (cpu) => cpu.enterUser());
}

/** What to invalidate. */
export interface What {
  /** The tag; all if not given. */
  readonly tag?: number;
  /** Leaves; all if not given. */
  readonly leaves?: Extent;
  /** Walk caches; those that lead to the leaves if not given. */
  readonly walks?: Extent;
  /** Bit n: CPU n. All if not given; where invalidations are broadcast, all in any case. */
  readonly cpus?: number;
}

/**
 * Invalidates on other CPUs and waits: a broadcast with its barriers, or a cross call that each CPU takes between two of its instructions.
 * Both come after the stores of this CPU.
 */
export function* shootdown(cpu: Cpu, what: What = {}): Steps<void> {
  const { tag = ALL_ASIDS, leaves = ALL, walks = leaves, cpus = everyCpu(cpu) } = what;
  const scope = { asid: tag, leaves, walks, globals: false };
  if (cpu.kernel.backend.isa.broadcasts) {
    yield* cpu.invalidationBarrier();
    yield* cpu.invalidate({ ...scope, broadcast: true });
    yield* cpu.invalidationBarrier();
  } else {
    yield* cpu.smpMb();
    yield* cpu.invalidate({ ...scope, broadcast: false, cpus });
  }
}

/** Invalidates everything of this CPU. */
export function flushHere(cpu: Cpu): Steps<void> {
  return cpu.invalidate({ asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: false, broadcast: false });
}

/** A mask of all CPUs. */
export function everyCpu(cpu: Cpu): number {
  return (1 << cpu.kernel.cpus) - 1;
}

/** The extent of a page. */
export function pageAt(page: number): Extent {
  return { start: page * PAGE, end: (page + 1) * PAGE };
}

/** Clears an entry and returns what it was. */
export function clearEntry(cpu: Cpu, cell: Cell): Steps<Entry> {
  return cpu.xchg(cell, 0);
}

/** Nothing is invalidated: what a wrong form says. */
export const NO_LEAVES: What = { leaves: NOTHING, walks: NOTHING };

/** Words of a scenario's own, by name. They are reserved before any kernel exists, so where they are is the same in all runs. */
export class Words<Field extends string> {
  readonly #name: string;
  readonly #fields: readonly Field[];
  #base: Cell = 0;

  constructor(name: string, fields: readonly Field[]) {
    this.#name = name;
    this.#fields = fields;
  }

  /** For a scenario's `reserve`. */
  readonly reserve = (layout: Layout): void => {
    this.#base = layout.reserve(this.#name, this.#fields);
  };

  /** The word of this name. */
  at(field: Field): Cell {
    return this.#base + this.#fields.indexOf(field);
  }
}
