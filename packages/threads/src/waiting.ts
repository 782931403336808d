/**
 * Waiting: what each CPU waits for, told to whoever watches over a run. Nothing depends on it.
 */
import type { Memory } from './memory.ts';

/** What a CPU waits for. */
export type Waits =
  | 'nothing'
  | 'a lock'
  | 'a word'
  | 'interrupts that it sent'
  | 'RCU readers'
  | 'its invalidations'
  | 'the other CPUs';

const WAITS: readonly Waits[] = [
  'nothing',
  'a lock',
  'a word',
  'interrupts that it sent',
  'RCU readers',
  'its invalidations',
  'the other CPUs',
];

const NAME = 'waiting';

/** What the CPUs of one machine wait for. */
export class Waiting {
  readonly #control: Int32Array;
  readonly #base: number;

  /** Reserves their words. */
  static reserve(memory: Memory): void {
    memory.reserve(NAME, memory.kernel.cpus);
  }

  constructor(memory: Memory) {
    this.#control = memory.control;
    this.#base = memory.part(NAME);
  }

  /** What a CPU waits for. */
  of(cpu: number): Waits {
    return WAITS[this.#control[this.#base + cpu]!]!;
  }

  /** A CPU begins to wait, or ends. */
  set(cpu: number, what: Waits): void {
    this.#control[this.#base + cpu] = WAITS.indexOf(what);
  }
}
