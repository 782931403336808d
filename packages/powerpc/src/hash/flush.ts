/**
 * Flushes of the hash MMU: pages leave the hash page table, then the TLBs (hash_tlb.c, native_flush_hash_range).
 *
 *     interrupts off
 *       for each page    v = 0 where it stands
 *       ptesync          who looks from here on does not find it
 *       for each page    tlbie, or tlbiel if only this CPU has used the mm
 *       eieio; tlbsync; ptesync
 *     interrupts on
 *
 * Whether only this CPU has used the mm is read before all this in Linux, which leaves a gap (P-D1; `localRead`):
 *
 *     CPU 0 (reclaim)                       CPU 1 (switch_mm)
 *     PTE = 0
 *     active_cpus is 1: local
 *                                           active_cpus = 2; full barrier
 *                                           accesses the page: it is still in the hash page table, and now in this TLB
 *     v = 0; ptesync; tlbiel
 *     frees the page                        accesses it
 *
 * What probes on the kernel's functions show is traced: hpte_need_flush (address), __flush_tlb_pending (pages), flush_hash_range (pages, and
 * 1 if it is known that this CPU alone has used the mm; one page is the kernel's flush_hash_page).
 *
 * flush_tlb_mm, flush_tlb_range and their sisters are empty: all of it happens where an entry changes (pte.ts).
 */
import {
  addToLazyBatch,
  collectsLazily,
  type Cpu,
  type LazyBatch,
  lazyBatchCount,
  lazyBatchEntry,
  Mm,
  type Steps,
} from '@mmu-gather/core/stepped';
import { hpteInvalidate, hRemove, tlbieScope, traceRemoval } from './hpte.ts';
import { hptVpn, type Vpn, vpnAddress } from './htab.ts';
import { KERNEL_CONTEXT } from './isa.ts';
import { contextId, hashOf, mmIsThreadLocal } from './state.ts';

/** Kinds of batches: base pages; in the wrong form that reads it when it collects, those that are local are of another kind. */
const PAGES = 0;
const LOCAL_PAGES = 1;

/** Names of the words of a collected entry (struct ppc64_tlb_batch: vpn; pte says the slot, see htab.ts). */
export const BATCH_FIELDS: readonly string[] = ['vpn'];

/** this_cpu_ptr(&ppc64_tlb_batch). */
export function thisBatch(cpu: Cpu): LazyBatch {
  return hashOf(cpu).batches[cpu.id]!;
}

/** hpte_need_flush: an entry that may be in the hash page table has changed; its lock is held. Collected in a section, else done at once. */
export function* hpteNeedFlush(cpu: Cpu, mm: Mm, address: number): Steps<void> {
  const { htab, switches } = hashOf(cpu);
  if (!switches.hpteFlush) return;
  cpu.trace('hpte_need_flush', address);
  const vpn = hptVpn(htab, cpu.read(contextId(mm)), address);
  const batch = thisBatch(cpu);
  if (!collectsLazily(cpu, batch) && switches.drainAt === 'leave') {
    yield* flushHashRange(cpu, mm, [vpn], null);
    return;
  }
  let kind = PAGES;
  if (switches.localRead === 'at-queue' && (yield* mmIsThreadLocal(cpu, mm))) kind = LOCAL_PAGES;
  yield* addToLazyBatch(cpu, batch, mm, kind, [vpn], flushTlbPending);
}

/** __flush_tlb_pending: what this CPU has collected. */
export function flushTlbPending(cpu: Cpu, batch: LazyBatch): Steps<void> {
  const gone = Array.from({ length: lazyBatchCount(cpu, batch) }, (_, i) => lazyBatchEntry(cpu, batch, i, 0));
  cpu.trace('__flush_tlb_pending', gone.length);
  const known = hashOf(cpu).switches.localRead === 'at-queue' ? cpu.read(batch.kind) === LOCAL_PAGES : null;
  return flushHashRange(cpu, Mm.at(cpu.read(batch.mm)), gone, known);
}

/** flush_hash_page, flush_hash_range. @param known whether it is local, if that was read before */
function* flushHashRange(cpu: Cpu, mm: Mm, gone: readonly Vpn[], known: boolean | null): Steps<void> {
  const { htab, switches } = hashOf(cpu);
  let local = known;
  if (switches.localRead === 'before-hpte') local = yield* mmIsThreadLocal(cpu, mm);
  cpu.trace('flush_hash_range', gone.length, local === true ? 1 : 0);
  yield* cpu.localIrqDisable();
  if (switches.tlbieOrder === 'before-hpte') yield* tlbieAll(cpu, mm, gone, local);
  const left = yield* leaveTable(cpu, gone);
  if (switches.tlbieOrder === 'after-hpte' && needsTlbie(cpu, mm)) yield* tlbieAll(cpu, mm, left, local);
  yield* cpu.localIrqEnable();
  // Still under the PTL: what these entries no longer allow is gone everywhere.
  for (const vpn of gone) cpu.claim.settled(cpu.read(mm.pgd), vpnAddress(htab, vpn));
}

