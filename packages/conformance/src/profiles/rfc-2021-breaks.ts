/**
 * What the RFC of 2021 breaks as posted: scenarios of the suite that do not hold once its first patches are applied, and why.
 *
 * Each defect that is named breaks the scenario alone, on top of the corrected patches; the test of the profile tries that. The oracle is
 * the one of the shortest execution that shows it.
 */
import type { Broken } from './spec.ts';

/** Scenarios that break for one reason. */
export interface RfcBreaks {
  /** The patch from which on they do. */
  readonly from: number;
  /** The last patch with which they do; all after `from` if not given. */
  readonly to?: number;
  /** The defects, by number. */
  readonly why: string;
  /** The scenarios, and the oracle that each violates. */
  readonly scenarios: Readonly<Record<string, Broken['oracle']>>;
}

/** In the order of the patches. */
export const RFC_BREAKS: readonly RfcBreaks[] = [
  {
    from: 4,
    why: 'D12: secondary MMUs go on before the flush',
    scenarios: {
      'rfc/D12/fixed': 'O9',
      'dirty-helpers/secondary': 'O9',
    },
  },
  {
    from: 6,
    why: 'D11: a finish without its gather',
    scenarios: {
      'rfc/clear-refs-reset': 'O16',
    },
  },
  {
    from: 9,
    why: 'D1: the comparison is inverted; D2: the cleared slot is asked',
    scenarios: {
      'T10/fixed': 'O9',
      'T12/fixed': 'O9',
      'rfc/D1-table': 'O9',
      'rfc/D1-vma': 'O9',
      'T11/fixed': 'O9',
      'T23/fixed': ['O11', 'O9'],
    },
  },
  {
    from: 9,
    why: 'D2: the cleared slot is asked',
    scenarios: {
      'T14/gather-cleaned': 'O3',
      'writeback/pending': 'O9',
      'T24/fixed': 'O9',
      'rfc/clear-flush': 'O9',
      'cow/running-thread': 'O9',
      'cow/both-write': 'O6',
      'fork/child-exits': 'O6',
      'ksm/merge': 'O9',
      'ksm/store': 'O9',
      'T9/fixed': 'O3',
      'writeback/running-thread': 'O9',
      'writeback/store': 'O9',
      'T16/fixed': 'O9',
      'fork/fault': 'O9',
      'T13/fixed': 'O9',
      'huge/copy-on-write': 'O9',
      'huge/reclaim': 'O9',
      'queue/reclaim-two-mms': 'O3',
      'aggressive/fork': 'O9',
    },
  },
  {
    from: 9,
    why: 'D2: the cleared slot is asked; D4/D5: unlinked tables are covered by no generation',
    scenarios: {
      'T14/cleaned': 'O3',
    },
  },
  {
    from: 12,
    why: 'D13: the gather has no VMA any more',
    scenarios: {
      'rfc/default-tlb-flush': 'O16',
    },
  },
  {
    from: 13,
    why: 'D1: the comparison is inverted; D10: the PTL is dropped inside a bracket',
    scenarios: {
      'T30/fixed': 'O9',
    },
  },
  {
    from: 15,
    why: 'D1: the comparison is inverted',
    scenarios: {
      'generations/merge': 'O9',
      'generations/merge-dropped': 'O9',
    },
  },
  {
    from: 15,
    why: 'D3: a generation is used twice',
    scenarios: {
      'storm/reclaim-beside-gather': ['O1', 'O10'],
      'T1/fixed': 'O1',
      'T2/fixed': 'O1',
    },
  },
  {
    from: 15,
    why: 'D4/D5: unlinked tables are covered by no generation',
    scenarios: {
      'T3/fixed': 'O4',
      'T4/fixed': 'O4',
      'generations/skip-with-tables': 'O4',
      'bug:B33/fixed': 'O4',
      'vma-lock/mremap': 'O4',
      'mremap/running-thread': 'O4',
      'mremap/gather': ['O4', 'O7'],
      'mremap/revoked': 'O4',
      'mremap/fault-at-both-places': 'O4',
      'T15/fixed': 'O4',
      'T15/unlink/once': 'O4',
      'pfnmap/flush-per-vma': 'O4',
      'truncate/munmap': 'O4',
      'tables/munmap-immediate': 'O4',
    },
  },
  {
    from: 15,
    why: 'D16: the generation of the parent',
    scenarios: {
      'rfc/fork-vma': 'assert',
    },
  },
  {
    from: 15,
    why: 'D3: a generation is used twice; D4/D5: unlinked tables are covered by no generation',
    scenarios: {
      'munmap/batch-full': 'O1',
    },
  },
  {
    from: 20,
    why: 'D6: a CPU leaves the mask after its flush',
    scenarios: {
      'T5/fixed': 'O1',
      'rfc/mask-ack': 'O1',
      'rfc/mask-if-missing': 'O1',
    },
  },
  {
    from: 20,
    why: 'D7: the mask is read before the generation is made',
    scenarios: {
      'T6/fixed': 'O1',
    },
  },
  {
    from: 20,
    why: 'D9: only a full flush acknowledges',
    scenarios: {
      'rfc/mask-empties': 'assert',
    },
  },
];

/** What the first patches break as posted. */
export function rfcBreaks(patches: number): Readonly<Record<string, Broken>> {
  const breaks: Record<string, Broken> = {};
  for (const { from, to, why, scenarios } of RFC_BREAKS) {
    if (patches < from || patches > (to ?? patches)) continue;
    for (const [id, oracle] of Object.entries(scenarios)) breaks[id] = { oracle, why };
  }
  return breaks;
}
