/**
 * The page cache (mm/filemap.c) is not modelled: whoever runs mm operations says which pages files have.
 */
import type { Address, Cpu, Steps } from '@mmu-gather/core/stepped';

/** The page cache. Under the checker it must not change while threads run; pages must hold the cache's reference. */
export interface PageCache {
  /** Pages that a read fault maps at most, a power of two: 16 in Linux (fault_around_bytes), 1 for none. */
  readonly faultAround: number;
  /** filemap_fault: the page at an index of a file, read in if need be; 0 past its end. */
  fault(cpu: Cpu, file: number, index: number): Steps<Address>;
  /** filemap_map_pages: the same page if it is cached and up to date, else 0. */
  cached(cpu: Cpu, file: number, index: number): Steps<Address>;
}

/** No files: for mms that map none. */
export const NO_FILES: PageCache = {
  faultAround: 1,
  *fault(): Steps<Address> {
    return 0;
  },
  *cached(): Steps<Address> {
    return 0;
  },
};
