/**
 * The hardware side of s390: memory model, page-table shape, and what each instruction purges (Principles of Operation, chapters 3 and 10,
 * as arch/s390 relies on them).
 *
 * TLB entries are tagged by the table that they were formed from: for a walk from the top that is the address-space-control element (ASCE) in
 * a control register. There are no numbers of address spaces; here each ASCE in use has one (asce.ts).
 *
 * IPTE, IDTE, CSP and RDP change an entry in memory and purge what was formed from it in one step, on all CPUs or, where local clearing is
 * installed, on this one alone; they serialise, and end when other CPUs have ended the accesses that used the entry. No invalid
 * entry is cached. Nothing sets accessed or dirty bits: an entry that is not young has the invalid bit (I), one that is not dirty the
 * protection bit (P), and a fault takes the bit away.
 */
import { ALL, ALL_ASIDS, type Extent, type Geometry, type Isa, NOTHING, type Scope } from '@mmu-gather/core/stepped';

/**
 * Page tables of a process: 4 KiB pages, 256 entries in a page table, 2048 in a segment and in a region-third table, 4 TiB of addresses. Larger
 * processes get one or two levels more at run time (crst_table_upgrade), which is left out.
 */
export const S390_LEVELS: Geometry = { pageShift: 12, bits: [8, 11, 11] };

/** The tag of the invalid ASCE, which maps nothing, and of no process. */
export const INVALID_ASCE: number = 0;

/** Where an instruction acts. */
export type Clearing = 'local' | 'global';

function scope(asce: number, leaves: Extent, walks: Extent, where: Clearing, kernel: boolean): Scope {
  return { asid: asce, leaves, walks, globals: kernel, broadcast: where === 'global' };
}

/**
 * IPTE: sets I in a page-table entry and purges what was formed from it, which are entries of one page. RDP: takes P away, and purges what had it.
 * @param kernel whether the entry is one of the kernel's own table
 */
export function ipte(asce: number, page: Extent, where: Clearing, kernel: boolean): Scope {
  return { ...scope(asce, page, NOTHING, where, kernel), level: 0 };
}

/** IDTE of a segment-table or region-table entry, CSP and CSPG on one: the same of a larger page, or of all below a table. */
export function idte(asce: number, range: Extent, where: Clearing, kernel: boolean): Scope {
  return scope(asce, range, range, where, kernel);
}

/** IDTE by ASCE: all that was formed from a top-level table, pointers to tables included; changes nothing in memory. */
export function idteAsce(asce: number, kernel: boolean): Scope {
  return scope(asce, ALL, ALL, 'global', kernel);
}

/** CSP with the purge of all entries on all CPUs (__tlb_flush_global). */
export function csp(): Scope {
  return scope(ALL_ASIDS, ALL, ALL, 'global', true);
}

/** PTLB: all entries of this CPU (__tlb_flush_local). */
export function ptlb(): Scope {
  return scope(ALL_ASIDS, ALL, ALL, 'local', true);
}

/** An s390 CPU; so many ASCEs may be in use, the invalid one among them. */
export function s390Isa(asces: number): Isa {
  const page = (address: number, size: number): Extent => ({ start: address, end: address + size });
  return {
    memoryModel: 'tso',
    multiCopyAtomic: true,
    geometry: S390_LEVELS,
    asids: asces,
    // Purges of all CPUs are part of instructions that wait for them: nothing is told and waited for later.
    broadcasts: false,
    cleanWalks: false,
    // A protection exception drops nothing (RDP, flush_tlb_fix_spurious_fault).
    keepsNarrower: true,
    accessed: 'software',
    dirty: 'software',
    instructions: {
      IPTE: (asce, address, size) => ipte(asce, page(address, size), 'global', false),
      'IPTE.local': (asce, address, size) => ipte(asce, page(address, size), 'local', false),
      RDP: (asce, address, size) => ipte(asce, page(address, size), 'global', false),
      'RDP.local': (asce, address, size) => ipte(asce, page(address, size), 'local', false),
      IDTE: (asce, address, size) => idte(asce, page(address, size), 'global', false),
      'IDTE.local': (asce, address, size) => idte(asce, page(address, size), 'local', false),
      'IDTE.asce': (asce) => idteAsce(asce, false),
      CSP: csp,
      PTLB: ptlb,
    },
  };
}
