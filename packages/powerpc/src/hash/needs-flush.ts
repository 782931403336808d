/**
 * Questions of generic code about entries. With the hash MMU the answers decide nothing: flushes are done where entries change.
 */
import { type Entry, entryPresent } from '@mmu-gather/core/stepped';

/** pte_needs_flush, huge_pmd_needs_flush (6.1): always true on hash, for what is asked for then is empty. */
export function hashPteNeedsFlush(_old: Entry, _next: Entry): boolean {
  return true;
}

/** pte_accessible without its pending part: only what is present is ever hashed. */
export function hashPteAccessible(entry: Entry): boolean {
  return entryPresent(entry);
}
