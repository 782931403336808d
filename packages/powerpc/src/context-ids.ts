/**
 * Context ids: one for each mm from its first moment to its last (mmu_context_ida, arch/powerpc/mm/book3s64/mmu_context.c). There is no
 * generation and no rollover: an id that is free is handed out again as it is, so nothing may be cached under it any more.
 */
import {
  type Arena,
  type Cell,
  clearId,
  type Cpu,
  type IdMap,
  reserveIdMap,
  setId,
  type Steps,
  testId,
} from '@mmu-gather/core/stepped';

/** mmu_context_ida. */
export interface ContextIds {
  /** Lock of the map. */
  readonly lock: Cell;
  /** Ids that are taken. */
  readonly map: IdMap;
  /** How many ids there are. */
  readonly count: number;
}

/** Reserves the map of ids 0 to `count` - 1, with one of the first 31 taken: the kernel's. */
export function reserveContextIds(arena: Arena, count: number, kernel: number): ContextIds {
  const lock = arena.reserve('mmu_context_ida.lock', ['']);
  const map = reserveIdMap(arena, 'mmu_context_ida', count);
  arena.initialise(map.base, 1 << kernel);
  return { lock, map, count };
}

/** alloc_context_id: the lowest id that is free. Throws if there is none: the machine is too small. */
export function* allocContextId(cpu: Cpu, ids: ContextIds): Steps<number> {
  yield* cpu.spinLock(ids.lock);
  let id = 0;
  while (id < ids.count && testId(cpu, ids.map, id)) id++;
  if (id === ids.count) throw new RangeError(`all ${id} context ids are taken: give the machine more`);
  setId(cpu, ids.map, id);
  yield* cpu.spinUnlock(ids.lock);
  return id;
}

/** ida_free. */
export function* freeContextId(cpu: Cpu, ids: ContextIds, id: number): Steps<void> {
  yield* cpu.spinLock(ids.lock);
  clearId(cpu, ids.map, id);
  yield* cpu.spinUnlock(ids.lock);
}
