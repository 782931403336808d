/**
 * The arm64 backend: its memory, its handler, and which function stands for which hook.
 */
import {
  type Address,
  type Arena,
  ASM_GENERIC,
  type AsidSpace,
  type Backend,
  type BackendSpec,
  type BootOptions,
  type Cell,
  type Cpu,
  type IdMap,
  type Mm,
  reserveIdMap,
  type Steps,
} from '@mmu-gather/core/stepped';
import { type CpuAsid, MM_CONTEXT_FIELDS, mmActiveCpu, mmContextId, mmPinned, reserveCpuAsid } from './asid-state.ts';
import { reserveAsids } from './context.ts';
import { flushTlbGen, flushTlbMm, flushTlbPage, flushTlbRange } from './flush.ts';
import { tlbFlush } from './gather.ts';
import { arm64Isa } from './isa.ts';
import { flushTlbKernelRange } from './kernel-range.ts';
import { alwaysNeedsFlush, pteAccessible, pteAccessibleYoung, pteNeedsFlush } from './needs-flush.ts';
import { ARM64_LINUX_6_18, type Arm64Switches } from './profiles.ts';
import { ARM64_PTE, ARM64_PTE_LOCAL } from './pte.ts';
import { enterLazyTlb, leaveMmEverywhere, leaveMmFunc, switchMm, switchTo } from './switch.ts';
import { flushTlbBatchedPending, tlbbatchAddPending, tlbbatchFlush, tlbbatchShouldDefer } from './tlbbatch.ts';

/** arm64 linked into one kernel. Immutable. */
export interface Arm64 extends Backend {
  /** How this kernel, and its CPUs, behave. */
  readonly switches: Arm64Switches;
  /** The ASID allocator. */
  readonly asids: AsidSpace;
  /** pinned_asid_map: ASIDs that devices use. */
  readonly pinnedMap: IdMap;
  /** nr_pinned_asids: how many. Under the allocator's lock. */
  readonly nrPinned: Cell;
  /** What each CPU runs with. */
  readonly cpuAsids: readonly CpuAsid[];
  /** init_mm. */
  readonly initMm: Address;
}

/** init_new_context: no ASID yet, nothing pinned, nowhere active. Before the mm is published. */
function* initNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  cpu.write(mmContextId(mm), 0);
  cpu.write(mmPinned(mm), 0);
  cpu.write(mmActiveCpu(mm), 0);
}

/** An arm64 kernel with these switches. */
export function arm64(switches: Arm64Switches = ARM64_LINUX_6_18): BackendSpec {
  const isa = arm64Isa(switches);
  const needsFlush = switches.needsFlushRule === 'always' ? alwaysNeedsFlush : pteNeedsFlush;
  return {
    id: 'arm64',
    isa,
    mmContextFields: MM_CONTEXT_FIELDS,
    link(arena: Arena, options: BootOptions, initMm: Address): Arm64 {
      const pinnedMap = reserveIdMap(arena, 'pinned_asid_map', switches.asids);
      const cpuAsids = Array.from({ length: options.cpus }, (_, cpu) => reserveCpuAsid(arena, cpu, initMm));
      return {
        ...ASM_GENERIC,
        id: 'arm64',
        isa,
        handlers: [leaveMmFunc],
        pte: switches.accessFlagsFlush === 'local' ? ARM64_PTE_LOCAL : ARM64_PTE,
        switches,
        asids: reserveAsids(arena, switches, pinnedMap, cpuAsids),
        pinnedMap,
        nrPinned: arena.reserve('nr_pinned_asids', ['']),
        cpuAsids,
        initMm,
        initNewContext,
        switchMm,
        enterLazyTlb,
        switchTo,
        leaveMmEverywhere,
        tlbFlush,
        flushTlbMm,
        flushTlbRange,
        flushTlbPage,
        flushTlbKernelRange,
        flushTlbGen,
        tlbbatchShouldDefer,
        tlbbatchAddPending,
        tlbbatchFlush,
        flushTlbBatchedPending: switches.batchedPendingFlush === 'dsb' ? flushTlbBatchedPending : null,
        pteNeedsFlush: needsFlush,
        hugePmdNeedsFlush: needsFlush,
        pteAccessible: switches.accessibleRule === 'young' ? pteAccessibleYoung : pteAccessible,
      };
    },
  };
}