/** Pages leave the table. @returns those that need a tlbie */
function* leaveTable(cpu: Cpu, gone: readonly Vpn[]): Steps<readonly Vpn[]> {
  const { switches } = hashOf(cpu);
  if (switches.platform === 'lpar') {
    yield* removeByHypervisor(cpu, gone);
    return gone;
  }
  const left: Vpn[] = [];
  for (const vpn of gone) {
    const found = yield* hpteInvalidate(cpu, vpn);
    if (found || switches.tlbieOnMiss) left.push(vpn);
  }
  return left;
}

/** pSeries_lpar_flush_hash_range: one call for several pages, under a lock where tlbie needs one (pSeries_lpar_tlbie_lock). */
function* removeByHypervisor(cpu: Cpu, gone: readonly Vpn[]): Steps<void> {
  const { switches, tlbieLock } = hashOf(cpu);
  if (switches.tlbieLock) yield* cpu.spinLock(tlbieLock);
  traceRemoval(cpu, gone.length);
  for (const vpn of gone) yield* hRemove(cpu, vpn);
  if (switches.tlbieLock) yield* cpu.spinUnlock(tlbieLock);
}

/** The hypervisor has done it with the removal. The kernel's own mappings have no entries in the table here, see switch.ts. */
function needsTlbie(cpu: Cpu, mm: Mm): boolean {
  return hashOf(cpu).switches.platform === 'native' || cpu.read(contextId(mm)) === KERNEL_CONTEXT;
}

/**
 * tlbie of pages one after the other, and the wait for all: on this CPU alone, or everywhere. An instruction takes effect at once on its
 * CPU, so that the ptesync behind tlbiel has no step.
 * @param known whether this CPU alone has used the mm, if that was read before
 */
function* tlbieAll(cpu: Cpu, mm: Mm, gone: readonly Vpn[], known: boolean | null): Steps<void> {
  const { switches, tlbieLock } = hashOf(cpu);
  // ptesync: the table before who may have used it is read, and before tlbie. Pairs with smp_mb in switch_mm.
  yield* cpu.smpMb();
  const local = known ?? (yield* mmIsThreadLocal(cpu, mm));
  if (switches.tlbiel === 'always' || (local && switches.tlbiel === 'if-local')) {
    for (const vpn of gone) yield* invalidatePage(cpu, vpn, true);
    return;
  }
  if (switches.tlbieLock) yield* cpu.spinLock(tlbieLock);
  for (const vpn of gone) yield* invalidatePage(cpu, vpn, false);
  yield* tlbsync(cpu);
  if (switches.tlbieLock) yield* cpu.spinUnlock(tlbieLock);
}

/** tlbiel or tlbie of a page. Where processors allow one tlbie at a time, the lock is held until it is waited for. */
function* invalidatePage(cpu: Cpu, vpn: Vpn, here: boolean): Steps<void> {
  const { htab, switches, tlbieLock } = hashOf(cpu);
  if (!here && switches.tlbieLock) cpu.claim.held(tlbieLock);
  yield* cpu.invalidate({ ...tlbieScope(htab, vpn), broadcast: !here });
  cpu.trace('tlbie', 0, here ? 1 : 0, vpnAddress(htab, vpn), 0, 0, 0, 0);
}

/** eieio; tlbsync; ptesync, which waits for every CPU. One CPU at a time, too. */
function* tlbsync(cpu: Cpu): Steps<void> {
  const { switches, tlbieLock } = hashOf(cpu);
  if (!switches.tlbsync) return;
  yield* cpu.invalidationBarrier();
  if (switches.tlbieLock) cpu.claim.held(tlbieLock);
}

/** Drops one page whose rights in the hash page table have changed, from the TLBs (native_hpte_updatepp). Interrupts off. */
export function* tlbiePage(cpu: Cpu, mm: Mm, vpn: Vpn): Steps<void> {
  if (hashOf(cpu).switches.platform === 'native') yield* tlbieAll(cpu, mm, [vpn], null);
}
