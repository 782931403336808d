/**
 * ASIDs of arm64 (arch/arm64/mm/context.c): core's allocator, with pairs for KPTI, with ASIDs that devices pin, and with a flush under the
 * lock where a rollover asks for one, before TTBR0 is loaded.
 *
 * The invariants of C. Marinas' model (kernel-tla, asidalloc.tla) are asked in every state by the scenario `asid/invariants`: UniqueASIDPerCPU,
 * UniqueASIDActiveTask, SameASIDActiveTask, TLBEmptyInvalPTE. In all others oracle O8 watches the first one at each context load, and O1
 * and O2 the last one.
 *
 * An mm that runs nowhere may have entries under an ASID of an earlier generation (SameASIDPerTask does not hold): they answer nobody.
 */
import {
  type Arena,
  asidIn,
  type AsidSpace,
  clearId,
  checkContext as coreCheckContext,
  contextAsid,
  type Cpu,
  type CpuAsids,
  type IdMap,
  type Mm,
  renewContext,
  reserveAsidAllocator,
  reserveIdMap,
  setId,
  type Steps,
} from '@mmu-gather/core/stepped';
import { forgetActiveCpus } from './active-cpu.ts';
import { arm64Of, mmContextId, mmPinned, USER_ASID } from './asid-state.ts';
import { localFlushTlbAll } from './flush-local.ts';
import type { Arm64Switches } from './profiles.ts';

/** Reserves the allocator, as arm64 uses it. @param pinnedMap pinned_asid_map */
export function reserveAsids(
  arena: Arena,
  switches: Arm64Switches,
  pinnedMap: IdMap,
  cpus: readonly CpuAsids[],
): AsidSpace {
  const { asids, kpti, keepPinned, activeAsidUpdate, reserveActive, reservedUpdate, rolloverFlush } = switches;
  return {
    allocator: reserveAsidAllocator(arena),
    map: reserveIdMap(arena, 'asid_map', asids),
    cpus,
    asids,
    step: kpti ? 2 : 1,
    contextId: mmContextId,
    pinnedMap: keepPinned ? pinnedMap : null,
    isPinned: (cpu, mm) => cpu.read(mmPinned(mm)) !== 0,
    onNewAsid: forgetActiveCpus,
    flushUnderLock: localFlushTlbAll,
    activeAsidUpdate,
    reserveActive,
    reservedUpdate,
    rolloverFlush,
  };
}

/** The first half of check_and_switch_context. Interrupts off. @returns the mm's ASID, its own as long as this CPU does not switch again */
export function* checkContext(cpu: Cpu, mm: Mm): Steps<number> {
  return contextAsid(yield* coreCheckContext(cpu, arm64Of(cpu).asids, mm));
}

/** max_pinned_asids: what is left for a rollover must be more than what CPUs may run with. */
function maxPinned(cpu: Cpu): number {
  const { asids, step } = arm64Of(cpu).asids;
  return asids / step - cpu.kernel.cpus - 2;
}

/**
 * arm64_mm_context_get: the ASID of an mm, which it keeps until as many {@link arm64MmContextPut} (a device uses it, SMMU SVA).
 * @returns the ASID (with KPTI that of user mode), 0 if no more may be pinned
 */
export function* arm64MmContextGet(cpu: Cpu, mm: Mm): Steps<number> {
  const { asids, pinnedMap, nrPinned, switches } = arm64Of(cpu);
  const { lock } = asids.allocator;
  yield* cpu.spinLock(lock);
  let id = yield* cpu.readOnce(mmContextId(mm));
  const pins = cpu.read(mmPinned(mm));
  const pinned = cpu.read(nrPinned);
  const full = pins === 0 && pinned >= maxPinned(cpu);
  if (pins === 0 && !full) {
    id = yield* renewContext(cpu, asids, mm);
    cpu.write(nrPinned, pinned + 1);
    setId(cpu, pinnedMap, asidIn(id));
  }
  if (!full) cpu.write(mmPinned(mm), pins + 1);
  yield* cpu.spinUnlock(lock);
  return full ? 0 : asidIn(id) + (switches.kpti ? USER_ASID : 0);
}

/** arm64_mm_context_put. */
export function* arm64MmContextPut(cpu: Cpu, mm: Mm): Steps<void> {
  const { asids, pinnedMap, nrPinned } = arm64Of(cpu);
  const { lock } = asids.allocator;
  yield* cpu.spinLock(lock);
  const pins = cpu.read(mmPinned(mm)) - 1;
  cpu.write(mmPinned(mm), pins);
  if (pins === 0) {
    clearId(cpu, pinnedMap, asidIn(yield* cpu.readOnce(mmContextId(mm))));
    cpu.write(nrPinned, cpu.read(nrPinned) - 1);
  }
  yield* cpu.spinUnlock(lock);
}
