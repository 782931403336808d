/**
 * What a backend says about its hardware, as data: the machines execute it, nothing here runs.
 */
import type { Geometry } from './geometry.ts';

/** Memory models that a machine can explore. */
export type MemoryModel = 'sc' | 'tso' | 'weak';

/** Every ASID of a CPU. */
export const ALL_ASIDS: number = -1;
/** The end of an extent that covers everything. */
export const EVERYTHING: number = Number.MAX_SAFE_INTEGER;

/** A half-open range of virtual addresses in bytes; empty if `start >= end`. */
export interface Extent {
  /** First address. */
  readonly start: number;
  /** First address past it. */
  readonly end: number;
}
/** No address. */
export const NOTHING: Extent = { start: 0, end: 0 };
/** All addresses. */
export const ALL: Extent = { start: 0, end: EVERYTHING };

/**
 * One invalidation: which cached entries are gone once it took effect. The only TLB primitive there is.
 * Hardware may always drop more; the adversarial MMU never does.
 */
export interface Scope {
  /** The address-space tag, or {@link ALL_ASIDS}. */
  readonly asid: number;
  /** Leaf entries whose page, of whatever size, overlaps this. */
  readonly leaves: Extent;
  /** Walk-cache entries (pointers to tables) that lead to an address in here. */
  readonly walks: Extent;
  /** Global entries too. */
  readonly globals: boolean;
  /** On every CPU of the machine; takes effect at the issuer's `invalidationBarrier`. */
  readonly broadcast: boolean;
  /** Level hint: only leaves of this level are dropped (0: base pages), and pointers to tables on the way to them. All if not given. */
  readonly level?: number;
  /**
   * On these CPUs (bit n: CPU n) and at once, instead of here: a cross call that its target takes before its next instruction, whatever it has
   * masked, and that does nothing else there (sparc64's mondos). At most 15 CPUs.
   */
  readonly cpus?: number;
  /** Only leaves that do not allow execution, as a demap of a data TLB beside which there is one for instructions. All if not given. */
  readonly data?: boolean;
  /** What is cached of the table of roots, too, where there is one (`Backend.processTable`). Not if not given. */
  readonly roots?: boolean;
}

/** Aligned blocks of leaf entries of base pages, which one TLB entry may hold together (the contiguous hint of arm64). */
export interface ContiguousHint {
  /** Flag of an entry that belongs to a block. Whoever finds one may take the whole block to be as this entry says. */
  readonly flag: number;
  /** Entries in a block. */
  readonly entries: number;
  /** Whether a block and an entry of its own must not be cached for one address (O14): the CPU aborts. Not so with FEAT_BBM level 2. */
  readonly conflicts: boolean;
}

/** The hardware side of a backend. */
export interface Isa {
  /** Ordering between CPUs, unless a run overrides it. */
  readonly memoryModel: MemoryModel;
  /** Under `weak`: a store that one other CPU sees is there for all (arm64, riscv), or not (powerpc). */
  readonly multiCopyAtomic: boolean;
  /** Shape of real page tables. */
  readonly geometry: Geometry;
  /** Number of address-space tags that a CPU can hold entries of; 1 without tags. */
  readonly asids: number;
  /**
   * An address space has two tags: the kernel walks under the one that is loaded, user mode under the one after it (KPTI on arm64). Which of the
   * two an access uses is not told apart: both count. One tag if not given.
   */
  readonly pairedAsids?: boolean;
  /** Blocks of entries; none if not given. */
  readonly contiguous?: ContiguousHint;
  /** Whether invalidations may be broadcast ({@link Scope.broadcast}). */
  readonly broadcasts: boolean;
  /** A broadcast does not wait for its CPU's earlier stores: a full barrier must stand before it (DSB ISHST). It does if not given. */
  readonly unorderedBroadcasts?: boolean;
  /**
   * Entries that are not valid may be cached, and ones that grant less than memory does now may be used: an access may fault although memory
   * allows it, until an invalidation. `leaves`: one of its leaf does, at whatever level the walk ended; `all`: above the lowest level only
   * one of walk caches does. Not if not given: a fault drops what it used.
   */
  readonly cachesInvalid?: 'leaves' | 'all';
  /** A fault leaves what it used: entries that are valid and grant less than memory does now may be used until an invalidation. So it is with `cachesInvalid`. */
  readonly keepsNarrower?: boolean;
  /**
   * FEAT_ETS2 of Arm: a walk that faults for a translation or an access flag comes after all earlier accesses of its CPU, and a DSB holds
   * back walks. For programs of bare instructions; kernel code relies on it nowhere. Not if not given.
   */
  readonly ets2?: boolean;
  /** A store through an entry that was cached clean walks again, to set the dirty bit in memory; it faults if that may not be. */
  readonly cleanWalks: boolean;
  /**
   * Who sets accessed bits. `software`: an entry without it is not used (a fault sets it). `hardware`: every entry counts as accessed.
   */
  readonly accessed: 'hardware' | 'software';
  /** Who sets dirty bits. `software`: a writable entry that is not dirty does not allow stores (a fault sets it). */
  readonly dirty: 'hardware' | 'software';
  /** Mnemonic to scope, for readers and for programs of bare instructions. */
  readonly instructions: Readonly<Record<string, (asid: number, address: number, size: number) => Scope>>;
}
