/**
 * Words: where the machine's own part of the state lies, behind the arena: CPUs, objects, TLBs, oracles, processes.
 *
 *     [ arena | CPUs | objects | mmu | oracles | processes ][ quiet: logs, pending steps, plain accesses ]
 */
import type { Pauses } from './script.ts';
import type { State } from './state.ts';

/** One store buffer holds this many stores; a CPU whose buffer is full waits for a drain. Real ones hold about 50. */
export const BUFFER = 12;
/** Calls that may be queued for one CPU at a time. */
export const QUEUE = 4;
/** Plain accesses between two steps of a process that are remembered for race checks. */
export const SEGMENT = 24;

/** Words of each CPU. */
export const CPU: Readonly<
  Record<
    | 'irqOff'
    | 'userMode'
    | 'inIrq'
    | 'irqArgument'
    | 'irqSource'
    | 'outstanding'
    | 'queued'
    | 'queue'
    | 'buffered'
    | 'buffer'
    | 'taken'
    | 'rcuNesting'
    | 'rcuAwaited'
    | 'reserved',
    number
  >
> = {
  /** How many times interrupts were disabled. */
  irqOff: 0,
  /** 1 in user mode. */
  userMode: 1,
  /** Handler number + 1 while the interrupt side runs. */
  inIrq: 2,
  irqArgument: 3,
  irqSource: 4,
  /** Calls that this CPU queued elsewhere and that have not returned. */
  outstanding: 5,
  /** Calls that wait for this CPU, and the first of them: handler, argument, source. */
  queued: 6,
  queue: 7,
  /** Stores in the buffer, and the oldest of them: cell, value. */
  buffered: 7 + 3 * QUEUE,
  buffer: 8 + 3 * QUEUE,
  /** Objects taken from this CPU's pools, per cache. */
  taken: 8 + 3 * QUEUE + 2 * BUFFER,
  /** Open rcu_read_locks. */
  rcuNesting: 14 + 3 * QUEUE + 2 * BUFFER,
  /** CPUs that the synchronize_rcu of this CPU still waits for, one bit each. */
  rcuAwaited: 15 + 3 * QUEUE + 2 * BUFFER,
  /** The cell that a load has reserved under SC or TSO, plus one; 0 if none. */
  reserved: 16 + 3 * QUEUE + 2 * BUFFER,
};
/** Number of words of a CPU. */
export const CPU_WORDS: number = CPU.reserved + 1;

/** Locks that a process holds at a time; of further ones nothing is known. */
export const HELD = 8;
/** Words of each process that are part of the key: whether it runs, the hash of what it was fed, and which locks it holds. */
export const PROCESS = { running: 0, history: 1, held: 3 } as const;
/** Number of them. */
export const PROCESS_WORDS: number = PROCESS.held + HELD;

/** Quiet words of each process. */
export const QUIET: Readonly<
  Record<
    | 'logLength'
    | 'logBase'
    | 'savedHistory'
    | 'pause'
    | 'segmentLength'
    | 'segment'
    | 'stored'
    | 'position'
    | 'savedPosition',
    number
  >
> = {
  logLength: 0,
  /** Where the log of the present body begins. */
  logBase: 1,
  /** History at the last enterKernel: two words. */
  savedHistory: 2,
  /** The step it is paused before: its number among all {@link Pauses}. */
  pause: 4,
  /** Plain accesses since its last step: count, then cell * 2 + (1 if a store). */
  segmentLength: 5,
  segment: 6,
  /** Of a CPU's main code: stores that went into the CPU's buffer since the beginning. */
  stored: 6 + SEGMENT,
  /** How far the code is, and was at the last enterKernel. Follows from the history, and never goes down while the body runs. */
  position: 7 + SEGMENT,
  savedPosition: 8 + SEGMENT,
};
/** Number of them. */
export const QUIET_WORDS: number = QUIET.savedPosition + 1;

/** Names the machine's words. */
export class Words {
  /** All words. */
  readonly state: State;
  /** Number of CPUs. */
  readonly cpus: number;
  readonly #cpuBase: number;
  readonly #processBase: number;
  readonly #pauses: Pauses;

  /** @param pauses the steps that processes were seen to pause before */
  constructor(state: State, cpus: number, cpuBase: number, processBase: number, pauses: Pauses) {
    this.#pauses = pauses;
    this.state = state;
    this.cpus = cpus;
    this.#cpuBase = cpuBase;
    this.#processBase = processBase;
  }

  /** Address of a CPU's word. */
  cpuAt(cpu: number, word: number): number {
    return this.#cpuBase + cpu * CPU_WORDS + word;
  }
  /** A CPU's word. */
  cpu(cpu: number, word: number): number {
    return this.state.words[this.#cpuBase + cpu * CPU_WORDS + word]!;
  }
  /** Changes a CPU's word. */
  setCpu(cpu: number, word: number, value: number): void {
    this.state.set(this.#cpuBase + cpu * CPU_WORDS + word, value);
  }
  /** Address of a process's word. */
  processAt(process: number, word: number): number {
    return this.#processBase + process * PROCESS_WORDS + word;
  }
  /** Has the process a step to take? */
  running(process: number): boolean {
    return this.state.words[this.#processBase + process * PROCESS_WORDS + PROCESS.running] !== 0;
  }
  /** Where all words of a CPU and of its two processes are, in the same order for each CPU. */
  own(cpu: number): Int32Array {
    const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
    return Int32Array.from([
      ...range(this.cpuAt(cpu, 0), CPU_WORDS),
      ...range(this.processAt(cpu, 0), PROCESS_WORDS),
      ...range(this.processAt(this.cpus + cpu, 0), PROCESS_WORDS),
    ]);
  }
  /** A quiet word of a process. */
  quiet(process: number, word: number): number {
    return this.state.words[this.state.quiet + process * QUIET_WORDS + word]!;
  }
  /** Changes a quiet word. */
  setQuiet(process: number, word: number, value: number): void {
    this.state.set(this.state.quiet + process * QUIET_WORDS + word, value);
  }
  /** Kind of the step that a process is paused before. */
  kind(process: number): number {
    return this.#pauses.kind(this.quiet(process, QUIET.pause));
  }
  /** An argument of that step. */
  arg(process: number, i: number): number {
    return this.#pauses.arg(this.quiet(process, QUIET.pause), i);
  }
}
