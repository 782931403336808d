/**
 * The end of an address space: what a teardown may leave out because nobody will run the mm again (thread of March 2009,
 * Herrenschmidt, Dickins, Fitzhardinge, Torvalds, Miller).
 *
 * No user code runs, but a lazy CPU may have the mm loaded and speculate through its tables, and its entries stay under
 * their ASID for as long as it likes:
 *
 *                 data pages freed     tables freed            needs
 *     F0, linux   after a flush        after a flush           nothing: the rules of a live mm
 *     F1          at once              after one flush         mm_users 0: no CPU returns to user mode on it
 *     F2          at once              at once                 besides: every CPU has left it, lazy ones and this one too, and
 *                                                              none can load it again
 *     F3          at once              at once                 no CPU has it loaded, and its ASID answers nobody before it
 *                                                              was flushed: on x86, ctx_ids are never reused
 *
 * F2 and F3 leave entries behind under the mm's ASID (oracle O8). What lockless walkers rely on an interrupt for is not lost:
 * GUP-fast walks the mm of its own task, and there is none.
 */
import type { Cpu } from './cpu.ts';
import type { MmuGather } from './mmu-gather.ts';

/** May this gather skip the flush that is due, because its mm is dead? */
export function deadMmNeedsNoFlush(cpu: Cpu, tlb: MmuGather): boolean {
  const { fullmm, deadMeans } = cpu.kernel.profile;
  if (!(deadMeans === 'exiting' ? tlb.exiting : tlb.fullmm)) return false;
  switch (fullmm) {
    case 'linux':
    case 'F0':
      return false;
    case 'F1':
      return !tlb.freedTables;
    case 'F2':
    case 'F3':
      return true;
  }
}
