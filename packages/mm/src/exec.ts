/**
 * A task changes or loses its mm without a context switch (fs/exec.c: exec_mmap, kernel/exit.c: exit_mm).
 *
 *     exec    switch to the new mm, then drop the old one: its last user tears it down from outside
 *     exit    become lazy on the old mm, then drop it: the flush of the teardown finds this CPU lazy and moves it to init_mm
 */
import {
  type Cpu,
  entryAddrEnd,
  EVERYTHING,
  type Mm,
  type Steps,
  tlbFinishMmu,
  tlbGatherMmu,
  type Vma,
} from '@mmu-gather/core/stepped';
import { freePgdRange } from './free-pgtables.ts';
import { mmdrop, mmgrab, mmput } from './mm.ts';
import { movePtes } from './mremap.ts';
import { activeMm, currentMm, thisRq } from './sched.ts';
import { vmaNext } from './vma.ts';

/** exec_mmap: the current task goes on in a new mm. */
export function* execMmap(cpu: Cpu, mm: Mm): Steps<void> {
  const rq = thisRq(cpu);
  const old = currentMm(cpu);
  const active = activeMm(cpu);
  if (old !== null) yield* cpu.downRead(old.mmapLock);
  yield* cpu.localIrqDisable();
  cpu.write(rq.mm, mm.address);
  cpu.write(rq.activeMm, mm.address);
  yield* cpu.kernel.backend.switchMm(cpu, mm);
  yield* cpu.localIrqEnable();
  if (old === null) {
    yield* mmdrop(cpu, active);
    return;
  }
  yield* cpu.upRead(old.mmapLock);
  yield* mmput(cpu, old);
}

/** exit_mm: the current task has no mm any more. */
export function* exitMm(cpu: Cpu): Steps<void> {
  const mm = currentMm(cpu);
  if (mm === null) return;
  yield* cpu.downRead(mm.mmapLock);
  yield* mmgrab(cpu, mm);
  yield* cpu.localIrqDisable();
  cpu.write(thisRq(cpu).mm, 0);
  yield* cpu.kernel.backend.enterLazyTlb(cpu, mm);
  yield* cpu.localIrqEnable();
  yield* cpu.upRead(mm.mmapLock);
  yield* mmput(cpu, mm);
}

/**
 * relocate_vma_down (shift_arg_pages): exec moves its stack down once it knows where it shall be. Entries move table by
 * table, each flushed under its PTLs; then a gather frees the tables that only the old place needed.
 */
export function* relocateVmaDown(cpu: Cpu, mm: Mm, vma: Vma, shift: number): Steps<void> {
  const geometry = cpu.kernel.geometry;
  yield* cpu.downWrite(mm.mmapLock);
  const start = cpu.read(vma.start);
  const end = cpu.read(vma.end);
  cpu.write(vma.start, start - shift);
  for (let at = start; at < end; ) {
    // A table on either side at a time (move_page_tables, get_extent).
    const next = Math.min(
      entryAddrEnd(geometry, 1, at, end),
      entryAddrEnd(geometry, 1, at - shift, end - shift) + shift,
    );
    yield* movePtes(cpu, mm, at, at - shift, next - at);
    at = next;
  }
  const above = vmaNext(cpu, vma);
  const ceiling = above === null ? EVERYTHING : cpu.read(above.start);
  const tlb = yield* tlbGatherMmu(cpu, mm);
  const from = Math.max(start, end - shift);
  yield* freePgdRange(cpu, tlb, from, end, end - shift, ceiling);
  yield* tlbFinishMmu(cpu, tlb, from, end);
  cpu.write(vma.end, end - shift);
  yield* cpu.upWrite(mm.mmapLock);
}
