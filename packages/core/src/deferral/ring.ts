/**
 * Flush ring (A. Lutomirski, 2021-02-01): what each of the last generations of an mm changed, so that a CPU that is several of them
 * behind need not flush everything.
 *
 *     enqueue, under the PTL of the change       flusher
 *     write entries
 *     gen = ++mm.tlbGen   (full barrier)         from = mm.tlbGenCompleted; to = mm.tlbGen
 *     lock ring                                  for each gen of (from, to], newest first:
 *       slot.gen = 0                               slot.gen == gen?                        (acquire)
 *       smp_wmb                                    read the slot; smp_rmb
 *       fill the slot                              slot.gen == gen still? else stop here
 *       slot.gen = gen    (release)              flush the hull; wait
 *     unlock ring; unlock PTL                    completed = max(completed, to)
 *
 * R1  the generation comes after the changes, and R2 before the PTL is released.
 * R3  slot.gen == gen says that the slot holds what gen changed: a slot is marked as being written while it is (a seqlock whose
 *     sequence number is the generation).
 * R4  a hull of (base, to] is enough for a CPU that has base, and for no other. Where the ring does not reach back to what is completed
 *     (a slot was overwritten, or is not filled yet), the CPUs that are behind its reach flush everything.
 * R5  the hull has the smallest unit of its parts, and says that tables were unlinked if one of them does, or may.
 *
 * A stale slot is only a mismatch. An enqueuer that comes so late that its slot serves a newer generation leaves it alone.
 */
import type { Cpu } from '../cpu.ts';
import { RING_SLOT_FIELDS } from '../design-words.ts';
import { deferTlbFlush, markMmTlbGenDone } from '../generation.ts';
import { entryShift, pageSize } from '../geometry.ts';
import type { Mm } from '../mm.ts';
import type { Touched } from '../gather-range.ts';
import type { MmuGather } from '../mmu-gather.ts';
import type { Steps } from '../steps.ts';
import type { Cell } from '../struct.ts';
import { lowestLevel } from '../unmap-level.ts';
import { TABLE_GENERATION } from './generation.ts';
import type { DeferralScheme, PteAt } from './scheme.ts';

/** End of a range that covers everything, in slots and folds. */
export const RING_ALL: number = -1;

/** One flush, as a slot holds it, or several folded into one. */
export interface RingRange {
  /** First address. */
  start: number;
  /** First address past it, or {@link RING_ALL}. */
  end: number;
  /** log2 of the smallest unit in bytes. */
  shift: number;
  /** Tables were unlinked. */
  freedTables: boolean;
}

/** What the changes after one generation, up to another, touched. */
export interface RingFold extends RingRange {
  /** A CPU that has this generation needs the range only; others need everything. */
  base: number;
  /** The newest generation that is covered. */
  gen: number;
}

/** Do mms have a ring? Then all flushes of one mm go through it, whoever asks for them. */
export function hasRing(cpu: Cpu): boolean {
  return cpu.kernel.profile.deferral === 'ring';
}

function ringLock(cpu: Cpu, mm: Mm): Cell {
  return mm.address + cpu.kernel.designs.ring;
}

/** The first word of the slot of a generation. */
function slotOf(cpu: Cpu, mm: Mm, gen: number): Cell {
  return ringLock(cpu, mm) + 1 + (gen % cpu.kernel.profile.ringSlots) * RING_SLOT_FIELDS.length;
}

/** Says what a new generation covers: the page-table writes before it, in this range. Before the PTL is released. */
export function* ringEnqueue(cpu: Cpu, mm: Mm, gen: number, range: RingRange): Steps<void> {
  const slot = slotOf(cpu, mm, gen);
  yield* cpu.spinLock(ringLock(cpu, mm));
  if ((yield* cpu.readOnce(slot)) < gen) {
    yield* cpu.writeOnce(slot, 0);
    yield* cpu.smpWmb();
    yield* cpu.writeOnce(slot + 1, range.start);
    yield* cpu.writeOnce(slot + 2, range.end);
    yield* cpu.writeOnce(slot + 3, range.shift * 2 + (range.freedTables ? 1 : 0));
    yield* cpu.storeRelease(slot, gen);
  }
  yield* cpu.spinUnlock(ringLock(cpu, mm));
}

/** Reads the slot of a generation. @returns false if it does not hold that one, or was written meanwhile */
function* readSlot(cpu: Cpu, mm: Mm, gen: number, range: RingRange): Steps<boolean> {
  const slot = slotOf(cpu, mm, gen);
  if ((yield* cpu.loadAcquire(slot)) !== gen) return false;
  range.start = yield* cpu.readOnce(slot + 1);
  range.end = yield* cpu.readOnce(slot + 2);
  const how = yield* cpu.readOnce(slot + 3);
  range.shift = Math.floor(how / 2);
  range.freedTables = how % 2 === 1;
  if (!cpu.kernel.profile.ringRecheck) return true;
  yield* cpu.smpRmb();
  return (yield* cpu.readOnce(slot)) === gen;
}

