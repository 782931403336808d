/**
 * Queue of pending flushes (A. Lutomirski, 2020-12-23): what was changed and not flushed yet stands in the page of its table, as a few
 * records of a range and a generation. Whoever meets one under the same PTL performs the flush, up to that generation.
 *
 *     queueFlush, under the PTL of the change     waitForPendingFlushes, a fault under the same PTL
 *       change entries
 *       gen = ++mm.tlbGen                           a record covers my address, and gen > completed:
 *       record (range, gen) in the table            flushToGen(gen)
 *     unlock PTL                                    now nobody can use what was there before
 *     ...
 *     flushToGen(gen): done already?
 *
 * - The record is written under the PTL of the change, or a fault would see a read-only entry and no record.
 * - The waiter flushes itself. It spins on a PTL, so it may not sleep for the owner, who may need that PTL first:
 *
 *     owner (gather over two tables)              waiter
 *     lock PTL; change; record; unlock
 *                                                 lock PTL; record: sleep until it is completed
 *     lock PTL of the next table                  // the same lock, if there is one for the whole mm
 *
 * - Records that touch become one, with the hull of both and the newer generation. Who waits for the older part flushes up to the
 *   newer one, which is more than it needs and never less. With the older generation the newer part would look done too early.
 *   When all records are taken, the last one takes in what comes.
 */
import type { Cpu } from '../cpu.ts';
import { QUEUE_RECORD_FIELDS } from '../design-words.ts';
import { deferTlbFlush, flushToGen } from '../generation.ts';
import { pageSize } from '../geometry.ts';
import type { Mm } from '../mm.ts';
import type { Touched } from '../gather-range.ts';
import type { MmuGather } from '../mmu-gather.ts';
import type { Steps } from '../steps.ts';
import type { Address, Cell } from '../struct.ts';
import { TABLE_GENERATION } from './generation.ts';
import type { DeferralScheme, PteAt } from './scheme.ts';

/** The words of one record. Under the PTL of its table. */
interface PendingRecord {
  readonly gen: Cell;
  readonly start: Cell;
  readonly end: Cell;
}

/** The n-th record of a table. */
function recordAt(cpu: Cpu, table: Address, n: number): PendingRecord {
  const gen = table + cpu.kernel.designs.queue + n * QUEUE_RECORD_FIELDS.length;
  return { gen, start: gen + 1, end: gen + 2 };
}

/** Do the record's range and `[start, end)` touch or overlap? */
function touches(cpu: Cpu, record: PendingRecord, start: number, end: number): boolean {
  return cpu.read(record.start) <= end && cpu.read(record.end) >= start;
}

/** Writes a record over one that is done. */
function fill(cpu: Cpu, record: PendingRecord, gen: number, start: number, end: number): void {
  cpu.write(record.gen, gen);
  cpu.write(record.start, start);
  cpu.write(record.end, end);
}

/** Takes a range into a record that is pending. */
function merge(cpu: Cpu, record: PendingRecord, gen: number, start: number, end: number): void {
  if (cpu.kernel.profile.queueMerge === 'newer') cpu.write(record.gen, gen);
  cpu.write(record.start, Math.min(cpu.read(record.start), start));
  cpu.write(record.end, Math.max(cpu.read(record.end), end));
}

function noteRecord(cpu: Cpu, table: Address, gen: number, completed: number, start: number, end: number): void {
  const count = cpu.kernel.profile.queueRecords;
  let done: PendingRecord | null = null;
  for (let n = 0; n < count; n++) {
    const at = recordAt(cpu, table, n);
    if (cpu.read(at.gen) <= completed) {
      done ??= at;
    } else if (touches(cpu, at, start, end)) {
      merge(cpu, at, gen, start, end);
      return;
    }
  }
  if (done !== null) fill(cpu, done, gen, start, end);
  else merge(cpu, recordAt(cpu, table, count - 1), gen, start, end);
}

/** Records a generation that is taken already. Under the table's PTL. */
export function* queueRecord(cpu: Cpu, mm: Mm, table: Address, gen: number, start: number, end: number): Steps<void> {
  noteRecord(cpu, table, gen, yield* cpu.readOnce(mm.tlbGenCompleted), start, end);
}

/** queue_flush: a generation for changes up to here, and a record of it. Nothing is invalidated. Under the table's PTL. */
export function* queueFlush(cpu: Cpu, mm: Mm, table: Address, start: number, end: number): Steps<number> {
  const gen = yield* deferTlbFlush(cpu, mm);
  yield* queueRecord(cpu, mm, table, gen, start, end);
  return gen;
}

/** The newest pending generation of the records that cover an entry; 0 if there is none. Under its PTL. */
function* pendingGen(cpu: Cpu, at: PteAt): Steps<number> {
  const completed = yield* cpu.readOnce(at.mm.tlbGenCompleted);
  let newest = 0;
  for (let n = 0; n < cpu.kernel.profile.queueRecords; n++) {
    const { gen, start, end } = recordAt(cpu, at.table, n);
    if (cpu.read(gen) <= completed || cpu.read(start) > at.address || cpu.read(end) <= at.address) continue;
    newest = Math.max(newest, cpu.read(gen));
  }
  return newest;
}

/** wait_for_pending_flushes: in a fault, under the PTL. When it returns, no CPU can use what the entry replaced. */
export function* waitForPendingFlushes(cpu: Cpu, at: PteAt): Steps<void> {
  const gen = yield* pendingGen(cpu, at);
  if (gen === 0) return;
  if (cpu.kernel.profile.queueWaiter === 'sleeps') {
    yield* cpu.waitFor(at.mm.tlbGenCompleted, 'atLeast', gen);
    return;
  }
  const end = at.address + pageSize(cpu.kernel.geometry);
  yield* flushToGen(cpu, at.mm, at.address, end, gen);
}

/** Gathers' changes are recorded in the page of their table. */
export const QUEUE: DeferralScheme = {
  begin: (cpu: Cpu, tlb: MmuGather) => TABLE_GENERATION.begin(cpu, tlb),
  *record(cpu: Cpu, tlb: MmuGather, { start, end }: Touched, table: Address): Steps<void> {
    const { recordDeferral } = cpu.kernel.profile;
    if (recordDeferral === 'flush') return;
    if (recordDeferral === 'end') tlb.deferGen = yield* queueFlush(cpu, tlb.mm, table, start, end);
    else yield* queueRecord(cpu, tlb.mm, table, tlb.deferGen, start, end);
    tlb.untracked = false;
  },
  *pending(cpu: Cpu, at: PteAt): Steps<boolean> {
    return (yield* pendingGen(cpu, at)) !== 0;
  },
  settle: waitForPendingFlushes,
  flush: (cpu: Cpu, tlb: MmuGather) => TABLE_GENERATION.flush(cpu, tlb),
};
