/**
 * What x86 remembers about TLBs: per CPU (struct tlb_state, tlb_state_shared in asm/tlbflush.h) and per mm (mm_context_t).
 *
 * Invariant G0: the TLB holds nothing under ASID i that is older than ctxs[i].tlbGen of the mm ctxs[i].ctxId. Flushing
 * without raising the generation is legal; raising it without flushing is not.
 *
 * Steady states of a CPU whose interrupts are on:
 *
 *     running     loadedMm = mm,       isLazy = 0, its bit is in mm_cpumask(mm)
 *     lazy        loadedMm = mm,       isLazy = 1, its bit is in mm_cpumask(mm)
 *     kernel      loadedMm = init_mm,  isLazy = 0, init_mm's mask is not used
 *
 * Only the CPU itself writes its state, with interrupts off or in its own interrupts, and so it reads it plainly. Others
 * read loadedMm and isLazy (should_flush_tlb): these two are written with marked stores, in an order that switch.ts states.
 */
import {
  type Address,
  type Arena,
  type Cell,
  type Cpu,
  type Handle,
  Mm,
  type Steps,
  type Struct,
  struct,
} from '@mmu-gather/core/stepped';
import type { X86 } from './x86.ts';

/** LOADED_MM_SWITCHING: neither the old mm nor the new one; no struct has this address. */
export const LOADED_MM_SWITCHING: Address = -1;

/** ctx_id of a slot that is no mm's. */
export const NO_CTX_ID: number = 0;
/** ctx_id of init_mm. User mms count on from there. */
export const INIT_MM_CTX_ID: number = 1;

/** Per-CPU state: cpu_tlbstate and cpu_tlbstate_shared. */
export interface CpuTlbstate extends Handle {
  /** The mm in CR3, or {@link LOADED_MM_SWITCHING}. */
  readonly loadedMm: Cell;
  /** The ASID in CR3. */
  readonly loadedMmAsid: Cell;
  /** The slot to hand out next, 1 up to the number of slots. */
  readonly nextAsid: Cell;
  /** 1 while a task without an mm borrows loadedMm. A cache line of its own in Linux: others read it. */
  readonly isLazy: Cell;
  /** First word of the slots: ctx_id and tlb_gen of each. */
  readonly ctxs: Cell;
}
/** Struct type of {@link CpuTlbstate}; the slots follow from `ctxs` on. */
export const CpuTlbstate: Struct<CpuTlbstate> = struct<CpuTlbstate>('cpu_tlbstate', [
  'loadedMm',
  'loadedMmAsid',
  'nextAsid',
  'isLazy',
  'ctxs',
]);

/** ctxs[asid].ctx_id: the mm whose entries the slot holds. */
export function ctxCtxId(state: CpuTlbstate, asid: number): Cell {
  return state.ctxs + 2 * asid;
}
/** ctxs[asid].tlb_gen: the generation up to which the slot is clean. */
export function ctxTlbGen(state: CpuTlbstate, asid: number): Cell {
  return state.ctxs + 2 * asid + 1;
}

/** Names of the words of mm->context. mm.tlbGen and mm.cpumask are generic, see core's `Mm`. */
export const MM_CONTEXT_FIELDS: readonly string[] = ['context.ctxId', 'context.nextTrimCpumask'];
/** The same with global ASIDs. */
export const GLOBAL_MM_CONTEXT_FIELDS: readonly string[] = [
  ...MM_CONTEXT_FIELDS,
  'context.globalAsid',
  'context.asidTransition',
];

/** mm->context.ctx_id: unique for ever. Written before the mm is published, never after. */
export function mmCtxId(mm: Mm): Cell {
  return mm.context;
}
/** mm->context.next_trim_cpumask: the jiffy after which mm_cpumask may be trimmed again. */
export function mmNextTrimCpumask(mm: Mm): Cell {
  return mm.context + 1;
}

