/**
 * Lazy MMU mode: an architecture may collect what each change of a PTE asks of it, and do it at the end of a section (the third of the
 * five schemes; include/linux/pgtable.h). powerpc and sparc collect addresses that a hash table or TSB must lose, Xen the stores
 * themselves; x86 collects nothing.
 *
 *     lock PTL
 *     archEnterLazyMmuMode          sections do not nest
 *       change entries              each change is told to the architecture, with its address and the old entry
 *     archLeaveLazyMmuMode          nothing is collected any more
 *     unlock PTL
 *
 * Contract, as of 5.11: a section begins and ends under one PTL, does not sleep and does not begin another one. It ends before the PTL is
 * dropped, because whoever takes it next may set another entry for the same address, and the hardware's table must not hold the old one then.
 * That is why these architectures cannot leave it to a gather's flush, which comes later (P. Zijlstra and N. Piggin, 2021-02-02).
 *
 * The contract is checked on every architecture (O16), also where sections are empty.
 */
import type { Cpu } from './cpu.ts';
import { thisRq } from './kernel.ts';
import type { Steps } from './steps.ts';
import type { Cell } from './struct.ts';

/** What an architecture does in a section. */
export interface LazyMmu {
  /** arch_enter_lazy_mmu_mode. */
  enter(cpu: Cpu): Steps<void>;
  /** arch_leave_lazy_mmu_mode: does what was collected. */
  leave(cpu: Cpu): Steps<void>;
}

/** 1 while the current task is in a section. Only its own CPU looks. */
function sectionOf(cpu: Cpu): Cell {
  return thisRq(cpu).lazyMmu;
}

/** arch_enter_lazy_mmu_mode: under a PTL. */
export function* archEnterLazyMmuMode(cpu: Cpu): Steps<void> {
  const section = sectionOf(cpu);
  cpu.claim.that(cpu.read(section) === 0, 'O16', 'a lazy MMU section begins inside another one');
  cpu.write(section, 1);
  const { lazyMmu } = cpu.kernel.backend;
  if (lazyMmu !== null) yield* lazyMmu.enter(cpu);
}

/** arch_leave_lazy_mmu_mode: under the same PTL. */
export function* archLeaveLazyMmuMode(cpu: Cpu): Steps<void> {
  const { lazyMmu } = cpu.kernel.backend;
  if (lazyMmu !== null) yield* lazyMmu.leave(cpu);
  cpu.write(sectionOf(cpu), 0);
}

/** A PTL is about to be dropped: its section has ended. */
export function claimLazyMmuLeft(cpu: Cpu): void {
  cpu.claim.that(cpu.read(sectionOf(cpu)) === 0, 'O16', 'a PTL is dropped inside a lazy MMU section');
}
