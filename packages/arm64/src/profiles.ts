/**
 * Arm64Switches: everything in which arm64 kernels and CPUs differ here, and everything that the naive twins of scenarios get wrong.
 *
 * Versions are constants of switches, never forks of the code. A value marked "wrong" was a bug in some kernel or mail, or is the form of
 * the algorithm that a scenario refutes.
 */

/** Behaviour switches and parameters of the arm64 backend. */
export interface Arm64Switches {
  // ---- the CPU ----

  /** Number of ASIDs: 65536, or 256 on small cores. One is the kernel's. A power of two in hardware; any number is explored. */
  readonly asids: number;
  /** FEAT_TLBIRANGE (Armv8.4): one TLBI for a range of pages. Linux uses it since 5.9. */
  readonly tlbRange: boolean;
  /** Bits of the number of units in a range operand: 5. */
  readonly rangeNumBits: number;
  /** Scales of a range operand: 4. */
  readonly rangeScales: number;
  /** FEAT_TTL (Armv8.4): a TLBI names the level of the entry that it drops. Linux uses it since 5.9. */
  readonly ttl: boolean;
  /** FEAT_HAFDBS: the hardware sets access flags and dirty bits. Without it faults do. */
  readonly hafdbs: boolean;
  /**
   * FEAT_ETS2: walks that fault come after earlier accesses, and a DSB holds back walks. Linux relies on neither, so either value is right; what it
   * makes possible is asked by litmus tests (`litmus --variant ets2`).
   */
  readonly ets2: boolean;
  /** KPTI (unmap_kernel_at_el0): two ASIDs for each mm, the odd one for user mode, and each TLBI of user addresses twice. */
  readonly kpti: boolean;

  /** CONT_PTES: entries of a block that the contiguous hint covers: 16 with 4 KiB pages. */
  readonly contPtes: number;
  /** FEAT_BBM level 2, on CPUs that never abort where two sizes are cached for one address (ARM64_HAS_BBML2_NOABORT). */
  readonly bbml2: boolean;

  // ---- flushes ----

  /** MAX_DVM_OPS: as many operations become a flush of the whole mm, where there are none for ranges. PTRS_PER_PTE, 512. */
  readonly maxDvmOps: number;
  /**
   * What stands before a TLBI: DSB ISHST, which makes stores to page tables visible to all walkers, or (wrong) nothing (shape of B63).
   */
  readonly barrierBefore: 'ishst' | 'none';
  /** What stands behind it: DSB ISH, which waits for every CPU, or (wrong) nothing. */
  readonly barrierAfter: 'ish' | 'none';
  /** Whether the flush of kernel addresses waits, too. False is wrong. */
  readonly kernelBarrierAfter: 'ish' | 'none';
  /** Whether TLBIs are broadcast (IS). `local` is wrong: other CPUs keep their entries. */
  readonly shareability: 'inner' | 'local';
  /** When a flush reads the mm's ASID: after the first barrier (5.14 on, 5e10f9887ed8), or before (wrong; ASIDs that roll over meanwhile). */
  readonly asidRead: 'after-barrier' | 'before-barrier';
  /** How num of a range operand is computed: clamped to its field (6.9 on, e3ba51ab24fd), or masked (wrong for the largest range, B66). */
  readonly rangeNum: 'clamped' | 'masked';
  /** Whether the flush of a range of a VMA drops walk caches (VAE1). False is wrong: its tables may go without another one. */
  readonly rangeDropsWalks: boolean;
  /** With KPTI: whether the ASID of user mode is invalidated, too. False is wrong. */
  readonly kptiUserTlbi: boolean;
  /**
   * CPUs whose TLBIs must be repeated (errata.ts), and ARM64_WORKAROUND_REPEAT_TLBI. `each`: TLBI, DSB ISH, TLBI (up to 7.0); `sync`: one more
   * DSB ISH, TLBI of nothing, DSB ISH where a flush waits (7.1).
   */
  readonly repeatTlbi: 'none' | 'each' | 'sync';
  /** Whether they are. False is wrong on these CPUs. */
  readonly repeats: boolean;
  /**
   * Flushes of an mm that has run on one CPU only stay there (R. Roberts, RFC of August 2025; not merged):
   * - `active-cpu`: looks who runs it after a full barrier, so that either it sees the other CPU or that one's walks see the page tables
   * - `reset`: the same, and an mm that gets a new ASID has run nowhere (review of C. Marinas): whoever gives it notes its own CPU after that
   * - `unordered`: wrong: looks before the page-table stores are ordered
   * - `reset-late`: wrong: a CPU notes itself, and then gives the mm a new ASID and forgets who has noted himself
   */
  readonly localFlush: 'off' | 'active-cpu' | 'reset' | 'unordered' | 'reset-late';
  /** With `localFlush`: the barrier before a flush looks for the second time. */
  readonly activeCpuLook: 'ish' | 'ishst';
  /** With `localFlush`: whether a CPU that noted itself has a barrier before it walks (DSB ISHST). False is wrong. */
  readonly activeCpuBarrier: boolean;

  // ---- tlb_flush ----

  /** Whether a gather that freed tables drops walk caches (`last_level = !freed_tables`). False is wrong. */
  readonly freedTablesDropWalks: boolean;
  /** The level hint of a gather: of the one level that it cleared, or (wrong) of the lowest of several. */
  readonly levelHint: 'single' | 'lowest';
  /** A gather of a whole mm without freed tables: no TLBI, because the ASID is dead; or one even so. */
  readonly fullmmFlush: 'skip' | 'always';

  // ---- ASIDs ----

