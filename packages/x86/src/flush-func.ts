/**
 * flush_tlb_func: brings this CPU's TLB up to date for one request (arch/x86/mm/tlb.c). Interrupts off; runs in the IPI, and
 * on the initiator itself.
 *
 * Three generations meet: the request's, this CPU's (what its slot is clean up to), and the mm's (the newest). A ranged
 * request describes one step, from its generation minus 1, or with a flush ring several, from its base. Anything else is a full flush up
 * to the newest:
 *
 *     CPU 0 (full, 1 -> 2)     CPU 1 (range, 2 -> 3)     CPU 2 (has 1)
 *     inc gen to 2
 *                              inc gen to 3
 *                              IPI                       3 != 1 + 1: full flush, has 3
 *     IPI                                                2 <= 3: nothing to do
 */
import {
  type Address,
  type Cpu,
  hasRing,
  Mm,
  PAGE_SHIFT,
  powerOfTwo,
  RING_ALL,
  ringFold,
  type Steps,
} from '@mmu-gather/core/stepped';
import { ackBatched, ackOf } from './batched-ack.ts';
import { FlushTlbInfo, TLB_GENERATION_INVALID, unitsIn } from './flush-tlb-info.ts';
import { isGlobalAsid, mmNeedsGlobalAsid } from './global-asid.ts';
import { flushTlbOneUser, flushTlbLocalAsid, userTag } from './pti.ts';
import {
  TLB_FLUSH_ALL,
  TLB_LOCAL_MM_SHOOTDOWN,
  TLB_LOCAL_SHOOTDOWN,
  TLB_REMOTE_SHOOTDOWN,
  TLB_REMOTE_WRONG_CPU,
} from './reason.ts';
import { claimLoadedSlot, raiseCtxTlbGen, switchMmIrqsOff } from './switch.ts';
import { type CpuTlbstate, ctxTlbGen, thisCpuTlbstate, x86Of } from './tlbstate.ts';

/** Id of {@link flushTlbFunc} among the backend's handlers. */
export const FLUSH_TLB_FUNC: number = 0;
/** Id of {@link flushTlbFuncRemote}. */
export const FLUSH_TLB_FUNC_REMOTE: number = 1;

/** Who runs it: the initiator, or a CPU that was interrupted. */
export type Side = 'local' | 'remote';

/** flush_tlb_func (5.13 on): local if the request is this CPU's own (initiating_cpu), which is to say in its buffer. */
export function flushTlbFunc(cpu: Cpu, argument: Address): Steps<void> {
  const own = argument === x86Of(cpu).flushTlbInfo[cpu.id]!.address;
  return flushTlbFuncCommon(cpu, FlushTlbInfo.at(argument), own ? 'local' : 'remote');
}

/** flush_tlb_func_remote (up to 5.12): remote, even where the initiator runs it. */
export function flushTlbFuncRemote(cpu: Cpu, argument: Address): Steps<void> {
  return flushTlbFuncCommon(cpu, FlushTlbInfo.at(argument), 'remote');
}

/**
 * flush_tlb_func_common. When it returns, this CPU holds nothing of `info`'s mm that is older than its request and that user
 * code could reach without a check of generations; if tables were freed, no walk cache that leads to them.
 */
export function* flushTlbFuncCommon(cpu: Cpu, info: FlushTlbInfo, side: Side): Steps<void> {
  const { switches, initMm } = x86Of(cpu);
  if (side === 'local' && !switches.localFlush) return;
  const state = thisCpuTlbstate(cpu);
  const loadedMm = cpu.read(state.loadedMm);
  const infoMm = cpu.read(info.mm);

  // It ran the mm when it was chosen, or it never left the mask. What its slot still holds is compared at the next switch.
  if (infoMm !== 0 && infoMm !== loadedMm) {
    if (switches.wrongMm === 'leave-mask') {
      yield* cpu.atomicAndNot(Mm.at(infoMm).cpumask, 1 << cpu.id);
      cpu.trace('tlb_flush', TLB_REMOTE_WRONG_CPU, 0);
    }
    return;
  }
  if (loadedMm === initMm.address) {
    if (ackOf(cpu) === 'arrival') yield* ackBatched(cpu);
    return;
  }

  // An ordinary flush of an mm in transition: the CPU goes over to the ASID that broadcasts name.
  if (yield* mmNeedsGlobalAsid(cpu, Mm.at(loadedMm), cpu.read(state.loadedMmAsid)))
    yield* switchMmIrqsOff(cpu, Mm.at(loadedMm));
  if (isGlobalAsid(cpu, cpu.read(state.loadedMmAsid))) return;

  // No user code runs here, but speculation may walk freed tables. A flush would be out of date at once: leave the mm.
  if (cpu.read(state.isLazy) !== 0) {
    if (ackOf(cpu) === 'arrival') yield* ackBatched(cpu);
    yield* switchMmIrqsOff(cpu, initMm);
    return;
  }

  const ofMm = infoMm === 0 ? TLB_LOCAL_SHOOTDOWN : TLB_LOCAL_MM_SHOOTDOWN;
  const reason = side === 'remote' ? TLB_REMOTE_SHOOTDOWN : ofMm;
  yield* catchUp(cpu, info, state, Mm.at(loadedMm), reason);
}

