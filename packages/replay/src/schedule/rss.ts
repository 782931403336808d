/**
 * Rss: what the counters of an address space's pages (rss_stat) tell of who changes them.
 *
 *     in a fault           MM_FILEPAGES grows: how many pages of the file were mapped
 *     in a system call     a counter shrinks: so much was unmapped, at the end of a table or where the call let go of it for another task
 */
import type { RssStat } from '../read/event.ts';
import { needsResched } from './context.ts';
import type { OpenSyscall, Task } from './task.ts';

/** Kinds of pages, in the order in which they are counted. */
const KINDS: readonly string[] = ['MM_FILEPAGES', 'MM_ANONPAGES', 'MM_SWAPENTS', 'MM_SHMEMPAGES'];

/** What file pages are counted in, whatever a page of the machine is. */
const UNIT = 4096;

/** Follows counters. */
export class Rss {
  /** Bytes by mm and kind. */
  readonly #bytes = new Map<number, Map<string, number>>();

  /** A task changes a counter. */
  take(event: RssStat, { syscall, fault }: Task): void {
    const { mmId, type, bytes } = event;
    let kinds = this.#bytes.get(mmId);
    if (kinds === undefined) this.#bytes.set(mmId, (kinds = new Map()));
    const before = kinds.get(type);
    kinds.set(type, bytes);
    if (before === undefined) return;
    if (bytes < before && syscall !== null) unmaps(syscall, event, before - bytes);
    if (type === 'MM_FILEPAGES' && fault !== null && bytes >= before)
      fault.filePages = (fault.filePages ?? 0) + (bytes - before) / UNIT;
  }
}

/** A call has unmapped pages, and pauses if another task waits. */
function unmaps(syscall: OpenSyscall, event: RssStat, bytes: number): void {
  const same = KINDS.indexOf(event.type) > KINDS.indexOf(syscall.kind) && syscall.unmapped === syscall.pauses.at(-1);
  syscall.unmapped += bytes;
  syscall.kind = event.type;
  if (!needsResched(event)) return;
  if (same) syscall.pauses.pop();
  syscall.pauses.push(syscall.unmapped);
}
