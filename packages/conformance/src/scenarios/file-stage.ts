/**
 * File stage: an mm that maps a file, for scenarios about writeback, dirty tracking, and reclaim of files.
 */
import type { Run } from '@mmu-gather/checker';
import type { Address, AddressSpace } from '@mmu-gather/core/stepped';
import {
  allocMapping,
  contextSwitch,
  fileBacking,
  filemapAdd,
  mmAlloc,
  mmap,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { PAGE, type Stage, newThread } from './stage.ts';

/** A stage whose memory is a file. */
export interface FileStage extends Stage {
  /** The file. */
  readonly file: AddressSpace;
  /** Its pages by index. */
  readonly pages: readonly Address[];
}

/** How a file stage is set. */
export interface FileStageOptions {
  /** VM_* bits. */
  readonly flags: number;
  /** Pages that the file has and that are mapped from address 0 on; 1 if not given. */
  readonly pages?: number;
  /** Which of them are accessed; all if not given. */
  readonly touched?: readonly number[];
  /** Store to each of these, so that it is dirty and writable; else it is only read. */
  readonly store?: boolean;
  /** CPUs that run user code of the mm; 0 and 1 if not given. */
  readonly running?: readonly number[];
  /** CPUs of these that are in a system call when the race begins. */
  readonly inKernel?: readonly number[];
}

/** Makes an mm that maps a file, on CPU 0, and lets CPUs run it. They end in user mode, except CPU 0. */
export function setFileStage(run: Run, options: FileStageOptions): FileStage {
  const count = options.pages ?? 1;
  const file = run(0, allocMapping);
  const pages = Array.from({ length: count }, (_, i) => run(0, (cpu) => filemapAdd(cpu, file, i, 100 + i)));
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  run(0, (cpu) => mmap(cpu, mm, 0, count * PAGE, options.flags, fileBacking(file.address)));
  for (const i of options.touched ?? pages.keys()) {
    if (options.store === true) run(0, (cpu) => userStore(cpu, mm, i * PAGE, 1 + i));
    else run(0, (cpu) => userLoad(cpu, mm, i * PAGE));
  }
  for (const n of options.running ?? [0, 1]) if (n !== 0) run(n, (cpu) => newThread(cpu, mm));
  for (const n of options.inKernel ?? []) run(n, (cpu) => cpu.enterKernel());
  return { mm, at: 0, file, pages };
}
