/**
 * X86Switches: everything in which x86 kernels differ here, and everything that the naive twins of scenarios get wrong.
 *
 * Versions are constants of switches, never forks of the code; each switch is read in one line of it. A value marked
 * "wrong" was a bug in some kernel or mail, or is the form of the algorithm that a trace of the catalogue refutes.
 */

/** Behaviour switches and parameters of the x86 backend. */
export interface X86Switches {
  // ---- parameters ----

  /** TLB_NR_DYN_ASIDS: slots that mms share on each CPU. 6 in every kernel with PCID (4.14 on). */
  readonly dynAsids: number;
  /** X86_FEATURE_PCID. Without it there is one slot and every context load flushes. */
  readonly pcid: boolean;
  /** tlb_single_page_flush_ceiling: more units than this become a full flush. 33 in every kernel since 2014. */
  readonly ceiling: number;
  /** How many ctx_ids there are before the counter comes round. It never does in any kernel; a small number is wrong (trace T28). */
  readonly ctxIdSpace: number;
  /** Jiffies in a second, the period of cpumask trimming. */
  readonly hz: number;

  // ---- switch_mm_irqs_off ----

  /**
   * When loaded_mm is set to LOADED_MM_SWITCHING:
   * - `before-generation`: before the bit in mm_cpumask and the generation read (6.15 on, fea4e317f9e7)
   * - `after-choice`: only around the CR3 write, for NMIs (4.20 to 6.14, 4012e77a903d). With `targets: 'loaded'` this is
   *   bug B13, CVE-2025-37964
   * - `never`: wrong with `targets: 'loaded'`, for the same reason
   */
  readonly switchingMark: 'before-generation' | 'after-choice' | 'never';
  /**
   * How this CPU enters mm_cpumask(next):
   * - `always`: LOCK, whatever the bit was (up to 6.12)
   * - `if-clear`: LOCK only if the bit is clear (6.13 on, when bits began to outlive the switch, 209954cbc7d0)
   * - `unlocked`: wrong: a store without a barrier, so the generation may be read first (shape of B31, CVE-2016-2069)
   */
  readonly setOwnBit: 'always' | 'if-clear' | 'unlocked';
  /**
   * Whether a full barrier stands where `if-clear` found the bit set (6.18 cycle). Without it (6.13 to 6.17, wrong) the store
   * of loaded_mm may still wait in the store buffer while the generation is read.
   */
  readonly fenceIfBitSet: boolean;
  /** Whether switching away clears this CPU's bit in mm_cpumask(prev) (up to 6.12; 209954cbc7d0 stopped it). */
  readonly clearPrevBit: boolean;
  /** Whether leaving lazy mode for the same mm compares generations (4.20 on, "Make lazy TLB mode lazier"). False is wrong. */
  readonly lazyExitCheck: boolean;
  /** Whether a slot taken from another mm is flushed when it is loaded. False is wrong (trace T28). */
  readonly flushReusedSlot: boolean;

  // ---- flush_tlb_mm_range, flush_tlb_multi ----

