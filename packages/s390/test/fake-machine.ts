/**
 * s390's machine for these tests: purges as `global 1 [2,4)`, with `walks` behind them if pointers to tables go too.
 */
import { type Cell, type Entry, EVERYTHING, Mm, PAGE_SHIFT, type Profile, type Scope } from '@mmu-gather/core/stepped';
import { FakeMachine as Machine, type Words } from '@mmu-gather/fake-machine';
import { s390, S390_LEVELS, S390_LINUX_6_18, type S390, type S390Switches } from '@mmu-gather/s390/stepped';

export { run } from '@mmu-gather/fake-machine';

function words({ asid, leaves, walks, globals, broadcast }: Scope): string {
  const where = broadcast ? 'global' : 'local';
  const tag = globals ? 'kernel' : `${asid}`;
  if (leaves.end === EVERYTHING) return `${where} ${asid < 0 ? 'any' : tag} all`;
  const page = (address: number): number => address / 2 ** PAGE_SHIFT;
  return `${where} ${tag} [${page(leaves.start)},${page(leaves.end)})${walks.end === 0 ? '' : ' walks'}`;
}

const WORDS: Words = {
  scope: (scope) => `drop ${words(scope)}`,
  context: (root, asid, noflush) => `ASCE ${root ?? 'invalid'} ${asid}${noflush ? '' : ' flush'}`,
  mb: () => 'mb',
  change: (cell, scope) => `${cell.endsWith('.operand') ? 'purge' : `change ${cell}`} ${words(scope)}`,
};

export class FakeMachine extends Machine<S390> {
  constructor(switches: Partial<S390Switches> = {}, cpus = 2, profile: Partial<Profile> = {}) {
    const backend = s390({ ...S390_LINUX_6_18, asces: 4, ...switches });
    super({ backend, words: WORDS, cpus, geometry: S390_LEVELS, profile });
  }

  get s390(): S390 {
    return this.backend;
  }
  get initMm(): Mm {
    return Mm.at(this.kernel.initMm);
  }

  /** A word that holds an entry. */
  entry(name: string, value: Entry): Cell {
    const cell = this.reserve(name, ['']);
    this.words[cell] = value;
    return cell;
  }
}
