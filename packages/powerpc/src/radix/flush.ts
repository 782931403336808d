/**
 * flush_tlb_*: who (flush-type.ts), how much, and by which means (radix_tlb.c).
 *
 *                       this CPU alone    every CPU, by ...
 *                                         tlbie             interrupts, where         H_RPT_INVALIDATE, where
 *                                                           tlbie reaches nobody      the guest has no tlbie
 *     flush_tlb_mm      PID, RIC 0        PID, RIC 0 (2)    PID, RIC 0                TLB
 *     flush_all_mm      PID, RIC 2        PID, RIC 2        PID, RIC 2                TLB, PWC, PRT
 *     flush_tlb_page    address           address           address                   TLB
 *     flush_tlb_range   addresses, or PID as a whole beyond a ceiling                 TLB (PWC)
 *
 * Contract: entries were changed before the call. When it returns no CPU holds what they replaced, lazy ones included; and with RIC 1 or 2
 * (`alsoPwc`) no way to a table that was unlinked.
 *
 * In Linux each leaves early where the mm has no PID (MMU_NO_CONTEXT): before its context is made, or after it was destroyed. Nothing here flushes
 * an mm then, so they do not ask.
 */
import {
  ALL,
  type Cpu,
  entryShift,
  EVERYTHING,
  type Mm,
  PAGE_SHIFT,
  powerOfTwo,
  type Steps,
} from '@mmu-gather/core/stepped';
import { type FlushType, flushTypeNeeded } from './flush-type.ts';
import { H_RPTI_TYPE_ALL, H_RPTI_TYPE_PWC, H_RPTI_TYPE_TLB, rptInvalidate } from './hypervisor.ts';
import { RADIX_KERNEL_PID, type Ric, RIC_FLUSH_ALL, RIC_FLUSH_TLB } from './isa.ts';
import { hasCopros, multicastKernel, multicastPid, multicastVaRange } from './multicast.ts';
import { mmPid, radixOf } from './state.ts';
import { broadcastKernel, broadcastPid, broadcastVa, broadcastVaRange, type VaRange } from './tlbie.ts';
import { localPid, localVa, localVaRange } from './tlbiel.ts';

/** Level of a PMD: huge pages. */
const PMD_LEVEL = 1;

/** radix__flush_tlb_mm. */
export function* radixFlushTlbMm(cpu: Cpu, mm: Mm): Steps<void> {
  const pid = cpu.read(mmPid(mm));
  const type = yield* flushTypeNeeded(cpu, mm, false);
  if (type === 'none') return;
  if (type === 'global' && !radixOf(cpu).switches.gtse) yield* rptInvalidate(cpu, pid, H_RPTI_TYPE_TLB);
  else yield* flushPid(cpu, mm, type, RIC_FLUSH_TLB, yield* needsEscalation(cpu, mm));
}

/** radix__flush_all_mm: what is cached of tables and of the process table, too. @param fullmm the mm is torn down */
export function* radixFlushAllMm(cpu: Cpu, mm: Mm, fullmm: boolean): Steps<void> {
  const pid = cpu.read(mmPid(mm));
  const type = yield* flushTypeNeeded(cpu, mm, fullmm);
  if (type === 'none') return;
  const ric = fullmm ? radixOf(cpu).switches.teardownRic : RIC_FLUSH_ALL;
  if (type === 'global' && !radixOf(cpu).switches.gtse)
    yield* rptInvalidate(cpu, pid, ric === RIC_FLUSH_ALL ? H_RPTI_TYPE_ALL : H_RPTI_TYPE_TLB);
  else yield* flushPid(cpu, mm, type, ric, false);
}

/** A whole PID. @param escalate RIC 2 where it is broadcast (mm_needs_flush_escalation) */
function* flushPid(cpu: Cpu, mm: Mm, type: FlushType, ric: Ric, escalate: boolean): Steps<void> {
  const pid = cpu.read(mmPid(mm));
  if (type === 'local') yield* localPid(cpu, pid, ric);
  else if (radixOf(cpu).switches.tlbie) yield* broadcastPid(cpu, pid, escalate ? RIC_FLUSH_ALL : ric);
  else yield* multicastPid(cpu, mm, ric);
}

