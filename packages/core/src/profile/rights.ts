/**
 * Switches of operations that change rights, and of copies: mprotect, NUMA hinting, userfaultfd, fork, copy-on-write.
 */
import { type Axes, axis } from './axis.ts';

/** Behaviour switches of rights and copies. */
export interface RightsSwitches {
  /**
   * How mprotect and other users of change_protection flush: `range` counts them in tlb_flush_pending and flushes the whole
   * range if any entry changed (up to 5.18); `gather` uses mmu_gather and records only entries that need it (5.19 on, RFC 02).
   */
  readonly changeProtection: 'range' | 'gather' | 'none';
  /** Which entries change_protection records: all that changed, or those of pte_needs_flush (5.19 on, RFC 03). */
  readonly needsFlush: 'always' | 'architecture';
  /**
   * When a write fault on a private page takes it without a copy: if it is marked as exclusive (5.19 on), or only if nobody
   * else holds a reference, which anybody may take for a moment (5.8 to 5.18, 09854ba94c6a; trace T10 needs it).
   */
  readonly anonReuse: 'exclusive' | 'only-reference';
  /** Whether mprotect makes entries of exclusive anonymous pages writable at once (6.1 on), or leaves it to a fault. */
  readonly mprotectWritable: boolean;
  /**
   * What fork does after write-protecting the parent:
   * - `mm`: one flush_tlb_mm, whether anything was protected or not (Linux)
   * - `protected`: a flush of the range that lost the right to write; if none did, of what others have deferred (this project's)
   * - `none`: wrong
   */
  readonly forkFlush: 'mm' | 'protected' | 'none';
  /** What a copy-on-write fault does with the old entry: ptep_clear_flush, or (wrong) clear only. */
  readonly cowFlush: 'clear-flush' | 'clear';
  /** Whether a write fault on a userfaultfd-protected page flushes when a flush is pending (5.12 on). */
  readonly uffdWpPendingFlush: boolean;
  /** Whether UFFDIO_WRITEPROTECT that lets writes through again makes entries writable at once (6.3 on), or leaves it to a fault. */
  readonly uffdResolveWritable: boolean;
  /**
   * How clear_refs flushes after it write-protected entries for soft-dirty tracking:
   * - `pending-mm`: counts itself in tlb_flush_pending, and flushes the mm (5.11.14 on)
   * - `gather`: notes the entries in an mmu_gather (RFC 06, corrected)
   * - `flush-if-nested`: opens a gather, notes nothing, so only a nested finish flushes (up to 5.11.0; wrong)
   * - `gather-unpaired`: RFC 06 as posted: also the type that only resets a counter finishes a gather (defect D11, trace T29)
   */
  readonly clearRefs: 'pending-mm' | 'gather' | 'flush-if-nested' | 'gather-unpaired';
  /**
   * Whether clear_refs lets secondary MMUs go on (mmu_notifier_invalidate_range_end) after its flush, or before it (every Linux;
   * harmless as long as they do not rely on what other CPUs may still write).
   */
  readonly clearRefsNotifierEnd: 'after-flush' | 'before-flush';
  /** Whether faults try the lock of their VMA first, and leave mmap_lock alone if they get it (6.4 on). */
  readonly perVmaLocks: boolean;
  /**
   * Who locks VMAs for write before it changes them or what they map, with `perVmaLocks`:
   * - `all`: also fork, each VMA of the parent (6.5 on, fb49c455323f)
   * - `all-but-fork`: 6.4 (trace T16)
   * - `none`: wrong
   */
  readonly vmaWriters: 'all' | 'all-but-fork' | 'none';
  /** Whether VMAs are freed after a grace period, as faults find them without a lock, or (wrong with `perVmaLocks`) at once. */
  readonly vmaFree: 'rcu' | 'at-once';
}

/** As in Linux 5.11. */
export const RIGHTS_5_11: RightsSwitches = {
  changeProtection: 'range',
  needsFlush: 'always',
  anonReuse: 'only-reference',
  mprotectWritable: false,
  forkFlush: 'mm',
  cowFlush: 'clear-flush',
  uffdWpPendingFlush: false,
  uffdResolveWritable: false,
  clearRefs: 'flush-if-nested',
  clearRefsNotifierEnd: 'before-flush',
  perVmaLocks: false,
  vmaWriters: 'all',
  vmaFree: 'rcu',
};

/** What Linux 6.18 changed. */
export const RIGHTS_6_18: Partial<RightsSwitches> = {
  changeProtection: 'gather',
  needsFlush: 'architecture',
  anonReuse: 'exclusive',
  mprotectWritable: true,
  uffdWpPendingFlush: true,
  uffdResolveWritable: true,
  clearRefs: 'pending-mm',
  perVmaLocks: true,
};

/** Values of the switches. */
export const RIGHTS_AXES: Axes<RightsSwitches> = {
  changeProtection: axis(['range', 'gather'], ['none']),
  needsFlush: axis(['always', 'architecture']),
  anonReuse: axis(['only-reference', 'exclusive']),
  mprotectWritable: axis([false, true]),
  forkFlush: axis(['mm', 'protected'], ['none']),
  cowFlush: axis(['clear-flush'], ['clear']),
  uffdWpPendingFlush: axis([true], [false]),
  uffdResolveWritable: axis([false, true]),
  clearRefs: axis(['pending-mm', 'gather'], ['flush-if-nested', 'gather-unpaired']),
  clearRefsNotifierEnd: axis(['after-flush'], ['before-flush']),
  perVmaLocks: axis([false, true]),
  vmaWriters: axis(['all'], ['all-but-fork', 'none']),
  vmaFree: axis(['rcu'], ['at-once']),
};
