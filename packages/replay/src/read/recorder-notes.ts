/**
 * Notes: what `mmu-gather record` writes beside a trace about the machine and the tasks that were there, as JSON.
 */
import type { MachineFacts } from '../facts.ts';
import { TraceError } from './error.ts';

/** Pages that follow each other, all present and alike. */
export interface Run {
  /** Address of the first one. */
  readonly start: number;
  /** How many. */
  readonly pages: number;
  /** They are of a file, or of memory that processes share. */
  readonly ofFile: boolean;
  /** Nobody else maps them. */
  readonly exclusive: boolean;
}

/** A process that was there before the recording. */
export interface RecordedProcess {
  /** Its id. */
  readonly tgid: number;
  /** Its name. */
  readonly comm: string;
  /** Ids of its threads. */
  readonly threads: readonly number[];
  /** What it had mapped, as /proc/PID/maps says it; null where that could not be read. */
  readonly maps: string | null;
  /** Which pages were there (/proc/PID/pagemap), in order; not given where that was not recorded. */
  readonly pages?: readonly Run[];
}

/** What is written. */
export interface RecorderFile {
  /** Version of this form. */
  readonly version: 1;
  /** What is known of the machine. */
  readonly facts: MachineFacts;
  /** Ids of the tasks whose events were recorded, with what they made; null: all. */
  readonly traced: readonly number[] | null;
  /** The processes; those without an address space (kernel threads) are left out. */
  readonly processes: readonly RecordedProcess[];
}

/** What is read. */
export interface RecorderNotes {
  readonly facts: MachineFacts;
  readonly traced: readonly number[] | null;
  readonly tgids: readonly (readonly [pid: number, tgid: number])[];
  readonly processes: readonly RecordedProcess[];
}

/** Reads notes; null if there are none. @throws TraceError if they are of another form */
export function recorderFacts(file: string, text: string | null): RecorderNotes | null {
  if (text === null) return null;
  try {
    const { version, facts, traced, processes } = JSON.parse(text) as RecorderFile;
    if (version !== 1) throw new Error(`version ${String(version)}`);
    return {
      facts,
      traced,
      processes,
      tgids: processes.flatMap(({ tgid, threads }) => threads.map((pid) => [pid, tgid] as const)),
    };
  } catch (error) {
    const what = `the recorder's notes cannot be read (${(error as Error).message})`;
    throw new TraceError(file, null, what, 'record anew with this version of mmu-gather');
  }
}
