/**
 * Writes: lets the CPUs of a counting machine tell which page-table cells change, and which tables are allocated. CPUs of machines that
 * nobody watches stay as they are, and as fast.
 *
 *     plain change              told when it is done
 *     change and invalidation   told before: the invalidation drops what the change made old
 */
import type { Cell } from '@mmu-gather/core';

/** Told what becomes of page tables. */
export interface OnTables {
  /** A table was allocated. */
  readonly allocated: (table: number) => void;
  /** A cell has changed, or does so in this step. */
  readonly changed: (cell: Cell, old: number, value: number) => void;
}

/** Ways to write a cell, which is their first argument. */
const WRITES: readonly string[] = [
  'write',
  'writeOnce',
  'storeRelease',
  'xchg',
  'cmpxchg',
  'atomicAdd',
  'atomicAddReturn',
  'atomicOr',
  'atomicAndNot',
  'atomicFetchAndNot',
];

type Method = (...args: number[]) => unknown;

/** Those of a CPU's methods that are watched, by name. */
type Methods = Record<string, Method>;

/**
 * Watches a CPU.
 * @param stepped whether it is of the stepped build, where all but `write` return steps
 * @param read what a cell holds now
 */
export function watchWrites(cpu: object, stepped: boolean, read: (cell: Cell) => number, tables: OnTables): void {
  const methods = cpu as Methods;
  for (const name of WRITES) {
    const plain = methods[name]!.bind(cpu);
    const inSteps = stepped && name !== 'write';
    methods[name] = inSteps ? writesInSteps(plain as SteppedMethod, read, tables) : writes(plain, read, tables);
  }
  const alloc: Method = methods['alloc']!.bind(cpu);
  const told = (cache: unknown, table: number): number => {
    if (cache === 'table') tables.allocated(table);
    return table;
  };
  methods['alloc'] = stepped
    ? function* (...args) {
        return told(args[0], (yield* (alloc as SteppedMethod)(...args)) as number);
      }
    : (...args) => told(args[0], alloc(...args) as number);
  watchChangeAndInvalidate(methods, cpu, read, tables);
}

type SteppedMethod = (...args: number[]) => Generator<unknown, unknown>;

function writes(plain: Method, read: (cell: Cell) => number, { changed }: OnTables): Method {
  return (...args) => {
    const cell = args[0]!;
    const old = read(cell);
    const result = plain(...args);
    const value = read(cell);
    if (value !== old) changed(cell, old, value);
    return result;
  };
}

function writesInSteps(plain: SteppedMethod, read: (cell: Cell) => number, { changed }: OnTables): Method {
  return function* (...args) {
    const cell = args[0]!;
    const old = read(cell);
    const result = yield* plain(...args);
    const value = read(cell);
    if (value !== old) changed(cell, old, value);
    return result;
  };
}

/** It returns what is there, in either build by way of the plain method: its steps come after what is told here. */
function watchChangeAndInvalidate(
  methods: Methods,
  cpu: object,
  read: (cell: Cell) => number,
  { changed }: OnTables,
): void {
  const plain = methods['cmpxchgAndInvalidate']!.bind(cpu);
  methods['cmpxchgAndInvalidate'] = (...args) => {
    const [cell = 0, old = 0, value = 0] = args;
    if (read(cell) === old && old !== value) changed(cell, old, value);
    return plain(...args);
  };
}
