/**
 * The s390 backend: its memory, its handlers, and which function stands for which hook.
 */
import {
  type Address,
  type Arena,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type BootOptions,
} from '@mmu-gather/core/stepped';
import { type AsceMap, destroyContext, initNewContext, reserveAsceMap } from './asce.ts';
import { crstTableUpgradeFunc } from './crst-upgrade.ts';
import { tableFreed, tlbFlush } from './gather.ts';
import { IPTE_RANGE_LAZY_MMU, type IpteRange, reserveIpteRange } from './ipte-range.ts';
import { s390Isa } from './isa.ts';
import { leaveMmEverywhere, leaveMmFunc } from './leave-mm.ts';
import { S390_LINUX_6_18, type S390Switches } from './profiles.ts';
import { s390Pte } from './pte.ts';
import { initialiseInitMm, type Lowcore, MM_CONTEXT_FIELDS, reserveLowcore } from './state.ts';
import { activateMm, enterLazyTlb, finishArchPostLockSwitch, switchMm } from './switch.ts';
import { flushTlbGen, flushTlbKernelRange, flushTlbMm, flushTlbPage, flushTlbRange } from './tlb.ts';

/** s390 linked into one kernel. Immutable. */
export interface S390 extends Backend {
  /** How this kernel, and its machine, behave. */
  readonly switches: S390Switches;
  /** Which ASCEs are in use. */
  readonly asceMap: AsceMap;
  /** Words of each CPU. */
  readonly lowcores: readonly Lowcore[];
  /** Cache of each CPU; none where sections do nothing. */
  readonly ipteRanges: readonly IpteRange[];
}

/** An s390 kernel with these switches. */
export function s390(switches: S390Switches = S390_LINUX_6_18): BackendSpec {
  const isa = s390Isa(switches.asces);
  return {
    id: 's390',
    isa,
    mmContextFields: MM_CONTEXT_FIELDS,
    link(arena: Arena, { cpus, geometry }: BootOptions, initMm: Address): S390 {
      const caches = switches.lazyMmu === 'v6';
      initialiseInitMm(arena, cpus, initMm);
      return {
        ...ASM_GENERIC,
        id: 's390',
        isa,
        handlers: [leaveMmFunc, crstTableUpgradeFunc],
        switches,
        asceMap: reserveAsceMap(arena, switches.asces),
        lowcores: Array.from({ length: cpus }, (_, cpu) => reserveLowcore(arena, cpu, initMm)),
        ipteRanges: caches ? Array.from({ length: cpus }, (_, cpu) => reserveIpteRange(arena, cpu, geometry)) : [],
        lazyMmu: caches ? IPTE_RANGE_LAZY_MMU : null,
        pte: s390Pte(switches.rdp),
        gathersPages: switches.gather === 'generic',
        initNewContext,
        destroyContext,
        switchMm,
        activateMm,
        finishArchPostLockSwitch,
        enterLazyTlb,
        leaveMmEverywhere,
        tableFreed,
        tlbFlush,
        flushTlbMm,
        flushTlbRange,
        flushTlbPage,
        flushTlbKernelRange,
        flushTlbGen,
      };
    },
  };
}
