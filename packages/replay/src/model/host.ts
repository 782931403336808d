/**
 * Host: the counting machines that run mm, core and x86, and where their tlb_flush events go.
 *
 * Two machines share one memory: the direct build for most operations, the stepped one for those that must wait. Every
 * prediction is an event that the running code traced. Nothing else makes one.
 */
import { type Cpu, type Mm, taskSize, VM_READ } from '@mmu-gather/core';
import { CountingMachine, type MmuEvent, type OnTrace } from '@mmu-gather/counting';
import { CountingMachine as SteppedMachine, type GrowingArena as SteppedArena } from '@mmu-gather/counting/stepped';
import { contextSwitch, insertVma, mmAlloc } from '@mmu-gather/mm';
import { TLB_FLUSH_ON_TASK_SWITCH } from '@mmu-gather/x86';
import type { Architecture, Observed } from '../arch/arch.ts';
import type { HugePages, Machine } from '../facts.ts';
import type { Operation } from '../schedule/action.ts';
import { INTERRUPT } from './flush.ts';
import type { Ledger } from './ledger.ts';
import { Pauses } from './pauses.ts';

/** What flushes cost. */
export interface Costs {
  /** Flushes that dropped entries of a TLB: context loads that flush, local and remote shootdowns. */
  flushes: number;
  /** Those of them that dropped everything. */
  full: number;
  /** Pages that the others dropped one by one. */
  pages: number;
  /** Interrupts sent to flush. */
  ipis: number;
}

