/**
 * Flushes of this CPU alone: DSB NSHST, TLBI, DSB NSH (arch/arm64/include/asm/tlbflush.h). Other CPUs keep what they have.
 *
 * A local TLBI takes effect at once here, so the barrier behind it has no step. The one before it has: until then this CPU's walker may go on with
 * what stood in memory before, and bring it back behind the TLBI.
 */
import { asidIn, type Cpu, type Mm, pageSize, type Steps } from '@mmu-gather/core/stepped';
import { arm64Of, mmContextId, USER_ASID } from './asid-state.ts';
import { dsbIshst } from './barriers.ts';
import { type Shareability, vae1, vmalle1 } from './isa.ts';
import { ALL_PAGES, FLUSH_LOCAL_ALL, FLUSH_LOCAL_PAGE, traceFlush } from './trace.ts';

/** Where local flushes act. */
const LOCAL: Shareability = 'local';

/**
 * local_flush_tlb_all: everything, of every ASID. What this CPU walks with now may come back at once. The barrier orders the new ASID before the
 * walks under it; pairs with the one before a flush reads the ASID (flush.ts).
 */
export function* localFlushTlbAll(cpu: Cpu): Steps<void> {
  yield* dsbIshst(cpu);
  yield* cpu.invalidate(vmalle1(LOCAL));
  traceFlush(cpu, FLUSH_LOCAL_ALL, 0, ALL_PAGES);
}

/** local_flush_tlb_page_nonotify: the leaf of one page. For upgrades: the older entry of another CPU costs it a fault. */
export function* localFlushTlbPage(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const { kpti, kptiUserTlbi } = arm64Of(cpu).switches;
  const asid = asidIn(yield* cpu.readOnce(mmContextId(mm)));
  // Pairs with the walks of this CPU.
  yield* dsbIshst(cpu);
  const page = { start: address, end: address + pageSize(cpu.kernel.geometry) };
  yield* cpu.invalidate(vae1(asid, page, true, LOCAL));
  if (kpti && kptiUserTlbi) yield* cpu.invalidate(vae1(asid + USER_ASID, page, true, LOCAL));
  traceFlush(cpu, FLUSH_LOCAL_PAGE, asid, 1);
}
