/**
 * Parts: ranges of which a recording tells how many they are, and how many pages they have together.
 *
 *     process_madvise              vlen ranges, and the bytes that it returned
 *     UFFDIO_WRITEPROTECT          several calls in a row, and the pages that are protected afterwards (schedule/ahead.ts)
 *
 *     7 pages in 4 parts           each has 1, 2, 3 or 4
 *
 * They are taken to be equal, one behind the other.
 */
import type { SyscallAction } from '../schedule/action.ts';

/** Ranges that are known in sum. */
export interface Parts {
  /** How many. */
  readonly count: number;
  /** Pages of all of them. */
  readonly pages: number;
}

/** The parts of a system call, or those that it is one of; null if it is none of these calls, or nothing is known. */
export function partsOf({ name, args, ret, part, ranges }: SyscallAction, pageSize: number): Parts | null {
  if (ranges !== null) return null;
  if (name === 'process_madvise') return { count: args[2] ?? 0, pages: Math.ceil(ret / pageSize) };
  if (part === null || part.hindsight.faults.length === 0) return null;
  return { count: part.hindsight.calls, pages: part.hindsight.faults.length };
}

/** How many pages one of several parts may have; 0 if it is known. */
export function mostOf({ count, pages }: Parts): number {
  return count > 1 && pages > count ? pages - count + 1 : 0;
}

/** From which page to which a part reaches, if all are equal. */
export function equalPart({ count, pages }: Parts, index: number): readonly [from: number, to: number] {
  return [Math.floor((index * pages) / count), Math.floor(((index + 1) * pages) / count)];
}
