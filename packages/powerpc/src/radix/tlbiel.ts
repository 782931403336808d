/**
 * This CPU alone: tlbiel and the barriers around it (radix_tlb.c: _tlbiel_va, _tlbiel_va_range, _tlbiel_pid).
 *
 *     ptesync; tlbiel ...; ptesync                                 addresses
 *     ptesync; tlbiel of each set ...; ptesync; ERAT; isync        a whole PID
 *
 * An instruction here takes effect at once on its CPU, so the barriers behind it have no step.
 */
import { type Cpu, entrySize, type Steps } from '@mmu-gather/core/stepped';
import { radixPidScope, radixVaScope, type Ric, RIC_FLUSH_PWC, RIC_FLUSH_TLB } from './isa.ts';
import { radixOf } from './state.ts';
import { ptesync, type VaRange } from './tlbie.ts';
import { IS_PID, rbOfPid, rbOfVa, traceTlbie } from './trace.ts';

/** __tlbiel_va. */
function* tlbielVa(cpu: Cpu, pid: number, address: number, level: number): Steps<void> {
  const page = { start: address, end: address + entrySize(cpu.kernel.geometry, level) };
  yield* cpu.invalidate(radixVaScope(pid, page, level, false));
  traceTlbie(cpu, true, rbOfVa(cpu, address, level), pid, RIC_FLUSH_TLB);
}

/** _tlbiel_va: one page, on this CPU. */
export function* localVa(cpu: Cpu, pid: number, address: number, level: number): Steps<void> {
  yield* ptesync(cpu);
  yield* tlbielVa(cpu, pid, address, level);
}

/** _tlbiel_va_range, with more ranges of the same PID behind the first one. */
export function* localVaRange(cpu: Cpu, first: VaRange, ...more: readonly VaRange[]): Steps<void> {
  yield* ptesync(cpu);
  if (first.alsoPwc) yield* tlbielSet(cpu, first.pid, 0, RIC_FLUSH_PWC);
  for (const { pid, start, end, level } of [first, ...more]) {
    const size = entrySize(cpu.kernel.geometry, level);
    for (let address = start; address < end; address += size) yield* tlbielVa(cpu, pid, address, level);
  }
}

/** _tlbiel_pid: a whole PID, on this CPU. RIC 1 is one instruction, others reach one set at a time before ISA 3.1. */
export function* localPid(cpu: Cpu, pid: number, ric: Ric): Steps<void> {
  const { isa31, tlbSets } = radixOf(cpu).switches;
  yield* ptesync(cpu);
  yield* tlbielSet(cpu, pid, 0, ric);
  // The other sets: gone with the first one here (isa.ts).
  if (!isa31 && ric !== RIC_FLUSH_PWC) {
    for (let set = 1; set < tlbSets; set++) traceTlbie(cpu, true, rbOfPid(IS_PID, set), pid, RIC_FLUSH_TLB);
  }
}

/** __tlbiel_pid. */
function* tlbielSet(cpu: Cpu, pid: number, set: number, ric: Ric): Steps<void> {
  yield* cpu.invalidate(radixPidScope(pid, ric, false));
  traceTlbie(cpu, true, rbOfPid(IS_PID, set), pid, ric);
}
