/**
 * Event: what a thread of bare instructions has done, as the Arm architecture counts it: one instruction may be a walk, an update of
 * an entry by hardware, and an access or a fault.
 *
 *     LDR X1,[x]     walk of x's entry  ->  (access flag set in memory)  ->  explicit load, or MMU fault
 *
 * Events are numbered by thread and program order, so the number of one does not depend on the interleaving. What is known of each
 * lies in words of the state.
 */

/** What an event is; several may hold. Names in comments are those of aarch64.cat. */
export const IS = {
  /** R: a load, or the load of an atomic. */
  read: 1,
  /** W. */
  write: 2,
  /** Exp: of the program, and not of the walker. */
  explicit: 4,
  /** Imp & TTD: a walk (read), or an update of an entry by hardware (write: HU). */
  walker: 8,
  /** MMU & FAULT. */
  fault: 16,
  /** TLBUncacheable: the fault is a translation or access-flag fault, so the entry came from no TLB. */
  uncacheable: 32,
  /** A: LDAR and atomics with acquire. */
  acquire: 64,
  /** Q: LDAPR. */
  acquirePc: 128,
  /** L. */
  release: 256,
  /** NoRet: the load of an atomic whose result is not kept. */
  noReturn: 512,
  /** TLBI. */
  tlbi: 1024,
  /** IFB: ISB, exception entry and return. */
  synchronizes: 2048,
  dsbFull: 4096,
  dsbLoad: 8192,
  dsbStore: 16384,
  dmbFull: 32768,
  dmbLoad: 65536,
  dmbStore: 131072,
  /** The store of an atomic that acquires and releases: orders what follows, as an acquire does. */
  acquireRelease: 262144,
} as const;

/** Any DSB. */
export const DSB: number = IS.dsbFull | IS.dsbLoad | IS.dsbStore;
/** Any DMB. */
export const DMB: number = IS.dmbFull | IS.dmbLoad | IS.dmbStore;

/** Words of each event, before its sets. */
export const EVENT: Readonly<
  Record<'is' | 'cell' | 'value' | 'from' | 'instruction' | 'mate' | 'offset' | 'local' | 'pick' | 'through', number>
> = {
  /** Mask of {@link IS}; 0: there is no such event. */
  is: 0,
  /** Cell + 1 that it reads or writes; of a TLBI 1 + the entry's cell, or 0 for all entries. */
  cell: 1,
  value: 2,
  /** Of a read: event + 1 that wrote what it read; 0: the initial value. */
  from: 3,
  /** Number of the instruction in its thread, from 1 on. */
  instruction: 4,
  /** Event + 1: of an access, a fault or a hardware update its walk; of an atomic's store its load. */
  mate: 5,
  /** Offset in the page of what was accessed. */
  offset: 6,
  /** Events of the thread that are locally ordered before it (two words). */
  local: 7,
  /** Loads of the thread that it depends on, if only through what a comparison picked (two words). */
  pick: 9,
  /** Of a store: loads that its address or data depend on (two words). */
  through: 11,
};
/** Number of them; the set of all events before it, of any thread, comes next. */
export const EVENT_WORDS = 13;

/** Events that one thread may have: a set of them is two words. */
export const THREAD_EVENTS = 62;
