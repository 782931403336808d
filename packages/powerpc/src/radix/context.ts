/**
 * PIDs: one for each mm from its first moment to its last, never shared and never taken over (radix__init_new_context, arch_exit_mmap,
 * destroy_context in arch/powerpc/mm/book3s64/mmu_context.c). There is no generation and no rollover. A PID is handed out again as it
 * is, so nothing may be left under it:
 *
 *     exit_mmap                                   CPU 1, lazy on the mm
 *       process_tb[pid] = 0                       may still walk from a root that it has cached
 *       clear entries, unlink tables
 *       tlbie PID, RIC 2   (starts with ptesync)  holds no entry, no path, no root, and finds no new one
 *     destroy_context: PID is free
 */
import { type Arena, type Cell, type Cpu, type Mm, type Steps } from '@mmu-gather/core/stepped';
import { allocContextId, type ContextIds, freeContextId, reserveContextIds } from '../context-ids.ts';
import { RADIX_KERNEL_PID } from './isa.ts';
import { mmActiveCpus, mmCopros, mmPid, radixOf } from './state.ts';

/** mmu_context_ida and process_tb. */
export interface PidTable {
  /** PIDs that are taken. */
  readonly ids: ContextIds;
  /** First word of the process table: the root of each PID, 0 if it has none. */
  readonly processTb: Cell;
  /** How many were handed out, where that is in turn. */
  readonly turn: Cell;
}

/** Reserves the map of PIDs with the kernel's taken, and the process table. */
export function reservePidTable(arena: Arena, pids: number): PidTable {
  const roots = Array.from({ length: pids }, (_, pid) => `[${pid}]`);
  const ids = reserveContextIds(arena, pids, RADIX_KERNEL_PID);
  return { ids, processTb: arena.reserve('process_tb', roots), turn: arena.reserve('pids_in_turn', ['']) };
}

/** A PID that may be another mm's (pidTurns). */
function* nextInTurn(cpu: Cpu, turns: number): Steps<number> {
  const turn = yield* cpu.atomicAddReturn(radixOf(cpu).pidTable.turn, 1);
  return RADIX_KERNEL_PID + 1 + ((turn - 1) % turns);
}

/**
 * init_new_context: a PID, and its root in the process table, there before anybody knows the mm. For the hardware a ptesync follows in Linux; here a
 * walker sees what its CPU can see.
 */
export function* radixInitNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  const { pidTable, switches } = radixOf(cpu);
  const { pidTurns } = switches;
  const pid = pidTurns === 0 ? yield* allocContextId(cpu, pidTable.ids) : yield* nextInTurn(cpu, pidTurns);
  yield* cpu.writeOnce(pidTable.processTb + pid, cpu.read(mm.pgd));
  cpu.write(mmPid(mm), pid);
  cpu.write(mmActiveCpus(mm), 0);
  cpu.write(mmCopros(mm), 0);
  cpu.write(mm.tlbGen, 0);
}

/** The hardware finds no root under the mm's PID any more. */
export function clearProcessTableEntry(cpu: Cpu, mm: Mm): Steps<void> {
  return cpu.writeOnce(radixOf(cpu).pidTable.processTb + cpu.read(mmPid(mm)), 0);
}

/** arch_exit_mmap: takes the root away. No barrier: the last flush of the mm is this CPU's, and starts with ptesync. */
export function* radixArchExitMmap(cpu: Cpu, mm: Mm): Steps<void> {
  if (radixOf(cpu).switches.prtbCleared === 'before-flush') yield* clearProcessTableEntry(cpu, mm);
}

/** destroy_context: with the last reference to the mm its PID is free for the next one. */
export function* radixDestroyContext(cpu: Cpu, mm: Mm): Steps<void> {
  const { pidTable, switches } = radixOf(cpu);
  if (switches.prtbCleared === 'after-flush') yield* clearProcessTableEntry(cpu, mm);
  if (switches.pidTurns === 0) yield* freeContextId(cpu, pidTable.ids, cpu.read(mmPid(mm)));
}
