/**
 * Costs: what each piece of a flush costs on each architecture, with where the figure comes from and how far others lie from it.
 *
 *     page, full          one instruction that drops one page, or everything under a tag, on its own CPU
 *     load                a context load that drops what its tag held
 *     broadcast           one instruction that every CPU hears; entry: one that changes an entry, too (s390)
 *     wait                the wait for broadcasts to be done everywhere
 *     ipi, ipiMore        sending the first interrupt of a flush and waiting for its answer; each further one
 *     interrupt           what it takes from the CPU that is interrupted, without what it invalidates
 *     refill              one dropped entry that is needed again
 *     entries             room for entries in a TLB: no more of them are lost at once
 *
 * The figures depend on the machine. They set orders of magnitude, and the same figure stands on both sides of a comparison. Where nobody
 * has published one, the source says so and the range is wide.
 */

/** Pieces of a flush that have a cost. */
export type CostName =
  | 'page'
  | 'full'
  | 'load'
  | 'broadcast'
  | 'entry'
  | 'wait'
  | 'ipi'
  | 'ipiMore'
  | 'interrupt'
  | 'refill'
  | 'entries';

/** What a figure is measured in; cycles need the machine's frequency. */
export type Unit = 'cycles' | 'ns' | 'entries';

/** A figure. */
export interface Cost {
  /** The figure. */
  readonly value: number;
  /** Its unit. */
  readonly unit: Unit;
  /** The least that was found elsewhere, in the same unit. */
  readonly low: number;
  /** The most. */
  readonly high: number;
  /** Who measured it, on what; or that nobody did. */
  readonly source: string;
}

/** The figures of an architecture. */
export interface ArchCosts {
  /** Frequency in GHz, for figures in cycles. */
  readonly ghz: number;
  /** The figures. */
  readonly costs: Readonly<Record<CostName, Cost>>;
}

function cost(unit: Unit, value: number, low: number, high: number, source: string): Cost {
  return { value, unit, low, high, source };
}

/** Nobody has published a figure: what stands here, and why. */
function assumed(value: number, unit: Unit, why: string): Cost {
  return cost(unit, value, value / 10, value * 10, `no published figure: ${why}`);
}

const MOLNAR = 'I. Molnar, boot microbenchmark, LKML, 8 June 2015 (Intel)';

const X86: ArchCosts = {
  ghz: 2.6,
  costs: {
    page: cost('cycles', 120, 90, 260, `INVLPG: 260 cycles in ${MOLNAR}; 90 to 100 each in a guest (AMD EPYC)`),
    full: cost('cycles', 300, 96, 404, `CR3 rewrite 96 cycles, helper 404: ${MOLNAR}`),
    load: cost('cycles', 300, 96, 404, `CR3 rewrite 96 cycles, helper 404: ${MOLNAR}`),
    broadcast: assumed(200, 'cycles', 'INVLPGB, taken for a bit more than INVLPG'),
    entry: assumed(120, 'cycles', 'x86 has no such instruction'),
    wait: assumed(1000, 'cycles', 'TLBSYNC, taken for half an interrupt'),
    ipi: cost(
      'cycles',
      2000,
      1000,
      28_000,
      'an estimate within what is published: more than 1000 cycles: Amit, Tai, Wei, EuroSys 2020; 2.7 us on two sockets: LATR, ASPLOS 2018; 28,000 in a guest',
    ),
    ipiMore: cost('cycles', 200, 100, 2000, 'an estimate, no published figure'),
    interrupt: cost(
      'cycles',
      600,
      600,
      1200,
      'an estimate of entry and exit, no published figure; twice that with page-table isolation',
    ),
    refill: cost(
      'cycles',
      5,
      5,
      30,
      '1024 resident pages read again after a full flush: 5 cycles each, walks overlap (AMD EPYC, guest)',
    ),
    entries: cost('entries', 3072, 512, 3072, 'second-level data TLB for 4 KiB pages, AMD EPYC family 19h (boot log)'),
  },
};

const ARM_FLUSH = 'mprotect none -> rw takes 3.2 us with its flush and 2.85 us without: commit message of c320dbb7c80d';

const ARM64: ArchCosts = {
  ghz: 2.6,
  costs: {
    page: assumed(10, 'ns', 'TLBI of one CPU, taken for cheap and pipelined'),
    full: assumed(10, 'ns', 'TLBI ASIDE1 of one CPU, taken for cheap and pipelined'),
    load: assumed(10, 'ns', 'a write of TTBR0; it drops nothing'),
    broadcast: assumed(10, 'ns', 'TLBI IS, taken for cheap and pipelined: its DSB waits'),
    entry: assumed(10, 'ns', 'arm64 has no such instruction'),
    wait: cost(
      'ns',
      340,
      100,
      5000,
      `DSB ISH on an idle machine, what is left of 350 ns: ${ARM_FLUSH}. More CPUs wait longer; how much is published nowhere`,
    ),
    ipi: assumed(770, 'ns', 'as on x86; only freed tables interrupt'),
    ipiMore: assumed(77, 'ns', 'as on x86'),
    interrupt: assumed(230, 'ns', 'as on x86'),
    refill: assumed(2, 'ns', 'as on x86'),
    entries: assumed(1280, 'entries', 'a second-level TLB of usual size'),
  },
};

const LIKE_ARM: ArchCosts['costs'] = Object.fromEntries(
  Object.entries(ARM64.costs).map(([name, { value, unit }]) => [name, assumed(value, unit, 'taken from arm64')]),
) as ArchCosts['costs'];

const POWERPC: ArchCosts = {
  ghz: 3.0,
  costs: {
    ...LIKE_ARM,
    page: assumed(20, 'ns', 'tlbiel'),
    full: cost(
      'ns',
      640,
      5,
      6400,
      'tlbiel of each of the 128 sets of POWER9 (0cef77c7798a names the number), 5 ns each assumed; one from ISA 3.1 on',
    ),
  },
};

const S390: ArchCosts = {
  ghz: 5.0,
  costs: {
    ...LIKE_ARM,
    entry: assumed(500, 'ns', 'IPTE or IDTE, a quiesce of all CPUs: taken for a broadcast and its wait, and more'),
    page: assumed(50, 'ns', 'IPTE of one CPU'),
    broadcast: assumed(500, 'ns', 'IDTE by ASCE, a quiesce of all CPUs'),
  },
};

const SPARC64: ArchCosts = {
  ghz: 4.0,
  costs: {
    ...LIKE_ARM,
    page: assumed(100, 'ns', 'a demap; on sun4v a trap to the hypervisor'),
    full: assumed(100, 'ns', 'a demap of a context'),
    refill: assumed(20, 'ns', 'a trap that looks into the TSB'),
  },
};

const RISCV: ArchCosts = {
  ghz: 1.5,
  costs: {
    ...LIKE_ARM,
    page: assumed(50, 'ns', 'SFENCE.VMA of an address'),
    full: assumed(50, 'ns', 'SFENCE.VMA of an ASID'),
    load: assumed(50, 'ns', 'a write of satp, and SFENCE.VMA'),
    ipi: assumed(1500, 'ns', 'as on x86, by way of the firmware'),
  },
};

/** The figures of every architecture, by its id. */
export const COSTS: Readonly<Record<string, ArchCosts>> = {
  x86: X86,
  arm64: ARM64,
  'powerpc-hash': POWERPC,
  'powerpc-radix': POWERPC,
  s390: S390,
  sparc64: SPARC64,
  riscv: RISCV,
};
