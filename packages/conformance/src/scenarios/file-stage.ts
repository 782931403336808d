/**
 * File stage: an mm that maps a file, and the file's pages, for scenarios about writeback and reclaim of files.
 */
import type { Run } from '@mmu-gather/checker';
import { type Address, type Steps } from '@mmu-gather/core/stepped';
import {
  allocFilePage,
  contextSwitch,
  mmAlloc,
  mmap,
  type PageCache,
  userLoad,
  userStore,
} from '@mmu-gather/mm/stepped';
import { PAGE, type Stage, toUser } from './stage.ts';

/** A stage whose memory is a file. */
export interface FileStage extends Stage {
  /** The file's pages. */
  readonly pages: readonly Address[];
  /** The page cache that holds them. */
  readonly files: PageCache;
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
}

/** Number of the file. */
const FILE = 1;

/** A page cache that holds some pages of one file and does not change. */
export function cacheOf(pages: readonly Address[]): PageCache {
  return {
    faultAround: 1,
    *fault(_cpu, _file, index): Steps<Address> {
      return pages[index] ?? 0;
    },
    *cached(_cpu, _file, index): Steps<Address> {
      return pages[index] ?? 0;
    },
  };
}

/** Makes an mm that maps a file, on CPU 0, and lets CPUs run it. They end in user mode, except CPU 0. */
export function setFileStage(run: Run, options: FileStageOptions): FileStage {
  const count = options.pages ?? 1;
  const pages = Array.from({ length: count }, (_, i) => run(0, (cpu) => allocFilePage(cpu, FILE, 100 + i)));
  const files = cacheOf(pages);
  const mm = run(0, mmAlloc);
  run(0, (cpu) => contextSwitch(cpu, mm));
  run(0, (cpu) => mmap(cpu, mm, 0, count * PAGE, options.flags, { file: FILE, pgoff: 0 }));
  for (const i of options.touched ?? pages.keys()) {
    if (options.store === true) run(0, (cpu) => userStore(cpu, mm, i * PAGE, 1 + i, files));
    else run(0, (cpu) => userLoad(cpu, mm, i * PAGE, files));
  }
  for (const n of options.running ?? [0, 1]) if (n !== 0) run(n, (cpu) => toUser(cpu, mm));
  return { mm, at: 0, pages, files };
}
