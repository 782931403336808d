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
import {
  type Address,
  type Cell,
  type Cpu,
  Mm,
  onEachCpuCondMask,
  powerOfTwo,
  type Steps,
} from '@mmu-gather/core/stepped';
import { contextOldTsb, contextTsb, sparc64Of } from './state.ts';
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

/**
 * tsb_grow: the mm gets a TSB with so many base entries, unless another thread was faster, or is at it. Interrupts on, no PTL.
 * @param entries a power of two, tsbMaxEntries at most. In Linux it follows from the pages that the mm has
 */
export function* tsbGrow(cpu: Cpu, mm: Mm, entries: number): Steps<void> {
  const { switches } = sparc64Of(cpu);
  const fresh = yield* allocTsb(cpu, entries);
  yield* lockContext(cpu, mm);
  const old = cpu.read(contextTsb(mm));
  const late = entriesOf(cpu, old) >= entries || cpu.read(contextOldTsb(mm)) !== 0;
  if (!late) {
    yield* copyTsb(cpu, old, fresh);
    cpu.write(contextTsb(mm), fresh);
    if (switches.growFlush === 'both') cpu.write(contextOldTsb(mm), old);
  }
  yield* unlockContext(cpu, mm);
  if (late) {
    yield* freeTsb(cpu, fresh);
    return;
  }
  if (switches.oldTsbFree === 'before-sync') yield* freeTsb(cpu, old);
  yield* smpTsbSync(cpu, mm);
  if (switches.growFlush === 'both') {
    yield* lockContext(cpu, mm);
    cpu.write(contextOldTsb(mm), 0);
    yield* unlockContext(cpu, mm);
  }
  if (switches.oldTsbFree === 'after-sync') yield* freeTsb(cpu, old);
}

/** tsb_context_switch here, and smp_tsb_sync on the CPUs that run the mm. */
function* smpTsbSync(cpu: Cpu, mm: Mm): Steps<void> {
  const mask = yield* cpu.readOnce(mm.cpumask);
  yield* onEachCpuCondMask(cpu, mask, null, TSB_SYNC, mm.address);
}

/** copy_tsb: what is valid goes to where it belongs in the new one. The huge part does not grow, and stays as it is. */
function* copyTsb(cpu: Cpu, old: Address, fresh: Address): Steps<void> {
  const { tsbs } = sparc64Of(cpu);
  const [entries, more] = [entriesOf(cpu, old), cpu.read(fresh)];
  for (let i = 0; i < entries; i++) {
    const placeOf = (tag: number): Cell =>
      tsbSlot(tsbs, cpu.kernel.geometry, fresh, more, addressOf(cpu, tsbs, i, tag), TSB_BASE).cell;
    yield* copyEntry(cpu, old + 1 + 2 * i, placeOf);
  }
  for (let i = 0; i < tsbs.hugeEntries; i++) {
    const offset = 1 + 2 * (tsbs.maxEntries + i);
    yield* copyEntry(cpu, old + offset, () => fresh + offset);
  }
}

/** The processor reads both words of an entry at once; here its tag is locked for as long. */
function* copyEntry(cpu: Cpu, cell: Cell, placeOf: (tag: number) => Cell): Steps<void> {
  const tag = yield* lockTag(cpu, cell);
  if (tag !== TAG_INVALID) {
    const place = placeOf(tag);
    cpu.write(place + 1, cpu.read(cell + 1));
    cpu.write(place, tag);
  }
  yield* cpu.writeOnce(cell, tag);
}

/** The address whose translation stands at an index with a tag. */
function addressOf(cpu: Cpu, { tagShift }: TsbMemory, index: number, tag: number): number {
  const low = index * powerOfTwo(cpu.kernel.geometry.pageShift);
  return (tag - 1) * powerOfTwo(tagShift) + (low % powerOfTwo(tagShift));
}
