/**
 * Flushes of user addresses (arch/sparc/mm/tlb.c): each change of a valid entry asks for one, at once or, in a lazy MMU section, in batches.
 *
 *     change of an entry (under its PTL)
 *       no section      flush it: TSB, then cross call, then here; no batch is left from a section
 *       section         into this CPU's batch: one mm, one page size, 192 addresses
 *     drain             TSB for all, one cross call, here; when it is full, at the end of the section, or for another mm or page size
 *
 * Contract: page tables are written before; it ends before the PTL is dropped, with interrupts on, for a drain waits for other CPUs.
 * When a flush returns, no CPU can use what the change has taken away, TSB included:
 *
 *     CPU 0 (flush)                                 CPU 1
 *     write the entry                               may use the old one, and fill it again from the TSB
 *     lock context; TSB entries invalid; unlock     may use it, cannot fill it again
 *     read mm_cpumask                               switch_mm: bit in mm_cpumask, then demap of the context
 *     cross call                                    demaps
 *
 * flush_tlb_mm, flush_tlb_page and flush_tlb_range are empty here: nothing is left for them.
 *
 * A CPU flushes for itself even if it is not in mm_cpumask. An mm without a valid context number has no TLB entries that anybody can use:
 * only its TSB is flushed in a drain. A flush outside of a section does not ask, and demaps an old number's page: harmless.
 */
import {
  addToLazyBatch,
  collectsLazily,
  type Cpu,
  type LazyBatch,
  lazyBatchCount,
  lazyBatchEntry,
  Mm,
  powerOfTwo,
  type Steps,
  thisRq,
} from '@mmu-gather/core/stepped';
import { ctxNumber, ctxValid } from './context.ts';
import { demapVaddr, mkVaddr, smpFlushTlbPending, vaddrAddress, xcallPage } from './cross-call.ts';
import { contextVal, sparc64Of } from './state.ts';
import { flushTsbUser, kindShift, type TsbKind } from './tsb.ts';

/** No mask was read yet. */
const NOT_READ = -1;

/** This CPU's batch (this_cpu_ptr(&tlb_batch)). */
export function thisTlbBatch(cpu: Cpu): LazyBatch {
  return sparc64Of(cpu).batches[cpu.id]!;
}

/**
 * tlb_batch_add_one: an address was taken from, or changed in, the page table.
 * @param address first address of the page, or of the half of a huge page
 * @param exec whether the old entry allows execution
 */
export function* tlbBatchAddOne(cpu: Cpu, mm: Mm, address: number, kind: TsbKind, exec: boolean): Steps<void> {
  const batch = thisTlbBatch(cpu);
  const vaddr = mkVaddr(address, exec && sparc64Of(cpu).switches.execBit);
  if (collectsLazily(cpu, batch)) {
    yield* addToLazyBatch(cpu, batch, mm, kind, [vaddr], flushTlbBatch);
    return;
  }
  yield* flushPages(cpu, mm, [vaddr], kind, null);
}

/** flush_tlb_pending: the drain of a batch. */
export function* flushTlbBatch(cpu: Cpu, batch: LazyBatch): Steps<void> {
  const count = lazyBatchCount(cpu, batch);
  const vaddrs = Array.from({ length: count }, (_, i) => lazyBatchEntry(cpu, batch, i, 0));
  yield* flushPages(cpu, Mm.at(cpu.read(batch.mm)), vaddrs, cpu.read(batch.kind) as TsbKind, batch);
}

/** TSB and TLBs, in this order: a TLB that was demapped first would be filled again from the TSB. */
function* flushPages(cpu: Cpu, mm: Mm, vaddrs: readonly number[], kind: TsbKind, batch: LazyBatch | null): Steps<void> {
  const { flushOrder, maskRead, invalidContext } = sparc64Of(cpu).switches;
  if (batch !== null && invalidContext === 'nothing') {
    if (!(yield* ctxValid(cpu, yield* cpu.readOnce(contextVal(mm))))) return;
  }
  const addresses = vaddrs.map(vaddrAddress);
  const early = maskRead === 'before-tsb' ? yield* cpu.readOnce(mm.cpumask) : NOT_READ;
  if (flushOrder === 'tsb-first') yield* flushTsbUser(cpu, mm, addresses, kind);
  yield* flushTlbs(cpu, mm, vaddrs, kind, batch, early);
  if (flushOrder === 'tlb-first') yield* flushTsbUser(cpu, mm, addresses, kind);
}

function* flushTlbs(
  cpu: Cpu,
  mm: Mm,
  vaddrs: readonly number[],
  kind: TsbKind,
  batch: LazyBatch | null,
  early: number,
): Steps<void> {
  const val = yield* cpu.readOnce(contextVal(mm));
  if (batch !== null && !(yield* ctxValid(cpu, val))) return;
  const { switches } = sparc64Of(cpu);
  const ctx = ctxNumber(val);
  const bytes = powerOfTwo(kindShift(cpu.kernel.geometry, kind));
  if (!(yield* trimmed(cpu, mm))) {
    const mask = early === NOT_READ ? yield* cpu.readOnce(mm.cpumask) : early;
    const others = switches.crossCall ? mask & ~(1 << cpu.id) : 0;
    if (batch === null || vaddrs.length === 1) yield* xcallPage(cpu, others, ctx, vaddrs[0]!, bytes);
    else yield* smpFlushTlbPending(cpu, others, ctx, batch.entries, vaddrs.length, bytes);
  }
  if (!switches.localDemap) return;
  for (const vaddr of vaddrs) yield* cpu.invalidate(demapVaddr(cpu, ctx, vaddr, bytes));
}

/** Up to 5.9: this CPU runs the only task of the mm, so no other one is asked from now on. */
function* trimmed(cpu: Cpu, mm: Mm): Steps<boolean> {
  if (sparc64Of(cpu).switches.trimMask === 'never' || cpu.read(thisRq(cpu).mm) !== mm.address) return false;
  if ((yield* cpu.readOnce(mm.mmUsers)) !== 1) return false;
  yield* cpu.writeOnce(mm.cpumask, 1 << cpu.id);
  return true;
}
