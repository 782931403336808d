/**
 * Context ids: one for each mm from its first moment to its last (mmu_context_ida, arch/powerpc/mm/book3s64/mmu_context.c). There is no
 * generation and no rollover: an id that is free is handed out again as it is, so nothing may be cached under it any more.
 */
import type { Arena, Cell, Cpu, Steps } from '@mmu-gather/core/stepped';

/** Ids in one word of the map. */
const BITS = 31;

/** mmu_context_ida. */
export interface ContextIds {
  /** Lock of the map. */
  readonly lock: Cell;
  /** First word of the map: a bit for each id that is taken. */
  readonly map: Cell;
  /** How many ids there are. */
  readonly count: number;
}

/** Reserves the map of ids 0 to `count` - 1, with one of them taken: the kernel's. */
export function reserveContextIds(arena: Arena, count: number, kernel: number): ContextIds {
  const words = Array.from({ length: Math.ceil(count / BITS) }, (_, i) => `map[${i}]`);
  const lock = arena.reserve('mmu_context_ida', ['lock', ...words]);
  arena.initialise(lock + 1, 1 << kernel);
  return { lock, map: lock + 1, count };
}

/** alloc_context_id: the lowest id that is free. Throws if there is none: the machine is too small. */
export function* allocContextId(cpu: Cpu, ids: ContextIds): Steps<number> {
  yield* cpu.spinLock(ids.lock);
  let id = 0;
  while (id < ids.count && (cpu.read(wordOf(ids, id)) & bitOf(id)) !== 0) id++;
  if (id === ids.count) throw new RangeError(`all ${id} context ids are taken: give the machine more`);
  cpu.write(wordOf(ids, id), cpu.read(wordOf(ids, id)) | bitOf(id));
  yield* cpu.spinUnlock(ids.lock);
  return id;
}

/** ida_free. */
export function* freeContextId(cpu: Cpu, ids: ContextIds, id: number): Steps<void> {
  yield* cpu.spinLock(ids.lock);
  cpu.write(wordOf(ids, id), cpu.read(wordOf(ids, id)) & ~bitOf(id));
  yield* cpu.spinUnlock(ids.lock);
}

function wordOf({ map }: ContextIds, id: number): Cell {
  return map + Math.floor(id / BITS);
}

function bitOf(id: number): number {
  return 1 << (id % BITS);
}
