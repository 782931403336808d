/**
 * A file in memory: the pages that are cached, and the VMAs that map them (struct address_space, include/linux/fs.h).
 *
 *     iMmapLock   write: VMAs are linked and unlinked, or their bounds change
 *                 read:  somebody looks up all places where a page is mapped, and may clear or clean entries there
 *     page lock   held from finding a page in the cache to mapping it, and while it is taken out
 *
 * A VMA that is found under iMmapLock is not torn down meanwhile: its tables are freed only after it was unlinked.
 * The file is as large as its cached pages: what is not cached does not exist. Where somebody else knows its pages (`file`), this is
 * only the list of its VMAs.
 */
import { type Cell, type Handle, type Struct, struct } from './struct.ts';

/** Pages that a file of this kind can have. */
export const FILE_PAGES: number = 4;

/** A file in memory (struct address_space). */
export interface AddressSpace extends Handle {
  /** i_mmap_rwsem. */
  readonly iMmapLock: Cell;
  /** First VMA that maps the file, 0 if none; oldest first (i_mmap, a tree in Linux). Under iMmapLock. */
  readonly iMmap: Cell;
  /** Number of the file whose pages a PageCache knows (packages/mm/src/page-cache.ts); 0 if they are in `pages`. */
  readonly file: Cell;
  /** First of {@link FILE_PAGES} words: the cached page at each index, 0 if none (i_pages). Marked accesses; changed under its page's lock. */
  readonly pages: Cell;
}

/** Struct type of {@link AddressSpace}; further pages follow from `pages` on. */
export const AddressSpace: Struct<AddressSpace> = struct<AddressSpace>('mapping', [
  'iMmapLock',
  'iMmap',
  'file',
  'pages',
]);

/** Names of all words of an {@link AddressSpace}. */
export const MAPPING_FIELDS: readonly string[] = [
  ...AddressSpace.fields.slice(0, -1),
  ...Array.from({ length: FILE_PAGES }, (_, index) => `pages[${index}]`),
];
