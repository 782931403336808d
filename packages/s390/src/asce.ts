/**
 * ASCEs as numbers. An ASCE is the address of a top-level table, with its type and length; entries formed from it carry it, and nothing tells the
 * owner of one such table from the next owner of the same memory. So an mm has a number as long as it has a top-level table, and the next mm
 * may get the same: the lowest that is free.
 *
 *     CPU 0                                       CPU 1
 *     exit_mmap: tables are freed, so all entries of the ASCE are purged
 *     free the top-level table                    a new mm gets the same page, and the same ASCE
 *
 * The number stands for the address; what is simplified is that a freed table is handed out again as soon as that can be.
 */
import type { Address, Arena, Cell, Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { INVALID_ASCE } from './isa.ts';
import { attachMask, contextLock, flushCount, flushMm, mmAsce, mmOldAsce, s390Of } from './state.ts';

/** Numbers in a word. */
const WORD_BITS = 31;

/** Which ASCEs are in use. */
export interface AsceMap {
  /** Protects the rest. */
  readonly lock: Cell;
  /** First word of the bits. */
  readonly base: Address;
  /** How many there are, the invalid one included. */
  readonly asces: number;
}

/** Reserves the map. @param asces ASCEs that may be in use at a time, the invalid one included */
export function reserveAsceMap(arena: Arena, asces: number): AsceMap {
  const words = Math.ceil(asces / WORD_BITS);
  const lock = arena.reserve('asce_lock', ['']);
  const base = arena.reserve(
    'asce_map',
    Array.from({ length: words }, (_, word) => `${word}`),
  );
  arena.initialise(base, 1 << INVALID_ASCE);
  return { lock, base, asces };
}

/** The lowest free number. Under the lock. */
function lowestFree(cpu: Cpu, { base, asces }: AsceMap): number {
  for (let word = 0; word * WORD_BITS < asces; word++) {
    const free = ~cpu.read(base + word) & (2 ** WORD_BITS - 1);
    const found = word * WORD_BITS + 31 - Math.clz32(free & -free);
    if (free !== 0 && found < asces) return found;
  }
  throw new Error(`more than ${asces - 1} address spaces at a time: give s390 more 'asces'`);
}

/** Takes a number, or gives it back. Under the lock. */
function put(cpu: Cpu, { base }: AsceMap, asce: number, used: boolean): void {
  const cell = base + Math.floor(asce / WORD_BITS);
  const bit = 1 << (asce % WORD_BITS);
  const old = cpu.read(cell);
  cpu.write(cell, used ? old | bit : old & ~bit);
}

/** A top-level table is allocated: the number of its ASCE. */
export function* takeAsce(cpu: Cpu): Steps<number> {
  const { asceMap } = s390Of(cpu);
  yield* cpu.spinLock(asceMap.lock);
  const asce = lowestFree(cpu, asceMap);
  put(cpu, asceMap, asce, true);
  yield* cpu.spinUnlock(asceMap.lock);
  return asce;
}

/** init_new_context: attached nowhere, nothing owed. Before the mm is published. */
export function* initNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  cpu.write(mmAsce(mm), yield* takeAsce(cpu));
  cpu.write(mm.cpumask, 0);
  for (const cell of [attachMask(mm), flushCount(mm), flushMm(mm), contextLock(mm), mmOldAsce(mm)]) cpu.write(cell, 0);
}

/** pgd_free: the page of the top-level table may be one of another mm now, and so may that of the one before crst_table_upgrade. */
export function* destroyContext(cpu: Cpu, mm: Mm): Steps<void> {
  const { asceMap } = s390Of(cpu);
  yield* cpu.spinLock(asceMap.lock);
  put(cpu, asceMap, cpu.read(mmAsce(mm)), false);
  if (cpu.read(mmOldAsce(mm)) !== INVALID_ASCE) put(cpu, asceMap, cpu.read(mmOldAsce(mm)), false);
  yield* cpu.spinUnlock(asceMap.lock);
}
