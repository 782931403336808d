/**
 * Call sites: the few words of a stack that say who asked for an operation.
 *
 *     user mode    the innermost frames, each as file+offset where it is known what was mapped: libc.so.6+0x11fa07 < app+0x4321
 *     kernel       the innermost functions that are not of flushing itself: zap_page_range < madvise_dontneed
 */
import type { Stack, TaskEvent } from '../read/event.ts';
import { basename, type Mapped, mappedIn } from '../read/maps.ts';
import type { RecordedProcess } from '../read/recorder-notes.ts';

/** Frames that are named. */
const FRAMES = 3;
/** How the kernel's functions of tracing and of flushing are called. */
const FLUSHING = /trace|perf_|flush|tlb_|smp_call|on_each_cpu/;

/** Names places in programs by what was mapped where. */
export class Sites {
  /** Files mapped by process; a process that runs another program since is not in it. */
  readonly #mapped = new Map<number, readonly Mapped[]>();

  constructor(processes: readonly RecordedProcess[]) {
    for (const { tgid, maps } of processes) if (maps !== null) this.#mapped.set(tgid, mappedIn(maps));
  }

  /** Follows what programs processes run. */
  take(event: TaskEvent): void {
    if (this.#mapped.size === 0) return;
    if (event.kind === 'schedProcessExec') {
      this.#mapped.delete(event.pid);
    } else if (event.kind === 'schedProcessFork') {
      const mapped = this.#mapped.get(event.tgid ?? event.pid);
      if (mapped !== undefined) this.#mapped.set(event.childPid, mapped);
    }
  }

  /** The site that a stack shows. */
  of({ user, frames, tgid, pid }: Stack): string {
    if (!user) return named(frames.slice(frames.findIndex((frame) => !FLUSHING.test(frame))));
    const mapped = this.#mapped.get(tgid ?? pid) ?? [];
    return named(frames.map((frame) => place(frame, mapped)));
  }
}

function named(frames: readonly string[]): string {
  return frames.slice(0, FRAMES).join(' < ');
}

/** An address as a place in a file, if one is mapped there. */
function place(frame: string, mapped: readonly Mapped[]): string {
  const address = frame.startsWith('0x') ? Number(frame) : NaN;
  const found = mapped.find(({ start, end, path }) => path !== '' && address >= start && address < end);
  if (found === undefined) return frame;
  return `${basename(found.path)}+0x${(address - found.start + found.offset).toString(16)}`;
}
