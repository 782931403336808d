/**
 * What scenarios about powerpc's hash MMU share: its switches, twins that differ by them, and pages that are mapped and not hashed.
 */
import type { Run } from '@mmu-gather/checker';
import { type Cpu, type Mm, pteWrprotect, type Steps } from '@mmu-gather/core/stepped';
import type { HashSwitches } from '@mmu-gather/powerpc/stepped';
import type { Property } from '../property.ts';
import type { BackendOverrides, Only, Twin } from '../scenario.ts';
import { type Mapping, mappingOf, PAGE, setStage, type Stage } from './stage.ts';

const ID = 'powerpc-hash';

/** The architecture. */
export const HASH_ONLY: Only = { archs: [ID], why: 'it is about the hash page table' };

/** Switches of the hash MMU. */
export function hash(switches: Partial<HashSwitches>): BackendOverrides {
  return { [ID]: switches };
}

/** A twin that differs by switches of the hash MMU. */
export function wrongHash<E>(
  id: string,
  why: string,
  switches: Partial<HashSwitches>,
  oracle: readonly string[],
  property: Property = 'SAC',
): Twin<E> {
  return { id, why, oracle, property, backend: hash(switches) };
}

/** Pages 0 and 1 as page tables have them. */
export interface Unhashed extends Stage {
  /** How they are mapped. */
  readonly pages: readonly Mapping[];
}

/** Two pages that are mapped to be read, and not hashed: their entries were set anew. */
export function unhashed(run: Run): Unhashed {
  const stage = setStage(run, { touched: [0, 1], inKernel: [1] });
  const { mm } = stage;
  const pages = [0, PAGE].map((at) => mappingOf(run, mm, at));
  for (const [i, { pte, ptl }] of pages.entries()) {
    run(0, function* (cpu) {
      const ops = cpu.kernel.backend.pte;
      yield* cpu.spinLock(ptl);
      const old = yield* ops.ptepGetAndClear(cpu, mm, i * PAGE, pte, 0);
      yield* ops.setPteAt(cpu, mm, i * PAGE, pte, pteWrprotect(old), 0);
      yield* cpu.spinUnlock(ptl);
    });
  }
  return { ...stage, pages };
}

/** A hash fault on a page that stays where it is. */
export function* hashStable(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const found = yield* cpu.kernel.backend.tlbMiss!(cpu, mm, address, false);
  cpu.claim.that(found, 'O16', 'a page that is mapped, and stays so, is not found');
}
