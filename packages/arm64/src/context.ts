/**
 * The ASID allocator (arch/arm64/mm/context.c): ASIDs are given out until there are none, and then all are taken back at once.
 *
 * A rollover starts a new generation. It interrupts nobody: it takes note of what each CPU runs with, which that mm keeps, and every
 * CPU flushes itself before it runs the first task with an ASID of the new generation.
 *
 *     CPU 0 (check_and_switch_context)             CPU 1 (flush_context, lock held)
 *     generation matches the mm's id
 *     cmpxchg active: old -> new                   generation += 1
 *                                                  xchg active of CPU 0 -> 0
 *     // one word, one order: if CPU 0 is first, CPU 1 finds the new ASID and reserves it; if CPU 1 is first, CPU 0 finds 0 and takes the
 *     // lock, and with it sees the new generation
 *
 * The invariants of C. Marinas' model (kernel-tla, asidalloc.tla) are asked in every state by the scenario `asid/invariants`: UniqueASIDPerCPU,
 * UniqueASIDActiveTask, SameASIDActiveTask, TLBEmptyInvalPTE. In all others oracle O8 watches the first one at each context load, and O1
 * and O2 the last one.
 *
 * An mm that runs nowhere may have entries under an ASID of an earlier generation (SameASIDPerTask does not hold): they answer nobody.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { forgetActiveCpus } from './active-cpu.ts';
import {
  arm64Of,
  ASID_FIRST_VERSION,
  asidIn,
  generationIn,
  mmContextId,
  mmPinned,
  putAsid,
  RESERVED_ASID,
  testAsid,
  thisCpuAsid,
} from './asid-state.ts';
import { localFlushTlbAll } from './flush-local.ts';

/** asid_gen_match: was this id given out in this generation? */
function asidGenMatch(id: number, generation: number): boolean {
  return generationIn(id) === generation;
}

/**
 * The first half of check_and_switch_context: makes sure that an mm has an ASID of this generation and that this CPU is on record with
 * it. Interrupts off.
 * @returns the mm's ASID, which stays its own as long as this CPU does not switch again
 */
export function* checkContext(cpu: Cpu, mm: Mm): Steps<number> {
  const { allocator } = arm64Of(cpu);
  const { active } = thisCpuAsid(cpu);
  const id = yield* cpu.readOnce(mmContextId(mm));
  const old = yield* cpu.readOnce(active);
  if (old !== 0 && asidGenMatch(id, yield* cpu.readOnce(allocator.generation))) {
    // Pairs with the exchange in flushContext.
    if ((yield* takeActive(cpu, old, id)) !== 0) return asidIn(id);
  }
  return yield* checkContextSlow(cpu, mm);
}

/** The active ASID of this CPU becomes `id`, unless a rollover has taken it away. @returns what it was, 0 after a rollover */
function takeActive(cpu: Cpu, old: number, id: number): Steps<number> {
  const { active } = thisCpuAsid(cpu);
  return arm64Of(cpu).switches.activeAsidUpdate === 'xchg'
    ? cpu.xchg(active, id, 'relaxed')
    : cpu.cmpxchg(active, old, id);
}

/** The rest of {@link checkContext}, under the allocator's lock. */
function* checkContextSlow(cpu: Cpu, mm: Mm): Steps<number> {
  const { allocator } = arm64Of(cpu);
  const { active } = thisCpuAsid(cpu);
  const bit = 1 << cpu.id;
  yield* cpu.spinLock(allocator.lock);
  let id = yield* cpu.readOnce(mmContextId(mm));
  if (!asidGenMatch(id, yield* cpu.readOnce(allocator.generation))) {
    id = yield* newContext(cpu, mm, id);
    yield* cpu.writeOnce(mmContextId(mm), id);
  }
  const pending = cpu.read(allocator.tlbFlushPending);
  if ((pending & bit) !== 0) {
    cpu.write(allocator.tlbFlushPending, pending & ~bit);
    yield* localFlushTlbAll(cpu);
  }
  yield* cpu.writeOnce(active, id);
  yield* cpu.spinUnlock(allocator.lock);
  return asidIn(id);
}

/** new_context: an id in this generation, with the old ASID if that may be. Under the lock. */
function* newContext(cpu: Cpu, mm: Mm, old: number): Steps<number> {
  const { allocator, asidMap } = arm64Of(cpu);
  const generation = yield* cpu.readOnce(allocator.generation);
  if (old !== 0) {
    const id = generation + asidIn(old);
    // Some CPU runs the mm, or ran it last: reserved before pinned, because each copy of the old id must become the new one.
    if (updateReserved(cpu, old, id)) return id;
    if (cpu.read(mmPinned(mm)) !== 0) return id;
    if (!testAsid(cpu, asidMap, asidIn(old))) {
      putAsid(cpu, asidMap, asidIn(old), true);
      yield* forgetActiveCpus(cpu, mm);
      return id;
    }
  }
  yield* forgetActiveCpus(cpu, mm);
  const asid = findFree(cpu, cpu.read(allocator.curIdx));
  return asid === RESERVED_ASID ? yield* rollOver(cpu) : take(cpu, generation, asid);
}

