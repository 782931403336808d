/**
 * Reclaim's batch by generations (profile.batchedPending `generation`): a batch remembers, for each mm it met, the newest generation that
 * it deferred, and the mm remembers the newest one that any batch deferred.
 *
 *     reclaim, under a PTL                         anybody else, under the same PTL
 *     clear entry; gen = ++mm.tlbGen
 *     mm.tlbFlushBatched = max(.., gen)
 *     batch: (mm, gen)
 *     unlock PTL                                   entry is none
 *                                                  mm.tlbFlushBatched > mm.tlbGenCompleted: flush to it
 *     flush; completed = max(.., gen) of each mm
 *
 * A generation only rises, so nothing is forgotten (T7) and nothing looks as it did before (T26). A batch spans mms: it may flush them
 * with one interrupt for each CPU, whatever that runs, or one by one up to their generations, where it may find some done
 * (profile.batchFlush). It holds a reference to each, for it writes to them after their PTLs are released.
 *
 * What it completes is the generation of its own deferral, never a newer one of the mm, for it flushes the CPUs of then:
 *
 *     reclaim                       zap, under another PTL        CPU 2
 *     gen = 5; read mm_cpumask
 *                                                                 switches in: has 5; caches p
 *                                   clear p; gen = 6
 *     flush; 5 is completed         6 is not completed: flush     // with 6 completed, nobody would flush CPU 2
 */
import {
  type Cpu,
  EVERYTHING,
  flushToGen,
  markMmTlbGenDone,
  Mm,
  type PteAt,
  pageSize,
  queueRecord,
  type Steps,
  type TlbBatch,
  tlbUpdateGeneration,
} from '@mmu-gather/core/stepped';
import { mmdrop, mmgrab } from './mm-count.ts';

/** Notes a deferral whose generation is taken already. Under the PTL of the entry. */
export function* batchNoteGeneration(cpu: Cpu, batch: TlbBatch, at: PteAt, gen: number): Steps<void> {
  const { mm, table, address } = at;
  yield* tlbUpdateGeneration(cpu, mm.tlbFlushBatched, gen);
  if (cpu.kernel.profile.deferral === 'queue') {
    yield* queueRecord(cpu, mm, table, gen, address, address + pageSize(cpu.kernel.geometry));
  }
  if (!batch.gens.has(mm.address)) yield* mmgrab(cpu, mm);
  batch.gens.set(mm.address, gen);
}

/** flush_tlb_batched_pending: under a PTL, flushes what any batch has deferred in this mm and nobody has flushed yet. */
export function* settleBatched(cpu: Cpu, mm: Mm): Steps<void> {
  const gen = yield* cpu.readOnce(mm.tlbFlushBatched);
  if (gen !== 0) yield* flushToGen(cpu, mm, 0, EVERYTHING, gen);
}

/** The flush of a batch. Not under a PTL. */
export function* flushBatchGenerations(cpu: Cpu, batch: TlbBatch): Steps<void> {
  const eachMm = cpu.kernel.profile.batchFlush === 'each-mm';
  if (!eachMm) yield* cpu.kernel.backend.tlbbatchFlush(cpu, batch);
  for (const [address, gen] of batch.gens) {
    const mm = Mm.at(address);
    if (eachMm) yield* flushToGen(cpu, mm, 0, EVERYTHING, gen);
    else yield* markMmTlbGenDone(cpu, mm, gen);
    yield* mmdrop(cpu, mm);
  }
  batch.gens.clear();
}
