/**
 * Host: the counting machine that runs mm, core and x86, and where its tlb_flush events go.
 *
 * Every prediction is an event that the running code traced. Nothing else makes one. What runs `quietly` changes the
 * state and predicts nothing: it brings the model to where the recording shows the machine to be.
 */
import { type Cpu, type Mm, taskSize } from '@mmu-gather/core';
import { CountingMachine } from '@mmu-gather/counting';
import { contextSwitch, insertVma, mmAlloc } from '@mmu-gather/mm';
import { VM_READ } from '@mmu-gather/core';
import type { Machine } from '../facts.ts';
import type { Operation } from '../schedule/action.ts';
import type { Ledger } from './ledger.ts';

/** The machine under replay. */
export class Host {
  readonly machine: CountingMachine;
  /** Bytes in a page. */
  readonly pageSize: number;
  /** First address past user space. */
  readonly taskSize: number;
  readonly #ledger: Ledger;
  readonly #hz: number;
  #operation: Operation | null = null;
  #time = 0;
  #early = true;
  #quiet = 0;

  constructor(machine: Machine, ledger: Ledger) {
    this.machine = new CountingMachine(machine.boot);
    this.pageSize = 2 ** machine.boot.geometry.pageShift;
    this.taskSize = taskSize(machine.boot.geometry);
    this.#hz = machine.hz;
    this.#ledger = ledger;
    this.machine.onTrace = (cpu, event, values) => {
      if (event !== 'tlb_flush' || this.#quiet > 0 || this.#operation === null) return;
      const flush = { time: this.#time, cpu, reason: values[0]!, pages: values[1]!, early: this.#early };
      this.#ledger.predict(this.#operation, flush);
    };
  }

  /** A CPU of the machine. */
  cpu(id: number): Cpu {
    return this.machine.cpus[id]!;
  }

  /** Moves the clock. @param early the workload proper has not begun */
  at(time: number, ticksPerSecond: number, early: boolean): void {
    this.#time = time;
    this.#early = early;
    this.machine.now = Math.floor((time / ticksPerSecond) * this.#hz);
  }

  /** Runs what an operation does; its flushes are predictions for that operation. */
  run(operation: Operation, work: () => void): void {
    const outer = this.#operation;
    this.#operation = operation;
    try {
      work();
    } finally {
      this.#operation = outer;
    }
  }

  /** Runs what the recording leaves out, flushes included. */
  quietly(work: () => void): void {
    this.#quiet++;
    try {
      work();
    } finally {
      this.#quiet--;
    }
  }

  /** States an assumption that the operation at work rests on. */
  note(text: string): void {
    if (this.#operation !== null) this.#ledger.note(this.#operation, text);
  }

  /** An address space of which nothing is known, but that it is not empty. */
  unknownMm(cpu: Cpu): Mm {
    const mm = mmAlloc(cpu);
    insertVma(cpu, mm, this.pageSize, 2 * this.pageSize, VM_READ, { file: 0, pgoff: 0 });
    return mm;
  }

  /** A machine that was at work before the recording: all ASID slots of each CPU hold address spaces that are gone. */
  age(slots: number): void {
    this.quietly(() => {
      for (const cpu of this.machine.cpus) {
        for (let slot = 0; slot < slots; slot++) contextSwitch(cpu, this.unknownMm(cpu));
        contextSwitch(cpu, null);
      }
    });
  }
}