/** A new generation, and its first free ASID. There is one: fewer are reserved than there are. */
function* rollOver(cpu: Cpu): Steps<number> {
  const { allocator } = arm64Of(cpu);
  const generation = (yield* cpu.readOnce(allocator.generation)) + ASID_FIRST_VERSION;
  yield* cpu.writeOnce(allocator.generation, generation);
  yield* flushContext(cpu);
  const asid = findFree(cpu, 1);
  cpu.claim.that(asid !== RESERVED_ASID, 'O16', 'no ASID is free after a rollover');
  return take(cpu, generation, asid);
}

function take(cpu: Cpu, generation: number, asid: number): number {
  const { allocator, asidMap } = arm64Of(cpu);
  putAsid(cpu, asidMap, asid, true);
  cpu.write(allocator.curIdx, asid);
  return generation + asid;
}

/** The first free ASID from one on; {@link RESERVED_ASID} if there is none. With KPTI the odd ones are partners of others. */
function findFree(cpu: Cpu, from: number): number {
  const { asidMap, switches } = arm64Of(cpu);
  const step = switches.kpti ? 2 : 1;
  for (let asid = switches.kpti ? from + (from % 2) : from; asid < switches.asids; asid += step)
    if (!testAsid(cpu, asidMap, asid)) return asid;
  return RESERVED_ASID;
}

/**
 * check_update_reserved_asid: moves every reserved copy of an old id to the new generation. All of them: a second CPU that ran the mm at
 * the rollover reserves it, too, and its copy must match at the next one.
 */
function updateReserved(cpu: Cpu, old: number, id: number): boolean {
  const { cpuAsids, switches } = arm64Of(cpu);
  let hit = false;
  for (const { reserved } of cpuAsids) {
    if (cpu.read(reserved) !== old) continue;
    hit = true;
    cpu.write(reserved, id);
    if (switches.reservedUpdate === 'first') break;
  }
  return hit;
}

/** flush_context: a rollover takes back every ASID but those that CPUs run with, and pinned ones. Under the lock. */
function* flushContext(cpu: Cpu): Steps<void> {
  const { allocator, asidMap, pinnedMap, cpuAsids, switches } = arm64Of(cpu);
  for (let word = 0; word < asidMap.words; word++)
    cpu.write(asidMap.base + word, switches.keepPinned ? cpu.read(pinnedMap.base + word) : 0);
  for (const { active, reserved } of cpuAsids) {
    // Pairs with the compare-and-swap of the fast path.
    let id = yield* cpu.xchg(active, 0, 'relaxed');
    // A CPU that has not switched since the last rollover still runs with what was reserved then.
    if (id === 0) id = cpu.read(reserved);
    if (!switches.reserveActive) continue;
    putAsid(cpu, asidMap, asidIn(id), true);
    cpu.write(reserved, id);
  }
  if (switches.rolloverFlush) cpu.write(allocator.tlbFlushPending, 2 ** cpu.kernel.cpus - 1);
}

/** max_pinned_asids: what is left for a rollover must be more than what CPUs may run with. */
function maxPinned(cpu: Cpu): number {
  const { asids, kpti } = arm64Of(cpu).switches;
  return (kpti ? asids / 2 : asids) - cpu.kernel.cpus - 2;
}

/**
 * arm64_mm_context_get: the ASID of an mm, which it keeps until as many {@link arm64MmContextPut} (a device uses it, SMMU SVA).
 * @returns the ASID (with KPTI that of user mode), 0 if no more may be pinned
 */
export function* arm64MmContextGet(cpu: Cpu, mm: Mm): Steps<number> {
  const { allocator, pinnedMap, switches } = arm64Of(cpu);
  const user = switches.kpti ? 1 : 0;
  yield* cpu.localIrqDisable();
  yield* cpu.spinLock(allocator.lock);
  let id = yield* cpu.readOnce(mmContextId(mm));
  const pins = cpu.read(mmPinned(mm));
  const pinned = cpu.read(allocator.nrPinned);
  const full = pins === 0 && pinned >= maxPinned(cpu);
  if (pins === 0 && !full) {
    if (!asidGenMatch(id, yield* cpu.readOnce(allocator.generation))) {
      id = yield* newContext(cpu, mm, id);
      yield* cpu.writeOnce(mmContextId(mm), id);
    }
    cpu.write(allocator.nrPinned, pinned + 1);
    putAsid(cpu, pinnedMap, asidIn(id), true);
  }
  if (!full) cpu.write(mmPinned(mm), pins + 1);
  yield* cpu.spinUnlock(allocator.lock);
  yield* cpu.localIrqEnable();
  return full ? 0 : asidIn(id) + user;
}

/** arm64_mm_context_put. */
export function* arm64MmContextPut(cpu: Cpu, mm: Mm): Steps<void> {
  const { allocator, pinnedMap } = arm64Of(cpu);
  yield* cpu.localIrqDisable();
  yield* cpu.spinLock(allocator.lock);
  const pins = cpu.read(mmPinned(mm)) - 1;
  cpu.write(mmPinned(mm), pins);
  if (pins === 0) {
    putAsid(cpu, pinnedMap, asidIn(yield* cpu.readOnce(mmContextId(mm))), false);
    cpu.write(allocator.nrPinned, cpu.read(allocator.nrPinned) - 1);
  }
  yield* cpu.spinUnlock(allocator.lock);
  yield* cpu.localIrqEnable();
}
