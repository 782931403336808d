/**
 * Flushes and gathers as somebody would write them by hand for one kernel (x86 of Linux 6.18 without PTI, global ASIDs, and a guest's host): one form of each
 * algorithm, no switches, no hooks of an architecture. They use the port of the machine, which is not what is compared, and do the work that
 * the project's functions do there:
 *
 *     flush      a generation; a request with all its fields, which other CPUs could be sent; this CPU's part with its questions (does it run the mm, is
 *                it lazy, is the request stale, does it lack more than that) and claims
 *     gather     the record (hull, levels, tables, pages) as an object that callers hold; pending, asked and lowered; the nested finish; the reset; freeing
 */
import { type Address, EVERYTHING, type Mm } from '@mmu-gather/core';
import type { ThreadCpu } from '@mmu-gather/threads';
import {
  ctxCtxId,
  ctxTlbGen,
  type FlushTlbInfo,
  invlpg,
  mmCtxId,
  movCr3,
  thisCpuTlbstate,
  x86Of,
} from '@mmu-gather/x86';

const PAGE = 4096;
const PAGE_SHIFT = 12;
const TASK_SIZE = 2 ** 47 - PAGE;
/** More pages than this are flushed as a whole. */
const CEILING = 33;

/** What a gather has recorded. */
export interface Gather {
  start: number;
  end: number;
  fullmm: boolean;
  freedTables: boolean;
  cleared: number;
  pages: Address[];
  tables: Address[];
}

/** The functions, for one mm that this CPU runs. */
export class HandMadeGather {
  readonly #cpu: ThreadCpu;
  readonly #mm: Mm;
  readonly #request: FlushTlbInfo;
  readonly #state: ReturnType<typeof thisCpuTlbstate>;

  constructor(cpu: ThreadCpu, mm: Mm) {
    this.#cpu = cpu;
    this.#mm = mm;
    // Those of the project are not used at the same time.
    this.#request = x86Of(cpu).flushTlbInfo[cpu.id]!;
    this.#state = thisCpuTlbstate(cpu);
  }

  /** A range of the mm on all CPUs. */
  flush(start: number, end: number, shift: number, freedTables: boolean): void {
    const cpu = this.#cpu;
    const gen = cpu.atomicAddReturn(this.#mm.tlbGen, 1);
    this.#fill(start, end, shift, freedTables, gen);
    if (cpu.readOnce(this.#mm.cpumask) !== 1) throw new Error('nobody else is there');
    if (cpu.read(this.#state.loadedMm) !== this.#mm.address) return;
    cpu.localIrqDisable();
    this.#flushHere();
    cpu.localIrqEnable();
  }

  #fill(start: number, end: number, shift: number, freedTables: boolean, gen: number): void {
    const cpu = this.#cpu;
    const request = this.#request;
    const all = end === EVERYTHING || (end - start) / 2 ** shift > CEILING;
    cpu.write(request.mm, this.#mm.address);
    cpu.write(request.start, all ? 0 : start);
    cpu.write(request.end, all ? EVERYTHING : end);
    cpu.write(request.newTlbGen, gen);
    cpu.write(request.base, gen - 1);
    cpu.write(request.strideShift, shift);
    cpu.write(request.freedTables, freedTables ? 1 : 0);
    cpu.write(request.trimCpumask, 0);
  }

  /** What CPUs that are sent the request do, and this one does itself. */
  #flushHere(): void {
    const cpu = this.#cpu;
    const request = this.#request;
    const state = this.#state;
    const loaded = cpu.read(state.loadedMm);
    if (loaded !== cpu.read(request.mm) || loaded === cpu.kernel.initMm || cpu.read(state.isLazy) !== 0) return;
    const asid = cpu.read(state.loadedMmAsid);
    const has = cpu.read(ctxTlbGen(state, asid));
    const asked = cpu.read(request.newTlbGen);
    cpu.claim.that(cpu.read(ctxCtxId(state, asid)) === cpu.read(mmCtxId(this.#mm)), 'O8', 'a slot of another mm');
    if (asked <= has) return;
    const newest = cpu.readOnce(this.#mm.tlbGen);
    cpu.claim.that(has <= newest && asked <= newest, 'O11', 'a generation is past that of the mm');
    this.#drop(asid, has >= cpu.read(request.base) && asked === newest);
    cpu.write(ctxTlbGen(state, asid), newest);
    cpu.claim.caughtUp(cpu.read(this.#mm.pgd), asid, newest);
  }

  #drop(asid: number, ranged: boolean): void {
    const cpu = this.#cpu;
    const end = cpu.read(this.#request.end);
    const stride = 2 ** cpu.read(this.#request.strideShift);
    if (!ranged || end === EVERYTHING) cpu.invalidate(movCr3(asid));
    else for (let at = cpu.read(this.#request.start); at < end; at += stride) cpu.invalidate(invlpg(asid, at));
  }

  /** Opens a gather. */
  open(): Gather {
    this.#cpu.atomicAdd(this.#mm.tlbFlushPending, 1);
    return { start: TASK_SIZE, end: 0, fullmm: false, freedTables: false, cleared: 0, pages: [], tables: [] };
  }

  /** An entry of a page was cleared. */
  note(tlb: Gather, address: number): void {
    tlb.start = Math.min(tlb.start, address);
    tlb.end = Math.max(tlb.end, address + PAGE);
    tlb.cleared |= 1;
  }

  /** Flushes, frees, lowers pending. */
  finish(tlb: Gather): void {
    const cpu = this.#cpu;
    if (cpu.readOnce(this.#mm.tlbFlushPending) > 1) {
      tlb.fullmm = true;
      tlb.freedTables = true;
    }
    if (tlb.freedTables || tlb.cleared !== 0) this.#flushGathered(tlb);
    for (const table of tlb.tables) cpu.freeRcu('table', table);
    for (const page of tlb.pages) if (cpu.atomicAddReturn(page, -1) === 0) cpu.free('page', page);
    const left = cpu.atomicAddReturn(this.#mm.tlbFlushPending, -1);
    cpu.claim.that(left >= 0, 'O16', 'a finish without its gather');
    cpu.claim.finished();
  }

  #flushGathered(tlb: Gather): void {
    const level = 31 - Math.clz32(tlb.cleared & -tlb.cleared);
    const shift = PAGE_SHIFT + 9 * Math.max(0, level);
    if (tlb.fullmm) this.flush(0, EVERYTHING, shift, tlb.freedTables);
    else this.flush(tlb.start, tlb.end, shift, tlb.freedTables);
    tlb.start = TASK_SIZE;
    tlb.end = 0;
    tlb.freedTables = false;
    tlb.cleared = 0;
  }
}
