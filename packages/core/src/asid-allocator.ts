/**
 * The ASID allocator that arm64 has and riscv took over (arch/arm64/mm/context.c, arch/riscv/mm/context.c; names are arm64's): ASIDs are given out
 * until there are none, and then all are taken back at once.
 *
 *     context.id       generation + ASID; 0: none yet. An ASID counts only in the generation that it was given in
 *     active           what a CPU runs with; 0 after a rollover has taken note of it
 *     reserved         what it ran with at the last rollover: kept for that mm, for the CPU may still walk under it
 *
 * A rollover starts a new generation. It interrupts nobody: it takes note of what each CPU runs with, which that mm keeps, and every
 * CPU flushes itself for the first task that it runs with an ASID of the new generation.
 *
 *     CPU 0 (checkContext)                         CPU 1 (flushContext, lock held)
 *     generation matches the mm's id
 *     cmpxchg active: old -> new                   generation += 1
 *                                                  xchg active of CPU 0 -> 0
 *     // one word, one order: if CPU 0 is first, CPU 1 finds the new ASID and reserves it; if CPU 1 is first, CPU 0 finds 0 and takes the
 *     // lock, and with it sees the new generation
 *
 * What an architecture does otherwise is an {@link AsidSpace}: pinned ASIDs, pairs of them, and when a CPU flushes itself. sparc64's context
 * numbers roll over, too, but by one word for version and search, an mm's number goes back when it dies, and a rollover walks the mms that run.
 */
import type { Cpu } from './cpu.ts';
import { type IdMap, setId, testId } from './id-map.ts';
import type { Arena } from './kernel.ts';
import type { Mm } from './mm.ts';
import type { Steps } from './steps.ts';
import { type Cell, type Handle, type Struct, struct } from './struct.ts';

/** ASID_FIRST_VERSION: generations start from it and step by it, however many bits an ASID has. */
export const ASID_FIRST_VERSION: number = 1 << 16;
/** The ASID of the kernel, or of the boot: given to no mm. */
export const RESERVED_ASID: number = 0;

/**
 * The allocator. Its words are plain, under its lock, except for the generation, which the fast path reads without it. Without cur_idx, from where
 * Linux goes on to search: none becomes free again within a generation, so the first free one is the same.
 */
export interface AsidAllocator extends Handle {
  /** cpu_asid_lock, context_lock. */
  readonly lock: Cell;
  /** asid_generation, current_version. */
  readonly generation: Cell;
  /** tlb_flush_pending: CPUs that must flush themselves for the first task that they run with an ASID of this generation. */
  readonly tlbFlushPending: Cell;
}
/** Struct type of {@link AsidAllocator}. */
export const AsidAllocator: Struct<AsidAllocator> = struct<AsidAllocator>('asids', [
  'lock',
  'generation',
  'tlbFlushPending',
]);

/** What the allocator knows of a CPU. */
export interface CpuAsids {
  /** active_asids, active_context. Marked: a rollover on another CPU takes it away. */
  readonly active: Cell;
  /** reserved_asids, reserved_context. Under the lock. */
  readonly reserved: Cell;
}

/** ASIDs of one kernel: where they are, and what the architecture does of its own. */
export interface AsidSpace {
  /** The allocator. */
  readonly allocator: AsidAllocator;
  /** asid_map: ASIDs that this generation has given out, or keeps. */
  readonly map: IdMap;
  /** Of each CPU. */
  readonly cpus: readonly CpuAsids[];
  /** Number of ASIDs. */
  readonly asids: number;
  /** 2 where the odd ones are partners of the even ones (KPTI), else 1. */
  readonly step: number;
  /** The word of an mm that holds its id. */
  readonly contextId: (mm: Mm) => Cell;
  /** pinned_asid_map: what rollovers leave with its mm; null if nothing is pinned. */
  readonly pinnedMap: IdMap | null;
  /** Is an mm's ASID pinned? Under the lock. */
  readonly isPinned: (cpu: Cpu, mm: Mm) => boolean;
  /** An mm gets another ASID, or its old one back when nobody runs it. Under the lock. Null: nothing to do. */
  readonly onNewAsid: ((cpu: Cpu, mm: Mm) => Steps<void>) | null;
  /** Flushes this CPU for a rollover, under the lock. Null: the caller of {@link checkContext} does. */
  readonly flushUnderLock: ((cpu: Cpu) => Steps<void>) | null;
  /** How the fast path takes its ASID: a compare-and-swap, or (wrong, bug B78) an exchange. */
  readonly activeAsidUpdate: 'cmpxchg' | 'xchg';
  /** Whether a rollover keeps the ASIDs that CPUs run with. False is wrong. */
  readonly reserveActive: boolean;
  /** Whether every reserved copy of an old ASID moves to the new generation, or (wrong) the first one only. */
  readonly reservedUpdate: 'all' | 'first';
  /** Whether a rollover asks every CPU to flush itself. False is wrong. */
  readonly rolloverFlush: boolean;
}

