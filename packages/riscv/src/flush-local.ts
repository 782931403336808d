/**
 * One hart's part of a flush (arch/riscv/mm/tlbflush.c: local_flush_tlb_range_asid).
 *
 *     one stride             SFENCE.VMA of its address: leaves only
 *     up to the threshold    one for each stride; with Svinval they are ordered once (SFENCE.W.INVAL, SINVAL.VMA ..., SFENCE.INVAL.IR)
 *     more                   SFENCE.VMA of the ASID: walk caches, too
 *
 * Svinval is no switch: the order of SINVAL.VMA against stores has no step. Each takes effect at once, as on simple harts, which have no use for
 * SFENCE.W.INVAL and SFENCE.INVAL.IR.
 */
import { ALL_ASIDS, type Cpu, type Scope, type Steps } from '@mmu-gather/core/stepped';
import { sfenceAll, sfenceAsid, sfencePage, sfencePageAsid } from './isa.ts';
import { FLUSH_TLB_MAX_SIZE, type FlushData, riscvOf } from './state.ts';
import { ALL_PAGES, FLUSH_LOCAL, traceFlush } from './trace.ts';

/** What a hart executes for a request, in order. */
export function scopesOf(cpu: Cpu, data: FlushData): readonly Scope[] {
  const [asid, size, stride] = [cpu.read(data.asid), cpu.read(data.size), cpu.read(data.stride)];
  const strides = Math.ceil(size / stride);
  if (size === FLUSH_TLB_MAX_SIZE || strides > riscvOf(cpu).switches.threshold)
    return [asid === ALL_ASIDS ? sfenceAll() : sfenceAsid(asid)];
  const start = cpu.read(data.start);
  return Array.from({ length: strides }, (_, i) => pageScope(asid, start + i * stride));
}

function pageScope(asid: number, address: number): Scope {
  return asid === ALL_ASIDS ? sfencePage(address) : sfencePageAsid(asid, address);
}

/** local_flush_tlb_range_asid, and the handler __ipi_flush_tlb_range_asid. */
export function* localFlush(cpu: Cpu, data: FlushData): Steps<void> {
  const scopes = scopesOf(cpu, data);
  for (const scope of scopes) yield* cpu.invalidate(scope);
  const size = cpu.read(data.size);
  const all = size === FLUSH_TLB_MAX_SIZE || scopes.length < Math.ceil(size / cpu.read(data.stride));
  traceFlush(cpu, FLUSH_LOCAL, cpu.read(data.asid), all ? ALL_PAGES : scopes.length);
}

/** local_flush_tlb_all. */
export function* localFlushTlbAll(cpu: Cpu): Steps<void> {
  yield* cpu.invalidate(sfenceAll());
  traceFlush(cpu, FLUSH_LOCAL, ALL_ASIDS, ALL_PAGES);
}

/** local_flush_tlb_page: the leaf of one page, whatever is loaded. */
export function* localFlushTlbPage(cpu: Cpu, address: number): Steps<void> {
  yield* cpu.invalidate(sfencePage(address));
  traceFlush(cpu, FLUSH_LOCAL, ALL_ASIDS, 1);
}
