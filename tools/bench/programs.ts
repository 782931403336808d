/**
 * The three programs that checkers are compared on (packages/checker/test/programs.ts), with what must come out, the goals, and what peers
 * need for them. Goals and peers' figures were measured once, on another day and one machine: GenMC 0.11, Nidhugg 0.4 (optimal), SPIN 6.5.2,
 * TLC of April 2026, loom 0.7.2. Times of peers are CPU ms of the whole process, start-up included.
 */
import type { Machine } from '@mmu-gather/checker';

/** Programs with more traces than this take seconds, and are run once. */
export const MANY = 100_000;

/** Memory models that there are goals for; those under weak were made for one in which read-modify-writes order more than Linux's do. */
export type Model = 'sc' | 'tso' | 'weak';

/** What packages/checker/test/programs.ts offers. */
interface Source {
  readonly bare: (cpus: number, program: unknown, memoryModel?: Model) => Machine;
  readonly handshake: (fence: boolean) => unknown;
  readonly ring: (queued: readonly number[], entries: number, recheck?: boolean, forgets?: boolean) => unknown;
  readonly gather: (
    variant: 'buggy' | 'force' | 'sync',
    threads?: number,
    forgets?: boolean,
    alike?: boolean,
  ) => unknown;
}

/** What a peer needed. */
export interface Peer {
  /** Its name. */
  readonly name: string;
  /** Executions (e) or states (st). */
  readonly count: string;
  /** CPU ms. */
  readonly milliseconds: number;
}

/** One program. */
export interface BenchProgram {
  /** Name in tables. */
  readonly name: string;
  /** Its machine. `forgets`: code says at the heads of loops what it still knows. */
  readonly machine: (memoryModel?: Model, forgets?: boolean) => Machine;
  /** Traces, exactly. */
  readonly traces: number;
  /** The same where additions commute. */
  readonly commuting: number;
  /** Budgets of states. */
  readonly states: Readonly<Partial<Record<Model, number>>>;
  /** Goals for all states, CPU ms in process. */
  readonly goal: Readonly<Partial<Record<Model, number>>>;
  /** The peers. */
  readonly peers: readonly Peer[];
  /** Our model in Promela, and its parameters; undefined if there is none. */
  readonly model?: readonly [file: string, ...parameters: string[]];
}

/** The programs themselves. */
export const { bare, handshake, ring, gather } = (await import(
  new URL('../../packages/checker/test/programs.ts', import.meta.url).href
)) as Source;

function peers(text: string): Peer[] {
  return text.split(', ').map((one) => {
    const [name, count, milliseconds] = one.split('/') as [string, string, string];
    return { name, count, milliseconds: Number(milliseconds) };
  });
}

/** All of them. */
export const PROGRAMS: readonly BenchProgram[] = [
  {
    name: 'L1 handshake',
    machine: (model) => bare(2, handshake(true), model),
    traces: 4,
    commuting: 4,
    states: { sc: 39, tso: 63, weak: 47 },
    goal: { sc: 5, tso: 5, weak: 5 },
    peers: peers('GenMC/4 e/54, Nidhugg/4 e/22, SPIN/131 st (tso)/82, TLC/46 st (tso)/1100, loom/50 e/4'),
    model: ['handshake'],
  },
  {
    name: 'L2 ring (2+1)',
    machine: (model, forgets) => bare(3, ring([2, 1], 2, true, forgets), model),
    traces: 308,
    commuting: 308,
    states: { sc: 2_350, tso: 7_440, weak: 5_043 },
    goal: { sc: 50, tso: 100, weak: 100 },
    peers: peers('GenMC/308 e/67, Nidhugg/308 e/45, SPIN/4827 st/86, TLC/3265 st/1900, loom/>3180000 e/300000'),
    model: ['ring', 'FIRST=2', 'SECOND=1', 'ENTRIES=2'],
  },
  {
    name: 'L2 ring (2+2)',
    machine: (model, forgets) => bare(3, ring([2, 2], 2, true, forgets), model),
    traces: 1_934,
    commuting: 1_934,
    states: { sc: 9_948, tso: 32_052, weak: 27_694 },
    goal: { sc: 100, tso: 250, weak: 300 },
    peers: peers('GenMC/1934 e/76, Nidhugg/1934 e/192, SPIN/19440 st/91, TLC/13728 st/1900'),
    model: ['ring', 'FIRST=2', 'SECOND=2', 'ENTRIES=2'],
  },
  {
    name: 'L2 ring (3+2), 4 entries',
    machine: (model, forgets) => bare(3, ring([3, 2], 4, true, forgets), model),
    traces: 4_202,
    commuting: 4_202,
    states: { sc: 17_000 },
    goal: { sc: 100 },
    peers: peers('GenMC/4202 e/NaN'),
    model: ['ring', 'FIRST=3', 'SECOND=2', 'ENTRIES=4'],
  },
  {
    name: 'L3 gather x2 force',
    machine: (model, forgets) => bare(2, gather('force', 2, forgets), model),
    traces: 124,
    commuting: 52,
    states: { sc: 252, tso: 326 },
    goal: { sc: 10, tso: 10 },
    peers: peers('GenMC/124 e/70, Nidhugg/52 e/30, SPIN/950 st/108, TLC/182 st/1100, loom/2670 e/92'),
    model: ['gather', 'THREADS=2', 'FORCE'],
  },
  {
    name: 'L3 gather x2 sync',
    machine: (model, forgets) => bare(2, gather('sync', 2, forgets), model),
    traces: 28,
    commuting: 8,
    states: { sc: 215, tso: 258 },
    goal: { sc: 10, tso: 10 },
    peers: peers('GenMC/28 e/58, Nidhugg/8 e/23, SPIN/751 st/89, TLC/166 st/1100, loom/470 e/18'),
    model: ['gather', 'THREADS=2', 'SYNC'],
  },
  {
    name: 'L3 gather x3 force',
    machine: (model, forgets) => bare(3, gather('force', 3, forgets), model),
    traces: 3_035_884,
    commuting: 414_123,
    states: { sc: 7_515, tso: 10_257 },
    goal: { sc: 100 },
    peers: peers('GenMC/3035884 e/207000, Nidhugg/414123 e/80000, SPIN/49510 st/103, TLC/4447 st/1800'),
    model: ['gather', 'THREADS=3', 'FORCE'],
  },
  {
    name: 'L3 gather x3 sync',
    machine: (model, forgets) => bare(3, gather('sync', 3, forgets), model),
    traces: 9_880,
    commuting: 356,
    states: { sc: 3_854 },
    goal: { sc: 60 },
    peers: peers('GenMC/9880 e/1690, Nidhugg/356 e/990, SPIN/25362 st/93, TLC/3470 st/1800'),
    model: ['gather', 'THREADS=3', 'SYNC'],
  },
];
