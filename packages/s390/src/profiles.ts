/**
 * S390Switches: everything in which s390 kernels and machines differ here, and everything that wrong twins get wrong.
 *
 * Versions are constants of switches. Values marked "wrong" were a bug in some kernel, or are refuted by a scenario. One of them is what
 * every kernel since 2017 has: a race that follows from the source and that nobody has reported from practice (Z-D1, `attachRepair`).
 */

/** Behaviour switches and parameters of the s390 backend. */
export interface S390Switches {
  // ---- parameters, and what the machine has ----

  /** ASCEs that may be in use at a time, the invalid one included. There is no such number in Linux: memory is the limit. */
  readonly asces: number;
  /** Local clearing (zEC12 on): IPTE, IDTE and RDP of this CPU alone. */
  readonly tlbLc: boolean;
  /** IDTE; without it CSP purges everything everywhere. */
  readonly idte: boolean;
  /** Reset of DAT protection (z16-era machines; kernels since 6.3): a write fault leaves the entry valid. */
  readonly rdp: boolean;

  // ---- the handshake of flushers and CPUs that attach ----

  /**
   * How a flusher finds out whether it is alone:
   * - `E0` (2.6): local never; lazily if the mm has one user and this CPU runs it. Nobody waits for anybody. Wrong (B80)
   * - `E1` (3.x to 4.8): both if no other CPU is attached, local if mm_cpumask has no other either. Count of attached CPUs and of
   *   flushers are one word in Linux, changed by an atomic operation with a result; here two, which loses nothing
   * - `E2` (4.9 to 4.13): who attaches is in both masks before it waits; local if mm_cpumask is this CPU's, lazily if attach_mask is. Wrong where
   *   a payment copies attach_mask meanwhile, and so takes the bit away (B79)
   * - `E3` (since 2017, b3e5dc45fd1e): in mm_cpumask only after it has waited
   */
  readonly era: 'E0' | 'E1' | 'E2' | 'E3';
  /**
   * What E3 lacks (Z-D1): between the end of its wait and its entry into mm_cpumask a CPU that attaches is not seen by a direct flush, which
   * then purges locally. `none` is Linux, and wrong. Repairs: a direct flush looks at attach_mask too; or flush_count is waited for once more after
   * mm_cpumask was set. That it is set before the wait as well (`mask-twice`) is none where a payment copies attach_mask over it (B79).
   */
  readonly attachRepair: 'none' | 'test-attach' | 'mask-twice' | 'wait-twice';
  /** Whether flush_count += 1 comes before the masks are read: `full` is what the kernel assumes of interlocked updates. `none` is wrong. */
  readonly atomicFence: 'full' | 'none';
  /** When a CPU enters attach_mask: before it waits for flush_count == 0, or (wrong) after it. */
  readonly attachBit: 'before-wait' | 'after-wait';
  /** When a CPU leaves the attach_mask of the mm of before: once its ASCE is not loaded any more, or (wrong) while it still is. */
  readonly detachBit: 'after-load' | 'before-load';
  /** Whether the invalid ASCE is loaded while a CPU is between two mms. False (before 02a8f3abb708) is wrong: it keeps the one that it leaves. */
  readonly invalidBetween: boolean;
  /** Whether who attaches waits for flush_count == 0 (53e857f30867). False is wrong (B80). */
  readonly attachWait: boolean;
  /** Whether who attaches pays the debt. False is wrong. */
  readonly attachPays: boolean;

  // ---- flushes ----