  /**
   * How the fast path takes its ASID: a compare-and-swap that leaves a 0 of a rollover alone (4.16 on, a8ffaaa060b8), or (wrong, B78) an
   * exchange.
   */
  readonly activeAsidUpdate: 'cmpxchg' | 'xchg';
  /** Whether a rollover keeps the ASIDs that CPUs run with. False is wrong. */
  readonly reserveActive: boolean;
  /** Whether every reserved copy of an old ASID moves to the new generation, or (wrong) the first one only. */
  readonly reservedUpdate: 'all' | 'first';
  /** Whether a rollover leaves pinned ASIDs with their mms. False is wrong. */
  readonly keepPinned: boolean;
  /**
   * Whether DSB ISHST stands between the ASID that a CPU gives an mm and its walks under it. False is Linux, where only the flush of a rollover has
   * one: wrong under a weak model (scenario asid/flush-later).
   */
  readonly asidBarrier: boolean;
  /** Whether a rollover asks every CPU to flush itself before it runs a task with a new ASID. False is wrong. */
  readonly rolloverFlush: boolean;

  // ---- context switch ----

  /** Whether __switch_to waits for the CPU's TLBIs (DSB ISH). False is wrong where a task that has issued some can migrate. */
  readonly switchToBarrier: boolean;
  /** Whether leaveMmEverywhere reaches lazy CPUs. False is wrong. */
  readonly leaveReachesLazy: boolean;
  /** Whether leaveMmEverywhere waits. False is wrong. */
  readonly leaveWaits: boolean;

  // ---- reclaim ----

  /** Whether reclaim defers: TLBI at once, one DSB ISH for all of them (6.6 on, 43b3dfdd0455). */
  readonly tlbbatch: boolean;
  /**
   * What somebody who meets a deferral of another CPU does: a flush of the mm (6.16 on, 4b634918384c), or (6.6 to 6.15, wrong) a DSB ISH,
   * which waits for the TLBIs of its own CPU only.
   */
  readonly batchedPendingFlush: 'flush-mm' | 'dsb';

  // ---- entries ----

  /**
   * Which entries may be cached: any valid one (5.10 on, 07509e10dcc7), or (wrong, B81) valid ones with the access flag, although aging
   * clears the flag and does not wait for its TLBI.
   */
  readonly accessibleRule: 'valid' | 'young';
  /**
   * Which change of entries needs no flush: none, or where the old one was not valid or only bits of software differ (c320dbb7c80d,
   * between 6.12 and 6.18).
   */
  readonly needsFlushRule: 'always' | 'valid-change';
  /**
   * How a block of entries gets or loses the contiguous hint: break before make (`break-before-make`, 6.9 on), the same without the flush
   * in between (`no-flush`), which only BBML2 allows, or (wrong) entry by entry in place.
   */
  readonly contpteConvert: 'break-before-make' | 'no-flush' | 'in-place';
  /**
   * An upgrade of an entry that was written to: flushed on every CPU, or on the one that faulted only (November 2025, after 6.18), or (wrong)
   * nowhere: a CPU that holds the older entry faults for ever.
   */
  readonly accessFlagsFlush: 'broadcast' | 'local' | 'none';
}

/** Linux 5.11, with the fix of 5e10f9887ed8 that its stable series has. */
export const ARM64_LINUX_5_11: Arm64Switches = {
  asids: 65536,
  tlbRange: true,
  rangeNumBits: 5,
  rangeScales: 4,
  ttl: true,
  hafdbs: true,
  ets2: false,
  kpti: false,
  contPtes: 16,
  bbml2: false,
  maxDvmOps: 512,
  barrierBefore: 'ishst',
  barrierAfter: 'ish',
  kernelBarrierAfter: 'ish',
  shareability: 'inner',
  asidRead: 'after-barrier',
  rangeNum: 'clamped',
  rangeDropsWalks: true,
  kptiUserTlbi: true,
  repeatTlbi: 'none',
  repeats: true,
  localFlush: 'off',
  activeCpuLook: 'ish',
  activeCpuBarrier: true,
  freedTablesDropWalks: true,
  levelHint: 'single',
  fullmmFlush: 'skip',
  activeAsidUpdate: 'cmpxchg',
  reserveActive: true,
  reservedUpdate: 'all',
  keepPinned: true,
  asidBarrier: false,
  rolloverFlush: true,
  switchToBarrier: true,
  leaveReachesLazy: true,
  leaveWaits: true,
  tlbbatch: false,
  batchedPendingFlush: 'flush-mm',
  accessibleRule: 'valid',
  needsFlushRule: 'always',
  contpteConvert: 'break-before-make',
  accessFlagsFlush: 'broadcast',
};

/** Linux 6.1: as 5.11. */
export const ARM64_LINUX_6_1: Arm64Switches = ARM64_LINUX_5_11;

/** Linux 6.12, with the fix of 4b634918384c that its stable series has. */
export const ARM64_LINUX_6_12: Arm64Switches = {
  ...ARM64_LINUX_6_1,
  tlbbatch: true,
};

/** Linux 6.18. */
export const ARM64_LINUX_6_18: Arm64Switches = { ...ARM64_LINUX_6_12, needsFlushRule: 'valid-change' };

/** The switches of each kernel version, by profile id. */
export const ARM64_PROFILES: Readonly<Record<string, Arm64Switches>> = {
  'linux-5.11': ARM64_LINUX_5_11,
  'linux-6.1': ARM64_LINUX_6_1,
  'linux-6.12': ARM64_LINUX_6_12,
  'linux-6.18': ARM64_LINUX_6_18,
};
