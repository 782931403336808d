/**
 * Flushes of user addresses: flush_tlb_mm, flush_tlb_page, __flush_tlb_range (arch/arm64/include/asm/tlbflush.h).
 *
 * Contract: page-table writes come before the call. When it returns no CPU can use what they replaced. Nobody is interrupted, and
 * nobody need be known: every CPU is told, whatever it runs, lazily or not. So code with interrupts off is not waited for.
 *
 *     CPU 0 (flush)                            CPU 1 (check_and_switch_context, a rollover before it)
 *     store to page tables
 *     DSB ISHST                                mm.context.id = new ASID
 *     read mm.context.id                       load TTBR0, walk
 *     TLBI ...IS by that ASID; DSB ISH
 *     // if CPU 0 reads the old ASID, CPU 1 begins to walk after the store is visible
 */
import {
  asidIn,
  type Cpu,
  entrySize,
  type Extent,
  type Mm,
  pageSize,
  type Scope,
  type Steps,
} from '@mmu-gather/core/stepped';
import { orderAndLook } from './active-cpu.ts';
import { arm64Of, mmContextId, USER_ASID } from './asid-state.ts';
import { dsbIsh, dsbIshst } from './barriers.ts';
import { issued } from './errata.ts';
import { aside1, type Shareability, TTL_UNKNOWN, vae1 } from './isa.ts';
import { maxTlbiRangePages, rangeOps, type RangeShape } from './range.ts';
import { ALL_PAGES, FLUSH_MM, FLUSH_PAGE, FLUSH_RANGE, traceFlush, traceRange } from './trace.ts';

/** What one flush drops of an address range. */
export interface FlushRange extends Extent {
  /** Bytes of the smallest entry that was changed: single operations go by it, range operations by pages. */
  readonly stride: number;
  /** Whether walk caches stay (last_level). */
  readonly leafOnly: boolean;
  /** The only level at which entries were changed, or {@link TTL_UNKNOWN}. */
  readonly level: number;
}

/** Whom a flush is for, and whom it is told: what {@link beginFlush} finds out. */
export interface FlushTarget {
  /** The mm's ASID. */
  readonly asid: number;
  /** Every CPU, or this one only. */
  readonly where: Shareability;
}

/** Makes page-table stores visible to all walkers, and only then looks which ASID must be flushed, and where. */
export function* beginFlush(cpu: Cpu, mm: Mm): Steps<FlushTarget> {
  const { barrierBefore, asidRead, localFlush, shareability } = arm64Of(cpu).switches;
  const early = asidRead === 'before-barrier' ? yield* cpu.readOnce(mmContextId(mm)) : 0;
  const ordered = barrierBefore === 'ishst';
  let local = shareability === 'local';
  if (localFlush !== 'off') local = !(yield* orderAndLook(cpu, mm, ordered)) || local;
  else if (ordered) yield* dsbIshst(cpu);
  const id = asidRead === 'before-barrier' ? early : yield* cpu.readOnce(mmContextId(mm));
  return { asid: asidIn(id), where: local ? 'local' : 'inner' };
}

/** The end of a flush. */
export function* endFlush(cpu: Cpu): Steps<void> {
  if (arm64Of(cpu).switches.barrierAfter === 'ish') yield* tlbiSync(cpu);
}

/** __tlbi_sync: what this CPU has issued is done everywhere. */
export function* tlbiSync(cpu: Cpu): Steps<void> {
  const { repeatTlbi, repeats } = arm64Of(cpu).switches;
  yield* dsbIsh(cpu);
  if (repeatTlbi !== 'sync' || !repeats) return;
  yield* cpu.invalidate(issued(cpu, vae1(0, NO_PAGE, true, 'inner')));
  yield* dsbIsh(cpu);
}

/** The page of the dummy operation of the erratum: nobody maps anything under ASID 0. */
const NO_PAGE: Extent = { start: 0, end: 1 };

/** One TLBI of user addresses; with KPTI, and on CPUs that need it, more. @param scope what it drops of an ASID */
export function* tlbiUser(cpu: Cpu, asid: number, scope: (asid: number) => Scope): Steps<void> {
  const { kpti, kptiUserTlbi } = arm64Of(cpu).switches;
  yield* tlbi(cpu, scope(asid));
  if (kpti && kptiUserTlbi) yield* tlbi(cpu, scope(asid + USER_ASID));
}

/** __tlbi. */
export function* tlbi(cpu: Cpu, scope: Scope): Steps<void> {
  const { repeatTlbi, repeats } = arm64Of(cpu).switches;
  yield* cpu.invalidate(issued(cpu, scope));
  if (repeatTlbi !== 'each' || !repeats) return;
  yield* dsbIsh(cpu);
  yield* cpu.invalidate(issued(cpu, scope));
}

