/**
 * Sparc64Switches: everything in which sparc64 kernels differ here, and everything that wrong twins get wrong.
 *
 * Versions are constants of switches. Values marked "wrong" were a bug in some kernel, or are refuted by a scenario. Three values that Linux
 * has to this day are among them: they are races found while this backend was written from the source, which nobody has reported from
 * practice (D-S1 to D-S3 below); their windows are a few instructions long.
 */

/** Behaviour switches and parameters of the sparc64 backend. */
export interface Sparc64Switches {
  // ---- parameters ----

  /** Context numbers, 0 (the kernel's) included: 2 to the power of CTX_NR_BITS, 8192 in every kernel. */
  readonly contexts: number;
  /** Entries of a new mm's TSB for base pages: 512. A power of two. */
  readonly tsbEntries: number;
  /** Entries up to which it may grow: 65536. */
  readonly tsbMaxEntries: number;
  /** Entries of its TSB for huge pages, each of half a huge page. 0: there is none. */
  readonly hugeTsbEntries: number;
  /** TSBs for each CPU; what was freed is any CPU's. 0: no mm has one, and nothing is looked up: for machines that do not model TLBs. */
  readonly tsbs: number;
  /** TLB_BATCH_NR: addresses in a batch, 192. */
  readonly batchNr: number;
  /** Which TLBs a demap of a page reaches: the one for data, with another demap for instructions (sun4u), or both (sun4v). */
  readonly demaps: 'data' | 'both';

  // ---- lazy MMU mode ----

  /** Whether tasks may be preempted in a lazy MMU section (up to 6.14, a1d416bf9faf): wrong, the CPU's flag and batch do not go along. */
  readonly lazyMmuPreemption: boolean;

  // ---- flushes ----

  /** TSB entries first, then TLBs; the reverse is wrong: a TLB is filled again from the TSB in between. */
  readonly flushOrder: 'tsb-first' | 'tlb-first';
  /** What a batch flushes of an mm whose context number is not valid: its TSB, or (wrong) nothing: it runs again with that TSB. */
  readonly invalidContext: 'tsb' | 'nothing';
  /** When a flush reads mm_cpumask: after the TSB is clean, or (wrong) before. */
  readonly maskRead: 'after-tsb' | 'before-tsb';
  /**
   * What a flush does with mm_cpumask: nothing, or (wrong, up to 5.9: bafb056ce279) sets it to this CPU alone if the mm has one user, which
   * loses the bit of a kernel thread that has just begun to use it.
   */
  readonly trimMask: 'never' | 'single-user';
  /** Whether cross calls are waited for: batches until they have run, mondos until they are accepted. False is wrong. */
  readonly waitForIpis: boolean;
  /** Whether the CPU that flushes demaps for itself. False is wrong. */
  readonly localDemap: boolean;
  /** Whether other CPUs are called at all. False is wrong. */
  readonly crossCall: boolean;
  /** Whether CPUs touch user stacks at trap level 1 (register windows), with mondos held; windows.ts. Off: it never happens. */
  readonly windowTraps: boolean;
  /**
   * How long the flush of a single page waits: until each target has accepted the mondo (every kernel since 3.10, f36391d2790d), or has taken
   * it. The first is wrong where `windowTraps` (D-S3): a target that holds mondos back may still use the page.
   */
  readonly singlePage: 'accepted' | 'taken';
  /** Whether an address is noted as executable (bit 0), and demapped for instructions, too. False is wrong where a demap is of data alone. */
  readonly execBit: boolean;
  /** Whether both halves of a huge page are flushed, or (wrong) only the first. */
  readonly hugeHalves: 'both' | 'first';
  /** Whether taking a table away flushes the entries in it (tlb_batch_pmd_scan). False is wrong: flush_tlb_range does nothing. */
  readonly pmdScan: boolean;

  // ---- TSB ----

