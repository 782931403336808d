/**
 * Allowed sets: what else the kernel may have done where a recording does not tell what decides it. At most four members, the
 * prediction included; `null` stands for no flush at all. A set never depends on what was recorded.
 *
 *     contention     the operation overlaps with another task's on its address space (contention.ts):
 *                    the pages predicted, everything, nothing left to do (0), or no flush; unforeseen ones flush everything
 *     slots          a switch while ASID slots are not known yet (slots.ts): kept (0), flushed, or the mm was loaded already
 *     copy           a write fault on a page that one other holder may still have: a copy (1 page), or reuse
 */
import {
  TLB_FLUSH_ON_TASK_SWITCH,
  TLB_LOCAL_MM_SHOOTDOWN,
  TLB_REMOTE_SEND_IPI,
  TLB_REMOTE_SHOOTDOWN,
} from '@mmu-gather/x86';
import { type Flush, INTERRUPT } from './flush.ts';

/** Numbers of pages that one flush may have; null: it may not come. */
export type Pages = readonly (number | null)[];

/** What is open of one operation. */
export interface Alternatives {
  /** The set that a prediction stands in; itself alone if nothing is open. */
  instead(predicted: Flush): Pages;
  /** The set of a flush that nothing was predicted for, by its CPU and reason; empty if none may come. */
  unforeseen(flush: Pick<Flush, 'cpu' | 'reason'>): Pages;
}

/** Nothing is open. */
export const NONE: Alternatives = { instead: ({ pages }) => [pages], unforeseen: () => [] };

/** What is open of an operation, as the model knows it. */
export interface Open {
  /** It overlaps with others. */
  readonly contended: boolean;
  /** It may copy a page or not. */
  readonly copies: boolean;
  /** It switches where slots are not known. */
  readonly slots: boolean;
  /** The CPU on which it runs. */
  readonly cpu: number;
  /** Number of CPUs. */
  readonly cpus: number;
}

/** A set of more accepts anything. */
const MEMBERS = 4;
/** Everything. */
const ALL = -1;
/** Reasons of a shootdown. */
const SHOOTDOWN: ReadonlySet<number> = new Set([TLB_REMOTE_SHOOTDOWN, TLB_LOCAL_MM_SHOOTDOWN, TLB_REMOTE_SEND_IPI]);

/** The alternatives of an operation. */
export function alternativesOf({ contended, copies, slots, cpu, cpus }: Open): Alternatives {
  if (!contended && !copies && !slots) return NONE;
  const own = (flush: Pick<Flush, 'cpu' | 'reason'>): boolean =>
    flush.cpu === cpu || flush.reason === TLB_REMOTE_SHOOTDOWN;
  const others = Array.from({ length: cpus }, (_, id) => id).filter((id) => id !== cpu);
  const asked: Pages = others.length < MEMBERS ? [null, ...others] : [];
  return {
    instead({ reason, pages }) {
      if (slots && reason === TLB_FLUSH_ON_TASK_SWITCH) return [0, ALL, null];
      if (reason === INTERRUPT) return contended || copies ? [pages, null] : [pages];
      if (!SHOOTDOWN.has(reason)) return [pages];
      if (contended) return [...new Set([pages, ALL, 0]), null];
      return copies ? [pages, null] : [pages];
    },
    unforeseen(flush) {
      if (slots && flush.reason === TLB_FLUSH_ON_TASK_SWITCH) return [null, 0, ALL];
      if (flush.reason === INTERRUPT) return contended || copies ? asked : [];
      if (!SHOOTDOWN.has(flush.reason) || !own(flush)) return [];
      if (copies) return contended ? [null, 1, ALL] : [null, 1];
      return contended ? [null, ALL] : [];
    },
  };
}
