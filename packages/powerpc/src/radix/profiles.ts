/**
 * RadixSwitches: everything in which radix kernels and their machines differ here, and everything that the naive twins of scenarios get
 * wrong. Versions are constants of switches, never forks of the code; each switch is read in one line of it.
 */

/** Behaviour switches and parameters of the radix backend. */
export interface RadixSwitches {
  // ---- the machine ----

  /** PIDs that there are, the kernel's included. 2^20 on POWER9 and later; a PID is its mm's alone, so their number shows nowhere else. */
  readonly pids: number;
  /** ISA 3.1 (POWER10): tlbiel of a PID is one instruction, and the nest MMU walks again when an entry does not allow enough. */
  readonly isa31: boolean;
  /**
   * Whether a fault leaves what it used. Only the nest MMU is so, before ISA 3.1. Here coprocessors are CPUs, so all of them are: for machines on which
   * no other CPU runs user code of the mm.
   */
  readonly keepsNarrower: boolean;
  /** Sets of the TLB that tlbiel of a PID loops over before ISA 3.1: 128 on POWER9. */
  readonly tlbSets: number;
  /**
   * What POWER9 gets wrong (CPU_FTR_P9_TLBIE_STQ_BUG, CPU_FTR_P9_TLBIE_ERAT_BUG): a broadcast may be complete before older stores of other
   * CPUs through the entry are, or miss an ERAT whose thread changes its PID. As the worst case, nobody waits for such a broadcast at all.
   */
  readonly errata: 'none' | 'stq' | 'erat' | 'both';
  /** MMU_FTR_GTSE: the guest may use tlbie. False: it asks the hypervisor (H_RPT_INVALIDATE, 5.9 on). */
  readonly gtse: boolean;
  /** cputlb_use_tlbie: whether tlbie reaches all CPUs. False: Microwatt, or disable_tlbie in debugfs; interrupts and tlbiel instead. */
  readonly tlbie: boolean;

  // ---- parameters ----

  /** tlb_single_page_flush_ceiling: more pages than this become the whole PID where a broadcast is needed. 33. */
  readonly ceiling: number;
  /** tlb_local_single_page_flush_ceiling: the same where this CPU alone is flushed. Twice the 128 sets of the TLB: 256. */
  readonly localCeiling: number;
  /** tlb_mm_cpumask_trim_timer: global flushes of a CPU between two attempts to trim mm_cpumask (5.12 on). 0: none (up to 5.11). */
  readonly trimTimer: number;

  // ---- versions ----

  /** FLUSH_TYPE_NONE: an mm that no CPU has used since it was trimmed is not flushed at all (5.12 on). */
  readonly noneType: boolean;
  /** Whether flush_tlb_range of a PMD and more drops the page walk cache, too (5.14 on). False is wrong where whole tables are moved. */
  readonly rangePwc: boolean;
  /**
   * Whether lazy CPUs hold a reference to the mm, or are made to leave it when it goes (MMU_LAZY_TLB_SHOOTDOWN, 6.4 on). `forgotten` is wrong: neither,
   * and the PID that is still loaded becomes another mm's.
   */
  readonly lazyTlb: 'refcount' | 'shootdown' | 'forgotten';
  /**
   * Whether a collapse interrupts every CPU of the mm before its flush (serialize_against_pte_lookup, up to 6.0; bedf03416913): GUP-fast with
   * interrupts off has left then. Since then GUP-fast looks at the entry above a second time.
   */
  readonly collapseSerializes: boolean;
  /** pte_needs_flush: every change (up to 6.0), or only those that take something away (6.1 on). */
  readonly needsFlushRule: 'always' | '6.1';
  /**
   * Who takes CPUs out of mm_cpumask when an mm is trimmed: each `target` itself, unless it runs the mm by then (5.9 on, a665eec0a22e), or
   * the `initiator`, who resets the mask when all have answered (0cef77c7798a, wrong: kthread_use_mm may have come meanwhile).
   */
  readonly trimBits: 'target' | 'initiator';
  /** Whether a CPU that goes offline leaves every mm_cpumask (5.11 on). False is wrong: it gets no interrupt that would make it leave. */
  readonly offlineLeaves: boolean;

  // ---- orders, and what naive twins leave out ----