/** The machine under replay. */
export class Host {
  /** Runs what can run at once. */
  readonly direct: CountingMachine;
  /** Runs what has to wait; shares the memory of {@link Host.direct}. */
  readonly stepped: SteppedMachine;
  /** Whose recordings these are. */
  readonly arch: Architecture;
  /** Bytes in a page. */
  readonly pageSize: number;
  /** Where huge pages appear by themselves. */
  readonly thp: HugePages;
  /** First address past user space. */
  readonly taskSize: number;
  /** Called where a CPU takes a new ASID slot, or flushes one. */
  onSlot: (cpu: number) => void = () => {};
  /** Requests to flush that are sent. */
  readonly interrupts: Ledger;
  readonly #ledger: Ledger;
  readonly #trimClock: Architecture['trimClock'];
  readonly #runsLast: Architecture['runsLast'];
  readonly #hz: number;
  readonly #ticks: number;
  /** Of the call that each CPU is at. */
  readonly #pauses: (Pauses | null)[] = [];
  #operation: Operation | null = null;
  #quiet = false;
  /** {@link Host.#quiet} of what was interrupted. */
  #interrupted = false;
  #time = 0;
  #early = true;
  readonly #costs: Readonly<Record<'early' | 'proper', Costs>> = {
    early: { flushes: 0, full: 0, pages: 0, ipis: 0 },
    proper: { flushes: 0, full: 0, pages: 0, ipis: 0 },
  };

  constructor(
    { arch, boot, steppedBoot, hz, thp, recorded }: Machine,
    ledger: Ledger,
    interrupts: Ledger,
    ticksPerSecond: number,
  ) {
    this.arch = arch;
    this.interrupts = interrupts;
    this.thp = thp;
    const needResched = (cpu: number): boolean => !this.#quiet && this.#pauses[cpu]?.due() === true;
    this.direct = new CountingMachine({ ...boot, needResched });
    this.stepped = new SteppedMachine({ ...steppedBoot, needResched }, this.direct.arena as unknown as SteppedArena);
    this.stepped.holdIpis = true;
    this.pageSize = 2 ** boot.geometry.pageShift;
    this.taskSize = taskSize(boot.geometry);
    this.#hz = hz;
    this.#ticks = ticksPerSecond;
    this.#ledger = ledger;
    const flushes = this.direct.kernel.backend.handlers.length;
    const onTrace: OnTrace = (cpu, event, values) => {
      if (event === 'tlb_flush' && values[0] === TLB_FLUSH_ON_TASK_SWITCH && values[1] !== 0) this.onSlot(cpu);
      if (this.#quiet || this.#operation === null) return;
      this.#count(event, values);
      // Handlers behind those of the backend are core's, and flush nothing.
      if (event === 'csd_queue_cpu' && values[1]! < flushes) {
        const sent = { time: this.#time, cpu, reason: INTERRUPT, pages: values[0]!, early: this.#early };
        interrupts.predict(this.#operation, sent);
      }
      this.#predict(cpu, arch.traced(event, values, this.#operation));
    };
    this.direct.onTrace = onTrace;
    this.stepped.onTrace = onTrace;
    const { mmu } = arch;
    if (mmu !== null) {
      const onMmu = (cpu: number, event: MmuEvent): void => this.#predict(cpu, mmu(event));
      this.direct.onMmu = onMmu;
      this.stepped.onMmu = onMmu;
    }
    this.#trimClock = boot.backend.id === arch.id ? arch.trimClock : null;
    this.#runsLast = recorded ? arch.runsLast : null;
    for (const cpu of this.direct.cpus) this.#trimClock?.(cpu, false);
    if (arch.slots && boot.backend.id === arch.id) this.#age(boot.backend.isa.asids);
  }

  /** A call begins that pauses after so many bytes. */
  pauses(cpu: number, after: readonly number[]): void {
    this.#pauses[cpu] = after.length === 0 ? null : new Pauses(after.map((bytes) => bytes / this.pageSize));
  }

  /** An operation begins. @param trims its flush takes CPUs out of a mask; one of a whole mm does so without the clock, which is not due any more then */
  trims(cpu: number, trims: boolean): void {
    this.#trimClock?.(this.cpu(cpu), trims);
  }

  /** A CPU runs what the last flush of an operation asked of others, though it was not asked. @returns false if it is not known what that was */
  stray(cpu: number, { cpu: from, space }: Operation): boolean {
    return space !== 0 && this.#runsLast?.(this.cpu(cpu), from, space) === true;
  }

  #predict(cpu: number, observed: Observed | null): void {
    if (observed === null || this.#quiet || this.#operation === null) return;
    const { reason, pages, where } = observed;
    this.#ledger.predict(this.#operation, { time: this.#time, cpu, reason, pages, where, early: this.#early });
  }

  /** What runs now; null for what the recording leaves out. */
  get operation(): Operation | null {
    return this.#quiet ? null : this.#operation;
  }

  /** The clock, in ticks of the recording. */
  get time(): number {
    return this.#time;
  }

  /** What operations cost before the workload proper, or in it. */
  costs(early: boolean): Costs {
    return this.#costs[early ? 'early' : 'proper'];
  }

  #count(event: string, values: readonly number[]): void {
    const costs = this.costs(this.#early);
    if (event === 'csd_queue_cpu') costs.ipis++;
    const pages = this.arch.drops(event, values);
    if (pages === null) return;
    costs.flushes++;
    if (pages < 0) costs.full++;
    else costs.pages += pages;
  }

  /** The kernel's own address space, which every exit loads. */
  get initMm(): number {
    return this.direct.kernel.initMm;
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
  at(time: number, early: boolean): void {
    this.#time = time;
    this.#early = early;
    this.direct.now = this.stepped.now = Math.floor((time / this.#ticks) * this.#hz);
  }

  /** An interrupt arrives ahead of its step, in the midst of what was run. @param quiet its flush is no prediction */
  arrives(time: number, quiet: boolean): void {
    this.at(time, this.#early);
    this.#interrupted = this.#quiet;
    this.#quiet ||= quiet;
  }

  /** It is handled. */
  handled(): void {
    this.#quiet = this.#interrupted;
  }

  /** From here on runs what an operation does; its flushes are predictions for that operation, unless `quiet`. */
  begin(operation: Operation | null, quiet: boolean): void {
    this.#operation = operation;
    this.#quiet = quiet;
  }

  /** It is done. */
  end(): void {
    this.begin(null, false);
  }

  /** Runs what an operation does in the midst of something else. */
  run<T>(operation: Operation | null, quiet: boolean, work: () => T): T {
    const outer = this.#operation;
    const outerQuiet = this.#quiet;
    this.begin(operation, quiet);
    try {
      return work();
    } finally {
      this.begin(outer, outerQuiet);
    }
  }

  /** Runs what the recording leaves out, flushes included. */
  quietly(work: () => void): void {
    this.run(null, true, work);
  }

  /** States an assumption that an operation rests on. */
  note(operation: Operation, text: string): void {
    if (operation.assumed === null) operation.assumed = [text];
    else if (!operation.assumed.includes(text)) operation.assumed.push(text);
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
