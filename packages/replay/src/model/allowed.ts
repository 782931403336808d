/**
 * Allowed sets: what else the kernel may have done where a recording does not tell what decides it. At most four members, the
 * prediction included; `null` stands for no flush at all. A set never depends on what was recorded.
 *
 *     contention     the operation overlaps with another task's on its address space (contention.ts):
 *                    the pages predicted, everything, nothing left to do (0), or no flush; unforeseen ones flush everything
 *     slots          a switch while ASID slots are not known yet (slots.ts): kept (0), flushed, or the mm was loaded already
 *     moves          another CPU switched meanwhile (moves.ts): it was asked or not, and flushed, or left the mm, or neither; if no other CPU may have
 *                    been in the mm's mask, the sender says so or not
 *     freed          MADV_FREE of pages that were freed so before (lazy-free.ts): the pages predicted, all of the range, everything, or no flush
 *     parts          one of several ranges of which the sum is known (parts.ts): any number of pages that leaves one for each other
 *     copy           a write fault on a page that one other holder may still have: a copy (1 page), or reuse
 */
import {
  TLB_FLUSH_ON_TASK_SWITCH,
  TLB_LOCAL_MM_SHOOTDOWN,
  TLB_REMOTE_SEND_IPI,
  TLB_REMOTE_SHOOTDOWN,
  TLB_REMOTE_WRONG_CPU,
} from '@mmu-gather/x86';
import { type Flush, INTERRUPT } from './flush.ts';

/** Numbers of pages that one flush may have; null: it may not come. */
export type Pages = readonly (number | null)[];

/** What is open of one operation. */
export interface Alternatives {
  /** The set that a prediction stands in; itself alone if nothing is open. */
  instead(predicted: Flush): Pages;
  /** The set of a flush that nothing was predicted for, by its CPU and reason, and by what else was; empty if none may come. */
  unforeseen(flush: Pick<Flush, 'cpu' | 'reason'>, predicted: readonly Flush[]): Pages;
}

/** Nothing is open. */
export const NONE: Alternatives = { instead: ({ pages }) => [pages], unforeseen: () => [] };

/** What is open of an operation, as the model knows it. */
export interface Open {
  /** It overlaps with others. */
  readonly contended: boolean;
  /** It may copy a page or not. */
  readonly copies: boolean;
  /** Pages that it frees once more, of which nobody knows whether they were written to since; 0: none. */
  readonly freed: number;
  /** Pages that each range of it may have; 0: it is known. */
  readonly most: number;
  /** It switches where slots are not known. */
  readonly slots: boolean;
  /** Other CPUs that switched meanwhile. */
  readonly moved: readonly number[];
  /** The CPU on which it runs. */
  readonly cpu: number;
  /** Other CPUs that it may ask. */
  readonly others: readonly number[];
}

/** A set of more accepts anything. */
export const MEMBERS: number = 4;
/** Everything. */
const ALL = -1;
/** Reasons from here on are what architectures other than x86 show in place of tlb_flush: the same pages of the same addresses, or nothing. */
const OTHERS = 16;

/** The alternatives of an operation. */
export function alternativesOf(open: Open): Alternatives {
  const { contended, copies, freed, most, slots, moved } = open;
  if (!contended && !copies && freed === 0 && most === 0 && !slots && moved.length === 0) return NONE;
  return {
    instead: (predicted) => [...new Set(instead(open, predicted))],
    unforeseen: (flush, predicted) => [...new Set(unforeseen(open, flush, predicted))],
  };
}

function instead(open: Open, { cpu, reason, pages }: Flush): Pages {
  const { contended, copies, freed, most, slots, moved } = open;
  const may = contended || copies || freed > 0;
  switch (reason) {
    case INTERRUPT:
      return may || moved.includes(pages) ? [pages, null] : [pages];
    case TLB_FLUSH_ON_TASK_SWITCH:
      return slots || moved.includes(cpu) ? [0, ALL, null] : [pages];
    case TLB_REMOTE_SHOOTDOWN:
    case TLB_LOCAL_MM_SHOOTDOWN:
    case TLB_REMOTE_SEND_IPI:
      if (contended) return [pages, ALL, 0, null];
      if (freed > 0) return [pages, freed, ALL, null];
      if (most > 0 && most <= MEMBERS && pages > 0 && pages <= most)
        return Array.from({ length: most }, (_, less) => less + 1);
      if (moved.includes(cpu)) return [pages, 0, null];
      return copies || (reason === TLB_REMOTE_SEND_IPI && allMoved(open)) ? [pages, null] : [pages];
    case TLB_REMOTE_WRONG_CPU:
      return moved.includes(cpu) ? [pages, null] : [pages];
    default:
      return may && reason >= OTHERS ? [pages, null] : [pages];
  }
}

function unforeseen(open: Open, { cpu, reason }: Pick<Flush, 'cpu' | 'reason'>, predicted: readonly Flush[]): Pages {
  const { contended, copies, freed, slots, moved } = open;
  const most: Pages = freed > 0 ? [null, freed, ALL] : copies ? [null, 1] : [null];
  const may = copies || freed > 0;
  switch (reason) {
    case INTERRUPT:
      return asked(open);
    case TLB_FLUSH_ON_TASK_SWITCH:
      return slots || moved.includes(cpu) ? [null, 0, ALL] : [];
    case TLB_REMOTE_SHOOTDOWN: {
      const own = predicted.find((flush) => flush.reason === TLB_LOCAL_MM_SHOOTDOWN);
      if (moved.includes(cpu) && own !== undefined) return [null, own.pages, ALL, 0];
      return contended ? [...most, ALL] : may ? most : [];
    }
    case TLB_REMOTE_WRONG_CPU:
      return moved.includes(cpu) ? [null, 0] : [];
    case TLB_LOCAL_MM_SHOOTDOWN:
    case TLB_REMOTE_SEND_IPI: {
      if (cpu !== open.cpu) return [];
      if (contended) return [...most, ALL];
      const own = predicted.find((flush) => flush.reason === TLB_LOCAL_MM_SHOOTDOWN);
      if (reason === TLB_REMOTE_SEND_IPI && moved.length > 0 && own !== undefined) return [null, own.pages];
      return may ? most : [];
    }
    default:
      return reason >= OTHERS && copies ? most : [];
  }
}

/** All CPUs that may be in the mask switched meanwhile. */
function allMoved({ moved, others }: Open): boolean {
  return others.length > 0 && others.every((cpu) => moved.includes(cpu));
}

/** CPUs that may have been asked. */
function asked({ contended, copies, freed, moved, others }: Open): Pages {
  const may = contended || copies || freed > 0 ? others : moved;
  return may.length > 0 && may.length < MEMBERS ? [null, ...may] : [];
}
