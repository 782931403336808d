/**
 * View: what can be seen of a machine between two steps, for diagrams, films and measurements. It changes nothing.
 */
import type { Address, Cell } from '@mmu-gather/core/stepped';
import type { Effects } from './effects.ts';
import type { Flows } from './flows.ts';
import type { Interrupts } from './interrupts.ts';
import type { Kinds } from './kinds.ts';
import type { Layout } from './layout.ts';
import type { Memory } from './memory.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { Objects } from './objects.ts';
import { OP, OP_NAMES, type OpName } from './op.ts';
import type { Process } from './process.ts';
import type { Pauses } from './script.ts';
import type { Standing } from './standing.ts';
import type { Text } from './text.ts';
import { CPU, QUIET, type Words } from './words.ts';

/** The parts of a machine that it looks at. */
export interface ViewParts {
  readonly cpus: number;
  readonly words: Words;
  readonly flows: Flows;
  readonly effects: Effects;
  readonly pauses: Pauses;
  readonly mmu: Mmu;
  readonly kinds: Kinds;
  readonly memory: Memory;
  readonly interrupts: Interrupts;
  readonly objects: Objects;
  readonly layout: Layout;
  readonly text: Text;
}

/** A look at a machine. */
export class MachineView {
  readonly #parts: ViewParts;

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  /** The process whose step an actor would take, or undefined for a drain or a delivery. */
  processOf(actor: number): Process | undefined {
    const n = this.#parts.cpus;
    if (actor >= 2 * n || (actor >= n && this.#parts.words.cpu(actor - n, CPU.inIrq) === 0)) return undefined;
    return this.#parts.flows.processes[actor];
  }

  /** What the last step of a process returned. */
  lastResult(process: number): number {
    return this.#parts.flows.lastResult(process);
  }

  /** An argument of the pending step of a process, in the order of the port call; see port.ts. */
  stepArgument(process: number, i: number): number {
    return this.#parts.words.arg(process, i);
  }

  /** The kind of the pending step of a process. */
  stepKind(process: number): OpName {
    return OP_NAMES[this.#parts.words.kind(process)] ?? 'none';
  }

  /** Under weak: how many newer stores to its cell the pending load of a process misses with this choice. */
  missedStores(process: number, choice: number): number {
    return this.#parts.effects.weak?.missed(process, process % this.#parts.cpus, choice) ?? 0;
  }

  /** Under weak: does the pending wait of a process wait on with this choice, having read the newest value? */
  waitsOn(process: number, choice: number): boolean {
    return this.#parts.effects.weak?.spins(process, process % this.#parts.cpus, choice) === true;
  }

  /** The cell that a process's pending step reads or writes; -1 if it is another kind of step. */
  stepCell(process: number): Cell {
    const kind = this.#parts.words.kind(process);
    return kind >= OP.readOnce && kind <= OP.downgradeWrite && kind !== OP.smpMb
      ? this.#parts.words.arg(process, 0)
      : -1;
  }

  /** Where code calls the pending step of a process, `mm/munmap.ts:12`; '' if sites are not noted, or it is no call of code. */
  stepSite(process: number): string {
    return this.#parts.pauses.site(this.#parts.words.quiet(process, QUIET.pause));
  }

  /** Number of stores that wait in a CPU's buffer. */
  buffered(cpu: number): number {
    return this.#parts.words.cpu(cpu, CPU.buffered);
  }

  /** CPUs, one bit each, whose MMU may look at a cell at any time now. */
  walkersOf(cell: Cell): number {
    const { mmu } = this.#parts;
    const isRead = (root: Address): boolean => {
      for (let page = 0; page < mmu.pages; page++) if (mmu.isOnTheWay(cell, root, page)) return true;
      return false;
    };
    const translates = this.#parts.kinds.isTranslation(cell);
    if (!translates && !this.#parts.kinds.isEntry(cell)) return 0;
    let walkers = 0;
    for (let cpu = 0; cpu < this.#parts.cpus; cpu++) {
      const root = mmu.liveRoot(cpu);
      const kernel = mmu.kernelRoot;
      if (root !== 0 && (translates || isRead(root))) walkers |= 1 << cpu;
      if (kernel !== 0 && !translates && isRead(kernel)) walkers |= 1 << cpu;
    }
    return walkers;
  }

  /** Is this cell a page-table entry? */
  isPageTableEntry(cell: Cell): boolean {
    return this.#parts.kinds.isEntry(cell);
  }

  /** The cell of the oldest buffered store of a CPU. */
  drainCell(cpu: number): Cell {
    return this.#parts.memory.oldest(cpu);
  }

  /** The drain of a CPU's oldest buffered store, as text. */
  drainText(cpu: number): string {
    const cell = this.#parts.memory.oldest(cpu);
    return `${this.#parts.layout.name(cell)} := ${this.#parts.text.value(cell, this.#parts.words.cpu(cpu, CPU.buffer + 1))} reaches memory`;
  }

  /** What a CPU is at. */
  standing(cpu: number): Standing {
    const words = this.#parts.words;
    const inIrq = this.#parts.interrupts.running(cpu);
    const process = inIrq ? this.#parts.cpus + cpu : cpu;
    const buffered = Array.from({ length: words.cpu(cpu, CPU.buffered) }, (_, i): readonly [Cell, number] => [
      words.cpu(cpu, CPU.buffer + 2 * i),
      words.cpu(cpu, CPU.buffer + 2 * i + 1),
    ]);
    return {
      mode: inIrq ? 'interrupt' : words.cpu(cpu, CPU.userMode) !== 0 ? 'user' : 'kernel',
      interruptsOff: words.cpu(cpu, CPU.irqOff) > 0,
      queued: words.cpu(cpu, CPU.queued),
      buffered,
      next: words.running(process) ? this.#parts.text.step(process) : undefined,
    };
  }

  /** Was the object at this address given back? */
  isFreed(object: Address): boolean {
    return this.#parts.objects.freed(object);
  }

  /** How many pages, tables, VMAs and mms are allocated. */
  get allocated(): number {
    return this.#parts.objects.allocated;
  }

  /** The interrupt that a CPU takes next, as text. */
  deliveryText(cpu: number): string {
    return `interrupt from CPU ${this.#parts.words.cpu(cpu, CPU.queue + 2)}`;
  }
}
