/**
 * The ASID allocator (arch/riscv/mm/context.c): ASIDs are given out until there are none, and then all are taken back at once. It is
 * arm64's, without pinned ASIDs; what differs is when a rollover's flush runs (switch.ts).
 *
 *     CPU 0 (set_mm_asid)                          CPU 1 (__flush_context, lock held)
 *     version matches the mm's id
 *     cmpxchg active: old -> new                   version += 1
 *                                                  xchg active of CPU 0 -> 0
 *     // one word, one order: if CPU 0 is first, CPU 1 finds the new ASID and reserves it; if CPU 1 is first, CPU 0 finds 0 and takes the
 *     // lock, and with it sees the new version
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import {
  asidIn,
  BOOT_ASID,
  FIRST_VERSION,
  mmContextId,
  riscvOf,
  setAsid,
  testAsid,
  thisHart,
  versionIn,
} from './state.ts';

/** What {@link checkContext} finds: an ASID, and whether this hart must flush itself; one number. */
export type NewContext = number;

/** The ASID of a context. */
export function contextAsid(context: NewContext): number {
  return context >> 1;
}
/** Whether a rollover asks this hart for a flush. */
export function contextFlush(context: NewContext): boolean {
  return (context & 1) !== 0;
}

/**
 * The first half of set_mm_asid: makes sure that an mm has an ASID of this version and that this hart is on record with it. Interrupts
 * off. The ASID stays the mm's own as long as this hart does not switch again.
 */
export function* checkContext(cpu: Cpu, mm: Mm): Steps<NewContext> {
  const { allocator } = riscvOf(cpu);
  const { active } = thisHart(cpu);
  const id = yield* cpu.readOnce(mmContextId(mm));
  const old = yield* cpu.readOnce(active);
  if (old !== 0 && versionIn(id) === (yield* cpu.readOnce(allocator.version))) {
    // Pairs with the exchange in flushContext.
    if ((yield* cpu.cmpxchg(active, old, id)) !== 0) return asidIn(id) * 2;
  }
  return yield* checkContextSlow(cpu, mm);
}

/** The rest of {@link checkContext}, under the allocator's lock. */
function* checkContextSlow(cpu: Cpu, mm: Mm): Steps<NewContext> {
  const { allocator } = riscvOf(cpu);
  const bit = 1 << cpu.id;
  yield* cpu.spinLock(allocator.lock);
  let id = yield* cpu.readOnce(mmContextId(mm));
  if (versionIn(id) !== (yield* cpu.readOnce(allocator.version))) {
    id = yield* newContext(cpu, id);
    yield* cpu.writeOnce(mmContextId(mm), id);
  }
  const pending = cpu.read(allocator.tlbFlushPending);
  if ((pending & bit) !== 0) cpu.write(allocator.tlbFlushPending, pending & ~bit);
  yield* cpu.writeOnce(thisHart(cpu).active, id);
  yield* cpu.spinUnlock(allocator.lock);
  return asidIn(id) * 2 + ((pending & bit) === 0 ? 0 : 1);
}

/** __new_context: an id in this version, with the old ASID if that may be. Under the lock. */
function* newContext(cpu: Cpu, old: number): Steps<number> {
  const { allocator, asidMap } = riscvOf(cpu);
  const version = yield* cpu.readOnce(allocator.version);
  if (old !== 0) {
    const id = version + asidIn(old);
    if (updateReserved(cpu, old, id)) return id;
    if (!testAsid(cpu, asidMap, asidIn(old))) {
      setAsid(cpu, asidMap, asidIn(old));
      return id;
    }
  }
  const asid = findFree(cpu, cpu.read(allocator.curIdx));
  return asid === BOOT_ASID ? yield* rollOver(cpu, version) : take(cpu, version, asid);
}

/** A new version, and its first free ASID. There is one: fewer are reserved than there are. */
function* rollOver(cpu: Cpu, old: number): Steps<number> {
  const { allocator } = riscvOf(cpu);
  yield* cpu.writeOnce(allocator.version, old + FIRST_VERSION);
  yield* flushContext(cpu);
  const asid = findFree(cpu, 1);
  cpu.claim.that(asid !== BOOT_ASID, 'O16', 'no ASID is free after a rollover');
  return take(cpu, old + FIRST_VERSION, asid);
}

function take(cpu: Cpu, version: number, asid: number): number {
  const { allocator, asidMap } = riscvOf(cpu);
  setAsid(cpu, asidMap, asid);
  cpu.write(allocator.curIdx, asid);
  return version + asid;
}

/** The first free ASID from one on; {@link BOOT_ASID} if there is none. */
function findFree(cpu: Cpu, from: number): number {
  const { asidMap, switches } = riscvOf(cpu);
  for (let asid = from; asid < switches.asids; asid++) if (!testAsid(cpu, asidMap, asid)) return asid;
  return BOOT_ASID;
}

/** check_update_reserved_context: moves every reserved copy of an old id to the new version; more than one hart may have run the mm. */
function updateReserved(cpu: Cpu, old: number, id: number): boolean {
  let hit = false;
  for (const { reserved } of riscvOf(cpu).harts) {
    if (cpu.read(reserved) !== old) continue;
    hit = true;
    cpu.write(reserved, id);
  }
  return hit;
}

/** __flush_context: a rollover takes back every ASID but those that harts run with. Under the lock. */
function* flushContext(cpu: Cpu): Steps<void> {
  const { allocator, asidMap, harts, switches } = riscvOf(cpu);
  for (let word = 0; word < asidMap.words; word++) cpu.write(asidMap.base + word, 0);
  for (const { active, reserved } of harts) {
    // Pairs with the compare-and-swap of the fast path. A hart that has not switched since the last rollover runs with what was reserved then.
    const id = (yield* cpu.xchg(active, 0)) || cpu.read(reserved);
    if (!switches.reserveActive) continue;
    setAsid(cpu, asidMap, asidIn(id));
    cpu.write(reserved, id);
  }
  if (switches.rolloverFlush) cpu.write(allocator.tlbFlushPending, 2 ** cpu.kernel.cpus - 1);
}
