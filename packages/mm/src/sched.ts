/**
 * Which mm a CPU runs: the part of the scheduler that changes it (kernel/sched/core.c: context_switch, kernel/kthread.c).
 *
 *     to a task with an mm         switch_mm: loads its tables
 *     to a task without            enter_lazy_tlb: nothing is loaded; the mm of before is borrowed (active_mm), with a reference
 *     from borrowed to another mm  the reference is dropped after the switch
 *
 * Interrupts are off around the change: a flush that arrives must find loaded_mm and the loaded tables in agreement.
 */
import { type Cpu, Mm, type Steps, thisRq } from '@mmu-gather/core/stepped';
import { mmdrop, mmdropLazyTlb, mmgrab, mmgrabLazyTlb } from './mm-count.ts';

/** current->mm; null in a kernel thread. */
export function currentMm(cpu: Cpu): Mm | null {
  const mm = cpu.read(thisRq(cpu).mm);
  return mm === 0 ? null : Mm.at(mm);
}

/** current->active_mm: after boot init_mm. */
export function activeMm(cpu: Cpu): Mm {
  const mm = cpu.read(thisRq(cpu).activeMm);
  return Mm.at(mm === 0 ? cpu.kernel.initMm : mm);
}

/** finish_arch_post_lock_switch: what may wait for others, so interrupts are on again, and what must be done before user code runs. */
function* finishArchPostLockSwitch(cpu: Cpu, mm: Mm): Steps<void> {
  const { finishArchPostLockSwitch: finish } = cpu.kernel.backend;
  if (finish !== null) yield* finish(cpu, mm);
}

/** context_switch, and the mmdrop of finish_task_switch. @param next the next task's mm; null for a kernel thread or idle */
export function* contextSwitch(cpu: Cpu, next: Mm | null): Steps<void> {
  const rq = thisRq(cpu);
  yield* cpu.localIrqDisable();
  // An interrupt may make a lazy CPU leave the mm that it borrows (powerpc).
  const prevMm = currentMm(cpu);
  const prevActive = activeMm(cpu);
  const { switchTo } = cpu.kernel.backend;
  if (switchTo !== null) yield* switchTo(cpu);
  if (next === null) {
    yield* cpu.kernel.backend.enterLazyTlb(cpu, prevActive);
    if (prevMm !== null) yield* mmgrabLazyTlb(cpu, prevActive);
    cpu.write(rq.mm, 0);
  } else {
    yield* cpu.kernel.backend.switchMm(cpu, next);
    cpu.write(rq.mm, next.address);
    cpu.write(rq.activeMm, next.address);
  }
  yield* cpu.localIrqEnable();
  if (next !== null) yield* finishArchPostLockSwitch(cpu, next);
  if (next !== null && prevMm === null) yield* mmdropLazyTlb(cpu, prevActive);
}

/** kthread_use_mm: a kernel thread works on a user's behalf. */
export function* kthreadUseMm(cpu: Cpu, mm: Mm): Steps<void> {
  const rq = thisRq(cpu);
  cpu.claim.that(cpu.read(rq.mm) === 0, 'O16', 'a kernel thread uses an mm, and has one already');
  yield* mmgrab(cpu, mm);
  yield* cpu.localIrqDisable();
  const borrowed = activeMm(cpu);
  cpu.write(rq.mm, mm.address);
  cpu.write(rq.activeMm, mm.address);
  yield* cpu.kernel.backend.switchMm(cpu, mm);
  yield* cpu.localIrqEnable();
  yield* finishArchPostLockSwitch(cpu, mm);
  yield* mmdropLazyTlb(cpu, borrowed);
}

/** kthread_unuse_mm: and goes on with it lazily. */
export function* kthreadUnuseMm(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.localIrqDisable();
  cpu.write(thisRq(cpu).mm, 0);
  yield* mmgrabLazyTlb(cpu, mm);
  yield* cpu.kernel.backend.enterLazyTlb(cpu, mm);
  yield* cpu.localIrqEnable();
  yield* mmdrop(cpu, mm);
}
