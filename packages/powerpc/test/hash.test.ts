/** The hash MMU: the order in which entries of the hash page table come, change and go, and what is collected. */
import {
  ACCESSED,
  archEnterLazyMmuMode,
  archLeaveLazyMmuMode,
  DIRTY,
  type Entry,
  entryFlags,
  finish,
  type Mm,
  PRESENT,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import {
  allocContextId,
  BULK_REMOVE_PAGES,
  freeContextId,
  H_PAGE_BUSY,
  H_PAGE_HASHPTE,
  HASH_LINUX_5_11,
  HASH_LINUX_6_18,
  hashFlushCost,
  hpteCells,
  hpteEncodeR,
  hptHash,
  hptVpn,
  mmIsThreadLocal,
  tlbie,
  tlbiel,
  vpnAddress,
  vpnContext,
} from '@mmu-gather/powerpc/stepped';
import { expect, test } from 'vitest';
import { HashMachine } from './hash-machine.ts';

const READ = PRESENT | USER | ACCESSED;
const WRITE = READ | RW | DIRTY;

function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** A machine with an mm that runs on CPU 0, and a page of it mapped and hashed. */
function* hashed(m: HashMachine, flags = WRITE): Steps<{ mm: Mm; pte: number; entry: Entry }> {
  const mm = yield* m.mm();
  yield* m.run(0, mm);
  const entry = yield* m.map(mm, 0, flags);
  const pte = yield* m.pte(mm, 0);
  yield* m.hash.tlbMiss!(m.cpu(0), mm, 0, false);
  m.taken();
  return { mm, pte, entry };
}

test('the constants are those of the kernel', () => {
  expect(HASH_LINUX_6_18.batch).toBe(192);
  expect(HASH_LINUX_6_18.slots).toBe(8);
  expect(HASH_LINUX_5_11.lazyPreemption).toBe(true);
  expect(HASH_LINUX_6_18.lazyPreemption).toBe(false);
});

test('a full batch is 192 tlbies and one wait, or 48 calls of the hypervisor', () => {
  expect(hashFlushCost(192, false, null)).toEqual({ hptes: 192, hcalls: 0, tlbie: 192, tlbiel: 0, tlbsync: 1 });
  expect(hashFlushCost(192, true, null)).toMatchObject({ tlbie: 0, tlbiel: 192, tlbsync: 0 });
  expect(hashFlushCost(192, true, BULK_REMOVE_PAGES)).toMatchObject({ hcalls: 48, tlbie: 0, tlbiel: 0 });
});

test('a virtual page number names context and page', () => {
  const { htab } = new HashMachine().hash;
  const vpn = hptVpn(htab, 3, 2 * 4096 + 17);
  expect(vpn).toBe(3 * 4 + 2);
  expect(vpnContext(htab, vpn)).toBe(3);
  expect(vpnAddress(htab, vpn)).toBe(8192);
});

test('a page has two groups: by its hash, and by the complement', () => {
  const { htab } = new HashMachine().hash;
  const vpn = hptVpn(htab, 1, 4096);
  const hash = hptHash(htab, vpn);
  const groups = hpteCells(htab, vpn).map((cell) => Math.floor((cell - htab.base) / 4));
  expect(groups).toEqual([hash, hash, 15 - hash, 15 - hash]);
});

test('the hardware sees rights and frame, and a page that is not dirty as read-only', () => {
  expect(entryFlags(hpteEncodeR(WRITE | H_PAGE_BUSY | H_PAGE_HASHPTE))).toBe(WRITE);
  expect(entryFlags(hpteEncodeR(READ | RW))).toBe(READ);
});

test('tlbie is broadcast, tlbiel is not; both are of one page, and kernel pages are global', () => {
  expect(tlbie(2, 4096)).toMatchObject({
    asid: 2,
    leaves: { start: 4096, end: 8192 },
    broadcast: true,
    globals: false,
  });
  expect(tlbiel(0, 4096)).toMatchObject({ broadcast: false, globals: true });
});

test(
  'a hash fault: the PTE is busy; r, eieio, v, eieio; and then it is hashed',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const mm = yield* m.mm();
    yield* m.run(0, mm);
    yield* m.map(mm, 0, READ);
    expect(yield* m.hash.tlbMiss!(m.cpu(0), mm, 0, false)).toBe(true);
    const [busy, lock, ...rest] = m.taken();
    expect(busy).toBe('pte = busy');
    const slot = /v(\d+) = locked/.exec(lock!)![1];
    expect(rest).toEqual([`r${slot}`, 'eieio', `v${slot} = valid`, 'eieio', 'pte = hashed']);
    expect(m.found(mm, 0)).toHaveLength(1);
    expect(m.traces).toEqual(['hash_fault 0 0 768']);
  }),
);

