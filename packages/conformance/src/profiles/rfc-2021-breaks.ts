/**
 * What the RFC of 2021 breaks as posted: scenarios of the suite that do not hold once its first patches are applied, on which
 * architectures, and why.
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
  /** The defects, by number. They break the scenarios on every architecture on which one of them does harm ({@link HARMLESS}). */
  readonly why: string;
  /** The architectures, if it is only some of these. */
  readonly only?: readonly string[];
  /** Of these, those on which the scenarios hold all the same, and why. */
  readonly but?: Readonly<Record<string, string>>;
  /** The scenarios, and the oracle that each violates. */
  readonly scenarios: Readonly<Record<string, Broken['oracle']>>;
}

/** The architectures of this repository. Of a third party's nothing is said. */
const ARCHS: readonly string[] = ['x86', 'arm64', 'powerpc-hash', 'powerpc-radix', 's390', 'sparc64', 'riscv'];

/** Architectures on which nobody has anything to flush once the lock of a changed entry is dropped. */
const NOTHING_DEFERRED: Readonly<Record<string, string>> = {
  'powerpc-hash': 'what a change takes away has left the hash page table and all TLBs before its PTL is dropped',
  s390: 'an entry is purged where it changes',
  sparc64: 'what a change takes away has left the TSB and all TLBs before its PTL is dropped',
};

/** Architectures whose CPUs compare no generations. */
const NO_GENERATIONS: Readonly<Record<string, string>> = {
  ...NOTHING_DEFERRED,
  arm64: 'no CPU compares generations: a flush is a TLBI, whatever its generation',
  'powerpc-radix': 'no CPU compares generations: a flush is a flush, whatever its generation',
  riscv: 'no hart compares generations: whoever is asked flushes',
};

/** radix asks nobody before ptep_clear_flush flushes. */
const ALWAYS_ACCESSIBLE: Readonly<Record<string, string>> = {
  'powerpc-radix': 'pte_accessible says yes to everything: ptep_clear_flush flushes whatever was there',
};

/** The mask of RFC 20 is x86's; where its scenarios run all the same, reclaim defers nothing. */
const NO_MASK: Readonly<Record<string, string>> = {
  'powerpc-hash': 'reclaim defers nothing (no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH)',
};