/** flush_tlb_mm: everything of an mm, walk caches too. */
export function* flushTlbMm(cpu: Cpu, mm: Mm): Steps<void> {
  const { asid, where } = yield* beginFlush(cpu, mm);
  yield* tlbiUser(cpu, asid, (tag) => aside1(tag, where));
  traceFlush(cpu, FLUSH_MM, asid, ALL_PAGES);
  yield* endFlush(cpu);
}

/** flush_tlb_page: the leaf of one page. */
export function* flushTlbPage(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  yield* flushTlbPageNosync(cpu, mm, address, FLUSH_PAGE, TTL_UNKNOWN);
  yield* endFlush(cpu);
}

/**
 * flush_tlb_page_nosync: the same without waiting.
 * @param kind what it is in events
 * @param level of the entry, if it is hinted at, or {@link TTL_UNKNOWN}
 */
export function* flushTlbPageNosync(cpu: Cpu, mm: Mm, address: number, kind: number, level: number): Steps<void> {
  const { asid, where } = yield* beginFlush(cpu, mm);
  const page = { start: address, end: address + pageSize(cpu.kernel.geometry) };
  const ttl = arm64Of(cpu).switches.ttl ? level : TTL_UNKNOWN;
  yield* tlbiUser(cpu, asid, (tag) => vae1(tag, page, true, where, ttl));
  traceFlush(cpu, kind, asid, 1, address);
}

/**
 * flush_tlb_range: pages of a VMA, walk caches too: whoever unlinks tables may call it.
 * @param level of the entries: flush_pmd_tlb_range says that it is one of huge pages
 */
export function flushTlbRange(cpu: Cpu, mm: Mm, start: number, end: number, level: number): Steps<void> {
  const { rangeDropsWalks } = arm64Of(cpu).switches;
  const stride = entrySize(cpu.kernel.geometry, level);
  traceRange(cpu, start, end, stride);
  const hint = level > 0 ? level : TTL_UNKNOWN;
  return flushRange(cpu, mm, { start, end, stride, leafOnly: !rangeDropsWalks, level: hint });
}

/**
 * See core's `Backend.flushTlbGen`. There are no generations here: the range is flushed, and nothing is published as completed, for a flush of
 * one range says nothing about those that were recorded before.
 */
export function flushTlbGen(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  level: number,
  freedTables: boolean,
  _gen: number,
): Steps<void> {
  const stride = entrySize(cpu.kernel.geometry, level);
  return flushRange(cpu, mm, { start, end, stride, leafOnly: !freedTables, level: TTL_UNKNOWN });
}

/** __flush_tlb_range: a range of an mm, by operations on pages or on ranges of them, or everything if that were too many. */
export function* flushRange(cpu: Cpu, mm: Mm, range: FlushRange): Steps<void> {
  if (flushesAll(cpu, range)) {
    yield* flushTlbMm(cpu, mm);
    return;
  }
  const { asid, where } = yield* beginFlush(cpu, mm);
  yield* issueRange(cpu, asid, where, range);
  traceFlush(cpu, FLUSH_RANGE, asid, pagesIn(cpu, range), range.start);
  yield* endFlush(cpu);
}

/** __flush_tlb_range_limit_excess: would the range take too many operations? A hull that is empty, end first, counts as the largest. */
export function flushesAll(cpu: Cpu, range: FlushRange): boolean {
  const { tlbRange, maxDvmOps } = arm64Of(cpu).switches;
  if (range.end < range.start) return true;
  if (tlbRange) return pagesIn(cpu, range) > maxTlbiRangePages(rangeShape(cpu));
  return range.end - range.start >= maxDvmOps * range.stride;
}

/** __flush_tlb_range_op. */
function* issueRange(cpu: Cpu, asid: number, where: Shareability, range: FlushRange): Steps<void> {
  const { tlbRange, ttl } = arm64Of(cpu).switches;
  const size = pageSize(cpu.kernel.geometry);
  const level = ttl ? range.level : TTL_UNKNOWN;
  if (!tlbRange) {
    for (let at = range.start; at < range.end; at += range.stride) {
      const page = { start: at, end: at + size };
      yield* tlbiUser(cpu, asid, (tag) => vae1(tag, page, range.leafOnly, where, level));
    }
    return;
  }
  for (const { page, pages } of rangeOps(range.start / size, pagesIn(cpu, range), rangeShape(cpu))) {
    const extent = { start: page * size, end: (page + pages) * size };
    yield* tlbiUser(cpu, asid, (tag) => vae1(tag, extent, range.leafOnly, where, level));
  }
}

/** The range operand of this CPU. */
function rangeShape(cpu: Cpu): RangeShape {
  const { rangeNumBits, rangeScales, rangeNum } = arm64Of(cpu).switches;
  return { numBits: rangeNumBits, scales: rangeScales, num: rangeNum, alignment: 1 };
}

function pagesIn(cpu: Cpu, { start, end }: Extent): number {
  return (end - start) / pageSize(cpu.kernel.geometry);
}
