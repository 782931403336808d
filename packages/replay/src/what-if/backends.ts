/**
 * Backends by the id of their architecture, in both builds.
 */
import { arm64 } from '@mmu-gather/arm64';
import { arm64 as steppedArm64 } from '@mmu-gather/arm64/stepped';
import { powerpcHash, powerpcRadix } from '@mmu-gather/powerpc';
import { powerpcHash as steppedHash, powerpcRadix as steppedRadix } from '@mmu-gather/powerpc/stepped';
import { riscv } from '@mmu-gather/riscv';
import { riscv as steppedRiscv } from '@mmu-gather/riscv/stepped';
import { s390 } from '@mmu-gather/s390';
import { s390 as steppedS390 } from '@mmu-gather/s390/stepped';
import { sparc64 } from '@mmu-gather/sparc';
import { sparc64 as steppedSparc64 } from '@mmu-gather/sparc/stepped';
import { x86 } from '@mmu-gather/x86';
import { x86 as steppedX86 } from '@mmu-gather/x86/stepped';
import type { Backends } from '../facts.ts';

/** Switches of a backend, by name. */
export type BackendSwitches = Readonly<Record<string, unknown>>;

/** An architecture's constructors, and how it is replayed. */
interface Constructors {
  readonly direct: (switches: never) => Backends['direct'];
  readonly stepped: (switches: never) => Backends['stepped'];
  /** What is not known, or left out, of its flushes. */
  readonly lacks: readonly string[];
  /** Whether it looks into a table of translations, of which nothing is known. */
  readonly softwareWalks?: boolean;
  /** Switches that are numbers of objects: as many as a recording may need. */
  readonly room?: BackendSwitches;
}

/** What is assumed where an architecture stands in for the recorded one. */
const ELSEWHERE: readonly string[] = [
  'pages and page tables as recorded',
  'operations in the recorded order, faults where they were recorded',
];
const BY_HYPERVISOR = 'a guest: what its hypervisor does for it has no figure';
const NO_REDUNDANT = 'which pages its table of translations holds is not known: no redundant flushes, no lost entries';

const BACKENDS: Readonly<Record<string, Constructors>> = {
  x86: { direct: x86, stepped: steppedX86, lacks: [] },
  arm64: { direct: arm64, stepped: steppedArm64, lacks: [] },
  'powerpc-hash': {
    direct: powerpcHash,
    stepped: steppedHash,
    lacks: [NO_REDUNDANT, BY_HYPERVISOR],
    softwareWalks: true,
    room: { contexts: 32_768, platform: 'lpar', groups: 2 ** 14 },
  },
  'powerpc-radix': { direct: powerpcRadix, stepped: steppedRadix, lacks: [], room: { pids: 32_768 } },
  s390: { direct: s390, stepped: steppedS390, lacks: [] },
  sparc64: { direct: sparc64, stepped: steppedSparc64, lacks: [NO_REDUNDANT], softwareWalks: true },
  riscv: { direct: riscv, stepped: steppedRiscv, lacks: [] },
};

/** Ids of all architectures. */
export const WHAT_IF_ARCHS: readonly string[] = Object.keys(BACKENDS);

/** An architecture with its switches. */
export function backendsOf(arch: string, switches: BackendSwitches): Backends {
  const { direct, stepped, room } = BACKENDS[arch]!;
  const all = { ...switches, ...room } as never;
  return { direct: direct(all), stepped: stepped(all) };
}

/** Whether what TLBs may hold follows from page tables. */
export function walksPageTables(arch: string): boolean {
  return BACKENDS[arch]!.softwareWalks !== true;
}

/** What is assumed of an architecture, and what is not known of it. @param elsewhere it stands in for the recorded one */
export function assumptionsOf(arch: string, elsewhere: boolean): readonly string[] {
  return [...(elsewhere ? ELSEWHERE : []), ...BACKENDS[arch]!.lacks];
}
