/**
 * The backends, in the direct build, by id; and what of their switches must fit the number of CPUs.
 */
import { arm64, type Arm64Switches } from '@mmu-gather/arm64';
import type { BackendSpec } from '@mmu-gather/core';
import { type HashSwitches, powerpcHash, powerpcRadix, type RadixSwitches } from '@mmu-gather/powerpc';
import { riscv, type RiscvSwitches } from '@mmu-gather/riscv';
import { s390, type S390Switches } from '@mmu-gather/s390';
import { sparc64, type Sparc64Switches } from '@mmu-gather/sparc';
import { x86, type X86Switches } from '@mmu-gather/x86';

type Switches = Readonly<Record<string, unknown>>;
type Make = (switches: Switches, cpus: number) => BackendSpec;

/** So many address spaces of a run exist at once, at most. */
function spaces(cpus: number): number {
  return 4 * cpus + 16;
}

/** Tags are few, so that they are used again soon, and enough for all CPUs. */
const MAKERS: Readonly<Record<string, Make>> = {
  x86: (switches) => x86(switches as unknown as X86Switches),
  arm64: (switches, cpus) => arm64({ ...(switches as unknown as Arm64Switches), asids: 4 * cpus + 4 }),
  riscv: (switches, cpus) => riscv({ ...(switches as unknown as RiscvSwitches), asids: 2 * cpus + 4 }),
  'powerpc-hash': (switches, cpus) =>
    powerpcHash({ ...(switches as unknown as HashSwitches), contexts: spaces(cpus), groups: 64, slots: 8 }),
  'powerpc-radix': (switches, cpus) => powerpcRadix({ ...(switches as unknown as RadixSwitches), pids: spaces(cpus) }),
  s390: (switches, cpus) => s390({ ...(switches as unknown as S390Switches), asces: spaces(cpus) }),
  sparc64: (switches, cpus) =>
    sparc64({ ...(switches as unknown as Sparc64Switches), contexts: 2 * cpus + 4, tsbs: 4 * spaces(cpus) }),
};

/** Ids of the architectures that a stress run knows. */
export const STRESS_ARCHS: readonly string[] = Object.keys(MAKERS);

/** A backend. @throws RangeError if there is no such architecture */
export function backendOf(arch: string, switches: Switches, cpus: number): BackendSpec {
  const make = MAKERS[arch];
  if (make === undefined) throw new RangeError(`there is no architecture '${arch}'`);
  return make(switches, cpus);
}