/** The part of {@link flushTlbFuncCommon} for a CPU that runs the mm: compares generations, and flushes what is missing. */
function* catchUp(cpu: Cpu, info: FlushTlbInfo, state: CpuTlbstate, mm: Mm, reason: number): Steps<void> {
  const asid = cpu.read(state.loadedMmAsid);
  const localTlbGen = cpu.read(ctxTlbGen(state, asid));
  const newTlbGen = cpu.read(info.newTlbGen);
  claimLoadedSlot(cpu, state, asid, mm);
  if (isStale(cpu, newTlbGen, localTlbGen)) return;
  if (ackOf(cpu) === 'arrival') yield* ackBatched(cpu);

  // Read before the flush, which serialises: whatever is cached after it was walked after this read, so what the newest
  // generation covers is seen. Pairs with LOCK inc after the page-table writes.
  const mmTlbGen = yield* cpu.readOnce(mm.tlbGen);
  cpu.claim.that(localTlbGen <= mmTlbGen, 'O11', "a CPU's generation is past the mm's");
  cpu.claim.that(newTlbGen <= mmTlbGen, 'O11', "a request's generation is past the mm's");
  if (localTlbGen === mmTlbGen) {
    cpu.trace('tlb_flush', reason, 0);
    return;
  }

  const work = hasRing(cpu) ? yield* ringWork(cpu, mm, info, localTlbGen, mmTlbGen) : null;
  const gen = work === null ? mmTlbGen : work.gen;
  const ranged = work === null && describesAll(cpu, info, localTlbGen, mmTlbGen);
  const pages = yield* invalidateMissing(cpu, asid, info, ranged, work);
  raiseCtxTlbGen(cpu, state, asid, gen);
  cpu.claim.caughtUp(cpu.read(mm.pgd), userTag(cpu, asid), gen);
  cpu.trace('tlb_flush', reason, pages);
}

/** @returns how many units were invalidated; TLB_FLUSH_ALL if everything was */
function* invalidate(cpu: Cpu, asid: number, start: number, end: number, shift: number): Steps<number> {
  if (end === TLB_FLUSH_ALL) {
    if (ackOf(cpu) === 'before-full-flush') yield* ackBatched(cpu);
    yield* flushTlbLocalAsid(cpu, asid);
    if (ackOf(cpu) === 'after-full-flush') yield* ackBatched(cpu);
    return TLB_FLUSH_ALL;
  }
  const stride = powerOfTwo(shift);
  for (let address = start; address < end; address += stride) yield* flushTlbOneUser(cpu, asid, address);
  return unitsIn(start, end, shift);
}

/** What a CPU invalidates, and the generation that it has then. */
interface Work {
  readonly start: number;
  /** First address past the range, or TLB_FLUSH_ALL. */
  readonly end: number;
  readonly shift: number;
  readonly gen: number;
}

function everything(gen: number): Work {
  return { start: 0, end: TLB_FLUSH_ALL, shift: 0, gen };
}

function requestedRange(cpu: Cpu, info: FlushTlbInfo, gen: number): Work {
  return { start: cpu.read(info.start), end: cpu.read(info.end), shift: cpu.read(info.strideShift), gen };
}

/** Does the request describe all that this CPU misses? */
function describesAll(cpu: Cpu, info: FlushTlbInfo, localTlbGen: number, mmTlbGen: number): boolean {
  const consecutive = localTlbGen >= cpu.read(info.base) && cpu.read(info.newTlbGen) === mmTlbGen;
  return consecutive || !x86Of(cpu).switches.gapRule;
}

/** What the ring says, if there is one; or the request's range, or everything. Without an object in between: flushes are counted in nanoseconds. */
function invalidateMissing(
  cpu: Cpu,
  asid: number,
  info: FlushTlbInfo,
  ranged: boolean,
  work: Work | null,
): Steps<number> {
  if (work !== null) return invalidate(cpu, asid, work.start, work.end, work.shift);
  return ranged
    ? invalidate(cpu, asid, cpu.read(info.start), cpu.read(info.end), cpu.read(info.strideShift))
    : invalidate(cpu, asid, 0, TLB_FLUSH_ALL, 0);
}

/**
 * What is left to do where the mm has a ring. What the initiator folded is right for CPUs that have its base, and brings them to its newest
 * generation, even if a newer one came meanwhile. Or this CPU folds for itself, from its own generation on.
 */
function* ringWork(cpu: Cpu, mm: Mm, info: FlushTlbInfo, localTlbGen: number, mmTlbGen: number): Steps<Work> {
  const { ringReader, ringBase } = cpu.kernel.profile;
  if (ringReader === 'handler') {
    const fold = yield* ringFold(cpu, mm, localTlbGen, mmTlbGen);
    const fits = fold.end !== RING_ALL && unitsIn(fold.start, fold.end, fold.shift) <= x86Of(cpu).switches.ceiling;
    return fits && fold.base === localTlbGen ? fold : everything(mmTlbGen);
  }
  const gen = cpu.read(info.newTlbGen);
  const reached = gen > localTlbGen && (localTlbGen >= cpu.read(info.base) || !ringBase);
  return reached ? requestedRange(cpu, info, gen) : everything(mmTlbGen);
}

/** Has this CPU flushed to the request's generation, so that it may return without looking at the mm's? */
function isStale(cpu: Cpu, newTlbGen: number, localTlbGen: number): boolean {
  const { staleRequest } = x86Of(cpu).switches;
  if (staleRequest === 'compare') return false;
  if (newTlbGen === TLB_GENERATION_INVALID && staleRequest !== 'silent-always') return false;
  return newTlbGen <= localTlbGen;
}

/** Pages that "remote IPI send" reports: base pages, whatever the stride. */
export function ipiPages(cpu: Cpu, info: FlushTlbInfo): number {
  const end = cpu.read(info.end);
  return end === TLB_FLUSH_ALL ? TLB_FLUSH_ALL : unitsIn(cpu.read(info.start), end, PAGE_SHIFT);
}
