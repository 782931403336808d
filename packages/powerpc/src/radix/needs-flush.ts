/**
 * Which changes of an entry need a flush (pte_needs_flush in asm/book3s/64/tlbflush.h, 6.1 on).
 *
 * The hardware walks again when an entry does not allow what is asked for, or a bit must be set. So what only grants more can stay, and a stale
 * ACCESSED bit does no harm. An entry without any rights (PROT_NONE) is the kernel's own in the hardware's eyes, so it may be cached, too. SAVED_DIRTY is how this house keeps DIRTY in entries that are not writable: powerpc has one bit for both.
 */
import { ACCESSED, DIRTY, type Entry, entryFlags, entryTarget, NX, RW, SAVED_DIRTY } from '@mmu-gather/core/stepped';

/**
 * pte_needs_flush and huge_pmd_needs_flush, 6.1 on. Of entries that are there, before and after: Linux warns of others. Whatever else changes than rights
 * and what hardware sets, it flushes.
 */
export function radixPteNeedsFlush(old: Entry, next: Entry): boolean {
  const diff = (entryFlags(old) ^ entryFlags(next)) & ~(ACCESSED | SAVED_DIRTY);
  const taken = diff & entryFlags(old) & (RW | DIRTY);
  const added = diff & entryFlags(next) & NX;
  const other = (diff & ~(RW | DIRTY | NX)) !== 0 || entryTarget(old) !== entryTarget(next);
  return taken !== 0 || added !== 0 || other;
}
