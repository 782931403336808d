/**
 * The Cpu port: all that kernel code may do. Each machine implements it: exploring and counting.
 *
 * - Calls that return `Steps` are scheduling points: the machine may run other CPUs before the call takes effect.
 * - Calls that do not return `Steps` never pause. Plain accesses are race-checked by the exploring machine; notes and
 *   claims are for oracles and traces and change nothing that kernel code can see.
 * - Orders are the kernel's (Documentation/atomic_t.txt): `readOnce`/`writeOnce` and atomics without a result are relaxed,
 *   atomics with a result are fully ordered, a lock acquires, an unlock releases.
 */
import type { Kernel } from './kernel.ts';
import type { Extent, Scope } from './isa.ts';
import type { Steps } from './steps.ts';
import type { Address, Cell } from './struct.ts';

/** What `waitFor` compares a cell with its operand by. */
export type Test = 'equal' | 'notEqual' | 'atLeast';

/** Result of a user access that faulted. Contents of pages are never negative. */
export const FAULT: number = -1;

/** Which user accesses a claim still allows. */
export type Access = 'none' | 'read' | 'write';

/** Names of the oracles (see docs/architecture.md). */
export type OracleId =
  | 'O1'
  | 'O1s'
  | 'O2'
  | 'O3'
  | 'O4'
  | 'O5'
  | 'O6'
  | 'O7'
  | 'O8'
  | 'O9'
  | 'O10'
  | 'O11'
  | 'O12'
  | 'O13'
  | 'O14'
  | 'O15'
  | 'O16'
  | 'O17';

/** Kinds of objects that kernel code allocates while it runs. */
export type CacheName = 'mm' | 'vma' | 'page' | 'table' | 'mapping' | 'area';

/** One CPU as kernel code sees it: memory, locks, interrupts, MMU. */
export interface Cpu {
  /** smp_processor_id(): 0 up to `kernel.cpus - 1`. */
  readonly id: number;
  /** What is linked together on this machine: backend, profile, layout. */
  readonly kernel: Kernel;

  // ---- memory: plain accesses, under a lock or before publication ----

  /** Plain load. */
  read(cell: Cell): number;
  /** Plain store. */
  write(cell: Cell, value: number): void;

  // ---- memory: marked accesses ----

  /** READ_ONCE. */
  readOnce(cell: Cell): Steps<number>;
  /** WRITE_ONCE. */
  writeOnce(cell: Cell, value: number): Steps<void>;
  /** smp_load_acquire. */
  loadAcquire(cell: Cell): Steps<number>;
  /** smp_store_release. */
  storeRelease(cell: Cell, value: number): Steps<void>;
  /** xchg, fully ordered; xchg_relaxed if so asked (but a LOCK instruction, so a full barrier, under TSO). Returns the old value. */
  xchg(cell: Cell, value: number, order?: 'relaxed'): Steps<number>;
  /**
   * cmpxchg: stores `value` if the cell holds `old`; fully ordered if it does; cmpxchg_relaxed if so asked (see `xchg`). Returns what the cell
   * held.
   */
  cmpxchg(cell: Cell, old: number, value: number, order?: 'relaxed'): Steps<number>;
  /** atomic_add without a result: relaxed (but a LOCK instruction, so a full barrier, under TSO). */
  atomicAdd(cell: Cell, delta: number): Steps<void>;
  /** atomic_add_return: fully ordered. Returns the new value. */
  atomicAddReturn(cell: Cell, delta: number): Steps<number>;
  /** atomic_or without a result (set_bit): relaxed. */
  atomicOr(cell: Cell, bits: number): Steps<void>;
  /** atomic_andnot without a result (clear_bit): relaxed. */
  atomicAndNot(cell: Cell, bits: number): Steps<void>;
  /** atomic_fetch_andnot: fully ordered. Returns the old value. */
  atomicFetchAndNot(cell: Cell, bits: number): Steps<number>;
  /**
   * smp_mb(). With `stores` what this CPU has stored comes before all that follows, loads, walks and invalidations too; what it has loaded does
   * not (DSB ISHST of arm64; a full barrier under SC and TSO).
   */
  smpMb(of?: 'stores'): Steps<void>;
  /** smp_wmb(). */
  smpWmb(): Steps<void>;
  /** smp_rmb(). */
  smpRmb(): Steps<void>;
  /** smp_mb__after_atomic(). */
  smpMbAfterAtomic(): Steps<void>;
  /** smp_cond_load_acquire: blocks until the cell passes the test. Returns the value that passed. */
  waitFor(cell: Cell, test: Test, operand: number): Steps<number>;

