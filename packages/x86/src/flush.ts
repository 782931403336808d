/**
 * flush_tlb_mm_range and its wrappers: flushes a range of one mm on every CPU that may use it (arch/x86/mm/tlb.c).
 *
 * Contract: page-table writes come before the call. When it returns, no CPU can use what they replaced: it has flushed, or
 * it will compare generations before it runs user code of the mm. With `freedTables` not even by speculation.
 *
 *     CPU 0 (flush_tlb_mm_range)                    CPU 1
 *     write page tables
 *     inc mm.tlbGen              (LOCK)
 *     read mm_cpumask                               switch_mm_irqs_off: see switch.ts
 *     read loadedMm, isLazy of those in it
 *     IPI, flush, wait                              flush_tlb_func: see flush-func.ts
 */
import {
  type Cpu,
  entryShift,
  hasRing,
  incMmTlbGen,
  markMmTlbGenDone,
  type Mm,
  pageSize,
  ringCollect,
  ringDone,
  ringEnqueue,
  type Steps,
} from '@mmu-gather/core/stepped';
import { broadcasts, broadcastTlbFlush } from './flush-broadcast.ts';
import { flushTlbLocal, flushTlbMulti, flushTlbOthers } from './flush-multi.ts';
import { type FlushTlbInfo, getFlushTlbInfo } from './flush-tlb-info.ts';
import { considerGlobalAsid, mmGlobalAsid } from './global-asid.ts';
import { broadcastGlobalAsid } from './global-flush.ts';
import { TLB_FLUSH_ALL } from './reason.ts';
import { mmNextTrimCpumask, thisCpuTlbstate, x86Of } from './tlbstate.ts';

/** The mask is read where the kernel reads it. */
const NOT_READ = -1;

/**
 * flush_tlb_mm_range: a new generation, and everything in `[start, end)` up to it.
 * @param end first address past the range, or TLB_FLUSH_ALL
 * @param strideShift log2 of the smallest unit that was changed
 * @param freedTables page tables were unlinked too
 */
export function* flushTlbMmRange(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  strideShift: number,
  freedTables: boolean,
): Steps<void> {
  const { switches } = x86Of(cpu);
  let mask = NOT_READ;
  if (switches.maskRead === 'before-generation') mask = yield* cpu.readOnce(mm.cpumask);
  const gen = yield* newTlbGen(cpu, mm);
  if (hasRing(cpu)) {
    yield* ringEnqueue(cpu, mm, gen, { start, end, shift: strideShift, freedTables });
    yield* flushRing(cpu, mm, mask);
    return;
  }
  const info = getFlushTlbInfo(cpu, mm.address, start, end, strideShift, freedTables, gen);
  yield* flushAndPublish(cpu, mm, info, gen, mask);
}

/**
 * flush_tlb_mm_range_gen (RFC 15): everything in the range up to a generation that was recorded when it was deferred, under
 * the PTL; taking it was the barrier that orders the page-table writes before the read of the mask here.
 * What came after it is not covered, nor by its barrier: the caller's business.
 */
export function* flushTlbGen(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  level: number,
  freedTables: boolean,
  gen: number,
): Steps<void> {
  if (hasRing(cpu)) {
    yield* flushRing(cpu, mm, NOT_READ);
    return;
  }
  const info = getFlushTlbInfo(cpu, mm.address, start, end, entryShift(cpu.kernel.geometry, level), freedTables, gen);
  yield* flushAndPublish(cpu, mm, info, gen, NOT_READ);
}

/** Where mms have a ring: every CPU to the newest generation, by what the ring says of those that are not completed. */
function* flushRing(cpu: Cpu, mm: Mm, mask: number): Steps<void> {
  const fold = yield* ringCollect(cpu, mm);
  if (fold === null) return;
  const info = getFlushTlbInfo(cpu, mm.address, fold.start, fold.end, fold.shift, fold.freedTables, fold.gen);
  cpu.write(info.base, fold.base);
  yield* shootDown(cpu, mm, info, mask);
  yield* ringDone(cpu, mm, fold);
}

/** flush_tlb_mm. Says that tables were freed: its callers do not tell. */
export function flushTlbMm(cpu: Cpu, mm: Mm): Steps<void> {
  return flushTlbMmRange(cpu, mm, 0, TLB_FLUSH_ALL, 0, true);
}

