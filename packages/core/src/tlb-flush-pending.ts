/**
 * tlb_flush_pending: who has changed page tables of an mm and not yet flushed (include/linux/mm_inline.h).
 *
 *     writer                                   reader
 *     inc pending            (relaxed)
 *     lock PTL; change PTE; unlock PTL         lock PTL; read PTE; read pending; act; unlock PTL
 *     flush                  (waits)
 *     dec pending            (relaxed)
 *
 * The reader cares only if it sees the changed PTE, and then it took the PTL after the writer let it go: unlock (release)
 * and lock (acquire) order the increment before the read. The promise is per PTL; lockless observers get none. The
 * decrement relies on the flush: it returns only when every CPU has dropped its entries.
 */
import type { Cpu } from './cpu.ts';
import type { Mm } from './mm.ts';
import { closeAlone, openAlone } from './sync-finish.ts';
import type { Steps } from './steps.ts';

/** inc_tlb_flush_pending: before the first PTL is taken, by who defers without a gather. */
export function* incTlbFlushPending(cpu: Cpu, mm: Mm): Steps<void> {
  yield* openAlone(cpu, mm);
  yield* cpu.atomicAdd(mm.tlbFlushPending, 1);
}

/** dec_tlb_flush_pending: after the flush has returned. */
export function* decTlbFlushPending(cpu: Cpu, mm: Mm): Steps<void> {
  yield* lowerPending(cpu, mm);
  yield* closeAlone(cpu, mm);
}

/** The counter's part of {@link decTlbFlushPending}. */
export function* lowerPending(cpu: Cpu, mm: Mm): Steps<void> {
  const left = yield* cpu.atomicAddReturn(mm.tlbFlushPending, -1);
  cpu.claim.that(left >= 0, 'O16', 'tlb_flush_pending dropped below 0: a finish without its gather');
}

/** mm_tlb_flush_pending: under a PTL, is a flush pending for some entry of that PTL? */
export function* mmTlbFlushPending(cpu: Cpu, mm: Mm): Steps<boolean> {
  return (yield* cpu.readOnce(mm.tlbFlushPending)) > 0;
}

/** mm_tlb_flush_nested: with an increment of one's own, is there another? The PTL need not be held. */
export function* mmTlbFlushNested(cpu: Cpu, mm: Mm): Steps<boolean> {
  return (yield* cpu.readOnce(mm.tlbFlushPending)) > 1;
}
