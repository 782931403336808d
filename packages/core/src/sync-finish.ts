/**
 * A finish that waits for other gathers instead of flushing everything (P. Zijlstra, 2019-05-09).
 *
 *     CPU 0                                  CPU 1 (its finish, profile.finishSync)
 *     open; clear PTE; unlock PTL
 *                                            PTE is none; finish: flush own entries; close
 *                                            CPU 0 was open when this finish began: wait
 *     flush; close
 *                                            return: what CPU 0 cleared is flushed
 *
 * Waiting until tlb_flush_pending is 0, as sketched, also waits for gathers that are opened later, and one that is opened before the
 * other closes keeps it up for ever. Here gathers join an epoch, and a finish ends the present one as it begins:
 *
 *     open:    e = epoch; open[e & 1]++; if epoch is not e any more: leave, and join again
 *     close:   open[e & 1]--
 *     finish:  epoch = e + 1, or somebody was faster
 *              flush, close, and wait until e is drained
 *
 * An epoch ends only when the one before is drained, so two counts do. While that is not so, and somebody else has joined the present
 * one, a finish cannot tell those from later ones: it falls back to the forced flush.
 *
 * Deadlock. A gather may be waited for if from opening to closing it takes no lock but PTLs, and waits for nobody: a waiter holds
 * mmap_lock or i_mmap_rwsem, and whoever it holds up must not be the one it waits for. Gathers that cannot promise that are `alone`: the
 * teardown of an mm, which takes mmap_lock for write while it is open, munmap of a file, which takes i_mmap_rwsem to unlink its VMAs,
 * mprotect, which takes it to split them, and users of tlb_flush_pending without a gather. While one of them is open, and in a task
 * that has another gather of its own open, a finish falls back to the forced flush.
 */
import type { Cpu } from './cpu.ts';
import { tlbUpdateGeneration } from './generation.ts';
import { thisRq } from './kernel.ts';
import type { Mm } from './mm.ts';
import type { Steps } from './steps.ts';
import type { Cell } from './struct.ts';

/** Epoch of a gather that nobody waits for. */
export const NO_EPOCH: number = -1;
/** Nothing to wait for. */
export const NO_WAIT: number = -1;

interface Gathers {
  /** The epoch that gathers join now. */
  readonly epoch: Cell;
  /** All epochs before this one are drained. */
  readonly drained: Cell;
  /** Open gathers of even epochs; behind it those of odd ones. */
  readonly open: Cell;
  /** Open gathers, and others, that nobody may wait for. */
  readonly alone: Cell;
}

function gathersOf(cpu: Cpu, mm: Mm): Gathers {
  const epoch = mm.address + cpu.kernel.designs.sync;
  return { epoch, drained: epoch + 1, open: epoch + 2, alone: epoch + 4 };
}

function epochs(cpu: Cpu): boolean {
  return cpu.kernel.profile.finishSync === 'epoch';
}

/** Gathers that the current task has open. Only its own CPU looks. */
function ownGathers(cpu: Cpu): number {
  return cpu.read(thisRq(cpu).gathers);
}

function countOwnGather(cpu: Cpu, delta: number): void {
  cpu.write(thisRq(cpu).gathers, ownGathers(cpu) + delta);
}

/** Somebody opens who may not be waited for, before the first PTL is taken. */
export function* openAlone(cpu: Cpu, mm: Mm): Steps<void> {
  if (epochs(cpu)) yield* cpu.atomicAdd(gathersOf(cpu, mm).alone, 1);
}

/** And closes, after the flush. */
export function* closeAlone(cpu: Cpu, mm: Mm): Steps<void> {
  if (epochs(cpu)) yield* cpu.atomicAdd(gathersOf(cpu, mm).alone, -1);
}

/** A gather opens, before the first PTL is taken. @returns its epoch, to be given back when it closes */
export function* joinEpoch(cpu: Cpu, mm: Mm): Steps<number> {
  if (!epochs(cpu)) return NO_EPOCH;
  const { epoch, open } = gathersOf(cpu, mm);
  countOwnGather(cpu, 1);
  for (;;) {
    const seen = yield* cpu.readOnce(epoch);
    yield* cpu.atomicAddReturn(open + (seen % 2), 1);
    if ((yield* cpu.readOnce(epoch)) === seen) return seen;
    yield* leave(cpu, mm, seen);
  }
}

/** A gather closes, after its flush. @param joined its epoch; who has none closes alone */
export function* leaveEpoch(cpu: Cpu, mm: Mm, joined: number): Steps<void> {
  countOwnGather(cpu, -1);
  yield* leave(cpu, mm, joined);
}

function* leave(cpu: Cpu, mm: Mm, joined: number): Steps<void> {
  if ((yield* cpu.atomicAddReturn(gathersOf(cpu, mm).open + (joined % 2), -1)) === 0) yield* noteDrained(cpu, mm);
}

/** Whoever was the last one of the epoch before says so. Who has ended it was one of them. */
function* noteDrained(cpu: Cpu, mm: Mm): Steps<void> {
  const { epoch, drained, open } = gathersOf(cpu, mm);
  const seen = yield* cpu.readOnce(epoch);
  if (seen === 0 || (yield* cpu.readOnce(open + ((seen - 1) % 2))) !== 0) return;
  yield* tlbUpdateGeneration(cpu, drained, seen);
}

/**
 * A nested finish begins: what must be drained before it returns?
 * @param joined the gather's own epoch
 * @returns the first epoch that need not be, or {@link NO_WAIT} if it may not wait
 */
export function* epochToAwait(cpu: Cpu, mm: Mm, joined: number): Steps<number> {
  if (joined === NO_EPOCH || ownGathers(cpu) > 1) return NO_WAIT;
  const { epoch, drained, open, alone } = gathersOf(cpu, mm);
  if ((yield* cpu.readOnce(alone)) !== 0) return NO_WAIT;
  const seen = yield* cpu.readOnce(epoch);
  // If all before this epoch are drained, the gather has joined it, and the next one cannot end before it leaves: all who store, store the same.
  if ((yield* cpu.readOnce(drained)) >= seen) {
    yield* cpu.writeOnce(epoch, seen + 1);
    return seen + 1;
  }
  const others = (yield* cpu.readOnce(open + (seen % 2))) - (joined === seen ? 1 : 0);
  return others === 0 ? seen : NO_WAIT;
}

/** Waits until every gather that was open when the finish began is closed. After the own one is. */
export function* awaitEpoch(cpu: Cpu, mm: Mm, awaited: number): Steps<void> {
  if (awaited !== NO_WAIT) yield* cpu.waitFor(gathersOf(cpu, mm).drained, 'atLeast', awaited);
}
