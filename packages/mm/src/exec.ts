/**
 * A task changes or loses its mm without a context switch (fs/exec.c: exec_mmap, kernel/exit.c: exit_mm).
 *
 *     exec    switch to the new mm, then drop the old one: its last user tears it down from outside
 *     exit    become lazy on the old mm, then drop it: the flush of the teardown finds this CPU lazy and moves it to init_mm
 *
 * Linux holds the old mm's mmap_lock for read meanwhile, for the sake of core dumps, which are not here.
 */
import {
  type Cpu,
  EVERYTHING,
  type Mm,
  type Steps,
  thisRq,
  tlbFinishMmu,
  tlbGatherMmu,
  type Vma,
} from '@mmu-gather/core/stepped';
import { freePgdRange } from './free-pgtables.ts';
import { mmput } from './mm.ts';
import { mmdropLazyTlb, mmgrabLazyTlb } from './mm-count.ts';
import { movePageTables } from './move-page-tables.ts';
import { activeMm, currentMm } from './sched.ts';
import { vmaNext } from './vma.ts';
import { mmapWriteUnlock, setVmaBound, vmaStartWrite } from './vma-lock.ts';

/** exec_mmap: the current task goes on in a new mm. */
export function* execMmap(cpu: Cpu, mm: Mm): Steps<void> {
  const rq = thisRq(cpu);
  const { backend } = cpu.kernel;
  const old = currentMm(cpu);
  yield* cpu.localIrqDisable();
  const active = activeMm(cpu);
  cpu.write(rq.mm, mm.address);
  cpu.write(rq.activeMm, mm.address);
  if (backend.activateMm === null) yield* backend.switchMm(cpu, mm);
  else yield* backend.activateMm(cpu, mm);
  yield* cpu.localIrqEnable();
  if (old === null) {
    yield* mmdropLazyTlb(cpu, active);
    return;
  }
  yield* mmput(cpu, old);
}

/** exit_mm: the current task has no mm any more. */
export function* exitMm(cpu: Cpu): Steps<void> {
  const mm = currentMm(cpu);
  if (mm === null) return;
  yield* mmgrabLazyTlb(cpu, mm);
  yield* cpu.localIrqDisable();
  cpu.write(thisRq(cpu).mm, 0);
  yield* cpu.kernel.backend.enterLazyTlb(cpu, mm);
  yield* cpu.localIrqEnable();
  yield* mmput(cpu, mm);
}

/**
 * relocate_vma_down (shift_arg_pages): exec moves its stack down once it knows where it shall be. Entries move table by
 * table, each flushed under its PTLs; then a gather frees the tables that only the old place needed.
 */
export function* relocateVmaDown(cpu: Cpu, mm: Mm, vma: Vma, shift: number): Steps<void> {
  yield* cpu.downWrite(mm.mmapLock);
  const start = cpu.read(vma.start);
  const end = cpu.read(vma.end);
  yield* vmaStartWrite(cpu, mm, vma);
  yield* setVmaBound(cpu, vma, 'start', start - shift);
  yield* movePageTables(cpu, { mm, vma, from: start, to: start - shift, length: end - start });
  const above = vmaNext(cpu, vma);
  const ceiling = above === null ? EVERYTHING : cpu.read(above.start);
  const tlb = yield* tlbGatherMmu(cpu, mm);
  // What lies between the new place and the old one is empty, and costs a look.
  const from = end - shift;
  yield* freePgdRange(cpu, tlb, from, end, end - shift, ceiling);
  yield* tlbFinishMmu(cpu, tlb, from, end);
  yield* setVmaBound(cpu, vma, 'end', end - shift);
  yield* mmapWriteUnlock(cpu, mm);
}
