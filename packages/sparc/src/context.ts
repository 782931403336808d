/**
 * Context numbers (arch/sparc/mm/init_64.c): a number is one mm's on all CPUs, for as long as its version is the current one.
 *
 *     ctx value      version * 2^22 + number; 0: none yet
 *     valid          its version is that of tlb_context_cache, the value that was given out last
 *
 * When all numbers are taken, a new version begins (wrap). mms that CPUs run keep their numbers, and so what TLBs hold; all others get
 * another one when they run next. Nobody is interrupted:
 *
 *     CPU 0 (mmuContextWrap)                   CPU 1 (switch_mm to A)
 *     raise the version                        secondaryMm = A
 *     full barrier                             lock A's context                 (full barrier)
 *     read secondaryMm of CPU 1                is A's version the current one?
 *     // one of the two sees the other: A keeps its number, or asks for another one
 *
 * A number that comes to a new mm is cleaned by each CPU that runs it for the first time (switch.ts).
 */
import { type Arena, type Cell, type Cpu, Mm, type Steps } from '@mmu-gather/core/stepped';
import { NUCLEUS } from './isa.ts';
import { contextLock, contextOldTsb, contextTsb, contextVal, sparc64Of } from './state.ts';
import { allocTsb, freeTsb } from './tsb.ts';

/** CTX_FIRST_VERSION: the first version, and the distance of two. */
export const CTX_FIRST_VERSION: number = 2 ** 22;

/** Numbers in a word of the bitmap. */
const BITMAP_BITS = 30;

/** The number of a context value (CTX_NRBITS): what TLB entries are tagged with. */
export function ctxNumber(val: number): number {
  return val % CTX_FIRST_VERSION;
}
/** The version of a context value. */
export function ctxVersion(val: number): number {
  return val - ctxNumber(val);
}

/** What all CPUs share. Under `lock`, except that everybody looks at `cache`. */
export interface ContextNumbers {
  /** ctx_alloc_lock: inside mm->context.lock. */
  readonly lock: Cell;
  /** tlb_context_cache: the value that was given out last. */
  readonly cache: Cell;
  /** mmu_context_bmap. */
  readonly bitmap: Cell;
  /** How many there are, the kernel's included. */
  readonly count: number;
}

/** Reserves the numbers. Nobody looks for the kernel's in the bitmap. */
export function reserveContextNumbers(arena: Arena, count: number): ContextNumbers {
  const words = Math.ceil(count / BITMAP_BITS);
  const lock = arena.reserve('ctx_alloc_lock', ['']);
  const cache = arena.reserve('tlb_context_cache', ['']);
  const bitmap = arena.reserve(
    'mmu_context_bmap',
    Array.from({ length: words }, (_, i) => `[${i}]`),
  );
  arena.initialise(cache, CTX_FIRST_VERSION);
  return { lock, cache, bitmap, count };
}

/** CTX_VALID: is a context value of the current version? Unlocked readers may see a version that has just ended. */
export function* ctxValid(cpu: Cpu, val: number): Steps<boolean> {
  const cache = yield* cpu.readOnce(sparc64Of(cpu).contexts.cache);
  return ctxVersion(val) === ctxVersion(cache);
}

/**
 * get_new_mmu_context: a number for an mm that has no valid one. Interrupts off, its context lock held.
 * A CPU that is in the mask has entries of the mm under its old number at most, so none is in it any more.
 * @returns the new context value
 */
export function* getNewMmuContext(cpu: Cpu, mm: Mm): Steps<number> {
  const { contexts, switches } = sparc64Of(cpu);
  yield* cpu.spinLock(contexts.lock);
  const old = yield* cpu.readOnce(contextVal(mm));
  let val = old;
  let wrapped = false;
  // A wrap may have found it running here, and kept its number, since this CPU looked.
  while (!(yield* ctxValid(cpu, val))) {
    const cache = yield* cpu.readOnce(contexts.cache);
    const number = freeNumber(cpu, contexts, ctxNumber(cache));
    if (number === NUCLEUS) {
      cpu.claim.that(!wrapped, 'O16', 'running mms have all context numbers: there must be more than CPUs');
      wrapped = true;
      yield* mmuContextWrap(cpu);
      val = yield* cpu.readOnce(contextVal(mm));
      continue;
    }
    if (old !== 0 && switches.maskCleared) yield* cpu.writeOnce(mm.cpumask, 0);
    mark(cpu, contexts, number, true);
    val = ctxVersion(cache) + number;
    yield* cpu.writeOnce(contextVal(mm), val);
    yield* cpu.writeOnce(contexts.cache, val);
  }
  yield* cpu.spinUnlock(contexts.lock);
  return val;
}