  /** Whether entries are made invalid lazily at all. */
  readonly lazyFlush: boolean;
  /** Where global purges of user addresses act: on all CPUs, or (wrong) on the one that does them. */
  readonly globalPurge: 'everywhere' | 'here';
  /** When mm_cpumask takes what is attached: before the purge, or (wrong, B79) after it. */
  readonly maskCopy: 'before-purge' | 'after-purge';
  /** How the debt is paid: flag first, under the lock; or without it, purge first or flag first (both wrong, B44). */
  readonly debtClear: 'locked' | 'purge-first' | 'flag-first';
  /** When a lazy change makes its debt: once the entry is invalid, or (wrong) before. */
  readonly debtOrder: 'after-entry' | 'before-entry';
  /** How an entry becomes old where nobody flushes afterwards: by a direct change, or (wrong) by a lazy one, whose debt nobody pays. */
  readonly clearYoung: 'direct' | 'lazy';
  /** Whether who pays raises flush_count meanwhile, so that nobody enters mm_cpumask while it is copied. False is wrong. */
  readonly payCounts: boolean;
  /** Whether flushes pay the debt. False is wrong. */
  readonly payDebt: boolean;
  /** Whether an unlinked table is a debt. False is wrong. */
  readonly tableDebt: boolean;
  /** What the IDTE of an entry that led to a table drops: pointers to the table too, or (wrong) what was formed through it alone. */
  readonly tableIdte: 'all' | 'leaves';
  /** Where kernel addresses are purged. `local` is wrong. */
  readonly kernelFlush: 'everywhere' | 'local';
  /** What flush_tlb_all does: nothing in Linux, which is right as long as nobody relies on it; or what flush_tlb_kernel_range does. */
  readonly flushTlbAll: 'idte' | 'empty';

  // ---- gathers and sections ----

  /** Whether a gather keeps pages: no (MMU_GATHER_NO_GATHER), or as elsewhere. */
  readonly gather: 'none' | 'generic';
  /** Lazy MMU mode: nothing (up to 7.1), or the cache of the series of 2026, version 6. With `gather: 'none'` wrong (Z-D2). */
  readonly lazyMmu: 'none' | 'v6';

  /**
   * Whether crst_table_upgrade waits until all CPUs have the new ASCE. Linux does not, which is wrong if a grace period can end before a CPU in
   * user mode has taken the call (Z-D5).
   */
  readonly upgradeWaits: boolean;
  /** Whether a CPU that goes on with a new top-level table drops all that it has cached. False is wrong. */
  readonly upgradePtlb: boolean;

  // ---- leaving an mm everywhere ----

  /** Whether leaveMmEverywhere reaches lazy CPUs. False is wrong. */
  readonly leaveReachesLazy: boolean;
  /** Whether leaveMmEverywhere waits. False is wrong. */
  readonly leaveWaits: boolean;
}

/** Linux 5.11, on a zEC12 or newer. */
export const S390_LINUX_5_11: S390Switches = {
  asces: 32768,
  tlbLc: true,
  idte: true,
  rdp: false,
  era: 'E3',
  attachRepair: 'none',
  atomicFence: 'full',
  attachBit: 'before-wait',
  detachBit: 'after-load',
  invalidBetween: true,
  attachWait: true,
  attachPays: true,
  lazyFlush: true,
  globalPurge: 'everywhere',
  maskCopy: 'before-purge',
  debtClear: 'locked',
  debtOrder: 'after-entry',
  clearYoung: 'direct',
  payCounts: true,
  payDebt: true,
  tableDebt: true,
  tableIdte: 'all',
  kernelFlush: 'everywhere',
  flushTlbAll: 'empty',
  gather: 'none',
  lazyMmu: 'none',
  upgradeWaits: false,
  upgradePtlb: true,
  leaveReachesLazy: true,
  leaveWaits: true,
};

/** Linux 6.1: as 5.11. */
export const S390_LINUX_6_1: S390Switches = S390_LINUX_5_11;

/** Linux 6.12, on a machine with RDP. */
export const S390_LINUX_6_12: S390Switches = { ...S390_LINUX_6_1, rdp: true };

/** Linux 6.18: as 6.12. */
export const S390_LINUX_6_18: S390Switches = S390_LINUX_6_12;

/** The switches of each kernel version, by profile id. */
export const S390_PROFILES: Readonly<Record<string, S390Switches>> = {
  'linux-5.11': S390_LINUX_5_11,
  'linux-6.1': S390_LINUX_6_1,
  'linux-6.12': S390_LINUX_6_12,
  'linux-6.18': S390_LINUX_6_18,
};
