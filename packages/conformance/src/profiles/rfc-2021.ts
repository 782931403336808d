/**
 * The RFC "TLB batching consolidation and enhancements" (N. Amit, linux-mm, 2021-01-30): 20 patches, each as a change of switches.
 *
 *     rfcProfile('as-posted', n)     the first n patches, defects included
 *     rfcProfile('corrected', n)     the same, each as it has to be
 *
 * They sit on 5.11.14, which differs from 5.11 by two fixes (FIXES). A patch that changes nothing that can be observed here has no
 * switches, and says why. What was found in each, and by which scenario, is in docs/rfc-2021.md.
 */
import type { Switches } from '@mmu-gather/core/stepped';
import type { BackendOverrides } from '../scenario.ts';
import { RAISED_BEFORE_FLUSH } from './mends.ts';
import { rfcBreaks } from './rfc-2021-breaks.ts';
import type { ProfileSpec } from './spec.ts';

/** What a patch changes. */
export interface PatchChange {
  /** Switches of core and mm. */
  readonly switches?: Partial<Switches>;
  /** Switches of backends. */
  readonly backend?: BackendOverrides;
}

/** One patch of the RFC. */
export interface RfcPatch {
  /** Its number, from 1. */
  readonly number: number;
  /** Its subject, shortened. */
  readonly title: string;
  /** What it does, or why nothing of it can be observed here. */
  readonly does: string;
  /** As posted. */
  readonly posted: PatchChange;
  /** As it has to be. */
  readonly corrected: PatchChange;
  /** Defects that were found in it, and the twin that shows each. */
  readonly defects: Readonly<Record<string, string>>;
}

/** A patch that is the same in both forms. */
function same(change: PatchChange): Pick<RfcPatch, 'posted' | 'corrected'> {
  return { posted: change, corrected: change };
}
const NOTHING: Pick<RfcPatch, 'posted' | 'corrected'> = same({});

/** The patches in order. */
export const RFC_PATCHES: readonly RfcPatch[] = [
  {
    number: 1,
    title: 'mm/tlb: fix fullmm semantics',
    does: 'a nested finish sets need_flush_all instead of fullmm, and need_flush_all alone makes a gather flush',
    ...same({ switches: { nestedFinish: 'need-flush-all' } }),
    defects: { D14: 'rfc/D14' },
  },
  {
    number: 2,
    title: 'mm/mprotect: use mmu_gather',
    does: 'change_protection notes each entry in a gather, which flushes once for the whole call',
    ...same({ switches: { changeProtection: 'gather' } }),
    defects: {},
  },
  {
    number: 3,
    title: 'mm/mprotect: do not flush on permission promotion',
    does: 'entries that only gain rights are not flushed, nor writable ones that are clean and lose the right to write',
    ...same({ switches: { needsFlush: 'architecture' }, backend: { x86: { needsFlushRule: 'rfc' } } }),
    defects: {},
  },
  {
    number: 4,
    title: 'mm/mapping_dirty_helpers: use mmu_gather',
    does: 'dirty tracking of a mapping flushes through a gather for each VMA',
    posted: { switches: { dirtyHelpers: 'gather', notifierEnd: 'before-flush' } },
    corrected: { switches: { dirtyHelpers: 'gather', notifierEnd: 'after-flush' } },
    defects: { D12: 'rfc/D12' },
  },
  {
    number: 5,
    title: 'mm/tlb: move BATCHED_UNMAP_TLB_FLUSH to tlb.h',
    does: 'nothing: declarations move',
    ...NOTHING,
    defects: {},
  },
  {
    number: 6,
    title: 'fs/task_mmu: use mmu_gather interface of clear-soft-dirty',
    does: 'clear_refs notes each entry in a gather',
    posted: { switches: { clearRefs: 'gather-unpaired' } },
    corrected: { switches: { clearRefs: 'gather' } },
    defects: { D11: 'rfc/D11' },
  },
  {
    number: 7,
    title: 'mm: move x86 tlb_gen to generic code',
    does: 'nothing: generations are generic here from the start (the names that do not match, D18, break a build only)',
    ...NOTHING,
    defects: { D18: 'text only' },
  },
  {
    number: 8,
    title: 'mm: store completed TLB generation',
    does: 'a finished flush raises the completed generation of its mm',
    ...same({ backend: { x86: { completedGen: 'after-flush' } } }),
    defects: {},
  },
  {
    number: 9,
    title: 'mm: create pte/pmd_tlb_flush_pending()',
    does: 'readers ask for the finest answer that there is; ptep_clear_flush asks about an entry, not about a value',
    posted: { switches: { accessibleEntry: 'slot' } },
    corrected: { switches: { accessibleEntry: 'old' } },
    defects: { D2: 'rfc/D2' },
  },
  {
    number: 10,
    title: 'mm: add pte_to_page()',
    does: 'nothing: finds the page of the table of an entry, which is known here',
    ...NOTHING,
    defects: {},
  },
  {
    number: 11,
    title: 'mm/tlb: remove arch-specific tlb_start/end_vma()',
    does: 'nothing on x86, whose ranges were merged across VMAs before (csky loses its flush for each VMA, D18)',
    ...same({ switches: { mergeVmas: true } }),
    defects: {},
  },
  {
    number: 12,
    title: 'mm/tlb: save the VMA that is flushed during tlb_start_vma()',
    does: 'the default tlb_flush passes the real VMA on: nothing on x86, which has a tlb_flush of its own',
    posted: { switches: { defaultFlushVma: 'real' } },
    corrected: { switches: { defaultFlushVma: 'fabricated' } },
    defects: { D13: 'rfc/D13' },
  },
  {
    number: 13,
    title: 'mm/tlb: introduce tlb_start_ptes() and tlb_end_ptes()',
    does: 'changes under one PTL stand in a bracket, which settles deferrals of reclaim when it opens',
    posted: { switches: { helpersSettle: true, madviseRelock: 'stays-open' } },
    corrected: { switches: { helpersSettle: true, madviseRelock: 'ends-bracket' } },
    defects: { D10: 'rfc/D10', D18: 'text only' },
  },
  {
    number: 14,
    title: 'mm: move inc/dec_tlb_flush_pending() to mmu_gather.c',
    does: 'nothing: by now only gathers count themselves',
    ...NOTHING,
    defects: {},
  },
  {
    number: 15,
    title: 'mm: detect deferred TLB flushes in vma granularity',
    does: 'a gather records a generation in the VMA for each table, flushes to it, and skips the flush if it is completed',
    posted: {
      switches: {
        deferral: 'vma-gen',
        newGeneration: 'reused',
        genPending: 'inverted',
        untrackedGen: 'as-recorded',
        skipCompleted: 'past',
        forkVmaGen: 'inherited',
      },
    },
    corrected: { switches: { deferral: 'vma-gen' } },
    defects: {
      D1: 'rfc/D1-vma/inverted',
      D3: 'rfc/D3a, rfc/D3b',
      D4: 'rfc/D4',
      D5: 'rfc/D5',
      D16: 'rfc/D16',
    },
  },
  {
    number: 16,
    title: 'mm/tlb: per-page table generation tracking',
    does: 'the generation is recorded in the page of the table instead',
    ...same({ switches: { deferral: 'table-gen' } }),
    defects: { D1: 'rfc/D1-table/inverted', D17: 'rfc/D17' },
  },
  {
    number: 17,
    title: 'mm/tlb: updated completed deferred TLB flush conditionally',
    does: 'the completed generation is raised only while a deferred one is above it',
    posted: { switches: { completedUpdate: 'conditional', forkMmGens: 'deferred' } },
    corrected: { switches: { completedUpdate: 'conditional', forkMmGens: 'none' } },
    defects: { D15: 'rfc/D15' },
  },
  {
    number: 18,
    title: 'mm: make mm_cpumask() volatile',
    does: 'nothing: every access here is one that is written down',
    ...NOTHING,
    defects: {},
  },
  {
    number: 19,
    title: 'lib/cpumask: introduce cpumask_atomic_or()',
    does: "CPUs enter reclaim's mask with an atomic OR, or without any if they are in it; seen once patch 20 uses it",
    posted: { switches: { batchedOr: 'if-missing' } },
    corrected: { switches: { batchedOr: 'always' } },
    defects: { D8: 'rfc/D8' },
  },
  {
    number: 20,
    title: 'mm/rmap: avoid potential races',
    does: 'one mask of CPUs that must flush for reclaim, which they leave by themselves, replaces the flag and the mask of the batch',
    posted: {
      switches: {
        batchedPending: 'cpumask',
        batchedTargets: 'shared',
        batchedAck: 'after-full-flush',
        batchedOrder: 'mask-first',
      },
    },
    corrected: {
      switches: {
        batchedPending: 'cpumask',
        batchedTargets: 'own',
        batchedAck: 'arrival',
        batchedOrder: 'generation-first',
      },
    },
    defects: { D6: 'rfc/D6', D7: 'rfc/D7', D9: 'rfc/D9' },
  },
];

