/**
 * tsb_grow (arch/sparc/mm/tsb.c): an mm with many pages gets a larger TSB, while other CPUs run it.
 *
 *     CPU 2 (tsb_grow)                         CPU 0 (unmaps)             CPU 1
 *     lock the context
 *       copy what is in the old one
 *       publish the new one
 *     unlock                                   clears the entry
 *                                              flushes the new TSB
 *                                              cross call                 demaps its TLB
 *                                                                         fills it again, from the old TSB
 *     IPI: registers are loaded anew                                      the new TSB, and an old entry in the TLB
 *     free the old one
 *
 * In Linux flushes look into the new one only (D-S2, `growFlush`). If they look into the old one, too, until all CPUs have left it, it holds.
 */
import { type Address, type Cpu, Mm, onEachCpuCondMask, powerOfTwo, type Steps } from '@mmu-gather/core/stepped';
import { contextOldTsb, contextTsb, sparc64Of, thisCpuState } from './state.ts';
import { reloadTsb } from './switch.ts';
import {
  allocTsb,
  entriesOf,
  freeTsb,
  lockContext,
  lockTag,
  TAG_INVALID,
  TSB_BASE,
  type TsbMemory,
  tsbSlot,
  unlockContext,
} from './tsb.ts';

/** Id of {@link tsbSync} among the backend's handlers. */
export const TSB_SYNC: number = 3;

/** tsb_sync: a CPU that runs the mm loads its registers anew; one that does not will when it switches to it. */
export function tsbSync(cpu: Cpu, argument: Address): Steps<void> {
  return reloadTsb(cpu, Mm.at(argument));
}

/** tsb_grow of the base table: twice as many entries. Nothing if it is as large as it may be. Interrupts on, no PTL. */
export function* tsbGrow(cpu: Cpu, mm: Mm): Steps<void> {
  const { switches } = sparc64Of(cpu);
  const entries = 2 * entriesOf(cpu, cpu.read(contextTsb(mm)));
  if (entries > switches.tsbMaxEntries) return;
  const fresh = yield* allocTsb(cpu, entries);
  yield* lockContext(cpu, mm);
  const old = cpu.read(contextTsb(mm));
  yield* copyTsb(cpu, old, fresh);
  cpu.write(contextTsb(mm), fresh);
  if (switches.growFlush === 'both') cpu.write(contextOldTsb(mm), old);
  yield* unlockContext(cpu, mm);

  if (switches.oldTsbFree === 'before-sync') yield* freeTsb(cpu, old);
  yield* smpTsbSync(cpu, mm);
  if (switches.growFlush === 'both') {
    yield* lockContext(cpu, mm);
    cpu.write(contextOldTsb(mm), 0);
    yield* unlockContext(cpu, mm);
  }
  if (switches.oldTsbFree === 'after-sync') yield* freeTsb(cpu, old);
}

/** smp_tsb_sync, and this CPU's own registers before. */
function* smpTsbSync(cpu: Cpu, mm: Mm): Steps<void> {
  yield* cpu.localIrqDisable();
  if (cpu.read(thisCpuState(cpu).pgd) === cpu.read(mm.pgd)) yield* reloadTsb(cpu, mm);
  yield* cpu.localIrqEnable();
  const mask = yield* cpu.readOnce(mm.cpumask);
  yield* onEachCpuCondMask(cpu, mask & ~(1 << cpu.id), null, TSB_SYNC, mm.address);
}

/**
 * copy_tsb: what is valid goes to where it belongs in the new one. The processor reads both words of an entry at once; here the tag is locked
 * for as long.
 */
function* copyTsb(cpu: Cpu, old: Address, fresh: Address): Steps<void> {
  const { tsbs } = sparc64Of(cpu);
  const entries = entriesOf(cpu, old);
  for (let i = 0; i < entries; i++) {
    const cell = old + 1 + 2 * i;
    const tag = yield* lockTag(cpu, cell);
    if (tag !== TAG_INVALID) {
      const slot = tsbSlot(tsbs, cpu.kernel.geometry, fresh, cpu.read(fresh), addressOf(cpu, tsbs, i, tag), TSB_BASE);
      cpu.write(slot.cell + 1, cpu.read(cell + 1));
      cpu.write(slot.cell, tag);
    }
    yield* cpu.writeOnce(cell, tag);
  }
  const huge = 1 + 2 * tsbs.maxEntries;
  for (let i = 0; i < tsbs.hugeEntries; i++) {
    const cell = old + huge + 2 * i;
    const tag = yield* lockTag(cpu, cell);
    cpu.write(fresh + huge + 2 * i + 1, cpu.read(cell + 1));
    cpu.write(fresh + huge + 2 * i, tag);
    yield* cpu.writeOnce(cell, tag);
  }
}

/** The address whose translation stands at an index with a tag. */
function addressOf(cpu: Cpu, { tagShift }: TsbMemory, index: number, tag: number): number {
  const low = index * powerOfTwo(cpu.kernel.geometry.pageShift);
  return (tag - 1) * powerOfTwo(tagShift) + (low % powerOfTwo(tagShift));
}
