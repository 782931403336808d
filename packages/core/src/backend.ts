/**
 * What `arch/<arch>` gives Linux. A backend provides every function here; core and mm call it through `cpu.kernel.backend`.
 *
 * Order that every flush must keep: page-table writes, then (full barrier) the choice of target CPUs, then invalidation
 * everywhere, and only then return. Code above frees pages and tables, and lowers pending counters, after the return.
 */
import type { Cpu } from './cpu.ts';
import type { Entry } from './entry.ts';
import type { Isa } from './isa.ts';
import type { IpiHandler } from './kernel.ts';
import type { LazyMmu } from './lazy-mmu.ts';
import type { Mm } from './mm.ts';
import type { MmuGather } from './mmu-gather.ts';
import type { PteOps } from './pte-ops.ts';
import type { Steps } from './steps.ts';
import type { Address, Cell } from './struct.ts';

/** Reclaim's batch of deferred flushes (struct arch_tlbflush_unmap_batch): private to the reclaiming task. */
export interface TlbBatch {
  /** CPUs that must be flushed. */
  cpumask: number;
  /** Some deferred entry was dirty: flush before writing pages out. */
  writable: boolean;
  /** Something was deferred. */
  flushRequired: boolean;
  /** Newest deferred generation by address of the mm, where deferrals are told apart by generations. */
  readonly gens: Map<Address, number>;
}

/**
 * A table of translations in memory that the hardware looks into instead of page tables: powerpc's hash page table, sparc's TSB. Kernel
 * code fills it (`Backend.tlbMiss`, `PteOps.updateMmuCache`) and empties it; only what stands in it may be cached.
 */
export interface TranslationTable {
  /** Its first word. */
  readonly base: Address;
  /** Number of words. */
  readonly words: number;
  /**
   * Whether user code that misses may be left out of a scenario: a CPU in user mode may then hold what page tables hold, too, as if its miss handler
   * had run at any time (sparc64, whose handler runs in one piece and leaves no more behind than an entry of the table). Not if not given.
   */
  readonly missesAnytime?: boolean;
  /**
   * What the hardware of a CPU may find for an address under an address-space tag, as entries; more than one where it stands there twice. Pure:
   * reads the table's words by `load` only.
   */
  lookup(load: (cell: Cell) => number, asid: number, address: number, cpu: number): readonly Entry[];
}

/** An architecture. */
export interface Backend {
  /** x86, arm64, powerpc-hash, powerpc-radix, sparc64, s390, riscv, or a third party's. */
  readonly id: string;
  /** The hardware, as data. */
  readonly isa: Isa;
  /** Interrupt handlers, in the order of their ids. */
  readonly handlers: readonly IpiHandler[];
  /** Lazy MMU mode; null where PTE changes ask for nothing that could be collected. */
  readonly lazyMmu: LazyMmu | null;
  /** How entries change. */
  readonly pte: PteOps;
  /** The table that the hardware looks into; null where it walks page tables. */
  readonly translationTable: TranslationTable | null;
  /**
   * Whether a gather keeps pages until its flush. False (MMU_GATHER_NO_GATHER) where each change of an entry has purged it already: the
   * page is freed when it is queued.
   */
  readonly gathersPages: boolean;
  /**
   * arch_supports_page_table_move: whether mremap may move a page table as a whole. False where what the hardware looks into goes by the
   * address of each page: powerpc's hash MMU.
   */
  readonly movesTables: boolean;

  /** Whether a gather holds pages of one size only (MMU_GATHER_PAGE_SIZE): another size flushes what is there. */
  readonly gatherPageSize: boolean;
  /**
   * First word of the table in which the hardware finds the root of each address-space tag, and which it may cache until an invalidation says
   * `Scope.roots` (radix: the process table). Null: a context load gives the root itself.
   */
  readonly processTable: Address | null;

