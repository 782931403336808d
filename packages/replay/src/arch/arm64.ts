/**
 * arm64: no tracepoint of flushes. Probes show calls and operands:
 *
 *     call_tlb_flush_N           tlb_flush: the gather's hull and bits; a gather of a whole mm is called, and may flush nothing
 *     call_flush_tlb_range_N     __flush_tlb_range: start and end
 *     tlbi_rvae1is_N             the same where the compiler put its one TLBI in place
 *     tlbi_vale1is_N             TLBI of one page: its operand, which ends in the page number
 *     cpu_do_switch_mm           TTBR0 is loaded
 *
 * N numbers the places in the code where the compiler put the call. ASIDs are not compared: which ones were in use when the recording began is not
 * known.
 */
import { FLUSH_PAGE } from '@mmu-gather/arm64';
import type { MmuEvent } from '@mmu-gather/counting';
import type { Other, TaskEvent } from '../read/event.ts';
import { word } from '../read/fields.ts';
import { type Architecture, type During, hexText, type Observed } from './arch.ts';
import { faultOf, head, probed, valueOf } from './faults.ts';

const CONTEXT_LOAD = 0;
const TLB_FLUSH = 16;
const TLB_FLUSH_RANGE = 17;
const TLBI_PAGE = 18;

/** Bits of struct mmu_gather that say what was cleared, and how: vm_exec and others behind them say nothing of the flush. */
const GATHER_BITS = 0x7f;
/** A gather of a whole mm has no hull. */
const FULLMM = 1;

function gather(start: string, end: string, bits: number): Observed {
  const what = (bits & FULLMM) !== 0 ? 'everything' : `${start}-${end}`;
  return { reason: TLB_FLUSH, pages: -1, where: `${what} ${hexText(bits & GATHER_BITS)}` };
}

function range(start: string, end: string): Observed {
  return { reason: TLB_FLUSH_RANGE, pages: -1, where: `${start}-${end}` };
}

/** A number in an event's text as it stands there, without 0x: the upper half of 64 bits is no safe integer. */
function digits({ text }: Other, key: string): string {
  return word(text, key).replace('0x', '');
}

/** A range that the compiler flushes in place: its operand has the first page in 36:0, num in 43:39 and the scale in 45:44. */
function rangeOf(event: Other): Observed {
  const operand = BigInt(word(event.text, 'op='));
  const page = Number(operand & 0x1fffffffffn);
  const pages = (Number((operand >> 39n) & 31n) + 1) * 2 ** (5 * Number((operand >> 44n) & 3n) + 1);
  return range(hexText(page * 4096), hexText((page + pages) * 4096));
}

/** The page number in a TLBI's operand: bits 43:0. */
const PAGE_DIGITS = 11;

function observed(event: Other): Observed | null {
  const { name } = event;
  if (name.startsWith('call_tlb_flush_'))
    return gather(digits(event, 'start='), digits(event, 'end='), valueOf(event, 'bits='));
  if (name.startsWith('call_flush_tlb_range_')) return range(digits(event, 'x1='), digits(event, 'x2='));
  if (name.startsWith('tlbi_vale1is_')) {
    const page = digits(event, 'op=').slice(-PAGE_DIGITS).replace(/^0+/, '');
    return { reason: TLBI_PAGE, pages: 1, where: page };
  }
  if (name.startsWith('tlbi_rvae1is_')) return rangeOf(event);
  return name === 'cpu_do_switch_mm' ? { reason: CONTEXT_LOAD, pages: 0 } : null;
}

function recorded(event: Other): TaskEvent {
  if (event.name === 'handle_mm_fault') return faultOf(event);
  if (event.name === 'do_wp_page') return { ...head(event), kind: 'pagePresent', copies: false };
  const flush = observed(event) ?? null;
  if (flush === null) return probed(event) ?? event;
  return { ...head(event), kind: 'tlbFlush', ...flush };
}

/** Bytes under a table of PTEs. */
const TABLE = 2 ** 21;

/** A table that mremap moves as a whole, page by page: the kernel takes no probe there (move_page_tables+0x67c and +0xba8). */
function movesTable(start: number, end: number, stride: number): boolean {
  return stride === 4096 && end - start === TABLE && start % TABLE === 0;
}

const MADV_PAGEOUT = 21;

/** MADV_PAGEOUT: the kernel takes no probe where it flushes (madvise_pageout+0x184). */
function pagesOut({ name, args }: During): boolean {
  return (name === 'madvise' && args[2] === MADV_PAGEOUT) || (name === 'process_madvise' && args[3] === MADV_PAGEOUT);
}

function traced(event: string, [a = 0, b = 0, c = 0, d = 0]: readonly number[], operation: During): Observed | null {
  switch (event) {
    case 'arm64_gather':
      return pagesOut(operation) ? null : gather(hexText(a), hexText(b), c);
    case 'arm64_flush_range':
      return operation.name === 'mremap' && movesTable(a, b, c) ? null : range(hexText(a), hexText(b));
    case 'arm64_tlb_flush':
      return a === FLUSH_PAGE ? { reason: TLBI_PAGE, pages: 1, where: hexText(d / 4096) } : null;
    default:
      return null;
  }
}

function loads(event: MmuEvent): Observed | null {
  return event.kind === 'load' && event.root !== 0 ? { reason: CONTEXT_LOAD, pages: 0 } : null;
}

/** Recordings of arm64, with pages of 4 KiB and 48 bits of addresses. */
export const ARM64: Architecture = {
  id: 'arm64',
  names: {
    [CONTEXT_LOAD]: 'context load',
    [TLB_FLUSH]: 'tlb_flush',
    [TLB_FLUSH_RANGE]: 'flush_tlb_range',
    [TLBI_PAGE]: 'TLBI of a page',
  },
  recorded,
  traced,
  drops: (event, [, , pages = 0]) => (event === 'arm64_tlb_flush' ? pages : null),
  mmu: loads,
  trimClock: null,
  runsLast: null,
  hashed: 0,
  mapLocked: 0x2000,
  mapNoreserve: 0x4000,
  slots: false,
  places: {
    fixed: [
      [0xaaaaaaaa0000, 0xaaaaaab00000],
      [0xfffff7000000, 0x1000000000000],
    ],
    random: [
      [0xaaaa00000000, 0xaaaff0000000],
      [0xffff00000000, 0xfffff7000000],
    ],
    stackTop: 2 ** 48,
    // Within 1 GiB: another table of pages, the same of huge ones.
    stackShift: 2 ** 29,
  },
};
