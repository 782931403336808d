/**
 * A flush on all harts of a mask (arch/riscv/mm/tlbflush.c: __flush_tlb_range): by the firmware, by interrupts, or here alone.
 *
 * Contract: page-table stores come before the call. When it returns, no hart of the mask can use
 * what they replaced: it has fenced, or (deferred.ts) will before it runs user code of the mm. A hart that is not in the mask yet sets its bit
 * before it loads the mm's tables, and walks what is stored then:
 *
 *     CPU 0 (__flush_tlb_range)                 CPU 1 (switch_mm)
 *     store to page tables                      set bit in mm_cpumask
 *     (full barrier)                            (full barrier)
 *     read mm_cpumask                           load satp, walk
 *     // one of the two sees the other
 */
import { type Address, type Cpu, onEachCpuCondMask, type Steps } from '@mmu-gather/core/stepped';
import { shouldIpiFlush } from './deferred.ts';
import { localFlush, scopesOf } from './flush-local.ts';
import { FlushData, riscvOf } from './state.ts';
import { ALL_PAGES, FLUSH_IPI, FLUSH_SBI, traceFlush } from './trace.ts';

/** Id of {@link ipiFlush} among the backend's handlers. */
export const IPI_FLUSH: number = 0;

/** __ipi_flush_tlb_range_asid: the part of one hart. */
export function ipiFlush(cpu: Cpu, argument: Address): Steps<void> {
  return localFlush(cpu, FlushData.at(argument));
}

/** What a flush drops. */
export interface FlushRequest {
  /** The ASID, or ALL_ASIDS. */
  readonly asid: number;
  /** First address. */
  readonly start: number;
  /** Bytes, or FLUSH_TLB_MAX_SIZE. */
  readonly size: number;
  /** Bytes of the smallest entry that was changed. */
  readonly stride: number;
  /** Whether tables were unlinked. */
  readonly freedTables: boolean;
}

/** Fills this hart's request. Whoever is interrupted for it is waited for, and queues hold copies. */
function fillRequest(cpu: Cpu, request: FlushRequest): FlushData {
  const data = riscvOf(cpu).flushData[cpu.id]!;
  cpu.write(data.asid, request.asid);
  cpu.write(data.start, request.start);
  cpu.write(data.size, request.size);
  cpu.write(data.stride, request.stride);
  cpu.write(data.freedTables, request.freedTables ? 1 : 0);
  return data;
}

/** __flush_tlb_range: the harts of a mask, this one too if it is in it. */
export function* flushOnMask(cpu: Cpu, mask: number, request: FlushRequest): Steps<void> {
  const { switches } = riscvOf(cpu);
  const self = 1 << cpu.id;
  const reached = switches.reach === 'all' ? mask : switches.reach === 'self' ? mask & self : mask & ~self;
  if (reached === 0) return;
  const data = fillRequest(cpu, request);
  if (reached === self) {
    yield* localFlush(cpu, data);
  } else if (switches.rfence === 'sbi' && switches.waitForIpis) {
    yield* sbiRemoteSfenceVma(cpu, reached, data);
  } else {
    const condition = switches.userFlush === 'deferred' ? shouldIpiFlush : null;
    traceFlush(cpu, FLUSH_IPI, request.asid, ALL_PAGES);
    yield* onEachCpuCondMask(cpu, reached, condition, IPI_FLUSH, data.address, switches.waitForIpis);
  }
}

/** sbi_remote_sfence_vma_asid: the firmware fences each hart in turn, whatever it has masked, and returns when all are done. */
function* sbiRemoteSfenceVma(cpu: Cpu, mask: number, data: FlushData): Steps<void> {
  const scopes = scopesOf(cpu, data);
  traceFlush(cpu, FLUSH_SBI, cpu.read(data.asid), ALL_PAGES);
  // The firmware orders what this hart has stored before it interrupts others, as sendIpi does.
  yield* cpu.smpMb();
  for (let target = 0; target < cpu.kernel.cpus; target++) {
    if ((mask & (1 << target)) === 0) continue;
    for (const scope of scopes) yield* cpu.invalidate({ ...scope, cpus: 1 << target });
  }
}