/** On which architectures a defect does no harm, by number, and why not. On all others it does. */
export const HARMLESS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  D1: NOTHING_DEFERRED,
  D2: { ...NOTHING_DEFERRED, ...ALWAYS_ACCESSIBLE },
  D3: NO_GENERATIONS,
  'D4/D5': NO_GENERATIONS,
  D6: NO_MASK,
  D7: NO_MASK,
  D9: NO_MASK,
  D10: NOTHING_DEFERRED,
  D12: NOTHING_DEFERRED,
};

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
      'T11/fixed': ['O9', 'O13'],
      'bug:B01/fixed': ['O9', 'O13'],
      'writeback/pending': ['O9', 'O3'],
    },
  },
  {
    from: 9,
    why: 'D1: the comparison is inverted; D2: the cleared slot is asked',
    but: ALWAYS_ACCESSIBLE,
    scenarios: {
      'T12/fixed': 'O9',
      'rfc/D1-table': 'O9',
      'rfc/D1-vma': 'O9',
      'bug:B06/fixed': 'O9',
      'T23/fixed': ['O11', 'O9'],
    },
  },
  {
    from: 9,
    why: 'D1: the comparison is inverted',
    scenarios: {
      'control:N3': 'O9',
      'settle/vma-gen': 'O9',
      'settle/table-gen': 'O9',
    },
  },
  {
    from: 9,
    why: 'D2: the cleared slot is asked',
    but: { riscv: 'a hart fences the page of each fault of its own (update_mmu_cache), and there is one' },
    scenarios: {
      'purpose/madvise': ['O11', 'O6'],
      'purpose/fork': 'O6',
      'purpose/exit': 'O6',
      'purpose/huge-zeroes': 'O6',
      'purpose/huge-wanted': 'O6',
      'purpose/vma-locks': 'O6',
      'purpose/huge-moved': ['O6', 'O4'],
      'purpose/merged-clean': 'O1',
      'purpose/huge-pageout': ['O11', 'O1'],
    },
  },
  {
    from: 9,
    why: 'D2: the cleared slot is asked',
    scenarios: {
      'purpose/swap': 'O3',
      'purpose/migrate': 'O1',
      'purpose/ksm': 'O1',
      'purpose/writeback': 'O3',
      'purpose/private-file': ['O6', 'O1'],
      'purpose/dirty-entries': 'O17',
      'purpose/swapped': 'O10',
      'purpose/copies': 'O10',
      'purpose/huge-advised': ['O10', 'O11'],
      'purpose/pageout': ['O11', 'O10'],
      'T14/gather-cleaned': 'O3',
      'T24/fixed': 'O9',
      'rfc/clear-flush': 'O9',
      'cow/running-thread': 'O9',
      'cow/both-write': 'O6',
      'ksm/merge': 'O9',
      'ksm/store': 'O9',
      'ksm/mremap': 'O9',
      'ksm/dontneed': 'O9',
      'T9/fixed': 'O3',
      'control:N1': 'O9',
      'bug:B18/fixed': 'O3',
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
    why: 'D2: the cleared slot is asked',
    but: { riscv: 'each new entry is fenced on the hart that faulted, and no other runs the mm' },
    scenarios: {
      'fork/child-exits': 'O6',
    },
  },
  {
    // Where reclaim does not defer in 5.11 it flushes by ptep_clear_flush; the setup of some of these does so, too.
    from: 9,
    why: 'D2: the cleared slot is asked',
    only: ['arm64', 'riscv'],
    scenarios: {
      'bug:B02/fixed': 'O9',
      'bug:B81/fixed': 'O9',
      'T20/fixed': 'O9',
      'reclaim/clean-file-page': 'O9',
      'reclaim/dirty-file-page': 'O9',
      'reclaim/pageout': 'O9',
      'T7/fixed': 'setup',
      'T26/fixed': 'setup',
      'T26/two-words': 'setup',
      'migration/running-thread': 'O9',
      'migration/store': 'O9',
      'clear-refs/reclaim': 'O9',
      'dirty-helpers/reclaim': 'O9',
      'storm/reclaim-beside-gather': 'O12',
      'aggressive/aging': 'O9',
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
    },
  },
  {
    from: 9,
    why: 'D2: the cleared slot is asked',
    only: ['arm64', 'riscv'],
    scenarios: {
      'two/migrate-zap': 'O10',
      'purpose/given-up': 'O10',
    },
  },
  {
    from: 9,
    why: 'D2: the cleared slot is asked',
    only: ['x86'],
    scenarios: {
      'purpose/given-up': ['O10', 'O11'],
      'reclaim/each-page': 'setup',
    },
  },
  {
    from: 15,
    why: 'D4/D5: what changes outside of a bracket is covered by no generation',
    only: ['x86'],
    scenarios: {
      'generations/no-bracket': 'O10',
    },
  },
  {
    from: 15,
    why: 'D3: a generation is used twice',
    scenarios: {
      'storm/reclaim-beside-gather': ['O1', 'O10'],
      'purpose/table-gone': ['O4', 'O11'],
      'huge/munmap-full': 'O1',
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
      'masks/leave-and-arrive': 'O4',
      'vma-lock/mremap': 'O4',
      'mremap/running-thread': 'O4',
      'purpose/mremap': 'O4',
      'purpose/levels': 'O4',
      'purpose/stack': 'O4',
      'purpose/stack-table': 'O4',
      'tables/pt-reclaim-refilled': 'O4',
      'mremap/gather': ['O4', 'O7'],
      'mremap/revoked': 'O4',
      'mremap/fault-at-both-places': 'O4',
      'T15/fixed': 'O4',
      'bug:B17/fixed': 'O4',
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

/** The defects that a reason names, by number. */
export function defectsOf(why: string): string[] {
  return why.split('; ').map((part) => part.slice(0, part.indexOf(':')));
}

/** Architectures on which scenarios break for a reason: where one of its defects does harm. */
export function breaksOn({ why, only = ARCHS, but = {} }: RfcBreaks): string[] {
  const harms = (arch: string): boolean => defectsOf(why).some((defect) => HARMLESS[defect]?.[arch] === undefined);
  return only.filter((arch) => harms(arch) && but[arch] === undefined);
}

/** What the first patches break as posted, by key. */
export function rfcBreaks(patches: number): Readonly<Record<string, Broken>> {
  const breaks: Record<string, Broken> = {};
  for (const group of RFC_BREAKS) {
    const { from, to, why, scenarios } = group;
    if (patches < from || patches > (to ?? patches)) continue;
    for (const [id, oracle] of Object.entries(scenarios))
      breaks[`${id}@${breaksOn(group).join(',')}`] = { oracle, why };
  }
  return breaks;
}