  /**
   * `local-first`: this CPU flushes before it sends IPIs, and without freed tables runs the remote function once more after
   * its peers (up to 5.12). `overlapped`: between sending and waiting (5.13 on, "Flush remote and local TLBs concurrently").
   */
  readonly flushOrder: 'local-first' | 'overlapped';
  /**
   * Which CPUs of mm_cpumask get an IPI when no tables were freed: `not-lazy` ones (tlb_is_not_lazy, up to 6.13), or those
   * that `loaded` the mm, are switching, or are to be trimmed (should_flush_tlb, 6.14 on, 6db2526c1d69).
   */
  readonly targets: 'not-lazy' | 'loaded';
  /** Whether a CPU amid a switch is a target (6.15 on, fea4e317f9e7). False is wrong with `targets: 'loaded'` (bug B13). */
  readonly switchingIsTarget: boolean;
  /** Whether lazy CPUs are interrupted when tables were freed (4.20 on, 2ff6ddf19c0e). False is wrong (B33, trace T18). */
  readonly freedTablesReachLazy: boolean;
  /** Whether leaveMmEverywhere reaches lazy CPUs, which at the end of an mm are all there are. False is wrong (8.5, F2). */
  readonly leaveReachesLazy: boolean;
  /** Whether flush_tlb_range says that tables may have been freed (6.15 on; CVE-2025-22045). */
  readonly rangeFreesTables: boolean;
  /** Whether CPUs that run other mms are dropped from the mask by an IPI once a second (6.14 on, 6db2526c1d69). */
  readonly trimCpumask: boolean;
  /** The read of mm_cpumask against the increment of the generation. Reading first is wrong (trace T6). */
  readonly maskRead: 'after-generation' | 'before-generation';
  /** How the generation is increased. `unlocked` is wrong: no barrier between page-table writes and the mask read (B31). */
  readonly incGeneration: 'locked' | 'unlocked';
  /** Whether the initiator flushes itself. False is wrong. */
  readonly localFlush: boolean;
  /** Whether the initiator waits for its IPIs. False is wrong. */
  readonly waitForIpis: boolean;
  /** How other CPUs are reached: by interrupts, or by INVLPGB (6.15 on, where the CPU has it), which needs other ways to free tables. */
  readonly shootdown: 'ipi' | 'broadcast';
  /** Whether a broadcast is waited for (TLBSYNC). False is wrong. */
  readonly tlbsync: boolean;

  // ---- flush_tlb_func ----

  /**
   * A request for an mm that is not loaded: a remote CPU returns in silence (`ignore`, up to 6.12), or it leaves the mask and
   * traces "remote wrong CPU" (`leave-mask`, 6.13 on, 209954cbc7d0).
   */
  readonly wrongMm: 'ignore' | 'leave-mask';
  /**
   * A request for a generation that this CPU has:
   * - `compare`: only the mm's newest generation is compared (up to 5.19)
   * - `silent`: returns at once, except for requests without a generation (6.0 on, "Avoid reading mm_tlb_gen when possible"
   *   and its fix "Ignore f->new_tlb_gen when zero")
   * - `silent-always`: wrong: requests without a generation are taken for old ones
   */
  readonly staleRequest: 'compare' | 'silent' | 'silent-always';
  /** Whether a ranged request that skips a generation becomes a full flush. False is wrong (trace T24). */
  readonly gapRule: boolean;

  // ---- page-table isolation ----

  /** PTI (X86_FEATURE_PTI): user mode has a PCID of its own for each slot, and each flush of user addresses must name it, too. */
  readonly pti: boolean;
  /** Whether flushes invalidate the user PCID. False is wrong with `pti`. */
  readonly ptiUserFlush: boolean;
  /** X86_FEATURE_INVPCID. Without it a page's flush under PTI flushes the whole user PCID at the return to user mode. */
  readonly invpcid: boolean;

  // ---- global ASIDs ----

  /** How many there are: none without INVLPGB, or MAX_ASID_AVAILABLE less the dynamic ones (6.15 on); at most 31 here. */
  readonly globalAsids: number;
  /** An mm that is active on more CPUs than this gets one: 3. */
  readonly globalAsidThreshold: number;
  /** Whether asid_transition is set before the ASID is published. False is wrong. */
  readonly transitionFirst: boolean;
  /** Whether CPUs that run the mm under another ASID are interrupted. False is wrong. */
  readonly transitionIpi: boolean;
  /** Whether CPUs amid a switch are waited for. False is wrong. */
  readonly transitionWait: boolean;
  /** Whether ASIDs that were given back are flushed everywhere before they are taken again. False is wrong. */
  readonly globalReuseFlush: boolean;

  // ---- guests of KVM ----

  /** Whether virtual CPUs that do not run are left out of flushes (PV_TLB_FLUSH, 4.16 on). */
  readonly pvFlush: boolean;
  /** How they are told: a compare-and-swap, or (wrong) a store, which may come after they run again. */
  readonly pvFlag: 'cmpxchg' | 'store';
  /** What the host does when one runs again: exchanges the word and flushes; (wrong) reads it and clears it later; (wrong) no flush. */
  readonly pvResume: 'xchg' | 'read-then-clear' | 'no-flush';

