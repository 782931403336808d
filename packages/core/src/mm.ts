/**
 * The parts of `struct mm_struct`, `struct vm_area_struct` and `struct page` that TLB flushing reads.
 *
 * One word per field; `mm.context` is followed by the words that the backend asked for (`Backend.mmContextFields`).
 */
import { type Cell, type Handle, type Struct, struct } from './struct.ts';

/** An address space (include/linux/mm_types.h, struct mm_struct). */
export interface Mm extends Handle {
  /** The top-level table. Written before the mm is published, never after. */
  readonly pgd: Cell;
  /** Bit n: CPU n may hold user entries of this mm (mm_cpumask). */
  readonly cpumask: Cell;
  /** Number of open gathers and other deferrals (tlb_flush_pending). */
  readonly tlbFlushPending: Cell;
  /** Reclaim's deferrals: boolean up to 5.16, then pending count (low 16 bits) and flushed count. */
  readonly tlbFlushBatched: Cell;
  /** How many of reclaim's deferrals are known to be flushed, where that is a word of its own. 64 bits. */
  readonly tlbFlushBatchedDone: Cell;
  /** Generation of the newest change (x86: mm->context.tlb_gen; RFC 07 makes it generic). 64 bits. */
  readonly tlbGen: Cell;
  /** Newest generation known to be flushed everywhere (RFC 08). 64 bits. */
  readonly tlbGenCompleted: Cell;
  /** Newest generation that somebody deferred (RFC 17). 64 bits. */
  readonly tlbGenDeferred: Cell;
  /** Invalidations that secondary MMUs wait for (mmu_notifier: active invalidations). */
  readonly notifierCount: Cell;
  /** mmap_lock. */
  readonly mmapLock: Cell;
  /** Counts releases of mmap_lock by writers (mm_lock_seq): a VMA with this number, plus 1, is locked for write. */
  readonly vmaLockSeq: Cell;
  /** Page-table lock of the upper levels, and of all levels where locks are not split. */
  readonly pageTableLock: Cell;
  /** Address of the first VMA, lowest address first; 0 if none. */
  readonly mmap: Cell;
  /** Tasks that use it (mm_users). */
  readonly mmUsers: Cell;
  /** References to the struct, lazy ones included (mm_count). */
  readonly mmCount: Cell;
  /** First word of the backend's own part (mm->context). */
  readonly context: Cell;
}
/** Struct type of {@link Mm}. The backend's context fields follow directly after `context`'s own position. */
export const Mm: Struct<Mm> = struct<Mm>('mm', [
  'pgd',
  'cpumask',
  'tlbFlushPending',
  'tlbFlushBatched',
  'tlbFlushBatchedDone',
  'tlbGen',
  'tlbGenCompleted',
  'tlbGenDeferred',
  'notifierCount',
  'mmapLock',
  'vmaLockSeq',
  'pageTableLock',
  'mmap',
  'mmUsers',
  'mmCount',
  'context',
]);

/** A mapping of a range of addresses (struct vm_area_struct). Changed with mmap_lock held for write. */
export interface Vma extends Handle {
  /** First address. */
  readonly start: Cell;
  /** First address past it. */
  readonly end: Cell;
  /** VM_* bits, see {@link VM_READ} and its sisters. */
  readonly flags: Cell;
  /** Next VMA by address; 0 at the end. */
  readonly next: Cell;
  /** The file it maps, 0 if anonymous; a number that the machine's user chose. */
  readonly file: Cell;
  /** Index in the file of the page at `start` (vm_pgoff). */
  readonly pgoff: Cell;
  /** The mm it belongs to (vm_mm). */
  readonly mm: Cell;
  /** The AddressSpace of its file, 0 if it has none (vm_file->f_mapping). */
  readonly mapping: Cell;
  /** Next VMA that maps the same file; 0 at the end (shared.rb). Under the file's iMmapLock. */
  readonly nextShared: Cell;
  /** 1 once a private page was mapped here (anon_vma is set): fork must copy it. Marked accesses: faults run side by side. */
  readonly anonVma: Cell;
  /** Its own lock, where faults take that one (vm_lock). */
  readonly lock: Cell;
  /** When it was last locked for write, see {@link Mm.vmaLockSeq} (vm_lock_seq). */
  readonly lockSeq: Cell;
  /** 1 once it is in no mm any more (detached). */
  readonly detached: Cell;
  /** Newest generation of a deferral in it (vm_area_struct.defer_tlb_gen, RFC 15); only rises. 0 if there was none. */
  readonly deferTlbGen: Cell;
}
/** Struct type of {@link Vma}. */
export const Vma: Struct<Vma> = struct<Vma>('vma', [
  'start',
  'end',
  'flags',
  'next',
  'file',
  'pgoff',
  'mm',
  'mapping',
  'nextShared',
  'anonVma',
  'lock',
  'lockSeq',
  'detached',
  'deferTlbGen',
]);

