/**
 * Verdict: what the first CPU that found something has to say. It stops all others.
 */
import type { OracleId } from '@mmu-gather/core';
import { Mailboxes, STOP } from './mailbox.ts';
import { type Memory, TEXT_BYTES } from './memory.ts';

/** Characters of a message that are kept. */
const LONGEST_MESSAGE = 300;

/** What was found. */
export interface Finding {
  /** The oracle that was violated; `crash` if kernel code could not go on. */
  readonly oracle: OracleId | 'crash';
  /** One line. */
  readonly message: string;
}

/** A finding, and whose. */
export interface Found extends Finding {
  /** The CPU that found it. */
  readonly cpu: number;
}

/** The verdict of one machine. */
export class Verdict {
  readonly #memory: Memory;
  readonly #mailboxes: Mailboxes;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#mailboxes = new Mailboxes(memory);
  }

  /** Says what a CPU found, if it is the first, and stops all CPUs. */
  found(cpu: number, finding: Finding): void {
    const { control, global } = this.#memory;
    if (Atomics.compareExchange(control, global.finder, 0, -1) === 0) {
      this.#write(JSON.stringify({ ...finding, message: finding.message.slice(0, LONGEST_MESSAGE) }));
      Atomics.store(control, global.finder, cpu + 1);
    }
    this.stop();
  }

  /** Stops all CPUs: at its next port call each throws Stopped. */
  stop(): void {
    for (let cpu = 0; cpu < this.#memory.kernel.cpus; cpu++) this.#mailboxes.tell(cpu, STOP);
  }

  /** What was found, and by whom; undefined if nothing was. */
  get(): Found | undefined {
    const finder = Atomics.load(this.#memory.control, this.#memory.global.finder);
    if (finder <= 0) return undefined;
    return { cpu: finder - 1, ...(JSON.parse(this.#read()) as Finding) };
  }

  #write(text: string): void {
    const { control, global } = this.#memory;
    const codes = Array.from(text.slice(0, TEXT_BYTES / 4), (char) => char.charCodeAt(0));
    control.set([codes.length, ...codes], global.text);
  }

  #read(): string {
    const { control, global } = this.#memory;
    const length = control[global.text]!;
    return String.fromCharCode(...control.subarray(global.text + 1, global.text + 1 + length));
  }
}
