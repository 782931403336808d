/**
 * Lazy MMU mode: an architecture may collect what each change of a PTE asks of it, and do it at the end of a section (the third of the
 * five schemes; include/linux/pgtable.h). powerpc and sparc collect addresses that a hash table or TSB must lose, Xen the stores
 * themselves; x86 collects nothing.
 *
 *     lock PTL
 *     archEnterLazyMmuMode
 *       change entries              each change is told to the architecture, with its address and the old entry
 *     archLeaveLazyMmuMode          nothing is collected any more
 *     unlock PTL
 *
 * It ends before the PTL is dropped, because whoever takes it next may set another entry for the same address, and the hardware's table must
 * not hold the old one then. That is why these architectures cannot leave it to a gather's flush, which comes later (P. Zijlstra and
 * N. Piggin, 2021-02-02).
 *
 * Up to 6.19 a section does not begin inside another one. Since the rework of December 2025 sections nest, and the task counts them
 * (profile.lazyMmuNesting): the architecture hears of the outermost ones, and at the end of an inner one is told to do what it has collected,
 * for who ended it may drop a lock of his own now; the mode stays on:
 *
 *     enable                        1: arch_enter
 *       enable                      2
 *       disable                     1: arch_flush
 *       pause ... resume            nothing is collected in between: arch_leave ... arch_enter
 *     disable                       0: arch_leave
 *
 * An interrupt that changes entries of the kernel is in no section, whatever it interrupts (in_interrupt); as long as the mode is a flag of the
 * CPU, its changes are collected with the others.
 *
 * Contract: no sleep in a section, and nothing is collected when a PTL is dropped. It is checked on every architecture (O16), also where
 * sections are empty.
 */
import type { Cpu } from './cpu.ts';
import { type Runqueue, thisRq } from './kernel.ts';
import type { Steps } from './steps.ts';

/** What an architecture does in a section. */
export interface LazyMmu {
  /** arch_enter_lazy_mmu_mode. */
  enter(cpu: Cpu): Steps<void>;
  /** arch_leave_lazy_mmu_mode: does what was collected. */
  leave(cpu: Cpu): Steps<void>;
  /** arch_flush_lazy_mmu_mode: does what was collected; the section goes on. */
  flush(cpu: Cpu): Steps<void>;
  /** Number of changes that this CPU has collected and not done yet. */
  collected(cpu: Cpu): number;
}

/** preempt_disable: the task stays on its CPU. Sections alone need to be told here: everything else is under locks. */
export function preemptDisable(cpu: Cpu): void {
  const { preemptCount } = thisRq(cpu);
  cpu.write(preemptCount, cpu.read(preemptCount) + 1);
}

/** preempt_enable. */
export function preemptEnable(cpu: Cpu): void {
  const { preemptCount } = thisRq(cpu);
  const count = cpu.read(preemptCount) - 1;
  cpu.claim.that(count >= 0, 'O16', 'preemption is enabled where it was not disabled');
  cpu.write(preemptCount, count);
}

/** preemptible: may the task be moved to another CPU now, as far as lazy MMU mode is concerned? */
export function preemptible(cpu: Cpu): boolean {
  return cpu.read(thisRq(cpu).preemptCount) === 0;
}

/** irq_enter, of a handler that changes entries. */
export function irqEnter(cpu: Cpu): void {
  const { hardirqCount } = thisRq(cpu);
  cpu.write(hardirqCount, cpu.read(hardirqCount) + 1);
}

/** irq_exit. */
export function irqExit(cpu: Cpu): void {
  const { hardirqCount } = thisRq(cpu);
  cpu.write(hardirqCount, cpu.read(hardirqCount) - 1);
}

/** is_lazy_mmu_mode_active: since the rework. */
export function isLazyMmuModeActive(cpu: Cpu): boolean {
  const rq = thisRq(cpu);
  return cpu.read(rq.lazyMmu) > 0 && !ignored(cpu, rq);
}

