/**
 * The x86 backend: its memory, its handlers, and which function stands for which hook.
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
  type Scope,
} from '@mmu-gather/core/stepped';
import { flushTlbFunc, flushTlbFuncRemote } from './flush-func.ts';
import { type FlushTlbInfo, reserveFlushTlbInfo } from './flush-tlb-info.ts';
import { flushTlbGen, flushTlbMm, flushTlbPage, flushTlbRange } from './flush.ts';
import { tlbFlush } from './gather.ts';
import { type GlobalAsids, mmFreeGlobalAsid, reserveGlobalAsids } from './global-asid.ts';
import { movCr3, x86Isa } from './isa.ts';
import { doKernelRangeFlush, flushTlbKernelRange } from './kernel-range.ts';
import { leaveMmEverywhere, leaveMmFunc } from './leave-mm.ts';
import { hugePmdNeedsFlush, pteAccessible, pteMayNeedFlush, pteNeedsFlush } from './needs-flush.ts';
import { X86_LINUX_6_18, type X86Switches } from './profiles.ts';
import { enterLazyTlb, switchMmIrqsOff } from './switch.ts';
import { tlbbatchAddPending, tlbbatchFlush, tlbbatchShouldDefer } from './tlbbatch.ts';
import {
  type CpuTlbstate,
  GLOBAL_MM_CONTEXT_FIELDS,
  initNewContext,
  MM_CONTEXT_FIELDS,
  reserveCtxIds,
  reserveTlbstate,
} from './tlbstate.ts';

/** x86 linked into one kernel. Immutable. */
export interface X86 extends Backend {
  /** How this kernel behaves. */
  readonly switches: X86Switches;
  /** Number of ASID slots in use. */
  readonly slots: number;
  /** State of each CPU. */
  readonly tlbstate: readonly CpuTlbstate[];
  /** Request buffer of each CPU. */
  readonly flushTlbInfo: readonly FlushTlbInfo[];
  /** last_mm_ctx_id: the ctx_id given out last. */
  readonly lastMmCtxId: Cell;
  /** What is left of global ASIDs. */
  readonly globalAsids: GlobalAsids;
  /** kvm_steal_time.preempted of CPU 0; those of the others follow. */
  readonly preempted: Cell;
  /** init_mm. */
  readonly initMm: Mm;
  /** A full flush of each ASID by a CR3 write, made once. */
  readonly fullFlush: readonly Scope[];
}

/** An x86 kernel with these switches. */
export function x86(switches: X86Switches = X86_LINUX_6_18): BackendSpec {
  const slots = switches.pcid ? switches.dynAsids : 1;
  const { pti, globalAsids, shootdown } = switches;
  const asids = slots + globalAsids;
  const isa = x86Isa(pti ? 2 * asids : asids, shootdown === 'broadcast' || globalAsids > 0);
  return {
    id: 'x86',
    isa,
    mmContextFields: globalAsids > 0 ? GLOBAL_MM_CONTEXT_FIELDS : MM_CONTEXT_FIELDS,
    link(arena: Arena, options: BootOptions, initMmAddress: Address): X86 {
      const initMm = Mm.at(initMmAddress);
      const cpus = Array.from({ length: options.cpus }, (_, cpu) => cpu);
      return {
        ...ASM_GENERIC,
        id: 'x86',
        isa,
        handlers: [flushTlbFunc, flushTlbFuncRemote, leaveMmFunc, doKernelRangeFlush],
        switches,
        slots,
        tlbstate: cpus.map((cpu) => reserveTlbstate(arena, cpu, slots, initMm)),
        flushTlbInfo: cpus.map((cpu) => reserveFlushTlbInfo(arena, cpu)),
        lastMmCtxId: reserveCtxIds(arena, initMm),
        initMm,
        globalAsids: reserveGlobalAsids(arena),
        preempted: arena.reserve(
          'kvm_steal_time.preempted',
          cpus.map((cpu) => `${cpu}`),
        ),
        fullFlush: Array.from({ length: slots }, (_, asid) => movCr3(asid)),
        initNewContext,
        destroyContext: globalAsids > 0 ? mmFreeGlobalAsid : null,
        switchMm: switchMmIrqsOff,
        enterLazyTlb,
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
        pteNeedsFlush: switches.needsFlushRule === 'rfc' ? pteMayNeedFlush : pteNeedsFlush,
        hugePmdNeedsFlush: switches.needsFlushRule === 'rfc' ? pteMayNeedFlush : hugePmdNeedsFlush,
        pteAccessible,
      };
    },
  };
}
