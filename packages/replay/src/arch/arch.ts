/**
 * Architectures: what their recordings show of flushes, and what differs in the words of user space. All of it is data about recordings: the code
 * that runs is the backend's, and the model is the same everywhere.
 *
 *     recorded event ── recorded() ──> tlbFlush, pageFault, ...
 *     tracepoint of the running code ── traced() ──> what would have been recorded for it
 *
 * A flush stands for whatever the recording shows: a tlb_flush event, an instruction, a batch. `reason` says which of them, and equal ones of one
 * operation are compared.
 */
import type { Cpu } from '@mmu-gather/core';
import type { MmuEvent } from '@mmu-gather/counting';
import type { Other, TaskEvent } from '../read/event.ts';

/** What a recording would show of something that the running code did. */
export interface Observed {
  /** Which kind, a key of {@link Architecture.names}; 0 is a context load everywhere. */
  readonly reason: number;
  /** Pages; -1 for everything. */
  readonly pages: number;
  /** Addresses and operands, as far as they are recorded and can be known. */
  readonly where?: string;
}

/** The operation that the running code is at. */
export interface During {
  /** The system call; else `fault`, `switch` or `exit`. */
  readonly name: string;
  /** Its arguments, if it is a system call. */
  readonly args: readonly number[];
}

/** Addresses where programs begin, by which a recording tells whether they are randomised. */
export interface Places {
  /** Without randomisation: first addresses of executables and of the loader, and a bit above. */
  readonly fixed: readonly (readonly [start: number, end: number])[];
  /** With randomisation: where they may begin. */
  readonly random: readonly (readonly [start: number, end: number])[];
  /** First address past a new program's stack (STACK_TOP_MAX). */
  readonly stackTop: number;
  /** How far down a randomised stack is taken to move, in bytes. */
  readonly stackShift: number;
}

/** What is particular about recordings of an architecture. */
export interface Architecture {
  /** Its id, as backends have it. */
  readonly id: string;
  /** Names of what is compared, by reason. */
  readonly names: Readonly<Record<number, string>>;
  /** An event of a probe in the model's words: those that stand for flushes and faults become such. */
  readonly recorded: (event: Other) => TaskEvent;
  /** What a recording shows of a tracepoint of the running code in an operation; null: nothing. */
  readonly traced: (event: string, values: readonly number[], during: During) => Observed | null;
  /** How many pages a tracepoint of the running code says were dropped from TLBs, -1 for everything; null: none. */
  readonly drops: (event: string, values: readonly number[]) => number | null;
  /** What it shows of an MMU event; null: no event is recorded at all. */
  readonly mmu: ((event: MmuEvent) => Observed | null) | null;
  /**
   * Sets the clock by which a CPU now and then takes CPUs out of an mm's mask: it strikes at the next flush, or not until it is set so, as long as
   * nobody knows how far it was when the recording began. Null: there is none.
   */
  readonly trimClock: ((cpu: Cpu, due: boolean) => void) | null;
  /**
   * Runs what a CPU asked of others when it flushed last, on one that was not asked. It does nothing, and returns false, if that was not of this
   * address space. Null: recordings show no requests to flush.
   */
  readonly runsLast: ((cpu: Cpu, from: number, space: number) => boolean) | null;
  /**
   * The bit of an entry that is in the table where the hardware looks; a fault of user mode puts its page there (hash_preload). 0: there is no
   * such table.
   */
  readonly hashed: number;
  /** MAP_LOCKED of mmap. */
  readonly mapLocked: number;
  /** MAP_NORESERVE of mmap. */
  readonly mapNoreserve: number;
  /** Whether a CPU's ASID slots hold the address spaces that it loaded last: where others have none, all start empty. */
  readonly slots: boolean;
  /** Where programs begin. */
  readonly places: Places;
}

/** Bits of a recorded operand or range, as text that is the same on both sides. */
export function hexText(value: number): string {
  return value.toString(16);
}