  // ---- locks: a lock is one cell, 0 when free ----

  /** spin_lock. */
  spinLock(lock: Cell): Steps<void>;
  /** spin_unlock. */
  spinUnlock(lock: Cell): Steps<void>;
  /** down_read of a rw_semaphore. */
  downRead(lock: Cell): Steps<void>;
  /** down_read_trylock. Returns 1 if it was taken, 0 if a writer holds it. */
  downReadTrylock(lock: Cell): Steps<number>;
  /** up_read. */
  upRead(lock: Cell): Steps<void>;
  /** down_write. */
  downWrite(lock: Cell): Steps<void>;
  /** up_write. */
  upWrite(lock: Cell): Steps<void>;
  /** downgrade_write: a writer becomes a reader, without a gap. */
  downgradeWrite(lock: Cell): Steps<void>;

  // ---- memory management of the machine itself ----

  /**
   * Takes an object from this CPU's pool, all words 0. For 'page' the address of a `Page`, for 'table' of its first entry.
   * @param count that many objects in a row (a huge page is a row of pages); each is freed on its own. 1 if not given
   */
  alloc(cache: CacheName, count?: number): Steps<Address>;
  /** Gives it back. For pages and tables this is the moment after which the hardware must not reach it. */
  free(cache: CacheName, object: Address): Steps<void>;
  /** Does an allocation that may fail (GFP_NOWAIT) fail now? Returns 1 if so; the exploring machine tries both. */
  mayFail(): Steps<number>;

  // ---- RCU: code with interrupts off reads under RCU, too ----

  /** rcu_read_lock. Nests. */
  rcuReadLock(): Steps<void>;
  /** rcu_read_unlock. */
  rcuReadUnlock(): Steps<void>;
  /** call_rcu with a callback that frees: gives an object back once every reader of now has left. */
  freeRcu(cache: CacheName, object: Address): Steps<void>;
  /** synchronize_rcu: blocks until every reader of now has left. */
  synchronizeRcu(): Steps<void>;

  // ---- interrupts ----

  /** local_irq_disable. Interrupts nest by count, as with save and restore. */
  localIrqDisable(): Steps<void>;
  /** local_irq_enable. */
  localIrqEnable(): Steps<void>;
  /** Queues a call of `kernel.handlers[handler](cpu, argument)` on another CPU and sends the interrupt. A full barrier. */
  sendIpi(target: number, handler: number, argument: Address): Steps<void>;
  /** Blocks until every call that this CPU queued has returned (csd_lock_wait). */
  awaitIpis(): Steps<void>;

  // ---- MMU ----

  /** Loads a page table (CR3, TTBR0, PIDR ...) under an ASID; entries of that ASID are dropped unless `noflush`. Serialising. */
  loadContext(root: Address, asid: number, noflush: boolean): Steps<void>;
  /** Drops cached entries. A local scope takes effect at once and serialises; a broadcast one at `invalidationBarrier`. */
  invalidate(scope: Scope): Steps<void>;
  /**
   * Changes an entry and drops what is cached of it in one step (IPTE, IDTE, CSP of s390): if the cell holds `old`, it holds `value`
   * afterwards, and what the scope covers is gone, with `broadcast` on every CPU and at once. Serialising.
   * @returns what the cell held
   */
  cmpxchgAndInvalidate(cell: Cell, old: number, value: number, scope: Scope): Steps<number>;
  /** Waits until this CPU's broadcasts took effect everywhere (DSB, tlbsync, ptesync). */
  invalidationBarrier(): Steps<void>;
  /**
   * A load from user mode. Returns the word, or `FAULT`.
   * @param loaded a miss handler has just loaded the TLB for it: it faults only if that was dropped meanwhile, for then nothing would stop two
   *   CPUs that fill one place of a table from making each other miss for ever
   */
  userRead(address: number, loaded?: boolean): Steps<number>;
  /** A store from user mode. Returns 0, or `FAULT`. @param loaded see userRead */
  userWrite(address: number, value: number, loaded?: boolean): Steps<number>;
  /** A load through the kernel's own page table (`kernel.initMm`), on whatever CPU. Returns the word, or `FAULT`. */
  kernelRead(address: number): Steps<number>;

