/**
 * Freeing page-table pages (mm/mmu_gather.c: tlb_table_flush, tlb_remove_table_one, tlb_remove_table_sync_one).
 *
 * A table that was unlinked may still be read by three kinds of walkers. Each is kept off in its own way:
 *
 *     walker                                   it is gone after
 *     the hardware, lazy CPUs included         a flush that says that tables were freed
 *     software with interrupts off             an interrupt that every CPU answered: the flush's own, where the flush is one
 *     (GUP-fast)                               (x86), or an empty one; or a grace period
 *     software under rcu_read_lock             a grace period; an interrupt does not wait for it
 *     (pte_offset_map_lock since 6.5)
 *
 *     CPU 0                                    CPU 1 (rcu_read_lock, interrupts on)
 *                                              read upper entry: table T
 *     unlink T; flush: interrupt CPU 1         answers, and goes on where it was
 *     free T                                   lock in T: freed
 *
 * Contract: the flush comes first; these functions come after it.
 */
import type { Cpu } from './cpu.ts';
import type { MmuGather } from './mmu-gather.ts';
import { onEachCpuCondMask } from './smp.ts';
import type { Steps } from './steps.ts';
import type { Address } from './struct.ts';

/** tlb_remove_table_smp_sync: nothing. That it ran says that the CPU had interrupts on. */
export function* tlbRemoveTableSmpSync(_cpu: Cpu, _argument: Address): Steps<void> {}

/**
 * tlb_remove_table_sync_one: an interrupt of every other CPU, waited for. Every section with interrupts off that ran when it
 * began has ended when it returns. No grace period: readers with interrupts on go on.
 */
export function tlbRemoveTableSyncOne(cpu: Cpu): Steps<void> {
  const { cpus, handlers } = cpu.kernel;
  const others = (2 ** cpus - 1) & ~(1 << cpu.id);
  return onEachCpuCondMask(cpu, others, null, handlers.indexOf(tlbRemoveTableSmpSync), 0);
}

/** Wrong forms that free a table as soon as it is unlinked. */
export function* freedUnflushed(cpu: Cpu, tlb: MmuGather): Steps<boolean> {
  const { tableFree } = cpu.kernel.profile;
  if (tableFree === 'single-user') return (yield* cpu.readOnce(tlb.mm.mmUsers)) < 2;
  return tableFree === 'no-sync';
}

/** Tables that wait in a gather before it must flush: a batch of one is no batch. */
export function tableCapacity(cpu: Cpu): number {
  const { tableFree, tableBatch } = cpu.kernel.profile;
  return tableFree === 'immediate' ? 1 : tableBatch;
}

/** tlb_table_flush without its invalidation: frees a batch that was flushed. */
export function* freeTables(cpu: Cpu, tables: readonly Address[]): Steps<void> {
  switch (cpu.kernel.profile.tableFree) {
    case 'rcu':
      for (const table of tables) yield* cpu.freeRcu('table', table);
      return;
    case 'ipi-sync':
      if (tables.length > 0) yield* tlbRemoveTableSyncOne(cpu);
      break;
    case 'batched':
    case 'immediate':
    case 'no-sync':
    case 'single-user':
      break;
  }
  for (const table of tables) yield* cpu.free('table', table);
}

/** tlb_remove_table_one: there is no page for the batch, so a table that was flushed is freed by itself. */
export function* tlbRemoveTableOne(cpu: Cpu, table: Address): Steps<void> {
  if (cpu.kernel.profile.tableRemoveOne === 'rcu') {
    yield* cpu.freeRcu('table', table);
    return;
  }
  yield* tlbRemoveTableSyncOne(cpu);
  yield* cpu.free('table', table);
}
