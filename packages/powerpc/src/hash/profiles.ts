/**
 * HashSwitches: everything in which kernels with the hash MMU differ here, and everything that twins of scenarios get wrong.
 *
 * "As in Linux" is as in 6.12, read line by line, where no version is given. Nothing in the hash MMU itself changed between 5.11 and 6.18 but
 * what lazy MMU mode does about preemption.
 */

/** Behaviour switches and parameters of the hash MMU. */
export interface HashSwitches {
  // ---- parameters ----

  /** Context ids, the kernel's included. Linux has about 2^19; more than are in use at a time say nothing. */
  readonly contexts: number;
  /** Groups of the hash page table (PTEGs), a power of two. Linux: a 128th of memory. */
  readonly groups: number;
  /** Entries of a group: 8. */
  readonly slots: number;
  /** PPC64_TLB_BATCH_NR: 192. */
  readonly batch: number;

  // ---- platform ----

  /** Who changes the hash page table: the kernel (`native`), or the hypervisor, each entry in one step (`lpar`: H_ENTER, H_REMOVE ...). */
  readonly platform: 'native' | 'lpar';
  /** Whether tlbie, or a batch of the hypervisor's calls, needs a lock, as without MMU_FTR_LOCKLESS_TLBIE (before POWER5). */
  readonly tlbieLock: boolean;

  // ---- lazy MMU mode ----

  /** Whether a task may be preempted in a section (up to 6.0; b9ef323ea168). True is wrong for kernel mappings, where no lock is held (B50). */
  readonly lazyPreemption: boolean;
  /** Whether a change of task ends the section of the CPU and begins it again where the task goes on (__switch_to, up to 6.19). */
  readonly switchDrains: boolean;
  /**
   * When collected entries leave the hash page table: at the end of the section, or (wrong) not before the gather is flushed, as before 2007
   * (a741e6796957, bug B49).
   */
  readonly drainAt: 'leave' | 'gather';

  // ---- flush ----

  /**
   * When it is decided that nobody else can have used the mm (mm_is_thread_local):
   * - `before-hpte`: before the entry leaves the hash page table, as in Linux. A CPU that comes to the mm in between still finds
   *   it there, and is left out
   * - `after-hpte`: after it, behind a full barrier
   * - `at-queue`: when the change is collected (wrong)
   */
  readonly localRead: 'after-hpte' | 'before-hpte' | 'at-queue';
  /** When tlbiel takes the place of tlbie: `if-local`, where one CPU alone has used the mm; `never`, without MMU_FTR_TLBIEL; `always` is wrong. */
  readonly tlbiel: 'if-local' | 'never' | 'always';
  /** tlbie after the entry has left the hash page table, or (wrong) before. */
  readonly tlbieOrder: 'after-hpte' | 'before-hpte';
  /** Whether tlbie is done also if the hash page table does not have the entry any more. False is wrong: evictions do no tlbie. */
  readonly tlbieOnMiss: boolean;
  /** Whether tlbie is waited for (eieio; tlbsync; ptesync). False is wrong. */
  readonly tlbsync: boolean;
  /** Whether a change reaches the hash page table at all. False is wrong. */
  readonly hpteFlush: boolean;

  // ---- hash faults ----

  /** Whether a change of an entry waits for a hash fault that is about to insert it (H_PAGE_BUSY). False is wrong. */
  readonly busy: 'waits' | 'ignored';
  /** The two words of a hash page table entry: the one that makes it valid last, or (wrong) first. */
  readonly insertOrder: 'r-first' | 'v-first';
  /** Whether a fault inserts what it has set (hash_preload of update_mmu_cache). */
  readonly preload: boolean;

  // ---- switch_mm ----

  /** Whether a CPU that is new to an mm orders its announcement before its first access (smp_mb in switch_mm_irqs_off). False is wrong. */
  readonly arrivalFence: boolean;
}

/** Linux 5.11. */
export const HASH_LINUX_5_11: HashSwitches = {
  contexts: 256,
  groups: 1024,
  slots: 8,
  batch: 192,
  platform: 'native',
  tlbieLock: false,
  lazyPreemption: true,
  switchDrains: true,
  drainAt: 'leave',
  localRead: 'before-hpte',
  tlbiel: 'if-local',
  tlbieOrder: 'after-hpte',
  tlbieOnMiss: true,
  tlbsync: true,
  hpteFlush: true,
  busy: 'waits',
  insertOrder: 'r-first',
  preload: true,
  arrivalFence: true,
};

/** Linux 6.1: preemption is off in a section. */
export const HASH_LINUX_6_1: HashSwitches = { ...HASH_LINUX_5_11, lazyPreemption: false };

/** Linux 6.12: as 6.1. */
export const HASH_LINUX_6_12: HashSwitches = HASH_LINUX_6_1;

/** Linux 6.18: as 6.1. */
export const HASH_LINUX_6_18: HashSwitches = HASH_LINUX_6_1;

/** The switches of each kernel version, by profile id. */
export const HASH_PROFILES: Readonly<Record<string, HashSwitches>> = {
  'linux-5.11': HASH_LINUX_5_11,
  'linux-6.1': HASH_LINUX_6_1,
  'linux-6.12': HASH_LINUX_6_12,
  'linux-6.18': HASH_LINUX_6_18,
};
