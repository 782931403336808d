/**
 * The tracepoint powerpc:tlbie as radix emits it: `cpu.trace('tlbie', lpid, local, rb, rs, ric, prs, r)`, one for each instruction. What the
 * hypervisor does is seen as hcall_entry and hcall_exit without arguments; the flush of everything when a CPU comes up is not seen.
 */
import { type Cpu, entryShift } from '@mmu-gather/core/stepped';
import type { Ric } from './isa.ts';

/** IS 1: the whole PID. */
export const IS_PID: number = 1;

/** Actual page size, as encoded in rb, by log2 of its bytes. */
const AP: Readonly<Record<number, number>> = { 12: 0, 16: 5, 21: 1, 30: 2 };

/** rb of one address: its upper bits, and AP. Sizes that only small explored tables have count as base pages. */
export function rbOfVa(cpu: Cpu, address: number, level: number): number {
  const ap = AP[entryShift(cpu.kernel.geometry, level)] ?? 0;
  return address - (address % 4096) + ap * 2 ** 5;
}

/** rb of a set of a PID, or of everything. */
export function rbOfPid(is: number, set: number): number {
  return set * 2 ** 12 + is * 2 ** 10;
}

/** One tlbie or tlbiel: rs names the PID in its upper half, prs and r say process-scoped and radix. */
export function traceTlbie(cpu: Cpu, local: boolean, rb: number, pid: number, ric: Ric): void {
  cpu.trace('tlbie', 0, local ? 1 : 0, rb, pid * 2 ** 32, ric, 1, 1);
}