/** flush_tlb_range; flush_pmd_tlb_range is the same, in units of base pages: a larger stride is for hugetlb alone. */
export function flushTlbRange(cpu: Cpu, mm: Mm, start: number, end: number, _level: number): Steps<void> {
  const { pageShift } = cpu.kernel.geometry;
  return flushTlbMmRange(cpu, mm, start, end, pageShift, x86Of(cpu).switches.rangeFreesTables);
}

/** flush_tlb_page. */
export function flushTlbPage(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const { geometry } = cpu.kernel;
  return flushTlbMmRange(cpu, mm, address, address + pageSize(geometry), geometry.pageShift, false);
}

/** inc_mm_tlb_gen, or its wrong form without LOCK, which leaves the page-table writes in the store buffer. */
export function* newTlbGen(cpu: Cpu, mm: Mm): Steps<number> {
  if (x86Of(cpu).switches.incGeneration === 'locked') return yield* incMmTlbGen(cpu, mm);
  const gen = (yield* cpu.readOnce(mm.tlbGen)) + 1;
  yield* cpu.writeOnce(mm.tlbGen, gen);
  return gen;
}

/** Local and remote parts of a request for one mm, and what it publishes. */
function* flushAndPublish(cpu: Cpu, mm: Mm, info: FlushTlbInfo, gen: number, mask: number): Steps<void> {
  const { switches } = x86Of(cpu);
  if (switches.completedGen === 'before-flush') yield* markMmTlbGenDone(cpu, mm, gen);
  yield* shootDown(cpu, mm, info, mask);
  if (switches.completedGen === 'after-flush') yield* markMmTlbGenDone(cpu, mm, gen);
}

function* shootDown(cpu: Cpu, mm: Mm, info: FlushTlbInfo, mask: number): Steps<void> {
  const asid = yield* mmGlobalAsid(cpu, mm);
  if (asid !== 0) yield* broadcastGlobalAsid(cpu, mm, asid, info);
  else yield* shootDownByMask(cpu, mm, info, mask);
}

function shootDownByMask(cpu: Cpu, mm: Mm, info: FlushTlbInfo, mask: number): Steps<void> {
  if (broadcasts(cpu)) return broadcastTlbFlush(cpu, mm, info);
  if (x86Of(cpu).switches.flushOrder === 'overlapped') return flushOverlapped(cpu, mm, info, mask);
  return flushLocalFirst(cpu, mm, info, mask);
}

/** 5.13 on. If nobody else may use the mm and it is not loaded here, the new generation alone does the work. */
function* flushOverlapped(cpu: Cpu, mm: Mm, info: FlushTlbInfo, early: number): Steps<void> {
  const mask = early === NOT_READ ? yield* cpu.readOnce(mm.cpumask) : early;
  if ((mask & ~(1 << cpu.id)) !== 0) {
    if (yield* shouldTrimCpumask(cpu, mm)) cpu.write(info.trimCpumask, 1);
    yield* flushTlbMulti(cpu, mask, info);
    // Linux considers behind the flush. Before it would do, too: whoever is interrupted would load the global ASID instead of flushing.
    yield* considerGlobalAsid(cpu, mm);
  } else if (cpu.read(thisCpuTlbstate(cpu).loadedMm) === mm.address) {
    yield* flushTlbLocal(cpu, info);
  }
}

/** Up to 5.12. */
function* flushLocalFirst(cpu: Cpu, mm: Mm, info: FlushTlbInfo, early: number): Steps<void> {
  if (cpu.read(thisCpuTlbstate(cpu).loadedMm) === mm.address) yield* flushTlbLocal(cpu, info);
  const mask = early === NOT_READ ? yield* cpu.readOnce(mm.cpumask) : early;
  if ((mask & ~(1 << cpu.id)) !== 0) yield* flushTlbOthers(cpu, mask, info);
}

/** should_trim_cpumask: at most once a second. Two CPUs may both find it due; the second IPI finds nothing to trim. */
function* shouldTrimCpumask(cpu: Cpu, mm: Mm): Steps<boolean> {
  const { trimCpumask, hz } = x86Of(cpu).switches;
  if (!trimCpumask || cpu.jiffies() <= (yield* cpu.readOnce(mmNextTrimCpumask(mm)))) return false;
  yield* cpu.writeOnce(mmNextTrimCpumask(mm), cpu.jiffies() + hz);
  return true;
}
