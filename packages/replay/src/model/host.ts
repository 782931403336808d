/**
 * Host: the counting machines that run mm, core and x86, and where their tlb_flush events go.
 *
 * Two machines share one memory: the direct build for most operations, the stepped one for those that must wait. Every
 * prediction is an event that the running code traced. Nothing else makes one.
 */
import { type Cpu, type Mm, taskSize, VM_READ } from '@mmu-gather/core';
import { CountingMachine, type GrowingArena, type OnTrace } from '@mmu-gather/counting';
import { CountingMachine as SteppedMachine, type GrowingArena as SteppedArena } from '@mmu-gather/counting/stepped';
import { contextSwitch, insertVma, mmAlloc } from '@mmu-gather/mm';
import type { Machine } from '../facts.ts';
import type { Operation } from '../schedule/action.ts';
import type { Ledger } from './ledger.ts';

/** The machine under replay. */
export class Host {
  /** Runs what can run at once. */
  readonly direct: CountingMachine;
  /** Runs what has to wait; shares the memory of {@link Host.direct}. */
  readonly stepped: SteppedMachine;
  /** Bytes in a page. */
  readonly pageSize: number;
  /** First address past user space. */
  readonly taskSize: number;
  readonly #ledger: Ledger;
  readonly #hz: number;
  #operation: Operation | null = null;
  #quiet = false;
  #time = 0;
  #early = true;

  constructor({ boot, steppedBoot, hz }: Machine, ledger: Ledger) {
    this.direct = new CountingMachine(boot);
    this.stepped = new SteppedMachine(steppedBoot, this.direct.arena as GrowingArena as unknown as SteppedArena);
    this.stepped.holdIpis = true;
    this.pageSize = 2 ** boot.geometry.pageShift;
    this.taskSize = taskSize(boot.geometry);
    this.#hz = hz;
    this.#ledger = ledger;
    const onTrace: OnTrace = (cpu, event, values) => {
      if (event !== 'tlb_flush' || this.#quiet || this.#operation === null) return;
      const flush = { time: this.#time, cpu, reason: values[0]!, pages: values[1]!, early: this.#early };
      ledger.predict(this.#operation, flush);
    };
    this.direct.onTrace = onTrace;
    this.stepped.onTrace = onTrace;
    this.#age(boot.backend.isa.asids);
  }

  /** Number of CPUs. */
  get cpus(): number {
    return this.direct.cpus.length;
  }

  /** A CPU as direct code sees it. */
  cpu(id: number): Cpu {
    return this.direct.cpus[id]!;
  }

  /** Moves the clock. @param early the workload proper has not begun */
  at(time: number, ticksPerSecond: number, early: boolean): void {
    this.#time = time;
    this.#early = early;
    this.direct.now = this.stepped.now = Math.floor((time / ticksPerSecond) * this.#hz);
  }

  /** Runs what an operation does; its flushes are predictions for that operation, unless `quiet`. */
  run<T>(operation: Operation | null, quiet: boolean, work: () => T): T {
    const outer = this.#operation;
    const outerQuiet = this.#quiet;
    this.#operation = operation;
    this.#quiet = quiet;
    try {
      return work();
    } finally {
      this.#operation = outer;
      this.#quiet = outerQuiet;
    }
  }

  /** Runs what the recording leaves out, flushes included. */
  quietly(work: () => void): void {
    this.run(null, true, work);
  }

  /** States an assumption that an operation rests on. */
  note(operation: Operation, text: string): void {
    this.#ledger.note(operation, text);
  }

  /** An address space of which nothing is known, but that it is not empty. */
  unknownMm(cpu: Cpu): Mm {
    const mm = mmAlloc(cpu);
    insertVma(cpu, mm, this.pageSize, 2 * this.pageSize, VM_READ, { file: 0, pgoff: 0 });
    return mm;
  }

  /**
   * A machine that was at work before the recording: all ASID slots of each CPU hold address spaces that are not heard of
   * again. Whether init_mm, which every exit loads, still had a slot is not recorded: it is taken to have none.
   */
  #age(slots: number): void {
    this.quietly(() => {
      for (const cpu of this.direct.cpus) {
        for (let slot = 0; slot < slots; slot++) contextSwitch(cpu, this.unknownMm(cpu));
        contextSwitch(cpu, null);
      }
    });
  }
}
