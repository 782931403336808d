/**
 * RISC-V's machine for these tests: fences as `sfence page 3 asid 1`, with the harts that the firmware has do it in front.
 */
import { EVERYTHING, PAGE_SHIFT, type Scope } from '@mmu-gather/core/stepped';
import { FakeMachine as Machine, type Words } from '@mmu-gather/fake-machine';
import { riscv, RISCV_LINUX_6_18, type Riscv, type RiscvSwitches } from '@mmu-gather/riscv/stepped';

export { run } from '@mmu-gather/fake-machine';

function mnemonic({ asid, leaves, walks, globals, cpus }: Scope): string {
  const where = cpus === undefined ? '' : `harts ${cpus.toString(2)}: `;
  const whom = globals ? '' : ` asid ${asid}`;
  if (leaves.end === EVERYTHING) return `${where}sfence all${whom}`;
  return `${where}sfence page ${leaves.start / 2 ** PAGE_SHIFT}${whom}${walks.end === 0 ? '' : ' and walks'}`;
}

const WORDS: Words = {
  scope: mnemonic,
  context: (root, asid, noflush) => `satp ${root ?? 'kernel'} ${asid}${noflush ? '' : ' flush'}`,
  mb: () => 'mb',
  wmb: 'wmb',
};

export class FakeMachine extends Machine<Riscv> {
  constructor(switches: Partial<RiscvSwitches> = {}, cpus = 2) {
    super({ backend: riscv({ ...RISCV_LINUX_6_18, ...switches }), words: WORDS, cpus });
  }

  get riscv(): Riscv {
    return this.backend;
  }

  /** Fences, interrupts and loads of satp since the last call. */
  takeFlush(): string[] {
    return this.takeLog().filter((line) => /^\d: (sfence|harts|ipi|wait for ipis|satp)/.test(line));
  }
}
