/**
 * What the hash MMU remembers of an mm and of a CPU.
 *
 * A bit in mm_cpumask says that a CPU *may have* entries of the mm. It is set on the way in and stays: the hash MMU takes none away.
 *
 *     active_cpus = weight of mm_cpumask
 */
import type { Cell, Cpu, Mm, Steps } from '@mmu-gather/core/stepped';
import type { Hash } from './hash.ts';

/** Names of the words of mm->context. */
export const HASH_MM_CONTEXT_FIELDS: readonly string[] = ['context.id', 'context.activeCpus'];

/** mm->context.id. Written before the mm is published, never after. */
export function contextId(mm: Mm): Cell {
  return mm.context;
}
/** mm->context.active_cpus. */
export function activeCpus(mm: Mm): Cell {
  return mm.context + 1;
}

/** The hash MMU of the kernel that a CPU runs. */
export function hashOf(cpu: Cpu): Hash {
  return cpu.kernel.backend as Hash;
}

/** mm_is_thread_local: has no other CPU used this mm? */
export function* mmIsThreadLocal(cpu: Cpu, mm: Mm): Steps<boolean> {
  if ((yield* cpu.readOnce(activeCpus(mm))) > 1) return false;
  return ((yield* cpu.readOnce(mm.cpumask)) & (1 << cpu.id)) !== 0;
}
