/**
 * Machine: CPUs that race on threads. The first thread makes it, and gives `memory.buffer` to the others, which attach with equal options:
 *
 *     first thread      machine = new Machine(options); spawn(module, { buffer: machine.memory.buffer, id })
 *     other threads     cpu = new Machine(options, buffer).cpu(id)
 */
import { Bus } from './bus.ts';
import { Canaries } from './canaries.ts';
import { ThreadCpu } from './cpu.ts';
import { type Event, Events } from './events.ts';
import { Ipis } from './ipis.ts';
import { Mailboxes } from './mailbox.ts';
import { type MachineOptions, Memory } from './memory.ts';
import { Rcu } from './rcu.ts';
import { type Found, Verdict } from './verdict.ts';
import { type Waits, Waiting } from './waiting.ts';

/** The machine, seen from one thread. */
export class Machine {
  /** Its memory. */
  readonly memory: Memory;
  readonly #verdict: Verdict;

  /**
   * @param buffer memory of the thread that made the machine; not given by that thread itself
   * @throws RangeError if the options are not those that it was made with
   */
  constructor(options: MachineOptions, buffer?: SharedArrayBuffer) {
    this.memory = new Memory(options, reserveParts, buffer);
    this.#verdict = new Verdict(this.memory);
  }

  /** A CPU, for the one thread that runs it: its TLB is this thread's. */
  cpu(id: number): ThreadCpu {
    return new ThreadCpu(this.memory, id);
  }

  /** What was found first, and by which CPU; undefined if nothing was. */
  finding(): Found | undefined {
    return this.#verdict.get();
  }

  /** Says that a CPU cannot go on, and stops all. */
  crash(cpu: number, message: string): void {
    this.#verdict.found(cpu, { oracle: 'crash', message });
  }

  /** Stops all CPUs: each throws Stopped at its next port call. */
  stop(): void {
    this.#verdict.stop();
  }

  /** What a CPU waits for now. */
  waits(cpu: number): Waits {
    return new Waiting(this.memory).of(cpu);
  }

  /** The last events of a CPU, oldest first. */
  events(cpu: number): Event[] {
    return new Events(this.memory).of(cpu);
  }
}

function reserveParts(memory: Memory): void {
  for (const part of [Mailboxes, Ipis, Bus, Rcu, Canaries, Events, Waiting]) part.reserve(memory);
}