  /** init_new_context: before an mm is first used. */
  initNewContext(cpu: Cpu, mm: Mm): Steps<void>;
  /** switch_mm_irqs_off with interrupts off: from whatever is loaded to `next`. */
  switchMm(cpu: Cpu, next: Mm): Steps<void>;
  /** activate_mm of exec: from whatever is loaded to a new mm, with interrupts off. Null: {@link Backend.switchMm}. */
  readonly activateMm: ((cpu: Cpu, next: Mm) => Steps<void>) | null;
  /** enter_lazy_tlb with interrupts off: a task without an mm goes on with the mm that is loaded. */
  enterLazyTlb(cpu: Cpu, mm: Mm): Steps<void>;
  /** What __switch_to does of its own, with interrupts off, before each change of task. Null: nothing. */
  readonly switchTo: ((cpu: Cpu) => Steps<void>) | null;
  /** finish_arch_post_lock_switch: after a switch to a task of `mm`, with interrupts on again. Null: nothing. */
  readonly finishArchPostLockSwitch: ((cpu: Cpu, mm: Mm) => Steps<void>) | null;
  /** arch_exit_mmap: first of all in exit_mmap. Null: nothing. */
  readonly archExitMmap: ((cpu: Cpu, mm: Mm) => Steps<void>) | null;
  /** destroy_context: with the last reference to the struct. Null: nothing. */
  readonly destroyContext: ((cpu: Cpu, mm: Mm) => Steps<void>) | null;
  /**
   * cleanup_lazy_tlbs (MMU_LAZY_TLB_SHOOTDOWN): lazy CPUs hold no reference to the mm; before its struct goes they are made to leave it. Null:
   * they hold one.
   */
  readonly cleanupLazyTlbs: ((cpu: Cpu, mm: Mm) => Steps<void>) | null;
  /**
   * A miss or fault that software answers below the page fault (hash_page, the TSB miss handler), in kernel mode.
   * @returns true if a translation that allows the access was put in place: try again; false: it is a page fault. Null: there is none
   */
  readonly tlbMiss: ((cpu: Cpu, mm: Mm, address: number, write: boolean) => Steps<boolean>) | null;
  /** The architecture's part of p?d_free_tlb: a table was unlinked and is in a gather. Null: nothing. */
  readonly tableFreed: ((cpu: Cpu, tlb: MmuGather) => Steps<void>) | null;
  /**
   * Moves every CPU off an mm that nobody will run again, this one and lazy ones too (Fitzhardinge, March 2009). When it returns,
   * no CPU walks its tables; entries may stay under its ASID.
   */
  leaveMmEverywhere(cpu: Cpu, mm: Mm): Steps<void>;

  /** tlb_flush: invalidates what the gather recorded. */
  tlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void>;
  /** flush_tlb_mm. */
  flushTlbMm(cpu: Cpu, mm: Mm): Steps<void>;
  /** flush_tlb_range with the stride of a level (0: base pages). */
  flushTlbRange(cpu: Cpu, mm: Mm, start: number, end: number, level: number): Steps<void>;
  /**
   * flush_tlb_kernel_range: addresses of the kernel's own page table, on every CPU, whatever it runs. Everything if `end` is
   * `EVERYTHING` (flush_tlb_all).
   */
  flushTlbKernelRange(cpu: Cpu, start: number, end: number): Steps<void>;
  /** flush_tlb_page: one base page. */
  flushTlbPage(cpu: Cpu, mm: Mm, address: number): Steps<void>;
  /**
   * Flushes up to a generation that was recorded before (RFC 15: flush_tlb_mm_range_gen); does not make a new one. In units of a level;
   * from 0 to `EVERYTHING` flushes the whole mm.
   */
  flushTlbGen(
    cpu: Cpu,
    mm: Mm,
    start: number,
    end: number,
    level: number,
    freedTables: boolean,
    gen: number,
  ): Steps<void>;

  /** arch_tlbbatch_should_defer. */
  tlbbatchShouldDefer(cpu: Cpu, mm: Mm): Steps<boolean>;
  /**
   * arch_tlbbatch_add_pending.
   * @returns the generation that it took for the deferral: the batch's flush brings every CPU to it, and to no later one; 0 if there are none
   */
  tlbbatchAddPending(cpu: Cpu, batch: TlbBatch, mm: Mm, address: number): Steps<number>;
  /** arch_tlbbatch_flush. */
  tlbbatchFlush(cpu: Cpu, batch: TlbBatch): Steps<void>;
  /**
   * arch_flush_tlb_batched_pending (6.6 to 6.15): when it returns, what reclaim deferred in an mm before is flushed, whoever deferred it. Under
   * a PTL. Null: flush_tlb_mm, as everywhere since.
   */
  readonly flushTlbBatchedPending: ((cpu: Cpu, mm: Mm) => Steps<void>) | null;

  /** pte_needs_flush: may a TLB that holds `old` allow more, or other, than `next`? */
  pteNeedsFlush(old: Entry, next: Entry): boolean;
  /** huge_pmd_needs_flush: the same of an entry that maps a huge page; a cleared accessed bit may count there. */
  hugePmdNeedsFlush(old: Entry, next: Entry): boolean;
  /** pte_accessible without its pending part: could the hardware have cached this entry? */
  pteAccessible(entry: Entry): boolean;
}
