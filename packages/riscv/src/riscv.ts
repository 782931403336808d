/**
 * The RISC-V backend: its memory, its handlers, and which function stands for which hook.
 */
import {
  type Address,
  type Arena,
  ASM_GENERIC,
  type AsidSpace,
  type Backend,
  type BackendSpec,
  type BootOptions,
  type Cpu,
  entryPresent,
  type Mm,
  type Steps,
} from '@mmu-gather/core/stepped';
import { reserveAsids } from './context.ts';
import { flushTlbGen, flushTlbMm, flushTlbPage, flushTlbRange } from './flush.ts';
import { tlbFlush } from './gather.ts';
import { riscvIsa } from './isa.ts';
import { flushTlbKernelRange } from './kernel-range.ts';
import { RISCV_LINUX_6_18, type RiscvSwitches } from './profiles.ts';
import { RISCV_PTE } from './pte.ts';
import { ipiFlush } from './remote.ts';
import { type FlushData, type Hart, MM_CONTEXT_FIELDS, mmContextId, reserveFlushData, reserveHart } from './state.ts';
import { enterLazyTlb, leaveMmEverywhere, leaveMmFunc, switchMm } from './switch.ts';
import { tlbbatchAddPending, tlbbatchFlush, tlbbatchShouldDefer } from './tlbbatch.ts';

/** RISC-V linked into one kernel. Immutable. */
export interface Riscv extends Backend {
  /** How this kernel, and its harts, behave. */
  readonly switches: RiscvSwitches;
  /** The ASID allocator. */
  readonly asids: AsidSpace;
  /** What each hart runs with. */
  readonly harts: readonly Hart[];
  /** Request of each hart. */
  readonly flushData: readonly FlushData[];
  /** init_mm. */
  readonly initMm: Address;
}

/** init_new_context: no ASID yet. Before the mm is published. */
function* initNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  cpu.write(mmContextId(mm), 0);
}

/** A RISC-V kernel with these switches. */
export function riscv(switches: RiscvSwitches = RISCV_LINUX_6_18): BackendSpec {
  const { svadu, cachesInvalid } = switches;
  const asids = switches.asidAllocator ? switches.asids : 1;
  const isa = riscvIsa({ asids, svadu, cachesInvalid });
  return {
    id: 'riscv',
    isa,
    mmContextFields: MM_CONTEXT_FIELDS,
    link(arena: Arena, options: BootOptions, initMm: Address): Riscv {
      const cpus = Array.from({ length: options.cpus }, (_, cpu) => cpu);
      const queue = switches.userFlush === 'deferred' ? switches.deferQueue : 0;
      const harts = cpus.map((cpu) => reserveHart(arena, cpu, initMm, queue));
      return {
        ...ASM_GENERIC,
        id: 'riscv',
        isa,
        handlers: [ipiFlush, leaveMmFunc],
        pte: RISCV_PTE[switches.newMapping],
        switches,
        asids: reserveAsids(arena, switches, asids, harts),
        harts,
        flushData: cpus.map((cpu) => reserveFlushData(arena, cpu)),
        initMm,
        initNewContext,
        switchMm,
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
        pteAccessible: entryPresent,
      };
    },
  };
}
