/**
 * Context ids of the hash MMU (hash__init_new_context, destroy_context). When an mm's id goes back nothing is left under it: exit_mmap has
 * taken every entry that was ever hashed, with a tlbie for each.
 */
import type { Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import { allocContextId, freeContextId } from '../context-ids.ts';
import { activeCpus, contextId, hashOf } from './state.ts';

/** init_new_context: an id, and no CPU has used it. */
export function* hashInitNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  cpu.write(contextId(mm), yield* allocContextId(cpu, hashOf(cpu).contextIds));
  cpu.write(activeCpus(mm), 0);
  cpu.write(mm.tlbGen, 0);
}

/** destroy_context: with the last reference to the mm its id is free for the next one. */
export function hashDestroyContext(cpu: Cpu, mm: Mm): Steps<void> {
  return freeContextId(cpu, hashOf(cpu).contextIds, cpu.read(contextId(mm)));
}
