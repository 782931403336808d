/**
 * Broadcasts: tlbie and the barriers around it (radix_tlb.c: _tlbie_va, _tlbie_va_range, _tlbie_pid).
 *
 *     CPU 0                                          CPU 1
 *     change entries
 *     ptesync            walks find the change       may use and cache what was there before
 *     tlbie ...          every CPU is told           goes on
 *     eieio
 *     tlbsync; ptesync   all have done it, and       now it cannot
 *                        what they did through
 *                        old entries is done
 *
 * POWER9 needs more (errata.ts): a ptesync and one tlbie again, before tlbsync.
 *
 * What is traced is powerpc:tlbie, one for each instruction, the repeated ones too: lpid, local, rb, rs, ric, prs, r.
 */
import { type Cpu, entrySize, type Steps } from '@mmu-gather/core/stepped';
import {
  RADIX_KERNEL_PID,
  radixPidScope,
  radixVaScope,
  type Ric,
  RIC_FLUSH_ALL,
  RIC_FLUSH_PWC,
  RIC_FLUSH_TLB,
} from './isa.ts';
import { radixOf } from './state.ts';
import { isSettled, type Issued, SYNC, worksAround } from './errata.ts';
import { IS_PID, rbOfPid, rbOfVa, traceTlbie } from './trace.ts';

/** Addresses of a PID whose leaves of one level go, and whether the page walk cache goes with them. */
export interface VaRange {
  /** The PID. */
  readonly pid: number;
  /** First address. */
  readonly start: number;
  /** First address past it. */
  readonly end: number;
  /** Level of the leaves. */
  readonly level: number;
  /** Whether the page walk cache goes, too. */
  readonly alsoPwc: boolean;
}

/** What the fixups repeat for a PID: some address, the last one that there is. */
const SOME_ADDRESS = 2 ** 52 - 1;

/** ptesync: page-table writes of this CPU come before its invalidations. @param issued by a broadcast so far */
export function* ptesync(cpu: Cpu, issued?: Issued): Steps<void> {
  if (radixOf(cpu).switches.ptesync) yield* cpu.smpMb();
  issued?.push(SYNC);
}

/** eieio; tlbsync; ptesync: this CPU's broadcasts are done everywhere. */
function* tlbsync(cpu: Cpu, issued: Issued, wait: boolean): Steps<void> {
  if (wait && isSettled(cpu, issued)) yield* cpu.invalidationBarrier();
  else yield* cpu.smpMb();
}

/** __tlbie_va. */
function* tlbieVa(cpu: Cpu, issued: Issued, pid: number, address: number, level: number): Steps<void> {
  const page = { start: address, end: address + entrySize(cpu.kernel.geometry, level) };
  yield* cpu.invalidate(radixVaScope(pid, page, level, true));
  issued.push(pid);
  traceTlbie(cpu, false, rbOfVa(cpu, address, level), pid, RIC_FLUSH_TLB);
}

/** __tlbie_pid. The page walk cache by itself is not subject to the errata. */
function* tlbiePid(cpu: Cpu, issued: Issued, pid: number, ric: Ric): Steps<void> {
  yield* cpu.invalidate(radixPidScope(pid, ric, true));
  if (ric !== RIC_FLUSH_PWC) issued.push(pid);
  traceTlbie(cpu, false, rbOfPid(IS_PID, 0), pid, ric);
}

/** fixup_tlbie_va: another PID for the ERAT, and the same again for the stores. */
function* fixupTlbieVa(cpu: Cpu, issued: Issued, pid: number, address: number, level: number): Steps<void> {
  if (worksAround(cpu, 'erat')) {
    yield* ptesync(cpu, issued);
    yield* tlbieVa(cpu, issued, RADIX_KERNEL_PID, address, level);
  }
  yield* fixupStq(cpu, issued, pid, address, level);
}

/** fixup_tlbie_va_range, fixup_tlbie_pid: after several, or a whole PID. */
function* fixupTlbie(cpu: Cpu, issued: Issued, pid: number, address: number, level: number): Steps<void> {
  if (worksAround(cpu, 'erat')) {
    yield* ptesync(cpu, issued);
    yield* tlbiePid(cpu, issued, RADIX_KERNEL_PID, RIC_FLUSH_TLB);
  }
  yield* fixupStq(cpu, issued, pid, address, level);
}

function* fixupStq(cpu: Cpu, issued: Issued, pid: number, address: number, level: number): Steps<void> {
  if (!worksAround(cpu, 'stq')) return;
  yield* ptesync(cpu, issued);
  yield* tlbieVa(cpu, issued, pid, address, level);
}

/** _tlbie_va: one page, on every CPU. */
export function* broadcastVa(cpu: Cpu, pid: number, address: number, level: number): Steps<void> {
  const issued: Issued = [];
  yield* ptesync(cpu, issued);
  yield* tlbieVa(cpu, issued, pid, address, level);
  yield* fixupTlbieVa(cpu, issued, pid, address, level);
  yield* tlbsync(cpu, issued, radixOf(cpu).switches.tlbsync);
}

/** _tlbie_va_range, with more ranges of the same PID behind the first one where huge pages may be among the pages. */
export function* broadcastVaRange(cpu: Cpu, first: VaRange, ...more: readonly VaRange[]): Steps<void> {
  const issued: Issued = [];
  yield* ptesync(cpu, issued);
  if (first.alsoPwc) yield* tlbiePid(cpu, issued, first.pid, RIC_FLUSH_PWC);
  for (const range of [first, ...more]) yield* tlbieVaRange(cpu, issued, range);
  yield* tlbsync(cpu, issued, radixOf(cpu).switches.tlbsync);
}

/** __tlbie_va_range. */
function* tlbieVaRange(cpu: Cpu, issued: Issued, { pid, start, end, level }: VaRange): Steps<void> {
  const size = entrySize(cpu.kernel.geometry, level);
  let address = start;
  for (; address < end; address += size) yield* tlbieVa(cpu, issued, pid, address, level);
  yield* fixupTlbie(cpu, issued, pid, address - size, level);
}

/** _tlbie_pid: a whole PID, on every CPU. */
export function* broadcastPid(cpu: Cpu, pid: number, ric: Ric): Steps<void> {
  const { switches } = radixOf(cpu);
  const issued: Issued = [];
  yield* ptesync(cpu, issued);
  yield* tlbiePid(cpu, issued, pid, ric);
  if (ric !== RIC_FLUSH_PWC) yield* fixupTlbie(cpu, issued, pid, SOME_ADDRESS, 0);
  yield* tlbsync(cpu, issued, pid === RADIX_KERNEL_PID ? switches.kernelTlbsync : switches.tlbsync);
}

/** The kernel's own addresses: always its whole PID, and the process table. */
export function broadcastKernel(cpu: Cpu): Steps<void> {
  return broadcastPid(cpu, RADIX_KERNEL_PID, RIC_FLUSH_ALL);
}
