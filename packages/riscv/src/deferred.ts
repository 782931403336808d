/**
 * Flushes that wait until a hart loads another ASID (development tree, 2026): a hart that runs something else is not interrupted.
 *
 *     flusher (should_ipi_flush)                 hart that switches (set_mm_asid)
 *     store to page tables
 *     the hart has not loaded the ASID           satp = ASID            (walks may begin, and find what is old)
 *     put the range into its queue               loaded_asid = ASID
 *     need_tlb_flush = 1
 *     fence                                      fence
 *     loaded_asid is the ASID? interrupt it      need_tlb_flush? empty the queue
 *     // one of the two sees the other
 *
 * Where satp is written first, what the queue would drop is used until it is emptied: no user code runs then, but the hart may speculate. If
 * tables were freed, it walks them (scenario riscv/deferred-tables): they need `drain: 'before-satp'`, or no deferral.
 */
import { type Address, ALL_ASIDS, type Cpu, type Steps } from '@mmu-gather/core/stepped';
import { localFlush } from './flush-local.ts';
import { FlushData, type Hart, riscvOf, thisHart } from './state.ts';
import { ALL_PAGES, FLUSH_DEFERRED, traceFlush } from './trace.ts';

/** should_ipi_flush: must the target be interrupted, or is the request in its queue? */
export function* shouldIpiFlush(cpu: Cpu, target: number, argument: Address): Steps<boolean> {
  const { harts, switches } = riscvOf(cpu);
  const hart = harts[target]!;
  const data = FlushData.at(argument);
  const asid = cpu.read(data.asid);
  if (target === cpu.id || asid === ALL_ASIDS) return true;
  if (cpu.read(data.freedTables) !== 0 && !switches.deferTables) return true;
  if ((yield* cpu.readOnce(hart.loadedAsid)) === asid) return true;
  if (!(yield* enqueue(cpu, hart, data))) return true;
  // In the series a smp_wmb stands before: the lock does its work, for whoever sees the flag takes it, and finds what was put into the queue under it.
  yield* cpu.writeOnce(hart.needTlbFlush, 1);
  traceFlush(cpu, FLUSH_DEFERRED, asid, ALL_PAGES);
  // Pairs with the fence in drainQueue's caller.
  if (switches.deferFlusherFence) yield* cpu.smpMb();
  return switches.deferRecheck && (yield* cpu.readOnce(hart.loadedAsid)) === asid;
}

/** @returns false if the queue is full */
function* enqueue(cpu: Cpu, hart: Hart, data: FlushData): Steps<boolean> {
  yield* cpu.spinLock(hart.queueLock);
  const queued = cpu.read(hart.queued);
  const fits = queued < riscvOf(cpu).switches.deferQueue;
  if (fits) {
    const place = queueEntry(hart, queued);
    for (let word = 0; word < FlushData.words; word++) cpu.write(place.address + word, cpu.read(data.address + word));
    cpu.write(hart.queued, queued + 1);
  }
  yield* cpu.spinUnlock(hart.queueLock);
  return fits;
}

function queueEntry(hart: Hart, index: number): FlushData {
  return FlushData.at(hart.queue + index * FlushData.words);
}

/** Announces the ASID that this hart loads, and flushes what was left for it. Interrupts off. */
export function* announceAsid(cpu: Cpu, asid: number): Steps<void> {
  const { switches } = riscvOf(cpu);
  if (switches.userFlush !== 'deferred') return;
  const hart = thisHart(cpu);
  yield* cpu.writeOnce(hart.loadedAsid, asid);
  // Pairs with the fence in shouldIpiFlush.
  if (switches.deferSwitcherFence) yield* cpu.smpMb();
  if ((yield* cpu.readOnce(hart.needTlbFlush)) === 0) return;
  yield* cpu.writeOnce(hart.needTlbFlush, 0);
  yield* cpu.spinLock(hart.queueLock);
  const queued = cpu.read(hart.queued);
  for (let i = 0; i < queued; i++) yield* localFlush(cpu, queueEntry(hart, i));
  cpu.write(hart.queued, 0);
  yield* cpu.spinUnlock(hart.queueLock);
}
