/**
 * Straight-line programs of bare instructions, as data: run by the exploring machine here, and judged by axioms in weak-axioms.ts.
 */
import type { Cell, Cpu, MemoryModel, Steps } from '@mmu-gather/core/stepped';
import { bareOf, type FenceKind, type LoadOrder, type RmwOrder } from '../src/bare.ts';
import type { Machine } from '../src/machine.ts';
import { below, type Chance } from '../src/search/chance.ts';
import { search, type Strategy } from '../src/search/index.ts';
import { bare } from './programs.ts';

/** Masks of loads: the n-th load or read-modify-write of the thread has bit n. */
export interface After {
  readonly addr?: number;
  readonly data?: number;
  readonly ctrl?: number;
}

/** One instruction. */
export type Instruction =
  | ({ readonly op: 'load'; readonly cell: number; readonly order?: LoadOrder } & After)
  | ({ readonly op: 'store'; readonly cell: number; readonly value: number; readonly release?: boolean } & After)
  | ({
      readonly op: 'swap';
      readonly cell: number;
      readonly value: number;
      readonly order?: RmwOrder;
      readonly noReturn?: boolean;
    } & After)
  | ({
      readonly op: 'cas';
      readonly cell: number;
      readonly old: number;
      readonly value: number;
      readonly order?: RmwOrder;
    } & After)
  | { readonly op: 'fence'; readonly kind: FenceKind; readonly ctrl?: number };

/** Threads of instructions; all cells begin with 0. Values that are stored differ from each other and from 0. */
export type Straight = readonly (readonly Instruction[])[];

/** The model to run them under. */
export interface Model {
  readonly memory: MemoryModel;
  readonly multiCopyAtomic: boolean;
}
export const MODELS: Readonly<Record<'sc' | 'tso' | 'mca' | 'power', Model>> = {
  sc: { memory: 'sc', multiCopyAtomic: true },
  tso: { memory: 'tso', multiCopyAtomic: true },
  mca: { memory: 'weak', multiCopyAtomic: true },
  power: { memory: 'weak', multiCopyAtomic: false },
};

/** Does an instruction read? */
export function reads({ op }: Instruction): boolean {
  return op === 'load' || op === 'swap' || op === 'cas';
}

/** Number of cells of a program. */
export function cellsOf(program: Straight): number {
  return 1 + Math.max(0, ...program.flat().map((i) => (i.op === 'fence' ? 0 : i.cell)));
}

/** What a thread has read, in program order. */
function* run(cpu: Cpu, code: readonly Instruction[], cells: Cell, results: Cell): Steps<void> {
  const port = bareOf(cpu);
  const read: number[] = [];
  for (const i of code) {
    const slot = read.length;
    if (i.op === 'fence') yield* port.fence(i.kind, i.ctrl);
    else if (i.op === 'load') read.push(yield* port.load(cells + i.cell, { ...i, slot }));
    else if (i.op === 'store')
      yield* port.store(cells + i.cell, i.value, { ...i, order: i.release === true ? 'release' : 'relaxed' });
    else if (i.op === 'swap') read.push(yield* port.rmw(cells + i.cell, 'swap', i.value, { ...i, slot }));
    else read.push(yield* port.compareAndSwap(cells + i.cell, i.old, i.value, { ...i, slot }));
  }
  for (const [n, value] of read.entries()) cpu.write(results + n, value);
}

/** The machine for a program. */
export function machineOf(
  program: Straight,
  model: Model,
  exact: boolean,
): { machine: Machine; outcome: (end: string) => string } {
  const cells = cellsOf(program);
  const reading = program.map((code) => code.filter(reads).length);
  let base = 0;
  const results: number[] = [];
  const machine = bare(
    program.length,
    {
      reserve(layout) {
        base = layout.reserve('cell', range(cells));
        for (const n of reading) results.push(layout.reserve('read', range(n)));
      },
      setup: () => undefined,
      threads: () => program.map((code, thread) => (cpu: Cpu) => run(cpu, code, base, results[thread]!)),
    },
    model.memory,
    [],
    { exact },
    { multiCopyAtomic: model.multiCopyAtomic },
  );
  const outcome = (end: string): string => {
    const words = end.split('|')[0]!.split(',');
    const read = reading.map((n, thread) => words.slice(results[thread], results[thread]! + n).join());
    return `${read.join(' ')} ; ${words.slice(base, base + cells).join()}`;
  };
  return { machine, outcome };
}

