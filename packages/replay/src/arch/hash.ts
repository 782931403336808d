/**
 * powerpc with the hash MMU: probes on what makes pages leave the hash page table.
 *
 *     hpte_need_flush            an entry that was hashed has changed: its address
 *     __flush_tlb_pending        the end of a lazy MMU section, with what it has collected
 *     flush_hash_range           several pages leave the table; pSeries_lpar_hpte_invalidate one
 *
 * Faults are probes on handle_mm_fault and, of misses that page tables answer, on hash_page_mm.
 */
import { H_PAGE_HASHPTE } from '@mmu-gather/powerpc';
import type { Other, TaskEvent } from '../read/event.ts';
import { number, word } from '../read/fields.ts';
import { type Architecture, hexText, type Observed } from './arch.ts';
import { faultOf, head, probed, valueOf } from './faults.ts';
import { POWERPC_PLACES } from './powerpc.ts';

const HPTE_NEED_FLUSH = 16;
const FLUSH_TLB_PENDING = 17;
const FLUSH_HASH_RANGE = 18;

/** _PAGE_WRITE in the access of a hash fault. */
const PAGE_WRITE = 2;

function removal(pages: number, local: boolean): Observed {
  return { reason: FLUSH_HASH_RANGE, pages, where: local ? 'local' : '' };
}

function observed(event: Other): Observed | null {
  switch (event.name) {
    case 'hpte_need_flush':
      return { reason: HPTE_NEED_FLUSH, pages: 1, where: hexText(valueOf(event, 'addr=')) };
    case '__flush_tlb_pending':
      return { reason: FLUSH_TLB_PENDING, pages: number(event.text, 'index='), where: '' };
    case 'flush_hash_range':
      return removal(number(event.text, 'number='), number(event.text, 'local=') === 1);
    case 'pSeries_lpar_hpte_invalidate':
      return removal(1, number(event.text, 'local=') === 1);
    default:
      return null;
  }
}

function recorded(event: Other): TaskEvent {
  switch (event.name) {
    case 'handle_mm_fault':
      return faultOf(event);
    case 'hash_page_mm':
      return {
        ...head(event),
        kind: 'tlbMiss',
        address: valueOf(event, 'ea='),
        write: (Number.parseInt(word(event.text, 'access=').slice(-1), 16) & PAGE_WRITE) !== 0,
      };
    default: {
      const flush = observed(event);
      return flush === null ? (probed(event) ?? event) : { ...head(event), kind: 'tlbFlush', ...flush };
    }
  }
}

function traced(event: string, [a = 0, b = 0]: readonly number[]): Observed | null {
  switch (event) {
    case 'hpte_need_flush':
      return { reason: HPTE_NEED_FLUSH, pages: 1, where: hexText(a) };
    case '__flush_tlb_pending':
      return { reason: FLUSH_TLB_PENDING, pages: a, where: '' };
    case 'flush_hash_range':
      return removal(a, b === 1);
    default:
      return null;
  }
}

/** Recordings of powerpc with the hash MMU and pages of 64 KiB. */
export const HASH: Architecture = {
  id: 'powerpc-hash',
  names: {
    [HPTE_NEED_FLUSH]: 'hpte_need_flush',
    [FLUSH_TLB_PENDING]: 'flush_tlb_pending',
    [FLUSH_HASH_RANGE]: 'flush_hash_range',
  },
  recorded,
  traced,
  drops: (event, [pages = 0]) => (event === 'flush_hash_range' ? pages : null),
  mmu: null,
  trimClock: null,
  runsLast: null,
  hashed: H_PAGE_HASHPTE,
  mapLocked: 0x80,
  mapNoreserve: 0x40,
  slots: false,
  places: POWERPC_PLACES,
};