/** arch_enter_lazy_mmu_mode, and since the rework lazy_mmu_mode_enable. */
export function* archEnterLazyMmuMode(cpu: Cpu): Steps<void> {
  const rq = thisRq(cpu);
  if (ignored(cpu, rq)) return;
  const count = cpu.read(rq.lazyMmu);
  if (cpu.kernel.profile.lazyMmuNesting === 'none')
    cpu.claim.that(count === 0, 'O16', 'a lazy MMU section begins inside another one');
  // The count first: nothing is collected yet, so it does not matter on which CPU preemption is disabled.
  cpu.write(rq.lazyMmu, count + 1);
  const { lazyMmu } = cpu.kernel.backend;
  if (lazyMmu !== null && (count === 0 || cpu.kernel.profile.lazyMmuNesting === 'none')) yield* lazyMmu.enter(cpu);
}

/** arch_leave_lazy_mmu_mode, and since the rework lazy_mmu_mode_disable. */
export function* archLeaveLazyMmuMode(cpu: Cpu): Steps<void> {
  const rq = thisRq(cpu);
  if (ignored(cpu, rq)) return;
  const { backend, profile } = cpu.kernel;
  const left = cpu.read(rq.lazyMmu) - 1;
  cpu.claim.that(left >= 0, 'O16', 'a lazy MMU section ends that never began');
  cpu.write(rq.lazyMmu, left);
  const { lazyMmu } = backend;
  if (lazyMmu === null) return;
  if (left === 0 || profile.lazyMmuNesting === 'none') yield* lazyMmu.leave(cpu);
  else if (profile.lazyMmuNesting === 'counts') yield* lazyMmu.flush(cpu);
}

/** lazy_mmu_mode_pause: since the rework. Nests. In an interrupt nothing is on that could be paused. */
export function* lazyMmuModePause(cpu: Cpu): Steps<void> {
  const rq = thisRq(cpu);
  if (inInterrupt(cpu, rq)) return;
  const { lazyMmu } = cpu.kernel.backend;
  const count = cpu.read(rq.lazyMmuPaused);
  if (lazyMmu !== null && count === 0 && cpu.read(rq.lazyMmu) > 0) yield* lazyMmu.leave(cpu);
  cpu.write(rq.lazyMmuPaused, count + 1);
}

/** lazy_mmu_mode_resume. */
export function* lazyMmuModeResume(cpu: Cpu): Steps<void> {
  const rq = thisRq(cpu);
  if (inInterrupt(cpu, rq)) return;
  const left = cpu.read(rq.lazyMmuPaused) - 1;
  cpu.claim.that(left >= 0, 'O16', 'lazy MMU mode is resumed and was not paused');
  cpu.write(rq.lazyMmuPaused, left);
  const { lazyMmu } = cpu.kernel.backend;
  if (lazyMmu !== null && left === 0 && cpu.read(rq.lazyMmu) > 0) yield* lazyMmu.enter(cpu);
}

/** While the mode is paused, and in interrupts, sections are not counted. */
function ignored(cpu: Cpu, rq: Runqueue): boolean {
  return cpu.read(rq.lazyMmuPaused) > 0 || inInterrupt(cpu, rq);
}

/** in_interrupt. */
function inInterrupt(cpu: Cpu, rq: Runqueue): boolean {
  return cpu.read(rq.hardirqCount) > 0;
}

/** A PTL is about to be dropped: its section has ended, or what it has collected is done. */
export function claimLazyMmuLeft(cpu: Cpu): void {
  const { backend, profile } = cpu.kernel;
  if (profile.lazyMmuNesting === 'none') {
    const open = cpu.read(thisRq(cpu).lazyMmu) !== 0;
    cpu.claim.that(!open, 'O16', 'a PTL is dropped inside a lazy MMU section');
  } else if (backend.lazyMmu !== null) {
    const collected = backend.lazyMmu.collected(cpu);
    cpu.claim.that(collected === 0, 'O16', 'a PTL is dropped, and changes under it are collected and not done');
  }
}