/** How the patches are applied. */
export type RfcForm = 'as-posted' | 'corrected';

/** What 5.11.14 has and 5.11 has not: do_wp_page asks for pending flushes, clear_refs flushes (W. Deacon's series). */
const FIXES: Partial<Switches> = { uffdWpPendingFlush: true, clearRefs: 'pending-mm' };

/** Backend switches of two changes together. */
function merge(one: BackendOverrides, other: BackendOverrides): BackendOverrides {
  const merged: Record<string, Readonly<Record<string, unknown>>> = { ...one };
  for (const [id, switches] of Object.entries(other)) merged[id] = { ...merged[id], ...switches };
  return merged;
}

/** Wrong twins that the first patches make harmless, in either form. From patch 15 on deferrals are recorded. */
function rfcMends(patches: number): NonNullable<ProfileSpec['mends']> {
  return patches >= 15 ? RAISED_BEFORE_FLUSH : {};
}

/**
 * The profile with the first patches.
 * @param count how many: 0 is the kernel that the RFC was written for, 20 all of it
 */
export function rfcProfile(form: RfcForm, count: number): ProfileSpec {
  const patches = RFC_PATCHES.slice(0, count);
  let switches: Partial<Switches> = FIXES;
  let backend: BackendOverrides = {};
  for (const patch of patches) {
    const change = form === 'corrected' ? patch.corrected : patch.posted;
    switches = { ...switches, ...change.switches };
    backend = merge(backend, change.backend ?? {});
  }
  const all = count === RFC_PATCHES.length;
  return {
    id: `rfc-2021-${form}${all ? '' : `@${count}`}`,
    title: `${all ? 'all 20 patches' : `the first ${count} patches`} of the RFC of 2021, ${form === 'corrected' ? 'corrected' : 'as posted'}`,
    source: 'N. Amit, "TLB batching consolidation and enhancements", linux-mm, 2021-01-30',
    kernel: 'linux-5.11',
    switches,
    backend,
    ...(form === 'as-posted' ? { breaks: rfcBreaks(count) } : {}),
    mends: rfcMends(count),
  };
}

/** Both forms with all patches. */
export const RFC_2021: readonly ProfileSpec[] = [rfcProfile('as-posted', 20), rfcProfile('corrected', 20)];
