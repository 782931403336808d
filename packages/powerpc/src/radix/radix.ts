/**
 * The powerpc backend with radix page tables: its memory, its handlers, and which function stands for which hook.
 */
import {
  type Address,
  type Arena,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type BootOptions,
  type Cell,
  Mm,
} from '@mmu-gather/core/stepped';
import {
  type PidTable,
  radixArchExitMmap,
  radixDestroyContext,
  radixInitNewContext,
  reservePidTable,
} from './context.ts';
import {
  radixFlushTlbGen,
  radixFlushTlbKernelRange,
  radixFlushTlbMm,
  radixFlushTlbPage,
  radixFlushTlbRangeLevel,
} from './flush.ts';
import { radixTlbFlush } from './gather.ts';
import { radixIsa } from './isa.ts';
import { cleanupLazyTlbs, doExitFlushLazyTlb, doLeaveMm, doShootLazyTlb, radixLeaveMmEverywhere } from './lazy.ts';
import { doSerialize, doTlbielKernel, doTlbielPid, doTlbielVaRange } from './multicast.ts';
import { radixPteNeedsFlush } from './needs-flush.ts';
import { RADIX_LINUX_6_18, type RadixSwitches } from './profiles.ts';
import { RADIX_PTE } from './pte.ts';
import { RADIX_MM_CONTEXT_FIELDS, type RadixCpu, reserveRadixCpu } from './state.ts';
import { radixEnterLazyTlb, radixSwitchMm } from './switch.ts';

/** Radix linked into one kernel. Immutable. */
export interface Radix extends Backend {
  /** How this kernel and its machine behave. */
  readonly switches: RadixSwitches;
  /** State of each CPU. */
  readonly cpus: readonly RadixCpu[];
  /** PIDs and the process table. */
  readonly pidTable: PidTable;
  /** CPUs that are offline, as a mask. */
  readonly offlineMask: Cell;
  /** init_mm. */
  readonly initMm: Mm;
}

/** A powerpc kernel with radix page tables and these switches. */
export function powerpcRadix(switches: RadixSwitches = RADIX_LINUX_6_18): BackendSpec {
  const isa = radixIsa(switches.pids, switches.keepsNarrower);
  const needsFlush =
    switches.needsFlushRule === '6.1'
      ? { pteNeedsFlush: radixPteNeedsFlush, hugePmdNeedsFlush: radixPteNeedsFlush }
      : {};
  return {
    id: 'powerpc-radix',
    isa,
    mmContextFields: RADIX_MM_CONTEXT_FIELDS,
    link(arena: Arena, options: BootOptions, initMm: Address): Radix {
      const pidTable = reservePidTable(arena, switches.pids);
      return {
        ...ASM_GENERIC,
        id: 'powerpc-radix',
        isa,
        handlers: [
          doTlbielPid,
          doTlbielVaRange,
          doExitFlushLazyTlb,
          doShootLazyTlb,
          doLeaveMm,
          doSerialize,
          doTlbielKernel,
        ],
        pte: RADIX_PTE,
        gatherPageSize: switches.pageSizeFlush,
        switches,
        cpus: Array.from({ length: options.cpus }, (_, cpu) => reserveRadixCpu(arena, cpu, initMm)),
        pidTable,
        processTable: pidTable.processTb,
        offlineMask: arena.reserve('cpu_offline_mask', ['']),
        initMm: Mm.at(initMm),
        initNewContext: radixInitNewContext,
        switchMm: radixSwitchMm,
        enterLazyTlb: radixEnterLazyTlb,
        archExitMmap: radixArchExitMmap,
        destroyContext: radixDestroyContext,
        cleanupLazyTlbs: switches.lazyTlb === 'refcount' ? null : cleanupLazyTlbs,
        leaveMmEverywhere: radixLeaveMmEverywhere,
        tlbFlush: radixTlbFlush,
        flushTlbMm: radixFlushTlbMm,
        flushTlbRange: radixFlushTlbRangeLevel,
        flushTlbPage: radixFlushTlbPage,
        flushTlbKernelRange: radixFlushTlbKernelRange,
        flushTlbGen: radixFlushTlbGen,
        ...needsFlush,
      };
    },
  };
}
