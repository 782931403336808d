/**
 * flush_tlb_kernel_range (arch/sparc/mm/init_64.c, kernel/smp_64.c): the kernel's TSB, then a mondo to every CPU, then this one.
 *
 * Addresses from 0xf0000000 to 4 GiB belong to the firmware, whose mappings nobody may take: a range is split around them. The kernel's
 * TSB is not modelled: the exploring machine walks the kernel's table, which allows all that the TSB would, and more.
 */
import { type Cpu, EVERYTHING, powerOfTwo, type Steps } from '@mmu-gather/core/stepped';
import { xcallKernelRange } from './cross-call.ts';
import { demapNucleus } from './isa.ts';
import { sparc64Of } from './state.ts';

/** LOW_OBP_ADDRESS: first address of the firmware. */
export const LOW_OBP_ADDRESS: number = 0xf000_0000;
/** HI_OBP_ADDRESS: first address past it. */
export const HI_OBP_ADDRESS: number = 0x1_0000_0000;

/** The parts of a kernel range that are flushed: what is not the firmware's. */
export function kernelRanges(start: number, end: number): readonly (readonly [start: number, end: number])[] {
  if (start >= HI_OBP_ADDRESS || end <= LOW_OBP_ADDRESS) return [[start, end]];
  const around = [
    [start, LOW_OBP_ADDRESS],
    [HI_OBP_ADDRESS, end],
  ] as const;
  return around.filter(([from, to]) => from < to);
}

/** See core's `Backend.flushTlbKernelRange`. */
export function* flushTlbKernelRange(cpu: Cpu, start: number, end: number): Steps<void> {
  const ranges = end === EVERYTHING ? ([[start, end]] as const) : kernelRanges(start, end);
  for (const [from, to] of ranges) yield* doFlushTlbKernelRange(cpu, from, to);
}

/** do_flush_tlb_kernel_range: one part. Nothing of the firmware's, unless all is flushed, which keeps what is locked. */
export function* doFlushTlbKernelRange(cpu: Cpu, start: number, end: number): Steps<void> {
  const others = (powerOfTwo(cpu.kernel.cpus) - 1) & ~(1 << cpu.id);
  yield* xcallKernelRange(cpu, others, start, end);
  const firmwares = start < HI_OBP_ADDRESS && end > LOW_OBP_ADDRESS && end !== EVERYTHING;
  cpu.claim.that(!firmwares, 'O16', 'a flush of kernel addresses takes mappings of the firmware');
  if (sparc64Of(cpu).switches.localDemap) yield* cpu.invalidate(demapNucleus({ start, end }));
}
