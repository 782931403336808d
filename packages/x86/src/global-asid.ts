/**
 * Global ASIDs: an mm that runs on many CPUs gets one ASID for all of them, and is flushed by broadcast (arch/x86/mm/tlb.c since 6.15, AMD's
 * INVLPGB). They come behind the dynamic ones, and are given back when the mm dies only.
 *
 * An mm that gets one is in transition as long as some CPU runs it under a dynamic ASID, which broadcasts do not name (global-flush.ts).
 *
 * asid_transition is set before global_asid is published, so whoever broadcasts knows of it. A CPU that loads a global ASID need not flush: what it
 * has there every broadcast since has kept up to date.
 */
import {
  ALL,
  type Arena,
  type Cell,
  type Cpu,
  type Handle,
  type Mm,
  type Steps,
  type Struct,
  struct,
} from '@mmu-gather/core/stepped';
import { invlpgb } from './isa.ts';
import { mmAsidTransition, mmGlobalAsidCell, x86Of } from './tlbstate.ts';

/** What is left of global ASIDs. */
export interface GlobalAsids extends Handle {
  /** global_asid_lock. */
  readonly lock: Cell;
  /** last_global_asid: the search goes on behind it. */
  readonly last: Cell;
  /** global_asid_used: bit n stands for the n-th global ASID. */
  readonly used: Cell;
  /** global_asid_freed: used ones that nobody has any more; there may be entries under them. */
  readonly freed: Cell;
}
/** Struct type of {@link GlobalAsids}. */
export const GlobalAsids: Struct<GlobalAsids> = struct<GlobalAsids>('global_asids', ['lock', 'last', 'used', 'freed']);

/** Reserves what is left of global ASIDs: all of them. */
export function reserveGlobalAsids(arena: Arena): GlobalAsids {
  return GlobalAsids.at(arena.reserve('global_asids', GlobalAsids.fields));
}

/** Does this kernel give out global ASIDs? */
export function hasGlobalAsids(cpu: Cpu): boolean {
  return x86Of(cpu).switches.globalAsids > 0;
}

/** is_global_asid. */
export function isGlobalAsid(cpu: Cpu, asid: number): boolean {
  return asid >= x86Of(cpu).slots;
}

/** mm_global_asid: the global ASID of an mm, 0 if it has none. Pairs with the release in use_global_asid. */
export function* mmGlobalAsid(cpu: Cpu, mm: Mm): Steps<number> {
  if (!hasGlobalAsids(cpu)) return 0;
  return yield* cpu.loadAcquire(mmGlobalAsidCell(mm));
}

/** mm_needs_global_asid: the mm has one, and this CPU runs it under a dynamic one. */
export function* mmNeedsGlobalAsid(cpu: Cpu, mm: Mm, asid: number): Steps<boolean> {
  return !isGlobalAsid(cpu, asid) && (yield* mmGlobalAsid(cpu, mm)) !== 0;
}

/** mm_in_asid_transition. */
export function* mmInAsidTransition(cpu: Cpu, mm: Mm): Steps<boolean> {
  return hasGlobalAsids(cpu) && (yield* cpu.readOnce(mmAsidTransition(mm))) !== 0;
}

/**
 * consider_global_asid: after a flush by interrupts, an mm that is active on more CPUs than the threshold gets one. Linux looks once in 32
 * jiffies, by process; here always.
 */
export function* considerGlobalAsid(cpu: Cpu, mm: Mm): Steps<void> {
  const { switches, tlbstate } = x86Of(cpu);
  if (!hasGlobalAsids(cpu)) return;
  const mask = yield* cpu.readOnce(mm.cpumask);
  let active = 0;
  for (const [target, state] of tlbstate.entries()) {
    if ((mask & (1 << target)) === 0 || (yield* cpu.readOnce(state.loadedMm)) !== mm.address) continue;
    if ((yield* cpu.readOnce(state.isLazy)) === 0) active++;
  }
  if (active > switches.globalAsidThreshold) yield* useGlobalAsid(cpu, mm);
}

/** use_global_asid: takes one for an mm, if there is one. */
function* useGlobalAsid(cpu: Cpu, mm: Mm): Steps<void> {
  const { globalAsids, switches } = x86Of(cpu);
  yield* cpu.spinLock(globalAsids.lock);
  if (cpu.read(mmGlobalAsidCell(mm)) === 0) {
    const asid = yield* allocateGlobalAsid(cpu);
    if (asid !== 0) {
      if (switches.transitionFirst) yield* cpu.writeOnce(mmAsidTransition(mm), 1);
      yield* cpu.storeRelease(mmGlobalAsidCell(mm), asid);
      if (!switches.transitionFirst) yield* cpu.writeOnce(mmAsidTransition(mm), 1);
    }
  }
  yield* cpu.spinUnlock(globalAsids.lock);
}

/** allocate_global_asid: one that nobody has had since the last rollover. Under the lock. @returns 0 if all are in use */
function* allocateGlobalAsid(cpu: Cpu): Steps<number> {
  const { globalAsids, slots } = x86Of(cpu);
  let next = nextFree(cpu, cpu.read(globalAsids.last));
  if (next < 0 && cpu.read(globalAsids.freed) !== 0) {
    yield* resetGlobalAsidSpace(cpu);
    next = nextFree(cpu, 0);
  }
  if (next < 0) return 0;
  cpu.write(globalAsids.used, cpu.read(globalAsids.used) | (1 << next));
  cpu.write(globalAsids.last, next + 1);
  return slots + next;
}

function nextFree(cpu: Cpu, from: number): number {
  const { globalAsids, switches } = x86Of(cpu);
  const used = cpu.read(globalAsids.used);
  for (let n = from; n < switches.globalAsids; n++) if ((used & (1 << n)) === 0) return n;
  return -1;
}

/** reset_global_asid_space: what was given back may be taken again, once no CPU has entries under it. */
function* resetGlobalAsidSpace(cpu: Cpu): Steps<void> {
  const { globalAsids, switches } = x86Of(cpu);
  if (switches.globalReuseFlush) {
    yield* cpu.invalidate(invlpgb(ALL));
    yield* cpu.invalidationBarrier();
  }
  cpu.write(globalAsids.used, cpu.read(globalAsids.used) & ~cpu.read(globalAsids.freed));
  cpu.write(globalAsids.freed, 0);
}

/** mm_free_global_asid, of destroy_context: the ASID waits for the next rollover. */
export function* mmFreeGlobalAsid(cpu: Cpu, mm: Mm): Steps<void> {
  const { globalAsids, slots } = x86Of(cpu);
  const asid = yield* mmGlobalAsid(cpu, mm);
  if (asid === 0) return;
  yield* cpu.spinLock(globalAsids.lock);
  cpu.write(globalAsids.freed, cpu.read(globalAsids.freed) | (1 << (asid - slots)));
  yield* cpu.spinUnlock(globalAsids.lock);
}
