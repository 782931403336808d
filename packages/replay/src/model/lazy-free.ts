/**
 * Lazy free: whether a page was written to again after MADV_FREE leaves no event, as its entry still lets everybody write.
 *
 *     MADV_FREE        entries stay, clean and old
 *     a write          sets bits in the entry, or does not happen
 *     MADV_FREE        flushes what was written to meanwhile: nothing, or up to all of it
 */
import type { SyscallAction } from '../schedule/action.ts';

const MADV_FREE = 8;
/** Ranges of an address space that are kept. */
const KEPT = 4096;

/** Remembers what was freed. */
export class LazyFree {
  /** Ranges by the address of their mm. */
  readonly #freed = new Map<number, { readonly start: number; readonly end: number }[]>();

  /** A system call is about to take effect. @returns the bytes of which nobody knows whether they were written to since; 0 if it frees nothing twice */
  note(space: number, { name, args, ret }: SyscallAction): number {
    const [start = 0, length = 0, advice = 0] = args;
    if (name !== 'madvise' || advice !== MADV_FREE || ret < 0) return 0;
    const end = start + length;
    const freed = this.#freed.get(space) ?? [];
    const twice = freed.some((other) => other.start < end && other.end > start);
    if (freed.length === KEPT) freed.shift();
    freed.push({ start, end });
    this.#freed.set(space, freed);
    return twice ? length : 0;
  }

  /** An address space is another one now. */
  forget(space: number): void {
    this.#freed.delete(space);
  }
}