/** Reserves the allocator: the first generation, and nothing given out. */
export function reserveAsidAllocator(arena: Arena): AsidAllocator {
  const asids = AsidAllocator.at(arena.reserve('asids', AsidAllocator.fields));
  arena.initialise(asids.generation, ASID_FIRST_VERSION);
  return asids;
}

/** The ASID in a context id. */
export function asidIn(id: number): number {
  return id % ASID_FIRST_VERSION;
}
/** The generation in a context id. */
export function generationIn(id: number): number {
  return id - asidIn(id);
}
/** asid_gen_match: was this id given out in this generation? */
export function asidGenMatch(id: number, generation: number): boolean {
  return generationIn(id) === generation;
}

/** What {@link checkContext} finds: an ASID, and whether this CPU must still flush itself; one number. */
export type CheckedContext = number;

/** The ASID of a context: the mm's own as long as this CPU does not switch again. */
export function contextAsid(context: CheckedContext): number {
  return context >> 1;
}
/** Whether a rollover asks this CPU for a flush, which its caller owes. */
export function contextFlush(context: CheckedContext): boolean {
  return (context & 1) !== 0;
}

/**
 * check_and_switch_context, set_mm_asid, but for the switch: makes sure that an mm has an ASID of this generation and that this CPU is on record
 * with it. Interrupts off.
 */
export function* checkContext(cpu: Cpu, space: AsidSpace, mm: Mm): Steps<CheckedContext> {
  const { active } = space.cpus[cpu.id]!;
  const id = yield* cpu.readOnce(space.contextId(mm));
  const old = yield* cpu.readOnce(active);
  if (old !== 0 && asidGenMatch(id, yield* cpu.readOnce(space.allocator.generation))) {
    // Pairs with the exchange in flushContext.
    if ((yield* takeActive(cpu, space, old, id)) !== 0) return asidIn(id) * 2;
  }
  return yield* checkContextSlow(cpu, space, mm);
}

/** The active ASID of this CPU becomes `id`, unless a rollover has taken it away. @returns what it was, 0 after a rollover */
function takeActive(cpu: Cpu, space: AsidSpace, old: number, id: number): Steps<number> {
  const { active } = space.cpus[cpu.id]!;
  if (space.activeAsidUpdate === 'xchg') return cpu.xchg(active, id, 'relaxed');
  return cpu.cmpxchg(active, old, id, 'relaxed');
}

/** The rest of {@link checkContext}, under the allocator's lock. */
function* checkContextSlow(cpu: Cpu, space: AsidSpace, mm: Mm): Steps<CheckedContext> {
  const { lock, tlbFlushPending } = space.allocator;
  const bit = 1 << cpu.id;
  yield* cpu.spinLock(lock);
  const id = yield* renewContext(cpu, space, mm);
  const pending = (cpu.read(tlbFlushPending) & bit) !== 0;
  if (pending) {
    cpu.write(tlbFlushPending, cpu.read(tlbFlushPending) & ~bit);
    if (space.flushUnderLock !== null) yield* space.flushUnderLock(cpu);
  }
  yield* cpu.writeOnce(space.cpus[cpu.id]!.active, id);
  yield* cpu.spinUnlock(lock);
  return asidIn(id) * 2 + (pending && space.flushUnderLock === null ? 1 : 0);
}

