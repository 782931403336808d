/**
 * Film: an execution as plain data, one frame before the first step and one after each: what CPUs do, what page tables hold, what
 * TLBs may hold, and the words that change. The same steps as a diagram has, with everything around them; pages show it.
 *
 *     frame 0        how the race begins
 *     frame n        after step n; the last one of a violation is where its oracle broke
 */
import { type Address, type Cell, entryPresent, entryTarget, Mm, PSE } from '@mmu-gather/core/stepped';
import { explain, type PathStep, type Row } from './diagram.ts';
import type { Violation } from './explorable.ts';
import type { Machine } from './machine.ts';
import type { Standing } from './standing.ts';

/** An entry that a CPU may hold. */
export interface FilmedEntry {
  /** `ASID 1`, or `kernel`. */
  readonly tag: string;
  /** Whether its context is the one that is loaded. */
  readonly live: boolean;
  /** Level of the entry; 0: base pages. */
  readonly level: number;
  /** First page that it leads to. */
  readonly page: number;
  /** Number of pages that it leads to. */
  readonly pages: number;
  /** Where it leads and what it allows. */
  readonly text: string;
  /** Whether it maps memory, and is no pointer to a table. */
  readonly leaf: boolean;
  /** Whether memory does not have it any more. */
  readonly old: boolean;
  /** Whether what it leads to was given back. */
  readonly freed: boolean;
}

/** A CPU at one point. */
export interface FilmedCpu extends Omit<Standing, 'buffered'> {
  /** Table and ASID that are loaded; empty if there is none. */
  readonly context: string;
  /** Stores in its buffer as text, the oldest first. */
  readonly buffer: readonly string[];
  /** What its TLB and walk caches may hold. */
  readonly held: readonly FilmedEntry[];
}

/** An entry of a page table. */
export interface FilmedSlot {
  /** First page that it leads to. */
  readonly page: number;
  /** Number of pages that it leads to. */
  readonly pages: number;
  /** Where it leads and what it allows; empty if it is none. */
  readonly text: string;
}

/** A page table. */
export interface FilmedTable {
  /** What it is called. */
  readonly name: string;
  /** The mm whose root leads to it, or the CPU that walks it where no mm does. */
  readonly of: string;
  /** Its level; 0: entries of base pages. */
  readonly level: number;
  /** Whether it was given back. */
  readonly freed: boolean;
  /** Its entries. */
  readonly slots: readonly FilmedSlot[];
}

/** One point of an execution. */
export interface Frame {
  /** The CPUs, by number. */
  readonly cpus: readonly FilmedCpu[];
  /** Page tables that a root leads to, roots first. */
  readonly tables: readonly FilmedTable[];
  /** Values of {@link Film.words}, in their order. */
  readonly words: readonly string[];
}

/** An execution, filmed. */
export interface Film {
  /** The steps: step n leads from frame n - 1 to frame n. */
  readonly steps: readonly Row[];
  /** One more than there are steps. */
  readonly frames: readonly Frame[];
  /** Names of the words that change, or say which generation, mask or tag something has. */
  readonly words: readonly string[];
  /** What it violates, if anything. */
  readonly violation: Violation | undefined;
}

/** Words that are worth a line although they never change. */
const TELLING = /gen|mask|pending|batch|asid|ctx|pid|attach|flush/i;

/** Takes a machine, in its first state, along a path and films it. The machine is back in its first state afterwards. */
export function film(machine: Machine, path: readonly PathStep[]): Film {
  const frames: Omit<Frame, 'words'>[] = [];
  const memory: Int32Array[] = [];
  const { rows, violation } = explain(machine, path, () => {
    frames.push({ cpus: cpusOf(machine).map((cpu) => cpuNow(machine, cpu)), tables: tablesNow(machine) });
    memory.push(machine.state.words.slice(0, machine.layout.words));
  });
  const cells = tellingCells(machine, memory);
  const valueIn = (words: Int32Array, cell: Cell): string => machine.text.value(cell, words[cell]!);
  return {
    steps: rows,
    frames: frames.map((frame, i) => ({ ...frame, words: cells.map((cell) => valueIn(memory[i]!, cell)) })),
    words: cells.map((cell) => machine.layout.name(cell)),
    violation,
  };
}

