/**
 * The hardware side of arm64: memory model, page-table shape, and what each TLBI drops (Arm ARM, D8.17; asm/tlbflush.h).
 *
 *     VMALLE1   everything                       VAE1    one address of one ASID: its leaf and the walk caches on its way
 *     ASIDE1    one ASID                         VALE1   its leaf only ("last level")
 *                                                VAAE1, VAALE1   the same in every ASID, and global
 *
 * With IS each is broadcast, and complete at the issuer's DSB ISH; R-forms (FEAT_TLBIRANGE) take a range of pages. An entry that is not
 * valid is never cached, and neither is one without its access flag where software sets that.
 *
 * Addresses of the kernel's own table are numbers like those of users. By-address operations of one ASID cannot name them here
 * (TTBR1 is another half of the address space), so they keep global entries.
 */
import {
  ALL,
  ALL_ASIDS,
  ARCH_0,
  type Extent,
  FOUR_LEVELS,
  type Isa,
  NOTHING,
  PAGE_SHIFT,
  type Scope,
} from '@mmu-gather/core/stepped';

/** Bytes in a base page. */
const PAGE_SIZE = 2 ** PAGE_SHIFT;

/** Levels that a hint (FEAT_TTL) can name: 0 to 3 of the architecture, 3 to 0 of this project. */
const HINTED_LEVELS = 4;
/** No level hint: TLBI_TTL_UNKNOWN. */
export const TTL_UNKNOWN: number = -1;

/** On which CPUs a TLBI acts: those of the inner shareable domain (IS), or only the one that issues it. */
export type Shareability = 'inner' | 'local';

/** VMALLE1, VMALLE1IS: every entry of every ASID, global ones too. */
export function vmalle1(where: Shareability): Scope {
  return { asid: ALL_ASIDS, leaves: ALL, walks: ALL, globals: true, broadcast: where === 'inner' };
}

/** ASIDE1, ASIDE1IS: every entry of an ASID but global ones. */
export function aside1(asid: number, where: Shareability): Scope {
  return { asid, leaves: ALL, walks: ALL, globals: false, broadcast: where === 'inner' };
}

/**
 * VAE1, VALE1 and their R-forms: an address, or a range of pages, of one ASID.
 * @param leafOnly VALE1: walk caches stay
 * @param ttl level hint, counted from base pages, or {@link TTL_UNKNOWN}. A wrong one drops nothing
 */
export function vae1(
  asid: number,
  range: Extent,
  leafOnly: boolean,
  where: Shareability,
  ttl: number = TTL_UNKNOWN,
): Scope {
  return {
    asid,
    leaves: range,
    walks: leafOnly ? NOTHING : range,
    globals: false,
    broadcast: where === 'inner',
    ...(ttl >= 0 && ttl < HINTED_LEVELS ? { level: ttl } : {}),
  };
}

/** VAAE1, VAALE1 and their R-forms: an address, or a range of pages, in every ASID, and global. */
export function vaae1(range: Extent, leafOnly: boolean, where: Shareability): Scope {
  return {
    asid: ALL_ASIDS,
    leaves: range,
    walks: leafOnly ? NOTHING : range,
    globals: true,
    broadcast: where === 'inner',
  };
}

function page(address: number): Extent {
  return { start: address, end: address + PAGE_SIZE };
}

function pages(address: number, size: number): Extent {
  return { start: address, end: address + size };
}

type Instruction = (asid: number, address: number, size: number) => Scope;

/** The IS and the local form of an instruction. */
function both(name: string, make: (where: Shareability) => Instruction): Record<string, Instruction> {
  return { [`${name}IS`]: make('inner'), [name]: make('local') };
}

/** Every TLBI by mnemonic; R-forms take the size of their range in bytes. */
const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  ...both('VMALLE1', (where) => () => vmalle1(where)),
  ...both('ASIDE1', (where) => (asid) => aside1(asid, where)),
  ...both('VAE1', (where) => (asid, address) => vae1(asid, page(address), false, where)),
  ...both('VALE1', (where) => (asid, address) => vae1(asid, page(address), true, where)),
  ...both('VAAE1', (where) => (_asid, address) => vaae1(page(address), false, where)),
  ...both('VAALE1', (where) => (_asid, address) => vaae1(page(address), true, where)),
  ...both('RVAE1', (where) => (asid, address, size) => vae1(asid, pages(address, size), false, where)),
  ...both('RVALE1', (where) => (asid, address, size) => vae1(asid, pages(address, size), true, where)),
  ...both('RVAAE1', (where) => (_asid, address, size) => vaae1(pages(address, size), false, where)),
  ...both('RVAALE1', (where) => (_asid, address, size) => vaae1(pages(address, size), true, where)),
};

/** PTE_CONT: the entry belongs to a block of contiguous ones, which one TLB entry may hold. */
export const PTE_CONT: number = ARCH_0;

/** What arm64 CPUs, and the use that kernels make of them, differ in. */
export interface Arm64Cpu {
  /** Number of address-space tags: 256 or 65536. */
  readonly asids: number;
  /** FEAT_HAFDBS: the hardware sets access flags and dirty bits. */
  readonly hafdbs: boolean;
  /** FEAT_ETS2 (mandatory from Armv8.8 on): walks that fault come after earlier accesses, and a DSB holds back walks. */
  readonly ets2: boolean;
  /** The kernel gives each address space two tags. */
  readonly kpti: boolean;
  /** Entries of a block with {@link PTE_CONT}. */
  readonly contPtes: number;
  /** Two sizes for one address do not abort. */
  readonly bbml2: boolean;
}

/** An arm64 CPU. */
export function arm64Isa({ asids, hafdbs, ets2, kpti, contPtes, bbml2 }: Arm64Cpu): Isa {
  return {
    memoryModel: 'weak',
    multiCopyAtomic: true,
    geometry: FOUR_LEVELS,
    asids,
    pairedAsids: kpti,
    contiguous: { flag: PTE_CONT, entries: contPtes, conflicts: !bbml2 },
    broadcasts: true,
    unorderedBroadcasts: true,
    // With DBM a store through a writable-clean entry updates the descriptor in memory, never the cached copy.
    cleanWalks: true,
    // A permission fault drops nothing.
    keepsNarrower: true,
    ets2,
    accessed: hafdbs ? 'hardware' : 'software',
    dirty: hafdbs ? 'hardware' : 'software',
    instructions: INSTRUCTIONS,
  };
}
