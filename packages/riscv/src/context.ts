/**
 * ASIDs of RISC-V (arch/riscv/mm/context.c): core's allocator, which is arm64's, without pinned ASIDs. What differs is when a rollover's flush
 * runs: behind the load of satp (switch.ts).
 */
import {
  type Arena,
  type AsidSpace,
  checkContext as coreCheckContext,
  type CheckedContext,
  type Cpu,
  type CpuAsids,
  type Mm,
  reserveAsidAllocator,
  reserveIdMap,
  type Steps,
} from '@mmu-gather/core/stepped';
import type { RiscvSwitches } from './profiles.ts';
import { mmContextId, riscvOf } from './state.ts';

/** Reserves the allocator, as RISC-V uses it. */
export function reserveAsids(
  arena: Arena,
  switches: RiscvSwitches,
  asids: number,
  cpus: readonly CpuAsids[],
): AsidSpace {
  const { reserveActive, rolloverFlush } = switches;
  return {
    allocator: reserveAsidAllocator(arena),
    map: reserveIdMap(arena, 'context_asid_map', asids),
    cpus,
    asids,
    step: 1,
    contextId: mmContextId,
    pinnedMap: null,
    isPinned: () => false,
    onNewAsid: null,
    flushUnderLock: null,
    activeAsidUpdate: 'cmpxchg',
    reservedUpdate: 'all',
    reserveActive,
    rolloverFlush,
  };
}

/** The first half of set_mm_asid. Interrupts off. */
export function checkContext(cpu: Cpu, mm: Mm): Steps<CheckedContext> {
  return coreCheckContext(cpu, riscvOf(cpu).asids, mm);
}