function cpusOf(machine: Machine): number[] {
  return Array.from({ length: machine.actors / 3 }, (_, cpu) => cpu);
}

function cpuNow(machine: Machine, cpu: number): FilmedCpu {
  const { mmu, text } = machine;
  const { buffered, ...standing } = machine.view.standing(cpu);
  const root = mmu.liveRoot(cpu);
  return {
    ...standing,
    context: root === 0 ? '' : `${text.object(root)}, ASID ${mmu.liveAsid(cpu)}`,
    buffer: buffered.map(([cell, value]) => `${text.cell(cell)} := ${text.value(cell, value)}`),
    held: mmu.heldBy(cpu).map(({ tag, entry, ...held }) => ({
      ...held,
      tag: tag === mmu.kernelTag ? 'kernel' : `ASID ${tag}`,
      live: tag === mmu.kernelTag || tag === mmu.liveAsid(cpu),
      text: entryPresent(entry) ? text.entry(entry) : 'not valid',
      freed: entryPresent(entry) && machine.view.isFreed(entryTarget(entry)),
    })),
  };
}

/** Page tables below the roots of all mms, and of what CPUs have loaded. */
function tablesNow(machine: Machine): FilmedTable[] {
  const { layout, state, mmu } = machine;
  const { base, size, count } = layout.pool('mm');
  const mms = [machine.kernel.initMm, ...Array.from({ length: count }, (_, i) => base + i * size)];
  const roots = new Map<Address, string>();
  for (const mm of mms) {
    const root = state.words[Mm.at(mm).pgd]!;
    if (root !== 0 && (mm === machine.kernel.initMm || !machine.view.isFreed(mm)))
      roots.set(root, machine.text.object(mm));
  }
  for (const cpu of cpusOf(machine)) {
    const root = mmu.liveRoot(cpu);
    if (root !== 0 && !roots.has(root)) roots.set(root, `loaded on CPU ${cpu}`);
  }
  const found: FilmedTable[] = [];
  for (const [root, of] of roots) addTable(machine, { table: root, of, level: mmu.levels - 1, page: 0 }, found);
  return found;
}

/** A table on the way from a root. */
interface Place {
  readonly table: Address;
  readonly of: string;
  readonly level: number;
  /** First page that it leads to. */
  readonly page: number;
}

function addTable(machine: Machine, { table, of, level, page: first }: Place, found: FilmedTable[]): void {
  const { state, text } = machine;
  if (machine.layout.indexIn('table', table) < 0) return;
  const { bits } = machine.kernel.geometry;
  const pages = 2 ** bits.slice(0, level).reduce((a, b) => a + b, 0);
  const entries = Array.from({ length: 2 ** bits[level]! }, (_, i) => state.words[table + i]!);
  const slots = entries.map((entry, i) => ({
    page: first + i * pages,
    pages,
    text: entry === 0 ? '' : text.entry(entry),
  }));
  found.push({ name: text.object(table), of, level, freed: machine.view.isFreed(table), slots });
  if (level === 0) return;
  for (const [i, entry] of entries.entries()) {
    if (!entryPresent(entry) || (entry & PSE) !== 0) continue;
    addTable(machine, { table: entryTarget(entry), of, level: level - 1, page: first + i * pages }, found);
  }
}

/** Words that change on the way, and those that tell something; entries of page tables have a place of their own. */
function tellingCells(machine: Machine, memory: readonly Int32Array[]): Cell[] {
  const [before] = memory;
  const cells = Array.from({ length: machine.layout.words }, (_, cell) => cell);
  return cells.filter((cell) => {
    if (machine.view.isPageTableEntry(cell)) return false;
    const changes = memory.some((words) => words[cell] !== before![cell]);
    return changes || (before![cell] !== 0 && TELLING.test(machine.layout.name(cell)));
  });
}