  // ---- modes ----

  /**
   * Return to user mode: from here the CPU may use whatever its TLB holds, until it enters the kernel again.
   * @param result what the system call returns; if given, the only thing of it that the code after may depend on
   */
  enterUser(result?: number): Steps<void>;
  /** Exception, system call, or interrupt entry of the current task. */
  enterKernel(): Steps<void>;

  // ---- never a pause ----

  /** jiffies: a coarse clock that a machine may hold still. */
  jiffies(): number;
  /** A tracepoint: name and numbers, in the order of the kernel's own event. */
  trace(event: string, ...values: number[]): void;
  /** What this code promises or relies on, checked by the exploring machine's oracles. */
  readonly claim: Claims;
  /** Contents of pages, on a machine that keeps them elsewhere (emulators). A page's `data` stands for all of them on any other. */
  readonly frames?: Frames;
}

/** Contents of pages that the machine keeps elsewhere. */
export interface Frames {
  /** copy_user_highpage: into a page that nobody sees yet. */
  copy(to: Address, from: Address): void;
  /** pages_identical: of pages whose contents nobody changes. */
  equal(one: Address, other: Address): boolean;
}

/** Claims: statements about the TLBs of all CPUs that code makes at the point where the kernel relies on them. */
export interface Claims {
  /**
   * From now on no user access of the mm with this root goes beyond `access` within the range (O2). Made where an operation
   * completes (return of munmap, mprotect ...); lifted (`'write'`) where one that grants access begins.
   */
  limit(root: Address, range: Extent, access: Access): void;
  /**
   * Under the entry's PTL: the entry at this address has no unfinished flush (O9); made where a reader acts on
   * "not pending".
   */
  settled(root: Address, address: number): void;
  /**
   * This gather has seen, and changed as it likes, the entries of the range; their PTL is still held. What they no longer
   * allow must be flushed when `finished` is called (O10).
   */
  observed(root: Address, range: Extent): void;
  /** The gather of this CPU returns (O10). */
  finished(): void;
  /**
   * An operation that exchanges pages of the range begins or ends (madvise of live memory): between the two, some CPUs may
   * use the old page and some the new one (window of O6). Calls pair up and may overlap.
   */
  changing(root: Address, range: Extent, begins: boolean): void;
  /**
   * This CPU holds nothing under the ASID that is older than a change covered by generation `gen` of the mm with this root
   * (O11, invariant G0). A change is covered by the next generation that the CPU which made it makes.
   */
  caughtUp(root: Address, asid: number, gen: number): void;
  /**
   * From now on every write to the page leaves a trace: no CPU can write through an entry that is dirty already. Made where the
   * page is declared clean: IO begins, or its contents are given up (O3). Ends when a dirty entry maps it again.
   */
  clean(page: Address): void;
  /** From now on, or no longer, the contents of the page do not change: nobody can write to it (O13). */
  stable(page: Address, begins: boolean): void;
  /** The mappings of the range have moved elsewhere; their locks are about to drop, and no CPU can use the old ones (O7). */
  moved(root: Address, range: Extent): void;
  /** Kernel addresses of the range are handed out again: no CPU holds an entry for them (O15). */
  reassigned(range: Extent): void;
  /** lockdep_assert_held: this code itself has taken the lock, and not let it go; with `write` not for read only. Else O16 is violated. */
  held(lock: Cell, how?: 'write'): void;
  /** lockdep_assert_irqs_disabled: this CPU takes no interrupts. Else O16 is violated. */
  irqsOff(): void;
  /** VM_BUG_ON: `holds` must be true, or the named oracle is violated. */
  that(holds: boolean, oracle: OracleId, message: string): void;
}