  /** smp_mb between the bit in mm_cpumask and the PID, on the way in. False is wrong. Pairs with {@link flushFence}. */
  readonly switchFence: boolean;
  /** smp_mb between the change of entries and the read of mm_cpumask. False is wrong. Pairs with {@link switchFence}. */
  readonly flushFence: boolean;
  /** When a flush finds out who uses the mm. Before entries are cleared is wrong: a CPU may come in between. */
  readonly typeRead: 'after-clear' | 'before-clear';
  /** Whether flushes reach what {@link RadixSwitches.typeRead} found. `self` is wrong: always this CPU alone. */
  readonly reach: 'needed' | 'self';
  /** ptesync before invalidations. False is wrong: walkers may go on with what was there before. User addresses have {@link flushFence} as well. */
  readonly ptesync: boolean;
  /** eieio; tlbsync; ptesync after a broadcast of user addresses. False is wrong. */
  readonly tlbsync: boolean;
  /** The same of kernel addresses. */
  readonly kernelTlbsync: boolean;
  /** Whether a flush waits for its interrupts. False is wrong. */
  readonly waitForIpis: boolean;
  /** Whether the CPU that asks does its own part, alone or among those that it interrupts. False is wrong. */
  readonly ownPart: boolean;
  /** Whether the errata are worked around, on machines that have them. False is wrong there. */
  readonly fixups: boolean;
  /** Whether tlb_flush drops the page walk cache when tables were freed. False is wrong (bug B88). */
  readonly gatherPwc: boolean;
  /**
   * What a collapse flushes. `by-page-size`: with base pages of 4 KiB the whole mm, with larger ones each page. `pages`: each page, whatever its size.
   * No kernel of 4 KiB does that; tables that are explored have no larger pages.
   */
  readonly collapseFlush: 'by-page-size' | 'pages';
  /** RIC of the last flush of an mm: 2 drops what is cached of the process table. 0 is wrong: the PID is given to somebody else. */
  readonly teardownRic: 0 | 2;
  /** Whether the process table forgets an mm before its last flush. `after-flush` is wrong: it can be cached again. */
  readonly prtbCleared: 'before-flush' | 'after-flush';
  /** Whether CPUs that leave an mm at its end (F2) flush. False is wrong where PIDs are used again. */
  readonly leaveFlushes: boolean;
  /** Whether a collapse drops the page walk cache (radix__flush_tlb_collapsed_pmd). False is wrong. */
  readonly collapsePwc: boolean;
  /** Whether a zap flushes the entry of a huge page where it clears it (pmdp_huge_get_and_clear_full). False is wrong. */
  readonly hugeZapFlush: boolean;
  /** How many PIDs are handed out in turn, whoever has them. 0: those that are free. Others are wrong: two mms share one. */
  readonly pidTurns: number;
  /** Whether lazy CPUs are made to leave an mm at its end (F2). False is wrong. */
  readonly leaveReachesLazy: boolean;
  /** Whether flushes go to coprocessors (copros > 0 needs tlbie). False is wrong. */
  readonly countCopros: boolean;
  /** Whether a coprocessor is flushed before it stops being counted. False is wrong. */
  readonly coproFlush: 'before-detach' | 'after-detach';
  /**
   * Where a CPU that trims itself has interrupts off. An interrupt that trims as well must not find it half gone:
   * - `nowhere` (5.12 to 6.4): wrong, it may be taken out of the mask before it switches
   * - `switch` (6.5 on): wrong, too, as far as this model can tell: the mask is tested and changed with interrupts on, and the count drops twice
   * - `throughout`: right; no kernel does
   */
  readonly trimIrqsOff: 'nowhere' | 'switch' | 'throughout';
  /** Whether a gather flushes before it records pages of another size (MMU_GATHER_PAGE_SIZE). False is wrong. */
  readonly pageSizeFlush: boolean;
  /** Whether a trimmed CPU looks if it runs the mm before it leaves the mask. False is wrong. */
  readonly trimLooks: boolean;
  /** Whether a CPU that borrows the mm leaves it when it is trimmed. False is wrong: it goes on walking, and is in no mask. */
  readonly trimSwitches: boolean;
}

/** Linux 5.11 on POWER9. */
export const RADIX_LINUX_5_11: RadixSwitches = {
  pids: 4096,
  isa31: false,
  keepsNarrower: false,
  tlbSets: 128,
  errata: 'both',
  gtse: true,
  tlbie: true,
  ceiling: 33,
  localCeiling: 256,
  trimTimer: 0,
  noneType: false,
  rangePwc: false,
  lazyTlb: 'refcount',
  collapseSerializes: true,
  collapseFlush: 'by-page-size',
  needsFlushRule: 'always',
  trimBits: 'target',
  offlineLeaves: true,
  switchFence: true,
  flushFence: true,
  typeRead: 'after-clear',
  reach: 'needed',
  ptesync: true,
  tlbsync: true,
  kernelTlbsync: true,
  waitForIpis: true,
  ownPart: true,
  fixups: true,
  gatherPwc: true,
  teardownRic: 2,
  prtbCleared: 'before-flush',
  leaveFlushes: true,
  collapsePwc: true,
  hugeZapFlush: true,
  pidTurns: 0,
  leaveReachesLazy: true,
  countCopros: true,
  coproFlush: 'before-detach',
  trimIrqsOff: 'nowhere',
  pageSizeFlush: true,
  trimLooks: true,
  trimSwitches: true,
};

/** Linux 6.1. */
export const RADIX_LINUX_6_1: RadixSwitches = {
  ...RADIX_LINUX_5_11,
  trimTimer: 1073,
  noneType: true,
  rangePwc: true,
  collapseSerializes: false,
  needsFlushRule: '6.1',
};

/** Linux 6.12. */
export const RADIX_LINUX_6_12: RadixSwitches = { ...RADIX_LINUX_6_1, lazyTlb: 'shootdown', trimIrqsOff: 'switch' };

/** Linux 6.18: as 6.12. */
export const RADIX_LINUX_6_18: RadixSwitches = RADIX_LINUX_6_12;

/** The switches of each kernel version, by profile id. */
export const RADIX_PROFILES: Readonly<Record<string, RadixSwitches>> = {
  'linux-5.11': RADIX_LINUX_5_11,
  'linux-6.1': RADIX_LINUX_6_1,
  'linux-6.12': RADIX_LINUX_6_12,
  'linux-6.18': RADIX_LINUX_6_18,
};
