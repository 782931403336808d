/**
 * Program: what a machine runs. The setup brings it to where the race begins; the threads race; oracles of its own look on.
 */
import type { Cell, Cpu, Entry, Kernel, Steps } from '@mmu-gather/core/stepped';
import type { Layout } from './layout.ts';
import type { Body } from './process.ts';
import type { Quiet } from './quiet.ts';

/** A program's setup violates an oracle: there is no state to begin a search in. */
export class SetupError extends Error {
  /** Name in messages. */
  override readonly name = 'SetupError';
}

/** Runs steps on a CPU to their end while nothing else runs; for a program's setup. */
export type Run = <T>(cpu: number, body: (cpu: Cpu) => Steps<T>) => T;

/** What a machine runs. */
export interface Program<E> {
  /** Reserves the program's own words. */
  reserve?(layout: Layout): void;
  /** Brings the machine to where the race begins; returns what the threads need to know (addresses). */
  setup(run: Run, kernel: Kernel): E;
  /** The main code of each CPU; a CPU without one stays as the setup left it, and takes interrupts. */
  threads(env: E, kernel: Kernel): readonly (Body | undefined)[];
  /**
   * Groups of CPUs that run the same code and that nothing else tells apart: no word depends on their numbers. Only programs of bare accesses
   * have such groups, without handlers
   * and pools: a kernel knows its CPUs by number. Without effect under weak, whose views do, too.
   */
  readonly identical?: readonly (readonly number[])[];
  /** A check of the end of every execution: a message if it may not end so. */
  final?(peek: (cell: Cell) => number, env: E): string | undefined;
  /**
   * What must be so when all is quiet (O17): called once, behind the setup, it returns the check that is asked at the end of every execution.
   * @param begin the state that the setup has left, and that every quiet state must go with
   * @returns the check: a message if an execution may not end so
   */
  quiet?(begin: Quiet, env: E, kernel: Kernel): (end: Quiet) => string | undefined;
  /**
   * The program's own oracle, asked in the first state and after every step: a message if the state may not be. It may look at everything,
   * so with one no step is taken to be local, or to commute.
   */
  invariant?(now: Now, env: E): string | undefined;
}

/** What a program's own oracle sees of a state. */
export interface Now {
  /** A word as memory has it: stores in buffers are not there yet. */
  readonly peek: (cell: Cell) => number;
  /** Is a CPU in user mode, with its interrupt side idle? */
  readonly inUser: (cpu: number) => boolean;
  /** Leaf entries that a CPU may hold for a page under the context that it has loaded. In user mode it may use them. */
  readonly held: (cpu: number, page: number) => readonly Entry[];
}