/** Gives an mm an id of this generation if it has none. Under the lock. @returns its id */
export function* renewContext(cpu: Cpu, space: AsidSpace, mm: Mm): Steps<number> {
  const id = yield* cpu.readOnce(space.contextId(mm));
  if (asidGenMatch(id, yield* cpu.readOnce(space.allocator.generation))) return id;
  const renewed = yield* newContext(cpu, space, mm, id);
  yield* cpu.writeOnce(space.contextId(mm), renewed);
  return renewed;
}

/** new_context: an id in this generation, with the old ASID if that may be. Under the lock. */
function* newContext(cpu: Cpu, space: AsidSpace, mm: Mm, old: number): Steps<number> {
  const generation = yield* cpu.readOnce(space.allocator.generation);
  if (old !== 0) {
    const id = generation + asidIn(old);
    // Some CPU runs the mm, or ran it last: reserved before pinned, because each copy of the old id must become the new one.
    if (updateReserved(cpu, space, old, id)) return id;
    if (space.isPinned(cpu, mm)) return id;
  }
  if (space.onNewAsid !== null) yield* space.onNewAsid(cpu, mm);
  if (old !== 0 && !testId(cpu, space.map, asidIn(old))) {
    setId(cpu, space.map, asidIn(old));
    return generation + asidIn(old);
  }
  const asid = findFree(cpu, space);
  return asid === RESERVED_ASID ? yield* rollOver(cpu, space) : take(cpu, space, generation, asid);
}

/** A new generation, and its first free ASID. There is one: fewer are reserved than there are. */
function* rollOver(cpu: Cpu, space: AsidSpace): Steps<number> {
  const cell = space.allocator.generation;
  const generation = (yield* cpu.readOnce(cell)) + ASID_FIRST_VERSION;
  yield* cpu.writeOnce(cell, generation);
  yield* flushContext(cpu, space);
  const asid = findFree(cpu, space);
  cpu.claim.that(asid !== RESERVED_ASID, 'O16', 'no ASID is free after a rollover');
  return take(cpu, space, generation, asid);
}

function take(cpu: Cpu, space: AsidSpace, generation: number, asid: number): number {
  setId(cpu, space.map, asid);
  return generation + asid;
}

/** The first free ASID; {@link RESERVED_ASID} if there is none. */
function findFree(cpu: Cpu, { asids, step, map }: AsidSpace): number {
  for (let asid = step; asid < asids; asid += step) if (!testId(cpu, map, asid)) return asid;
  return RESERVED_ASID;
}

/**
 * check_update_reserved_asid: moves every reserved copy of an old id to the new generation. All of them: a second CPU that ran the mm at
 * the rollover reserves it, too, and its copy must match at the next one.
 */
function updateReserved(cpu: Cpu, { cpus, reservedUpdate }: AsidSpace, old: number, id: number): boolean {
  let hit = false;
  for (const { reserved } of cpus) {
    if (cpu.read(reserved) !== old) continue;
    hit = true;
    cpu.write(reserved, id);
    if (reservedUpdate === 'first') break;
  }
  return hit;
}

/** flush_context: a rollover takes back every ASID but those that CPUs run with, and pinned ones. Under the lock. */
function* flushContext(
  cpu: Cpu,
  { allocator, map, pinnedMap, cpus, reserveActive, rolloverFlush }: AsidSpace,
): Steps<void> {
  for (let word = 0; word < map.words; word++)
    cpu.write(map.base + word, pinnedMap === null ? 0 : cpu.read(pinnedMap.base + word));
  for (const { active, reserved } of cpus) {
    // Pairs with the compare-and-swap of the fast path.
    let id = yield* cpu.xchg(active, 0, 'relaxed');
    // A CPU that has not switched since the last rollover still runs with what was reserved then.
    if (id === 0) id = cpu.read(reserved);
    if (!reserveActive) continue;
    setId(cpu, map, asidIn(id));
    cpu.write(reserved, id);
  }
  if (rolloverFlush) cpu.write(allocator.tlbFlushPending, 2 ** cpu.kernel.cpus - 1);
}