/** mmu_context_wrap: a new version. Under the lock of the numbers. */
function* mmuContextWrap(cpu: Cpu): Steps<void> {
  const { contexts, switches, cpuStates } = sparc64Of(cpu);
  for (let word = 0; word * BITMAP_BITS < contexts.count; word++) cpu.write(contexts.bitmap + word, 0);
  const oldVersion = ctxVersion(yield* cpu.readOnce(contexts.cache));
  const version = oldVersion + CTX_FIRST_VERSION;
  const early: number[] = [];
  if (switches.wrapOrder === 'slots-first')
    for (const state of cpuStates) early.push(yield* cpu.readOnce(state.secondaryMm));
  yield* cpu.writeOnce(contexts.cache, version);
  // The version before the slots. Pairs with the lock of the mm's context between the store of secondaryMm and the look at the version.
  if (switches.wrapFence) yield* cpu.smpMb();
  for (const [i, state] of cpuStates.entries()) {
    const mm = early.length > 0 ? early[i]! : yield* cpu.readOnce(state.secondaryMm);
    if (mm === 0 || mm === cpu.kernel.initMm || !switches.wrapKeeps) continue;
    const val = yield* cpu.readOnce(contextVal(Mm.at(mm)));
    if (ctxVersion(val) !== oldVersion) continue;
    mark(cpu, contexts, ctxNumber(val), true);
    yield* cpu.writeOnce(contextVal(Mm.at(mm)), version + ctxNumber(val));
  }
}

/** The next free number after the last one, or from 1 on; the kernel's if there is none. */
function freeNumber(cpu: Cpu, { bitmap, count }: ContextNumbers, last: number): number {
  for (let i = 1; i < count; i++) {
    const number = ((last + i - 1) % (count - 1)) + 1;
    const word = cpu.read(bitmap + Math.floor(number / BITMAP_BITS));
    if ((word & (1 << (number % BITMAP_BITS))) === 0) return number;
  }
  return NUCLEUS;
}

function mark(cpu: Cpu, { bitmap }: ContextNumbers, number: number, taken: boolean): void {
  const cell = bitmap + Math.floor(number / BITMAP_BITS);
  const bit = 1 << (number % BITMAP_BITS);
  const word = cpu.read(cell);
  cpu.write(cell, taken ? word | bit : word & ~bit);
}

/** init_new_context: no number yet, and a TSB. Before the mm is published. */
export function* initNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  cpu.write(contextLock(mm), 0);
  cpu.write(contextVal(mm), 0);
  cpu.write(contextTsb(mm), yield* allocTsb(cpu, sparc64Of(cpu).switches.tsbEntries));
  cpu.write(contextOldTsb(mm), 0);
}

/**
 * destroy_context: with the last reference, so no CPU has it loaded. The number may be given to others; what TLBs hold under it goes when
 * they run for the first time. The lock keeps the struct while a wrap looks at it; no handler takes it, so that interrupts stay on (in Linux, off).
 */
export function* destroyContext(cpu: Cpu, mm: Mm): Steps<void> {
  const { contexts, switches } = sparc64Of(cpu);
  yield* freeTsb(cpu, cpu.read(contextTsb(mm)));
  if (switches.numberFreed === 'at-wrap') return;
  yield* cpu.spinLock(contexts.lock);
  const val = yield* cpu.readOnce(contextVal(mm));
  if (val !== 0 && (switches.numberFreed === 'always' || (yield* ctxValid(cpu, val))))
    mark(cpu, contexts, ctxNumber(val), false);
  yield* cpu.spinUnlock(contexts.lock);
}
