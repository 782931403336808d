/**
 * sparc64's machine for these tests: demaps as `demap context 5 2000-4000`, with the CPUs that a cross call has do it.
 */
import type { Geometry, Profile, Scope } from '@mmu-gather/core/stepped';
import { FakeMachine as Machine, type Words } from '@mmu-gather/fake-machine';
import {
  sparc64,
  SPARC64_LEVELS,
  SPARC64_LINUX_6_18,
  type Sparc64,
  type Sparc64Switches,
} from '@mmu-gather/sparc/stepped';

export { run } from '@mmu-gather/fake-machine';

function demap(scope: Scope): string {
  const where = scope.cpus === undefined ? '' : ` on ${scope.cpus}`;
  const what = `${scope.globals ? 'kernel' : `context ${scope.asid}`}${scope.data === true ? ' data' : ''}`;
  return `demap${where} ${what} ${scope.leaves.start.toString(16)}-${scope.leaves.end.toString(16)}`;
}

const WORDS: Words = {
  scope: demap,
  context: (_root, asid, noflush) => `context ${asid}${noflush ? '' : ', demapped'}`,
  mb: () => 'mb',
};

/** How a machine differs from a real one with two CPUs. */
export interface FakeOptions {
  readonly switches?: Partial<Sparc64Switches>;
  readonly cpus?: number;
  readonly geometry?: Geometry;
  readonly profile?: Partial<Profile>;
}

export class FakeMachine extends Machine<Sparc64> {
  constructor({ switches = {}, geometry = SPARC64_LEVELS, ...options }: FakeOptions = {}) {
    const backend = sparc64({ ...SPARC64_LINUX_6_18, tsbs: 4, tsbMaxEntries: 1024, ...switches });
    super({ backend, words: WORDS, geometry, ...options });
  }

  get sparc(): Sparc64 {
    return this.backend;
  }

  /** What the hardware of a CPU finds for an address. */
  lookup(cpu: number, address: number): readonly number[] {
    return this.backend.translationTable!.lookup((cell) => this.words[cell]!, 0, address, cpu);
  }
}
