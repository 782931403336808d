/**
 * arm64's machine for these tests: TLBIs as `VAE1IS 1 [2,4)`, with the level hint behind them, and barriers by name.
 */
import { arm64, ARM64_LINUX_6_18, type Arm64, type Arm64Switches } from '@mmu-gather/arm64/stepped';
import { EVERYTHING, PAGE_SHIFT, type Profile, type Scope } from '@mmu-gather/core/stepped';
import { FakeMachine as Machine, type Words } from '@mmu-gather/fake-machine';

export { run } from '@mmu-gather/fake-machine';

function mnemonic({ asid, leaves, walks, globals, broadcast, level }: Scope): string {
  const where = broadcast ? 'IS' : '';
  const all = leaves.end === EVERYTHING;
  if (all) return globals ? `VMALLE1${where}` : `ASIDE1${where} ${asid}`;
  const page = (address: number): number => address / 2 ** PAGE_SHIFT;
  const kind = `V${globals ? 'AA' : 'A'}${walks.end === 0 ? 'L' : ''}E1${where}`;
  const range = `${kind}${globals ? '' : ` ${asid}`} [${page(leaves.start)},${page(leaves.end)})`;
  return level === undefined ? range : `${range} level ${level}`;
}

const WORDS: Words = {
  scope: mnemonic,
  context: (root, asid) => `TTBR0 ${root ?? 'reserved'} ${asid}`,
  mb: (of) => (of === 'stores' ? 'DSB ISHST' : 'DMB ISH'),
  wmb: 'wmb',
  barrier: 'DSB ISH',
};

export class FakeMachine extends Machine<Arm64> {
  constructor(switches: Partial<Arm64Switches> = {}, cpus = 2, profile: Partial<Profile> = {}) {
    super({ backend: arm64({ ...ARM64_LINUX_6_18, ...switches }), words: WORDS, cpus, profile });
  }

  get arm64(): Arm64 {
    return this.backend;
  }

  /** TLBIs and barriers (`DMB ISH`: a DSB that waits for no TLBI) since the last call, without their CPU. */
  takeFlush(): string[] {
    return this.takeLog().flatMap((line) => {
      const text = line.slice(3);
      return /^(D[MS]B|V|ASIDE)/.test(text) ? [text] : [];
    });
  }
}
