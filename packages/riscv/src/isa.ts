/**
 * The hardware side of RISC-V: memory model, page-table shape, and what each form of SFENCE.VMA drops (privileged manual, "Supervisor
 * Memory-Management Fence Instruction").
 *
 *     rs1 (address)  rs2 (ASID)
 *     x0             x0           everything, of every ASID, global entries too
 *     x0             set          everything of the ASID but global entries
 *     set            x0           leaves of the address, in every ASID and global
 *     set            set          leaves of the address in the ASID
 *
 * There is no form for the walk caches of one address: whoever changes an entry that leads to a table needs rs1 = x0. All are of this hart
 * alone; nothing is broadcast. Entries that are not valid may be cached, too: a page that was mapped may fault until the hart has fenced.
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

/** SFENCE.VMA x0, x0: everything. */
export function sfenceAll(): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: false };
}

/** SFENCE.VMA x0, ASID: everything of an ASID but global entries. */
export function sfenceAsid(asid: number): Scope {
  return { asid, leaves: ALL, walks: ALL, globals: false, broadcast: false };
}

/** SFENCE.VMA address, x0: the leaf of a page in every ASID, and a global one. */
export function sfencePage(address: number): Scope {
  return { asid: ALL_ASIDS, leaves: page(address), walks: NOTHING, globals: true, broadcast: false };
}

/** SFENCE.VMA address, ASID, and SINVAL.VMA between SFENCE.W.INVAL and SFENCE.INVAL.IR: the leaf of a page in an ASID. */
export function sfencePageAsid(asid: number, address: number): Scope {
  return { asid, leaves: page(address), walks: NOTHING, globals: false, broadcast: false };
}

/** What harts differ in. */
export interface HartFeatures {
  /** Number of ASIDs. */
  readonly asids: number;
  /** Svadu: the hardware sets accessed and dirty bits; without it faults do. */
  readonly svadu: boolean;
  /** Whether entries that are not valid may be cached; see core's `Isa.cachesInvalid`. */
  readonly cachesInvalid: 'leaves' | 'all' | 'never';
}

/** A RISC-V hart. */
export function riscvIsa({ asids, svadu, cachesInvalid }: HartFeatures): Isa {
  return {
    memoryModel: 'weak',
    multiCopyAtomic: true,
    geometry: FOUR_LEVELS,
    asids,
    broadcasts: false,
    ...(cachesInvalid === 'never' ? {} : { cachesInvalid }),
    // Accessed and dirty bits are set in memory, never only in what is cached.
    cleanWalks: true,
    accessed: svadu ? 'hardware' : 'software',
    dirty: svadu ? 'hardware' : 'software',
    instructions: {
      'SFENCE.VMA': sfenceAll,
      'SFENCE.VMA.ASID': sfenceAsid,
      'SFENCE.VMA.VA': (_asid, address) => sfencePage(address),
      'SFENCE.VMA.VA.ASID': sfencePageAsid,
    },
  };
}
