/**
 * tlb_flush: a gather's record becomes one flush (radix__tlb_flush).
 *
 * A gather has pages of one size (MMU_GATHER_PAGE_SIZE): before another size is recorded it flushes, for tlbie drops leaves of one size only. A
 * whole mm is flushed with RIC 2, whatever was recorded: its PID will be somebody else's.
 */
import { type Cpu, type MmuGather, NO_PAGE_SIZE, type Steps } from '@mmu-gather/core/stepped';
import { radixFlushAllMm, radixFlushTlbMm, radixFlushTlbRangePsize } from './flush.ts';
import { exitFlushLazyTlbs } from './lazy.ts';
import { radixOf } from './state.ts';

/** radix__tlb_flush. Does not look at need_flush_all: nobody sets it where a whole mm is fullmm. */
export function* radixTlbFlush(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const { gatherPwc, lazyTlb } = radixOf(cpu).switches;
  const { mm, start, end, pageLevel } = tlb;
  const alsoPwc = tlb.freedTables && gatherPwc;
  if (tlb.fullmm) {
    // Lazy CPUs will be interrupted when the mm goes; so they are now, and then there may be nobody left. Linux has a barrier before, but nobody
    // comes to an mm that is torn down.
    if (lazyTlb !== 'refcount') yield* exitFlushLazyTlbs(cpu, mm);
    yield* radixFlushAllMm(cpu, mm, true);
  } else if (pageLevel === NO_PAGE_SIZE) {
    if (alsoPwc) yield* radixFlushAllMm(cpu, mm, false);
    else yield* radixFlushTlbMm(cpu, mm);
  } else {
    yield* radixFlushTlbRangePsize(cpu, mm, start, end, pageLevel, alsoPwc);
  }
}