function range(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `[${i}]`);
}

/**
 * All outcomes: what each thread reads, and the last values.
 * @param exact as bare instructions, and not as kernel code
 */
export function outcomes(program: Straight, model: Model, strategy: Strategy = 'states', exact = true): string[] {
  const { machine, outcome } = machineOf(program, model, exact);
  const result = search(machine, { strategy, collectEnds: true });
  if (!result.exhaustive || result.verdict !== 'holds') throw new Error(`the search ${result.verdict}`);
  return [...new Set([...result.ends!].map(outcome))].toSorted();
}

const FENCES: readonly FenceKind[] = ['dmb sy', 'dmb ld', 'dmb st', 'lwsync', 'rmb', 'isb'];
const LOADS: readonly LoadOrder[] = ['relaxed', 'relaxed', 'acquire', 'acquirePc'];
const RMWS: readonly RmwOrder[] = ['relaxed', 'acquire', 'release', 'acquireRelease', 'full'];

/**
 * A cycle by chance, as published shapes are: each thread has one access, or two of different cells with something or nothing
 * between them, and neighbours share a cell.
 */
export function cycleProgram(next: Chance): Straight {
  const threads = 2 + below(next, 3);
  const cells = 2 + below(next, 2);
  let value = 1;
  let cell = 0;
  const access = (after: After, order: number, fromCell: number): Instruction =>
    next() < 0.5
      ? { op: 'load', cell: fromCell, order: order === 1 ? LOADS[below(next, LOADS.length)]! : 'relaxed', ...after }
      : { op: 'store', cell: fromCell, value: value++, release: order === 1 && next() < 0.5, ...after };
  return Array.from({ length: threads }, () => {
    const first = access({}, below(next, 3), cell);
    if (threads > 2 && next() < 0.3) return [first];
    cell = (cell + 1 + below(next, cells - 1)) % cells;
    const link = below(next, 6);
    const loaded = first.op === 'load' ? 1 : 0;
    if (link < 2) return [first, access({}, below(next, 3), cell)];
    if (link < 4) {
      const kind = FENCES[below(next, FENCES.length)]!;
      return [first, { op: 'fence', kind, ctrl: loaded }, access({}, 0, cell)];
    }
    return [first, access(link === 4 ? { addr: loaded } : { data: loaded, ctrl: loaded }, 0, cell)];
  });
}

/** A program by chance: two to four threads, two or three cells. */
export function straightProgram(next: Chance): Straight {
  const threads = 2 + below(next, 3);
  const cells = 2 + below(next, 2);
  const longest = threads === 2 ? 5 : threads === 3 ? 4 : 2;
  let value = 1;
  const thread = (): Instruction[] => {
    const code: Instruction[] = [];
    let loads = 0;
    const mask = (odds: number): number => (loads > 0 && next() < odds ? 1 << below(next, loads) : 0);
    const length = 1 + below(next, longest);
    while (code.length < length) {
      const cell = below(next, cells);
      const roll = next();
      if (roll < 0.4) {
        code.push({ op: 'load', cell, order: LOADS[below(next, LOADS.length)]!, addr: mask(0.4) });
        loads++;
      } else if (roll < 0.7) {
        const release = next() < 0.2;
        code.push({ op: 'store', cell, value: value++, release, addr: mask(0.15), data: mask(0.3), ctrl: mask(0.15) });
      } else if (roll < 0.9) {
        const kind = FENCES[below(next, FENCES.length)]!;
        code.push({ op: 'fence', kind, ctrl: kind === 'isb' ? mask(0.8) : 0 });
      } else if (roll < 0.96) {
        const order = RMWS[below(next, RMWS.length)]!;
        code.push({
          op: 'swap',
          cell,
          value: value++,
          order,
          noReturn: next() < 0.3,
          data: mask(0.2),
          addr: mask(0.2),
        });
        loads++;
      } else {
        const order = RMWS[below(next, RMWS.length)]!;
        code.push({ op: 'cas', cell, old: below(next, value), value: value++, order, data: mask(0.2) });
        loads++;
      }
    }
    return code;
  };
  return Array.from({ length: threads }, thread);
}
