/**
 * The hardware side of x86: memory model, page-table shape, and what each instruction drops (Intel SDM vol. 3A, 4.10).
 *
 * Tags are the kernel's ASIDs, not the PCIDs in CR3 (PCID = ASID + 1; PCID 0 is kept for kernels without PCID). An entry
 * that is not present is never cached. "May drop more" is true of every instruction, and never relied on.
 */
import {
  ALL,
  ALL_ASIDS,
  type Extent,
  FOUR_LEVELS,
  type Isa,
  NOTHING,
  PAGE_SHIFT,
  type Scope,
} from '@mmu-gather/core/stepped';

/** Bytes in a base page. */
const PAGE_SIZE = 2 ** PAGE_SHIFT;

function page(address: number): Extent {
  return { start: address, end: address + PAGE_SIZE };
}

/**
 * INVLPG: the leaf, of whatever size, that maps the page in this PCID, and global ones in all; every walk-cache entry of this
 * PCID, whatever address it leads to. A munmap relies on the last part: one INVLPG inside the range of a freed table drops
 * the pointer to it. `address` is the first of its page.
 */
export function invlpg(asid: number, address: number): Scope {
  return { asid, leaves: page(address), walks: ALL, globals: true, broadcast: false };
}

/** INVPCID type 0: one address in one PCID, not global; the walk-cache entries that lead to it. */
export function invpcidAddress(asid: number, address: number): Scope {
  return { asid, leaves: page(address), walks: page(address), globals: false, broadcast: false };
}

/** INVPCID type 1: everything in one PCID but global entries. */
export function invpcidSingle(asid: number): Scope {
  return { asid, leaves: ALL, walks: ALL, globals: false, broadcast: false };
}

/** INVPCID type 2: everything in every PCID, global entries too. */
export function invpcidAll(): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false };
}

/** INVPCID type 3: everything in every PCID but global entries. */
export function invpcidAllNonGlobal(): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: false, broadcast: false };
}

/** INVLPGB without PCID: a range in every PCID of every CPU, and the walk-cache entries of all; done at TLBSYNC. */
export function invlpgb(range: Extent): Scope {
  return { asid: ALL_ASIDS, leaves: range, walks: ALL, globals: false, broadcast: true };
}

/** INVLPGB with PCID: a range under one ASID on every CPU, and the walk-cache entries of all; done at TLBSYNC. */
export function invlpgbPcid(asid: number, range: Extent): Scope {
  return { asid, leaves: range, walks: ALL, globals: false, broadcast: true };
}

/** INVLPGB with "include global": a range in every PCID of every CPU, global entries too. */
export function invlpgbGlobal(range: Extent): Scope {
  return { ...invlpgb(range), globals: true };
}

/** MOV to CR3 with bit 63 clear: everything in the PCID that is loaded but global entries. */
export function movCr3(asid: number): Scope {
  return { asid, leaves: ALL, walks: ALL, globals: false, broadcast: false };
}

/** MOV to CR3 with bit 63 set: need not drop anything. */
export function movCr3NoFlush(asid: number): Scope {
  return { asid, leaves: NOTHING, walks: NOTHING, globals: false, broadcast: false };
}

/** MOV to CR4 that changes PGE: everything, as INVPCID type 2. */
export function toggleCr4Pge(): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false };
}

/** An x86 CPU with this many address-space tags in use. */
export function x86Isa(asids: number, broadcasts = false): Isa {
  return {
    memoryModel: 'tso',
    multiCopyAtomic: true,
    geometry: FOUR_LEVELS,
    asids,
    broadcasts,
    cleanWalks: true,
    accessed: 'hardware',
    dirty: 'hardware',
    instructions: {
      INVLPG: invlpg,
      INVLPGB: (_asid, address, size) => invlpgb({ start: address, end: address + size }),
      INVLPGB_PCID: (asid, address, size) => invlpgbPcid(asid, { start: address, end: address + size }),
      INVPCID0: invpcidAddress,
      INVPCID1: invpcidSingle,
      INVPCID2: invpcidAll,
      INVPCID3: invpcidAllNonGlobal,
      MOVCR3: movCr3,
      MOVCR3_NOFLUSH: movCr3NoFlush,
      MOVCR4_PGE: toggleCr4Pge,
    },
  };
}