  // ---- kernel addresses ----

  /** How they are flushed: by what drops global entries, or (wrong) by a write of CR3, which keeps them. */
  readonly kernelFlush: 'global' | 'cr3';
  /** Whether INVLPG drops global entries. False are some Alder Lakes with PCID, on which Linux does without PCID (ce0b15d11ad8, B75). */
  readonly invlpgGlobals: boolean;

  // ---- the 2021 RFC ----

  /**
   * pte_needs_flush: as since 5.19 (c9fe66560bf2), or RFC 03's pte_may_need_flush, which lets promotions go and what only takes RW
   * from an entry that was clean.
   */
  readonly needsFlushRule: '5.19' | 'rfc';
  /** Whether tlb_flush looks at need_flush_all. Ignoring it is wrong where nothing else says "everything" (RFC 01, D14). */
  readonly needFlushAll: 'honoured' | 'ignored';
  /** tlb_flush: its own, or asm-generic's default, as on architectures that have none (RFC 12). */
  readonly gatherFlush: 'own' | 'generic';
  /** Whether flushes publish mm.tlbGenCompleted (RFC 08): after the acknowledgements, or (wrong) before. */
  readonly completedGen: 'none' | 'after-flush' | 'before-flush';
}

/** Linux 5.11 (5.10 to 5.12). */
export const X86_LINUX_5_11: X86Switches = {
  dynAsids: 6,
  pcid: true,
  ceiling: 33,
  ctxIdSpace: Number.MAX_SAFE_INTEGER,
  hz: 250,
  switchingMark: 'after-choice',
  setOwnBit: 'always',
  fenceIfBitSet: false,
  clearPrevBit: true,
  lazyExitCheck: true,
  flushReusedSlot: true,
  flushOrder: 'local-first',
  targets: 'not-lazy',
  switchingIsTarget: true,
  freedTablesReachLazy: true,
  leaveReachesLazy: true,
  rangeFreesTables: false,
  trimCpumask: false,
  maskRead: 'after-generation',
  incGeneration: 'locked',
  localFlush: true,
  waitForIpis: true,
  shootdown: 'ipi',
  tlbsync: true,
  wrongMm: 'ignore',
  staleRequest: 'compare',
  gapRule: true,
  pti: false,
  ptiUserFlush: true,
  invpcid: true,
  globalAsids: 0,
  globalAsidThreshold: 3,
  transitionFirst: true,
  transitionIpi: true,
  transitionWait: true,
  globalReuseFlush: true,
  pvFlush: false,
  pvFlag: 'cmpxchg',
  pvResume: 'xchg',
  kernelFlush: 'global',
  invlpgGlobals: true,
  needsFlushRule: '5.19',
  needFlushAll: 'honoured',
  gatherFlush: 'own',
  completedGen: 'none',
};

/** Linux 6.1. */
export const X86_LINUX_6_1: X86Switches = { ...X86_LINUX_5_11, flushOrder: 'overlapped', staleRequest: 'silent' };

/** Linux 6.12: as 6.1. */
export const X86_LINUX_6_12: X86Switches = X86_LINUX_6_1;

/** Linux 6.18. */
export const X86_LINUX_6_18: X86Switches = {
  ...X86_LINUX_6_12,
  switchingMark: 'before-generation',
  setOwnBit: 'if-clear',
  fenceIfBitSet: true,
  clearPrevBit: false,
  targets: 'loaded',
  rangeFreesTables: true,
  trimCpumask: true,
  wrongMm: 'leave-mask',
};

/** The switches of each kernel version, by profile id. */
export const X86_PROFILES: Readonly<Record<string, X86Switches>> = {
  'linux-5.11': X86_LINUX_5_11,
  'linux-6.1': X86_LINUX_6_1,
  'linux-6.12': X86_LINUX_6_12,
  'linux-6.18': X86_LINUX_6_18,
};