  /**
   * Whether the miss handler looks at the entry again once it has locked the tag. No kernel does (tsb_reload), which is wrong (D-S1): it may put
   * an entry into the TSB that was flushed meanwhile.
   */
  readonly recheckPte: boolean;
  /** Which TSBs a flush looks into while one grows: the new one and the old one, or (every kernel; wrong, D-S2) the new one alone. */
  readonly growFlush: 'both' | 'new-only';
  /** When the old TSB of one that grew is freed: after all CPUs have left it, or (wrong) before. */
  readonly oldTsbFree: 'after-sync' | 'before-sync';

  // ---- contexts ----

  /** Whether a CPU that runs a context for the first time demaps it. False is wrong: somebody else may have had the number. */
  readonly firstRunDemap: boolean;
  /** When it enters mm_cpumask: with the lock of the mm's context held, or (wrong) after, when a flush may have looked already. */
  readonly arrival: 'locked' | 'unlocked';
  /** Whether a CPU says which mm it is about to run before it looks at the version of its context. False is wrong. */
  readonly secondaryFirst: boolean;
  /** What a wrap does first: raises the version, or (wrong) looks at what CPUs run. */
  readonly wrapOrder: 'version-first' | 'slots-first';
  /** Whether there is a full barrier between the two. False is wrong. */
  readonly wrapFence: boolean;
  /** Whether a wrap lets running mms keep their numbers (4.13 on). False is wrong: a running mm's number is given away. */
  readonly wrapKeeps: boolean;
  /** Whether a new number clears mm_cpumask (4.13 on). False is wrong: a CPU trusts what it has under the new number. */
  readonly maskCleared: boolean;
  /**
   * Which numbers the end of an mm gives back: those of the current version; or (wrong) all, though another mm may have it now; or none, for
   * a wrap will (no kernel). The last one takes no lock that would keep the struct while a wrap looks at it: right as long as wraps raise the version
   * first, for then whoever leaves the mm meanwhile needs the lock to go on.
   */
  readonly numberFreed: 'if-current' | 'always' | 'at-wrap';
}

/** Linux 5.11. */
export const SPARC64_LINUX_5_11: Sparc64Switches = {
  contexts: 8192,
  tsbEntries: 512,
  tsbMaxEntries: 65536,
  hugeTsbEntries: 512,
  tsbs: 0,
  batchNr: 192,
  demaps: 'data',
  lazyMmuPreemption: true,
  flushOrder: 'tsb-first',
  invalidContext: 'tsb',
  maskRead: 'after-tsb',
  trimMask: 'never',
  waitForIpis: true,
  localDemap: true,
  crossCall: true,
  windowTraps: false,
  singlePage: 'accepted',
  execBit: true,
  hugeHalves: 'both',
  pmdScan: true,
  recheckPte: false,
  growFlush: 'new-only',
  oldTsbFree: 'after-sync',
  firstRunDemap: true,
  arrival: 'locked',
  secondaryFirst: true,
  wrapOrder: 'version-first',
  wrapFence: true,
  wrapKeeps: true,
  maskCleared: true,
  numberFreed: 'if-current',
};

/** Linux 6.1: as 5.11. */
export const SPARC64_LINUX_6_1: Sparc64Switches = SPARC64_LINUX_5_11;

/** Linux 6.12: as 6.1. */
export const SPARC64_LINUX_6_12: Sparc64Switches = SPARC64_LINUX_6_1;

/** Linux 6.18. */
export const SPARC64_LINUX_6_18: Sparc64Switches = { ...SPARC64_LINUX_6_12, lazyMmuPreemption: false };

/** The switches of each kernel version, by profile id. */
export const SPARC64_PROFILES: Readonly<Record<string, Sparc64Switches>> = {
  'linux-5.11': SPARC64_LINUX_5_11,
  'linux-6.1': SPARC64_LINUX_6_1,
  'linux-6.12': SPARC64_LINUX_6_12,
  'linux-6.18': SPARC64_LINUX_6_18,
};