/** mm_needs_flush_escalation: before ISA 3.1 the nest MMU keeps paths as well when it is told RIC 0. */
function* needsEscalation(cpu: Cpu, mm: Mm): Steps<boolean> {
  return !radixOf(cpu).switches.isa31 && (yield* hasCopros(cpu, mm));
}

/** radix__flush_tlb_page_psize: one page of a level. */
export function* radixFlushTlbPagePsize(cpu: Cpu, mm: Mm, address: number, level: number): Steps<void> {
  const pid = cpu.read(mmPid(mm));
  const type = yield* flushTypeNeeded(cpu, mm, false);
  if (type === 'none') return;
  const end = address + powerOfTwo(entryShift(cpu.kernel.geometry, level));
  const { gtse, tlbie } = radixOf(cpu).switches;
  if (type === 'local') yield* localVa(cpu, pid, address, level);
  else if (!gtse) yield* rptInvalidate(cpu, pid, H_RPTI_TYPE_TLB, { start: address, end }, [level]);
  else if (tlbie) yield* broadcastVa(cpu, pid, address, level);
  else yield* multicastVaRange(cpu, mm, { pid, start: address, end, level, alsoPwc: false });
}

/** radix__flush_tlb_page. */
export function radixFlushTlbPage(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  return radixFlushTlbPagePsize(cpu, mm, address, 0);
}

/** Pages in a range: (end - start) >> shift, unsigned. A range that is empty the wrong way round is larger than any ceiling. */
export function radixPagesIn(start: number, end: number, shift: number): number {
  return end < start ? EVERYTHING : Math.floor((end - start) / powerOfTwo(shift));
}

/** Is the whole PID cheaper than its pages? Where this CPU alone is flushed, one tlbiel each costs less. */
function exceeds(cpu: Cpu, type: FlushType, pages: number): boolean {
  const { ceiling, localCeiling } = radixOf(cpu).switches;
  return pages > (type === 'global' ? ceiling : localCeiling);
}

/**
 * radix__flush_tlb_range: base pages, and huge pages that may lie among them. A range of a PMD and more drops the page walk cache, too
 * (5.14 on): mremap moves whole tables and relies on it.
 * @param freedTables drop it in any case
 */
export function* radixFlushTlbRange(cpu: Cpu, mm: Mm, start: number, end: number, freedTables = false): Steps<void> {
  const pid = cpu.read(mmPid(mm));
  const type = yield* flushTypeNeeded(cpu, mm, false);
  if (type === 'none') return;
  const { geometry } = cpu.kernel;
  const { gtse, rangePwc } = radixOf(cpu).switches;
  const pmd = powerOfTwo(entryShift(geometry, PMD_LEVEL));
  const whole = exceeds(cpu, type, radixPagesIn(start, end, geometry.pageShift));
  const alsoPwc = freedTables || (rangePwc && (whole || end - start >= pmd));
  if (type === 'global' && !gtse) {
    const what = H_RPTI_TYPE_TLB | (alsoPwc ? H_RPTI_TYPE_PWC : 0);
    yield* rptInvalidate(cpu, pid, what, { start, end }, [0, PMD_LEVEL]);
  } else if (whole) {
    yield* flushPid(cpu, mm, type, alsoPwc ? RIC_FLUSH_ALL : RIC_FLUSH_TLB, false);
  } else {
    const pages: VaRange = { pid, start, end, level: 0, alsoPwc };
    const inner = { start: Math.ceil(start / pmd) * pmd, end: Math.floor(end / pmd) * pmd };
    const huge: VaRange = { pid, ...inner, level: PMD_LEVEL, alsoPwc };
    yield* flushRanges(cpu, mm, type, inner.start < inner.end ? [pages, huge] : [pages]);
  }
}

/** Addresses of a PID: in one sequence of instructions, but for interrupts, which take a range each. */
function* flushRanges(cpu: Cpu, mm: Mm, type: FlushType, ranges: readonly VaRange[]): Steps<void> {
  const [first, ...more] = ranges;
  if (type === 'local') yield* localVaRange(cpu, first!, ...more);
  else if (radixOf(cpu).switches.tlbie) yield* broadcastVaRange(cpu, first!, ...more);
  else for (const range of ranges) yield* multicastVaRange(cpu, mm, range);
}

/**
 * __radix__flush_tlb_range_psize: leaves of one level, as tlb_flush and flush_pmd_tlb_range know it.
 * @param alsoPwc tables were unlinked in the range
 */