test(
  'an access that the PTE does not allow is a page fault, and changes nothing',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const mm = yield* m.mm();
    yield* m.run(0, mm);
    yield* m.map(mm, 0, READ);
    expect(yield* m.hash.tlbMiss!(m.cpu(0), mm, 0, true)).toBe(false);
    expect(m.taken()).toEqual([]);
    expect(m.found(mm, 0)).toEqual([]);
  }),
);

test(
  'the first store to a clean page changes rights where it is hashed, and drops the old ones',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { mm } = yield* hashed(m, READ | RW);
    expect(yield* m.hash.tlbMiss!(m.cpu(0), mm, 0, true)).toBe(true);
    expect(m.taken().filter((line) => !line.startsWith('v'))).toEqual([
      'pte = busy hashed',
      expect.stringMatching(/^r/),
      'ptesync',
      'tlbiel 1 @0',
      'pte = hashed',
    ]);
    expect(entryFlags(m.found(mm, 0)[0]!)).toBe(WRITE);
  }),
);

test(
  'a change outside a section: v = 0, ptesync, tlbiel where this CPU alone has used the mm',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { mm, pte } = yield* hashed(m);
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 0, pte, 0);
    const lines = m.taken();
    expect(lines[0]).toBe('pte = none');
    expect(lines.slice(-3)).toEqual([expect.stringMatching(/^v\d+ = 0$/), 'ptesync', 'tlbiel 1 @0']);
    expect(m.found(mm, 0)).toEqual([]);
  }),
);

test(
  'with another user of the mm: tlbie, and the wait for all',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { mm, pte } = yield* hashed(m);
    yield* m.run(1, mm);
    expect(m.users(mm)).toEqual([3, 2]);
    yield* m.hash.pte.ptepSetWrprotect(m.cpu(0), mm, 0, pte, 0, 0);
    expect(m.taken().slice(-3)).toEqual(['ptesync', 'tlbie 1 @0', 'tlbsync']);
    expect(m.traces).toContain('tlbie 0 0 0 0 0 0 0');
  }),
);

test(
  'an entry that becomes old goes from the hash page table',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { mm, pte } = yield* hashed(m);
    yield* m.hash.pte.ptepTestAndClearYoung(m.cpu(0), mm, 0, pte, 0);
    expect((yield* m.cpu(0).readOnce(pte)) & (ACCESSED | DIRTY)).toBe(DIRTY);
    expect(m.taken().at(-1)).toBe('tlbiel 1 @0');
    expect(m.found(mm, 0)).toEqual([]);
  }),
);

test(
  'an entry that was never hashed costs nothing',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const mm = yield* m.mm();
    yield* m.run(0, mm);
    yield* m.map(mm, 0, WRITE);
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 0, yield* m.pte(mm, 0), 0);
    expect(m.taken()).toEqual(['pte = none']);
  }),
);

test(
  'a section collects; its end takes all pages out of the table, and then out of the TLBs',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { mm, pte } = yield* hashed(m);
    yield* m.map(mm, 1, WRITE);
    yield* m.hash.tlbMiss!(m.cpu(0), mm, 4096, false);
    yield* archEnterLazyMmuMode(m.cpu(0));
    m.taken();
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 0, pte, 0);
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 4096, pte + 1, 0);
    expect(m.taken()).toEqual(['pte = none']);
    expect(m.found(mm, 0)).toHaveLength(1);
    yield* archLeaveLazyMmuMode(m.cpu(0));
    const lines = m.taken().filter((line) => !line.endsWith('locked'));
    expect(lines).toEqual([
      expect.stringMatching(/^v\d+ = 0$/),
      expect.stringMatching(/^v\d+ = 0$/),
      'ptesync',
      'tlbiel 1 @0',
      'tlbiel 1 @4096',
    ]);
    expect([...m.found(mm, 0), ...m.found(mm, 1)]).toEqual([]);
  }),
);

test(
  "a gather's flush drains what a section has left, and is nothing else",
  run(function* (): Steps<void> {
    const m = new HashMachine({ drainAt: 'gather' });
    const { mm, pte } = yield* hashed(m);
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 0, pte, 0);
    expect(m.found(mm, 0)).toHaveLength(1);
    yield* m.hash.tlbFlush(m.cpu(0), null as never);
    expect(m.found(mm, 0)).toEqual([]);
    m.taken();
    yield* m.hash.tlbFlush(m.cpu(0), null as never);
    yield* m.hash.flushTlbMm(m.cpu(0), mm);
    yield* m.hash.flushTlbRange(m.cpu(0), mm, 0, 8192, 0);
    expect(m.taken()).toEqual([]);
  }),
);

