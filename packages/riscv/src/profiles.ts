/**
 * RiscvSwitches: everything in which RISC-V kernels and harts differ here, and everything that the naive twins of scenarios get wrong.
 *
 * Versions are constants of switches, never forks of the code. A value marked "wrong" was a bug in some kernel or mail, or is the form of
 * the algorithm that a scenario refutes.
 */

/** Behaviour switches and parameters of the RISC-V backend. */
export interface RiscvSwitches {
  // ---- the hart ----

  /** Number of ASIDs: 2 to the power of ASIDLEN, up to 65536. One is the boot's. */
  readonly asids: number;
  /** Svadu: the hardware sets accessed and dirty bits. Without it faults do. */
  readonly svadu: boolean;
  /**
   * Whether entries that are not valid may be cached, which the manual allows. `leaves`: a fence with the address drops them; `all`: above
   * the lowest level only one of the ASID does; `never`: harts with Svvptc, which soon forget them.
   */
  readonly cachesInvalid: 'leaves' | 'all' | 'never';

  // ---- flushes ----

  /**
   * How other harts are reached: by a call of the firmware (`sbi`), which interrupts them whatever they have masked, or by Linux' own
   * interrupts (`ipi`, since 6.4 where the platform has them for supervisor mode), which wait until they are enabled.
   */
  readonly rfence: 'sbi' | 'ipi';
  /** Whether a flush waits for the harts that it reaches. False is wrong. */
  readonly waitForIpis: boolean;
  /** Which harts of mm_cpumask flush. All but all of them is wrong. */
  readonly reach: 'all' | 'self' | 'others';
  /**
   * Whether a full barrier stands between page-table stores and the read of mm_cpumask. False is Linux up to 6.18, where none is to be seen:
   * exchanges of leaves are fully ordered, but an entry that led to a table is cleared by a plain store. Wrong where stores are buffered
   * (scenario riscv/unlinked-table).
   */
  readonly flushFence: boolean;
  /** tlb_flush_all_threshold: more strides than this become a flush of the whole ASID. 64 (6.8 on); 1 before. */
  readonly threshold: number;
  /** Whether flushes of huge pages go by their size (6.8 on). */
  readonly hugeStride: boolean;
  /** tlb_flush: always the whole mm (up to 6.7), or the hull of the gather (6.8 on, c5e9b2c2ae82). */
  readonly gatherFlush: 'mm' | 'range';
  /** Whether tlb_flush flushes the whole mm if tables were freed. False is wrong: a range drops leaves only. */
  readonly tablesFlushMm: boolean;
  /** pmdp_collapse_flush: the whole mm, for the entry was no leaf; or (wrong) the range. */
  readonly collapseFlush: 'mm' | 'range';
  /** Whether leaveMmEverywhere reaches lazy harts. False is wrong. */
  readonly leaveReachesLazy: boolean;

  // ---- switch_mm and ASIDs ----

  /**
   * Whether mms have ASIDs (5.13 on, 65d4b9c53017, where there are more than two for each hart). Without, every switch flushes.
   */
  readonly asidAllocator: boolean;
  /**
   * When a hart enters mm_cpumask(next): before its page table is loaded, or (wrong) after, when it may have walked it already. That is
   * LoongArch's order.
   */
  readonly arrival: 'mask-first' | 'satp-first';
  /**
   * Whether a full barrier stands between the bit in mm_cpumask, and a new ASID, and the walks. False is Linux up to 6.18, where none is to be seen
   * on the way (set_bit is relaxed, and a write of satp orders no stores): wrong under a weak model (scenarios riscv/arrival, riscv/asid-flush).
   */
  readonly arrivalFence: boolean;
  /** Whether harts stay in mm_cpumask when they leave an mm that has an ASID. False is wrong: their entries stay. */
  readonly stickyMask: boolean;
  /** Whether a rollover keeps the ASIDs that harts run with. False is wrong. */
  readonly reserveActive: boolean;
  /** Whether a rollover asks every hart to flush itself before it runs a task with a new ASID. False is wrong. */
  readonly rolloverFlush: boolean;

  // ---- deferred flushes of user addresses (development tree, 2026) ----

  /**
   * A flush of an ASID that a hart does not have loaded: interrupts it (`at-once`), or is left in its queue (`deferred`), which it empties when
   * it loads that, or any other, ASID.
   */
  readonly userFlush: 'at-once' | 'deferred';
  /** TLB_FLUSH_QUEUE: ranges that a hart's queue holds; a full queue is an interrupt. 16. */
  readonly deferQueue: number;
  /** Whether the flusher orders its flag before it looks again at what the hart has loaded. False is wrong. */
  readonly deferFlusherFence: boolean;
  /** Whether the hart that switches orders what it has loaded before it looks at the flag. False is wrong. */
  readonly deferSwitcherFence: boolean;
  /** Whether the flusher looks again after it has set the flag. False is wrong. */
  readonly deferRecheck: boolean;
  /** When the queue is emptied: after satp is written, as proposed, or before. */
  readonly drain: 'after-satp' | 'before-satp';
  /** Whether flushes for freed tables may be left in a queue. */
  readonly deferTables: boolean;

  // ---- reclaim ----

  /** Whether reclaim defers (6.8 on, 54d7431af73e): it collects harts, and flushes all their ASIDs at once. */
  readonly tlbbatch: boolean;

  // ---- entries ----

  /**
   * Who makes a hart forget that a page was not there: update_mmu_cache, with a fence at each new entry (`fence`); the fault that finds
   * an entry which grants what was asked for (`spurious`, harts with Svvptc, 6.12 on); or (wrong where such entries are cached) nobody.
   */
  readonly newMapping: 'fence' | 'spurious' | 'never';
}

/** Linux 5.11. */
export const RISCV_LINUX_5_11: RiscvSwitches = {
  asids: 65536,
  svadu: true,
  cachesInvalid: 'leaves',
  rfence: 'sbi',
  waitForIpis: true,
  reach: 'all',
  flushFence: false,
  threshold: 1,
  hugeStride: false,
  gatherFlush: 'mm',
  tablesFlushMm: true,
  collapseFlush: 'mm',
  leaveReachesLazy: true,
  asidAllocator: false,
  arrival: 'mask-first',
  arrivalFence: false,
  stickyMask: true,
  reserveActive: true,
  rolloverFlush: true,
  userFlush: 'at-once',
  deferQueue: 16,
  deferFlusherFence: true,
  deferSwitcherFence: true,
  deferRecheck: true,
  drain: 'after-satp',
  deferTables: true,
  tlbbatch: false,
  newMapping: 'fence',
};

/** Linux 6.1. */
export const RISCV_LINUX_6_1: RiscvSwitches = { ...RISCV_LINUX_5_11, asidAllocator: true };

/** Linux 6.12. */
export const RISCV_LINUX_6_12: RiscvSwitches = {
  ...RISCV_LINUX_6_1,
  rfence: 'ipi',
  threshold: 64,
  hugeStride: true,
  gatherFlush: 'range',
  tlbbatch: true,
};

/** Linux 6.18: as 6.12. */
export const RISCV_LINUX_6_18: RiscvSwitches = RISCV_LINUX_6_12;

/** The switches of each kernel version, by profile id. */
export const RISCV_PROFILES: Readonly<Record<string, RiscvSwitches>> = {
  'linux-5.11': RISCV_LINUX_5_11,
  'linux-6.1': RISCV_LINUX_6_1,
  'linux-6.12': RISCV_LINUX_6_12,
  'linux-6.18': RISCV_LINUX_6_18,
};