export function* radixFlushTlbRangePsize(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  level: number,
  alsoPwc: boolean,
): Steps<void> {
  const pid = cpu.read(mmPid(mm));
  const fullmm = end === EVERYTHING;
  const type = yield* flushTypeNeeded(cpu, mm, fullmm);
  if (type === 'none') return;
  const whole = fullmm || exceeds(cpu, type, radixPagesIn(start, end, entryShift(cpu.kernel.geometry, level)));
  if (type === 'global' && !radixOf(cpu).switches.gtse) {
    const what = H_RPTI_TYPE_TLB | (alsoPwc ? H_RPTI_TYPE_PWC : 0);
    yield* rptInvalidate(cpu, pid, what, whole ? ALL : { start, end }, whole ? [] : [level]);
  } else if (whole) {
    const ric = alsoPwc ? RIC_FLUSH_ALL : RIC_FLUSH_TLB;
    yield* flushPid(cpu, mm, type, ric, yield* needsEscalation(cpu, mm));
  } else {
    yield* flushRanges(cpu, mm, type, [{ pid, start, end, level, alsoPwc }]);
  }
}

/** flush_tlb_range of core's `Backend`: flush_pmd_tlb_range above the level of base pages. */
export function radixFlushTlbRangeLevel(cpu: Cpu, mm: Mm, start: number, end: number, level: number): Steps<void> {
  if (level === 0) return radixFlushTlbRange(cpu, mm, start, end);
  return radixFlushTlbRangePsize(cpu, mm, start, end, level, false);
}

/**
 * radix__flush_tlb_collapsed_pmd: a PTE table was unlinked with its entries. The page walk cache and each page; with base pages of 4 KiB the
 * whole mm, for one flush of 512 pages is not cheaper.
 */
export function* radixFlushTlbCollapsedPmd(cpu: Cpu, mm: Mm, start: number): Steps<void> {
  const { geometry } = cpu.kernel;
  const pid = cpu.read(mmPid(mm));
  const { collapsePwc: alsoPwc, collapseFlush } = radixOf(cpu).switches;
  if (collapseFlush === 'by-page-size' && geometry.pageShift === PAGE_SHIFT) {
    yield* alsoPwc ? radixFlushAllMm(cpu, mm, false) : radixFlushTlbMm(cpu, mm);
    return;
  }
  const end = start + powerOfTwo(entryShift(geometry, PMD_LEVEL));
  const type = yield* flushTypeNeeded(cpu, mm, false);
  if (type === 'none') return;
  if (type === 'global' && !radixOf(cpu).switches.gtse)
    yield* rptInvalidate(cpu, pid, H_RPTI_TYPE_ALL, { start, end }, [0]);
  else yield* flushRanges(cpu, mm, type, [{ pid, start, end, level: 0, alsoPwc }]);
}

/** flush_tlb_kernel_range: always the kernel's whole PID, on every CPU. */
export function radixFlushTlbKernelRange(cpu: Cpu, _start: number, _end: number): Steps<void> {
  const { gtse, tlbie } = radixOf(cpu).switches;
  if (!gtse) return rptInvalidate(cpu, RADIX_KERNEL_PID, H_RPTI_TYPE_ALL);
  return tlbie ? broadcastKernel(cpu) : multicastKernel(cpu);
}

/**
 * flush_tlb_mm_range_gen of the 2021 RFC: there are no generations here, so it is a flush of the range, whatever the generation. Several records
 * may be one range: it holds pages of its level, and huge ones, too, if that is 0.
 */
export function* radixFlushTlbGen(
  cpu: Cpu,
  mm: Mm,
  start: number,
  end: number,
  level: number,
  freedTables: boolean,
  _gen: number,
): Steps<void> {
  const { gatherPwc } = radixOf(cpu).switches;
  const alsoPwc = freedTables && gatherPwc;
  if (end === EVERYTHING) yield* gatherPwc ? radixFlushAllMm(cpu, mm, false) : radixFlushTlbMm(cpu, mm);
  else if (level === 0) yield* radixFlushTlbRange(cpu, mm, start, end, alsoPwc);
  else yield* radixFlushTlbRangePsize(cpu, mm, start, end, level, alsoPwc);
}