test(
  'a full group evicts, and tlbie is not left out for what the table has lost',
  run(function* (): Steps<void> {
    const m = new HashMachine({ groups: 1, slots: 1 });
    const { mm, pte } = yield* hashed(m);
    yield* m.map(mm, 1, READ);
    yield* m.hash.tlbMiss!(m.cpu(0), mm, 4096, false);
    expect(m.found(mm, 0)).toEqual([]);
    m.taken();
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 0, pte, 0);
    expect(m.taken().slice(-2)).toEqual(['ptesync', 'tlbiel 1 @0']);
  }),
);

test(
  'the hypervisor takes an entry out of the table and the TLBs in one step, whoever has used the mm',
  run(function* (): Steps<void> {
    const m = new HashMachine({ platform: 'lpar' });
    const { mm, pte } = yield* hashed(m);
    m.traces.length = 0;
    yield* m.hash.pte.ptepGetAndClear(m.cpu(0), mm, 0, pte, 0);
    expect(m.taken()).toEqual(['pte = none', 'tlbie 1 @0']);
    expect(m.traces).toEqual(['hpte_need_flush 0', 'flush_hash_range 1 1', 'hcall_entry 4']);
    expect(m.found(mm, 0)).toEqual([]);
  }),
);

test(
  'the hypervisor takes up to four pages of a batch with one call',
  run(function* (): Steps<void> {
    const m = new HashMachine({ platform: 'lpar', tlbieLock: true });
    const cpu = m.cpu(0);
    const { mm, pte } = yield* hashed(m);
    yield* m.map(mm, 1, WRITE);
    const next = yield* m.pte(mm, 1);
    yield* m.hash.tlbMiss!(cpu, mm, 4096, false);
    m.taken();
    m.traces.length = 0;
    yield* archEnterLazyMmuMode(cpu);
    yield* m.hash.pte.ptepGetAndClear(cpu, mm, 0, pte, 0);
    yield* m.hash.pte.ptepGetAndClear(cpu, mm, 4096, next, 0);
    expect(m.traces).toEqual(['hpte_need_flush 0', 'hpte_need_flush 4096']);
    m.traces.length = 0;
    yield* archLeaveLazyMmuMode(cpu);
    // H_BULK_REMOVE.
    expect(m.traces).toEqual(['__flush_tlb_pending 2', 'flush_hash_range 2 1', 'hcall_entry 292']);
    expect(m.taken().filter((line) => line.startsWith('tlb'))).toEqual(['tlbie 1 @0', 'tlbie 1 @4096']);
  }),
);

test(
  'more rights leave the hash page table alone',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { mm, pte, entry } = yield* hashed(m, READ);
    yield* m.hash.pte.ptepSetAccessFlags(m.cpu(0), mm, 0, pte, entry, entry + RW + DIRTY, 0);
    expect(m.taken()).toEqual(['pte = hashed']);
    expect(entryFlags(m.found(mm, 0)[0]!)).toBe(READ);
  }),
);

test(
  'a CPU that is new to an mm says so, and orders it before its first access; later switches change nothing',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const mm = yield* m.mm();
    yield* m.hash.switchMm(m.cpu(1), mm);
    expect(m.taken()).toEqual(['ptesync', 'context 1']);
    expect(m.users(mm)).toEqual([2, 1]);
    expect(yield* mmIsThreadLocal(m.cpu(1), mm)).toBe(true);
    expect(yield* mmIsThreadLocal(m.cpu(0), mm)).toBe(false);
    yield* m.hash.switchMm(m.cpu(1), mm);
    expect(m.taken()).toEqual(['context 1']);
    expect(m.users(mm)).toEqual([2, 1]);
  }),
);

test(
  'context ids: the lowest that is free, and the kernel has one',
  run(function* (): Steps<void> {
    const m = new HashMachine();
    const { contextIds } = m.hash;
    const cpu = m.cpu(0);
    expect([yield* allocContextId(cpu, contextIds), yield* allocContextId(cpu, contextIds)]).toEqual([1, 2]);
    yield* freeContextId(cpu, contextIds, 1);
    expect([yield* allocContextId(cpu, contextIds), yield* allocContextId(cpu, contextIds)]).toEqual([1, 3]);
    expect(() => finish(allocContextId(cpu, contextIds))).toThrow('all 4 context ids are taken');
  }),
);
