/**
 * What steps touch: cells, and words that stand for more than a cell. It is noted when a process comes to a step, so that it is known
 * what others may still do (local-steps.ts).
 */
import { type Sharing, TOUCH } from './explorable.ts';
import type { HeldLocks } from './held-locks.ts';
import type { Objects } from './objects.ts';
import { onlyReads, OP, OP_NAMES, touchesCell } from './op.ts';
import { CPU, QUIET, type Words } from './words.ts';

/** What is asked of the machine. */
export interface TouchHost {
  readonly words: Words;
  readonly objects: Objects;
  readonly held: HeldLocks;
  /** Does a store to this cell change what TLBs may hold, or which generation covers it? */
  inTables(cell: number): boolean;
  /** Does an oracle look at stores to this cell otherwise? */
  isWatched(cell: number): boolean;
}

// Words that stand for more than a cell, behind all others.

/** Tables and generations. */
export const TABLES = 0;
/** Stores from user mode: to pages, and the dirty bits that they set. */
export const USER_STORES = 1;
/** Frees of tables. */
export const TABLE_FREES = 2;
/** Claims about addresses of the kernel, which its TLB entries are compared with on all CPUs. */
export const KERNEL_CLAIMS = 3;
/** What waits for RCU readers. */
export const GRACE = 4;
/** How many they are. */
export const PSEUDO_WORDS = 5;

/** What the machine sees of a cell itself: every store. */
const WATCHED = 1;
/** And that it changes tables. */
export const IN_TABLES = 2;

/** Of what may happen at any time. */
export const ALWAYS = 0x7fffffff;

/** What the machine sees of each cell itself. */
export function seenCells(host: TouchHost): Uint8Array {
  const cells = new Uint8Array(host.words.state.quiet + PSEUDO_WORDS);
  for (let cell = 0; cell < host.words.cpuAt(0, 0); cell++)
    cells[cell] = host.inTables(cell) ? WATCHED | IN_TABLES : host.isWatched(cell) ? WATCHED : 0;
  return cells;
}

/** Where a process is: plain accesses before the step that it is paused at are behind it, the step itself is not. */
export function now(words: Words, process: number): number {
  return 2 * words.quiet(process, QUIET.position) + 1;
}

/** The main code of a CPU and its interrupts take objects from one pool. */
export function poolOf(words: Words, process: number): number {
  return words.cpuAt(process % words.cpus, CPU.taken + words.arg(process, 0));
}

/** Kinds of steps that wait in the store buffer. */
export function isStore(kind: number): boolean {
  return kind === OP.writeOnce || kind === OP.storeRelease || kind === OP.bareStore || kind === OP.spinUnlock;
}

/** A process has come to a step: whether it can take it or not, it is about to touch this. */
export function announce(
  { words, objects, held }: TouchHost,
  sharing: Sharing,
  seenBy: Uint8Array,
  process: number,
): void {
  const kind = words.kind(process);
  const a = words.arg(process, 0);
  const position = now(words, process);
  const touch = (word: number, how: number, at = position): void => sharing.touch(process, word, how, at);
  const pseudo = (word: number, at = position): void => touch(words.state.quiet + word, TOUCH.write, at);
  if (touchesCell(kind)) {
    touch(a, onlyReads(kind) ? TOUCH.read : TOUCH.write);
    // One that fails loads; so does the first half of a pair.
    if (kind === OP.cmpxchg || kind === OP.bareCas || kind === OP.bareLoadExclusive) touch(a, TOUCH.read);
    if (!onlyReads(kind) && !isStore(kind)) touch(a, TOUCH.modify);
    if (kind !== OP.spinLock && !(kind === OP.spinUnlock && held.holds(process, a))) touch(a, TOUCH.unlike);
    if (!onlyReads(kind) && (seenBy[a]! & IN_TABLES) !== 0) pseudo(TABLES);
    return;
  }
  switch (kind) {
    case OP.cmpxchgAndInvalidate:
      touch(a, TOUCH.write);
      touch(a, TOUCH.modify);
      touch(a, TOUCH.unlike);
      if ((seenBy[a]! & IN_TABLES) !== 0) pseudo(TABLES);
      return;
    case OP.none:
    case OP.smpMb:
    case OP.smpWmb:
    case OP.smpRmb:
    case OP.smpMbAfterAtomic:
    case OP.bareFence:
    case OP.mayFail:
    case OP.localIrqDisable:
    case OP.localIrqEnable:
    case OP.rcuReadLock:
    case OP.rcuReadUnlock:
    case OP.awaitReaders:
    case OP.awaitIpis:
    case OP.loadContext:
    case OP.invalidate:
    case OP.invalidationBarrier:
    case OP.userRead:
    case OP.kernelRead:
    case OP.enterUser:
    case OP.enterKernel:
    case OP.irqReturn:
      return;
    case OP.alloc:
      touch(poolOf(words, process), TOUCH.write);
      return;
    case OP.sendIpi:
      touch(words.cpuAt(a, CPU.queued), TOUCH.write);
      return;
    case OP.userWrite:
      pseudo(USER_STORES);
      pseudo(TABLES);
      return;
    case OP.free:
    case OP.freeRcu: {
      const at = kind === OP.free ? position : ALWAYS;
      const object = words.arg(process, 1);
      touch(objects.guardOf(object), TOUCH.write, at);
      if (objects.cacheOf(object) === 'table') pseudo(TABLE_FREES, at);
      if (kind === OP.freeRcu) pseudo(GRACE);
      return;
    }
    case OP.synchronizeRcu:
      pseudo(GRACE);
      return;
    default:
      throw new Error(`what the step '${OP_NAMES[kind]}' touches is not known: name it in touched.ts`);
  }
}