/** mm->context.global_asid, where there are such: 0 for none. */
export function mmGlobalAsidCell(mm: Mm): Cell {
  return mm.context + 2;
}
/** mm->context.asid_transition: some CPU may run the mm under a dynamic ASID. */
export function mmAsidTransition(mm: Mm): Cell {
  return mm.context + 3;
}

/** Reserves the state of one CPU, as it is after cpu_init: init_mm loaded, in slot 0, all other slots empty. */
export function reserveTlbstate(arena: Arena, cpu: number, slots: number, initMm: Mm): CpuTlbstate {
  const fields: string[] = CpuTlbstate.fields.slice(0, -1);
  for (let asid = 0; asid < slots; asid++) fields.push(`ctxs[${asid}].ctxId`, `ctxs[${asid}].tlbGen`);
  const state = CpuTlbstate.at(arena.reserve(`cpu_tlbstate[${cpu}]`, fields));
  arena.initialise(state.loadedMm, initMm.address);
  arena.initialise(state.nextAsid, 1);
  arena.initialise(ctxCtxId(state, 0), INIT_MM_CTX_ID);
  return state;
}

/** Gives init_mm its ctx_id, and reserves last_mm_ctx_id: the one given out last. */
export function reserveCtxIds(arena: Arena, initMm: Mm): Cell {
  const lastMmCtxId = arena.reserve('last_mm_ctx_id', ['']);
  arena.initialise(lastMmCtxId, INIT_MM_CTX_ID);
  arena.initialise(mmCtxId(initMm), INIT_MM_CTX_ID);
  return lastMmCtxId;
}

/** The x86 part of the kernel that a CPU runs. */
export function x86Of(cpu: Cpu): X86 {
  return cpu.kernel.backend as X86;
}

/** this_cpu_ptr(&cpu_tlbstate). */
export function thisCpuTlbstate(cpu: Cpu): CpuTlbstate {
  return x86Of(cpu).tlbstate[cpu.id]!;
}

/** init_new_context: a fresh ctx_id, generation 0, nothing to trim for a second. Before the mm is published. */
export function* initNewContext(cpu: Cpu, mm: Mm): Steps<void> {
  const { lastMmCtxId, switches } = x86Of(cpu);
  const created = (yield* cpu.atomicAddReturn(lastMmCtxId, 1)) - INIT_MM_CTX_ID;
  cpu.write(mmCtxId(mm), INIT_MM_CTX_ID + 1 + ((created - 1) % switches.ctxIdSpace));
  cpu.write(mm.tlbGen, 0);
  cpu.write(mmNextTrimCpumask(mm), cpu.jiffies() + switches.hz);
  if (switches.globalAsids === 0) return;
  cpu.write(mmGlobalAsidCell(mm), 0);
  cpu.write(mmAsidTransition(mm), 0);
}

/**
 * initialize_tlbstate_and_flush: a CPU comes (back) up and trusts nothing that its TLB holds. Interrupts off; what is loaded
 * stays loaded, under ASID 0. The slot gets init_mm's generation, which is older than that of any mm that was ever flushed. Which slot is
 * handed out next (next_asid, 1 again in Linux) does not matter: all others are empty.
 */
export function* initializeTlbstateAndFlush(cpu: Cpu): Steps<void> {
  const { initMm, slots } = x86Of(cpu);
  const state = thisCpuTlbstate(cpu);
  const mm = Mm.at(cpu.read(state.loadedMm));
  const gen = yield* cpu.readOnce(initMm.tlbGen);
  yield* cpu.loadContext(cpu.read(mm.pgd), 0, false);
  cpu.write(state.loadedMmAsid, 0);
  cpu.write(ctxCtxId(state, 0), cpu.read(mmCtxId(mm)));
  cpu.write(ctxTlbGen(state, 0), gen);
  for (let asid = 1; asid < slots; asid++) cpu.write(ctxCtxId(state, asid), NO_CTX_ID);
}
