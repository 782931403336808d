/**
 * How entries change on arm64 (arch/arm64/include/asm/pgtable.h, mm/fault.c). With FEAT_HAFDBS the hardware changes descriptors in memory, so
 * software exchanges them, without barriers: whoever flushes has one (barriers.ts).
 *
 * set_pte_at is a store. In Linux a DSB ISHST and an ISB follow where the entry is the kernel's, for walkers do not wait for what stands between two
 * accesses, and nobody answers faults on kernel addresses. Here a walker sees what its CPU can see, so they have no step.
 */
import {
  ACCESSED,
  type Cell,
  type Cpu,
  DIRTY,
  type Entry,
  entrySet,
  GENERIC_PTE,
  type Mm,
  pteDirty,
  pteMkold,
  type PteOps,
  pteWrite,
  pteWrprotect,
  type Steps,
} from '@mmu-gather/core/stepped';
import { arm64Of } from './asid-state.ts';
import { flushTlbPage } from './flush.ts';
import { localFlushTlbPage } from './flush-local.ts';

/**
 * ptep_set_access_flags: a compare-and-swap, for the hardware may set bits meanwhile, which stay. After a write fault the older entry is dropped: on
 * all CPUs, or on this one only, and others fault once more.
 */
function* ptepSetAccessFlags(cpu: Cpu, mm: Mm, address: number, pte: Cell, old: Entry, entry: Entry): Steps<void> {
  if (old === entry) return;
  for (let seen = old; ; ) {
    const now = yield* cpu.cmpxchg(pte, seen, entrySet(entry, seen & (ACCESSED | DIRTY)), 'relaxed');
    if (now === seen) break;
    seen = now;
  }
  const written = (pteWrite(entry) && !pteWrite(old)) || (pteDirty(entry) && !pteDirty(old));
  if (!written) return;
  const { accessFlagsFlush } = arm64Of(cpu).switches;
  if (accessFlagsFlush === 'local') yield* localFlushTlbPage(cpu, mm, address);
  else if (accessFlagsFlush === 'broadcast') yield* flushTlbPage(cpu, mm, address);
}

/** ___ptep_set_wrprotect: cmpxchg_relaxed, until the hardware has set no bit in between; a dirty bit that it has set stays. */
function* ptepSetWrprotect(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, seen: Entry): Steps<void> {
  for (let expected = seen; ; ) {
    const now = yield* cpu.cmpxchg(pte, expected, pteWrprotect(expected), 'relaxed');
    if (now === expected) return;
    expected = now;
  }
}

/**
 * __ptep_test_and_clear_young: cmpxchg_relaxed; nothing is flushed. Linux tries again where hardware has changed the entry meanwhile. That it did so for an
 * access, and then the page may stay young.
 */
function* ptepTestAndClearYoung(cpu: Cpu, _mm: Mm, _address: number, pte: Cell, seen: Entry): Steps<void> {
  if ((seen & ACCESSED) !== 0) yield* cpu.cmpxchg(pte, seen, pteMkold(seen), 'relaxed');
}

/** __ptep_get_and_clear: xchg_relaxed. */
function ptepGetAndClear(cpu: Cpu, _mm: Mm, _address: number, pte: Cell): Steps<Entry> {
  return cpu.xchg(pte, 0, 'relaxed');
}

/** pmdp_establish: xchg_relaxed. */
function pmdpEstablish(cpu: Cpu, _mm: Mm, _address: number, pmd: Cell, entry: Entry): Steps<Entry> {
  return cpu.xchg(pmd, entry, 'relaxed');
}

/** What arm64 does with entries where upgrades are flushed everywhere: who finds one has no older entry any more. */
export const ARM64_PTE: PteOps = {
  ...GENERIC_PTE,
  ptepGetAndClear,
  ptepSetWrprotect,
  ptepTestAndClearYoung,
  ptepModifyProtStart: ptepGetAndClear,
  ptepSetAccessFlags,
  pmdpEstablish,
};

/** The same where upgrades are flushed by the CPU that faulted: another one that faults on its older entry flushes that itself. */
export const ARM64_PTE_LOCAL: PteOps = { ...ARM64_PTE, flushTlbFixSpuriousFault: localFlushTlbPage };