function emptyRange(): RingRange {
  return { start: 0, end: 0, shift: 0, freedTables: false };
}

/** Takes a range into a hull. */
function widen(hull: RingRange, range: RingRange): void {
  hull.start = Math.min(hull.start, range.start);
  hull.end = hull.end === RING_ALL || range.end === RING_ALL ? RING_ALL : Math.max(hull.end, range.end);
  hull.shift = Math.min(hull.shift, range.shift);
  hull.freedTables = hull.freedTables || range.freedTables;
}

/** What the generations of (from, to] changed, as far back as the ring reaches. */
export function* ringFold(cpu: Cpu, mm: Mm, from: number, to: number): Steps<RingFold> {
  const off = cpu.kernel.profile.ringFold === 'off-by-one' ? 1 : 0;
  const fold: RingFold = { base: to, gen: to, start: 0, end: RING_ALL, shift: 0, freedTables: false };
  const slot = emptyRange();
  while (fold.base > from && (yield* readSlot(cpu, mm, fold.base - off, slot))) {
    if (fold.base === to) Object.assign(fold, slot);
    else widen(fold, slot);
    fold.base--;
  }
  if (fold.base > from) fold.freedTables = true;
  return fold;
}

/** The flush that brings every CPU to the newest generation: snapshot and fold. Null if others have done it. */
export function* ringCollect(cpu: Cpu, mm: Mm): Steps<RingFold | null> {
  const from = yield* cpu.readOnce(mm.tlbGenCompleted);
  const to = yield* cpu.readOnce(mm.tlbGen);
  return from >= to ? null : yield* ringFold(cpu, mm, from, to);
}

/** Every CPU has flushed what was folded. After the acknowledgements. */
export function* ringDone(cpu: Cpu, mm: Mm, fold: RingFold): Steps<void> {
  const newest = cpu.kernel.profile.ringPublish === 'newest';
  yield* markMmTlbGenDone(cpu, mm, newest ? yield* cpu.readOnce(mm.tlbGen) : fold.gen);
}

/**
 * The newest generation past what is completed that changed something in a range; 0 if none did. One that the ring does not hold any
 * more may have, and so may all before it.
 */
export function* ringNewestIn(cpu: Cpu, mm: Mm, start: number, end: number): Steps<number> {
  const from = yield* cpu.readOnce(mm.tlbGenCompleted);
  const slot = emptyRange();
  for (let gen = yield* cpu.readOnce(mm.tlbGen); gen > from; gen--) {
    if (!(yield* readSlot(cpu, mm, gen, slot))) return gen;
    if (slot.start < end && (slot.end === RING_ALL || slot.end > start)) return gen;
  }
  return 0;
}

/** The newest pending generation for one page. */
function pendingGen(cpu: Cpu, at: PteAt): Steps<number> {
  return ringNewestIn(cpu, at.mm, at.address, at.address + pageSize(cpu.kernel.geometry));
}

/** Gathers' changes are found by scanning the ring. */
export const RING: DeferralScheme = {
  begin: (cpu: Cpu, tlb: MmuGather) => TABLE_GENERATION.begin(cpu, tlb),
  *record(cpu: Cpu, tlb: MmuGather, { start, end, cleared }: Touched): Steps<void> {
    if (cpu.kernel.profile.recordDeferral === 'flush') return;
    const shift = entryShift(cpu.kernel.geometry, lowestLevel(cleared));
    if (cpu.kernel.profile.recordDeferral === 'end') tlb.deferGen = yield* deferTlbFlush(cpu, tlb.mm);
    yield* ringEnqueue(cpu, tlb.mm, tlb.deferGen, { start, end, shift, freedTables: false });
    tlb.untracked = false;
  },
  *pending(cpu: Cpu, at: PteAt): Steps<boolean> {
    return (yield* pendingGen(cpu, at)) !== 0;
  },
  *settle(cpu: Cpu, at: PteAt): Steps<void> {
    const gen = yield* pendingGen(cpu, at);
    if (gen === 0) return;
    const end = at.address + pageSize(cpu.kernel.geometry);
    yield* cpu.kernel.backend.flushTlbGen(cpu, at.mm, at.address, end, 0, false, gen);
  },
  flush: (cpu: Cpu, tlb: MmuGather) => TABLE_GENERATION.flush(cpu, tlb),
};
