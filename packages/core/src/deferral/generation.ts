/**
 * Deferral by generation (RFC 15 and 16): a change is pending while its generation is not completed, and only where it was recorded.
 *
 *     gather                                            anybody, under the same PTL
 *     lock PTL; tlbStartPtes
 *       change entries
 *     tlbEndPtes: gen = ++mm.tlbGen                     entry is not what it was
 *       table.deferredTlbGen = gen                      table.deferredTlbGen > mm.tlbGenCompleted: a CPU may still use the old one
 *     unlock PTL
 *     flush to gen, unless it is completed
 *     completed = max(completed, gen)                   not pending any more
 *
 * C1: the generation comes after the changes; nothing that is changed later is covered by it.
 * C2: it is recorded before the PTL is released.
 * C3: completed = c says that all changes with generations up to c are flushed on every CPU that can use the mm without comparing
 *     generations. A ranged flush describes its own step only, so a backend has to flush all if it jumps over one.
 *
 * What no recorded generation covers (tables that were unlinked, changes outside a bracket, a nested finish) is flushed with a
 * generation of its own. Where the record is kept is all that differs: in the VMA, for many tables and PTLs at once, so that it
 * may only rise; or in the page of the table, whose PTL protects it.
 *
 * The record of a VMA is copied when it is split, for both parts hold what was changed, and starts at 0 when fork copies it, for the
 * child counts its own generations. A merge keeps one of two: it excludes all who have deferred and not flushed yet.
 */
import type { Cpu } from '../cpu.ts';
import {
  deferTlbFlush,
  deferTlbFlushReusing,
  NO_GENERATION,
  tlbGenPending,
  tlbUpdateGeneration,
} from '../generation.ts';
import { EVERYTHING } from '../isa.ts';
import type { Touched } from '../gather-range.ts';
import type { MmuGather } from '../mmu-gather.ts';
import type { Steps } from '../steps.ts';
import type { Address } from '../struct.ts';
import { tableDeferredTlbGen } from '../table.ts';
import { tlbGetUnmapLevel } from '../unmap-level.ts';
import type { DeferralScheme, PteAt } from './scheme.ts';

/** Where generations of deferrals are kept. */
interface Place {
  /** Remembers the gather's newest generation. Under the PTL of the table. */
  store(cpu: Cpu, tlb: MmuGather, table: Address): Steps<void>;
  /** What is remembered for an entry. Under its PTL. */
  load(cpu: Cpu, at: PteAt): Steps<number>;
}

const IN_VMA: Place = {
  *store(cpu: Cpu, tlb: MmuGather): Steps<void> {
    cpu.claim.that(tlb.vma !== null, 'O16', 'entries were changed between no tlb_start_vma and tlb_end_vma');
    if (tlb.vma !== null) yield* tlbUpdateGeneration(cpu, tlb.vma.deferTlbGen, tlb.deferGen);
  },
  load: (cpu: Cpu, at: PteAt) => cpu.readOnce(at.vma.deferTlbGen),
};

const IN_TABLE: Place = {
  *store(cpu: Cpu, tlb: MmuGather, table: Address): Steps<void> {
    cpu.write(tableDeferredTlbGen(cpu.kernel.geometry, table), tlb.deferGen);
  },
  *load(cpu: Cpu, at: PteAt): Steps<number> {
    return cpu.read(tableDeferredTlbGen(cpu.kernel.geometry, at.table));
  },
};

/** track_defer_tlb_flush: a generation for what the gather has changed up to now. */
function* takeGeneration(cpu: Cpu, tlb: MmuGather): Steps<void> {
  const reuse = cpu.kernel.profile.newGeneration === 'reused';
  tlb.deferGen = reuse ? yield* deferTlbFlushReusing(cpu, tlb.mm, tlb.deferGen) : yield* deferTlbFlush(cpu, tlb.mm);
}

/** Must the flush take a generation of its own? */
function flushTakesGeneration(cpu: Cpu, tlb: MmuGather): boolean {
  switch (cpu.kernel.profile.untrackedGen) {
    case 'own':
      return tlb.untracked || tlb.freedTables || tlb.deferGen === NO_GENERATION;
    case 'own-if-none':
      return tlb.deferGen === NO_GENERATION;
    case 'as-recorded':
      return false;
  }
}

/** Have others flushed all that the gather changed? Their flush did not reach lazy CPUs, which matters once tables are unlinked. */
function* flushedByOthers(cpu: Cpu, tlb: MmuGather): Steps<boolean> {
  const { skipCompleted, untrackedGen } = cpu.kernel.profile;
  if (skipCompleted === 'never' || tlb.deferGen === NO_GENERATION) return false;
  if (tlb.freedTables && skipCompleted !== 'tables-too') return false;
  if (tlb.untracked && untrackedGen === 'own' && skipCompleted !== 'tables-too') return false;
  const completed = yield* cpu.readOnce(tlb.mm.tlbGenCompleted);
  return skipCompleted === 'past' ? completed > tlb.deferGen : completed >= tlb.deferGen;
}

/** The scheme that keeps its generations in `place`. */
function generations(place: Place): DeferralScheme {
  const pending = function* (cpu: Cpu, at: PteAt): Steps<boolean> {
    return yield* tlbGenPending(cpu, at.mm, yield* place.load(cpu, at));
  };
  return {
    *begin(cpu: Cpu, tlb: MmuGather): Steps<void> {
      if (cpu.kernel.profile.recordDeferral === 'start') yield* takeGeneration(cpu, tlb);
    },
    *record(cpu: Cpu, tlb: MmuGather, _bracket: Touched, table: Address): Steps<void> {
      const { recordDeferral } = cpu.kernel.profile;
      if (recordDeferral === 'flush') return;
      if (recordDeferral === 'end') yield* takeGeneration(cpu, tlb);
      tlb.untracked = false;
      yield* place.store(cpu, tlb, table);
    },
    pending,
    *settle(cpu: Cpu, at: PteAt): Steps<void> {
      if (yield* pending(cpu, at)) yield* cpu.kernel.backend.flushTlbPage(cpu, at.mm, at.address);
    },
    *flush(cpu: Cpu, tlb: MmuGather): Steps<void> {
      const { backend } = cpu.kernel;
      if (yield* flushedByOthers(cpu, tlb)) return;
      if (flushTakesGeneration(cpu, tlb)) {
        yield* backend.tlbFlush(cpu, tlb);
        return;
      }
      const all = tlb.fullmm || tlb.needFlushAll;
      const start = all ? 0 : tlb.start;
      const end = all ? EVERYTHING : tlb.end;
      yield* backend.flushTlbGen(cpu, tlb.mm, start, end, tlbGetUnmapLevel(tlb), tlb.freedTables, tlb.deferGen);
    },
  };
}

/** RFC 15: a generation in the VMA. */
export const VMA_GENERATION: DeferralScheme = generations(IN_VMA);

/** RFC 16: a generation in the page of the table. */
export const TABLE_GENERATION: DeferralScheme = generations(IN_TABLE);