/** Readable. */
export const VM_READ: number = 1;
/** Writable. */
export const VM_WRITE: number = 2;
/** Executable. */
export const VM_EXEC: number = 4;
/** Shared: writes go to the page itself, never to a copy. */
export const VM_SHARED: number = 8;
/** Maps page frames without struct page. */
export const VM_PFNMAP: number = 16;
/** Registered with userfaultfd for write-protection. */
export const VM_UFFD_WP: number = 32;
/** Grows downwards: the stack. */
export const VM_GROWSDOWN: number = 64;
/**
 * The file system wants to see the first write to each shared page, so such pages are mapped read-only first
 * (what vma_wants_writenotify finds out in Linux). Not set for shared memory.
 */
export const VM_WRITENOTIFY: number = 128;
/** MADV_HUGEPAGE: huge pages where they fit. Only such VMAs ever hold one here, so others are not asked. */
export const VM_HUGEPAGE: number = 256;
/** MADV_NOHUGEPAGE after that: those that are there stay, and no more are made. */
export const VM_NOHUGEPAGE: number = 512;
/** mlock: its pages stay in memory. Here it only decides which VMAs can be merged. */
export const VM_LOCKED: number = 1024;
/** MAP_NORESERVE: its pages are not counted as promised. Here it only decides which VMAs can be merged. */
export const VM_NORESERVE: number = 2048;
/** Its pages are counted as promised, as it was writable once and private. Here it only decides which VMAs can be merged. */
export const VM_ACCOUNT: number = 4096;

/** A physical page (struct page / struct folio). */
export interface Page extends Handle {
  /** References (_refcount). The page is freed when it drops to 0. */
  readonly refcount: Cell;
  /** Page-table entries that map it (_mapcount, counted from 0 here). */
  readonly mapcount: Cell;
  /** The file it caches, 0 for anonymous memory (page->mapping). Written before the page is published, never after. */
  readonly mapping: Cell;
  /** Its index in that file. Written before the page is published, never after. */
  readonly index: Cell;
  /** folio_lock: who holds it may take the page out of its file, unmap it everywhere, or write it out. Taken with spin_lock. */
  readonly lock: Cell;
  /** PG_* bits, see {@link PG_ANON_EXCLUSIVE} and its sisters. Marked accesses only: PTLs of several mms cover one page. */
  readonly flags: Cell;
  /** One word of contents: what user accesses read and write. */
  readonly data: Cell;
}
/** Struct type of {@link Page}. */
export const Page: Struct<Page> = struct<Page>('page', [
  'refcount',
  'mapcount',
  'mapping',
  'index',
  'lock',
  'flags',
  'data',
]);

/** Anonymous and mapped by one mm only: a write fault may reuse it (PG_anon_exclusive). */
export const PG_ANON_EXCLUSIVE: number = 1;
/** Newer than its backing store. */
export const PG_DIRTY: number = 2;
/** Anonymous, and given up by MADV_FREE: reclaim may drop it if it is clean (the opposite of PG_swapbacked). */
export const PG_LAZYFREE: number = 4;
/** Merged by KSM: nobody writes to it, whoever holds the only reference included (PageKsm). */
export const PG_KSM: number = 8;
/** A part of a large folio that small entries map (PG_head and its tails): who gives a part of it up splits it before. */
export const PG_LARGE: number = 16;
