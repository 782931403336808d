/** Values of entries. */
import {
  ACCESSED,
  DIRTY,
  entryFlags,
  entryTarget,
  NX,
  PRESENT,
  PROTNONE,
  RW,
  SAVED_DIRTY,
  SOFT_DIRTY,
  SPECIAL,
  UFFD_WP,
  USER,
  VM_EXEC,
  VM_READ,
  VM_SHARED,
  VM_UFFD_WP,
  VM_WRITE,
  VM_WRITENOTIFY,
  isMigrationPte,
  isSwapPte,
  mkMigrationPte,
  mkPte,
  mkSwapPte,
  pteClearSoftDirty,
  pteMkclean,
  pteMkdirty,
  pteMkold,
  pteMkuffdWp,
  pteMkwrite,
  pteModify,
  pteProtnone,
  pteWrprotect,
  vmAccess,
  vmPageProt,
} from '../src/index.ts';
import { expect, test } from 'vitest';

/** An address that does not fit in 32 bits once it is an entry. */
const FAR = 2 ** 35 + 12345;
const PRIVATE = VM_READ | VM_WRITE;
const SHARED = PRIVATE | VM_SHARED;
const READABLE = PRESENT | USER | ACCESSED;

test('protection of fresh entries', () => {
  expect(vmPageProt(0)).toBe(PROTNONE | ACCESSED);
  expect(vmPageProt(VM_READ)).toBe(READABLE | NX);
  expect(vmPageProt(VM_READ | VM_EXEC)).toBe(READABLE);
  expect(vmPageProt(PRIVATE)).toBe(READABLE | NX);
  expect(vmPageProt(SHARED)).toBe(READABLE | NX | RW);
  expect(vmPageProt(SHARED | VM_EXEC)).toBe(READABLE | RW);
  expect(vmPageProt(SHARED | VM_WRITENOTIFY)).toBe(READABLE | NX);
  expect(vmPageProt(SHARED | VM_UFFD_WP)).toBe(READABLE | NX);
  expect(vmPageProt(VM_READ | VM_SHARED)).toBe(READABLE | NX);
  expect([0, VM_READ, VM_EXEC, PRIVATE].map(vmAccess)).toEqual(['none', 'read', 'read', 'write']);
});

test('dirty moves with write permission, and the page stays', () => {
  const clean = mkPte(FAR, vmPageProt(PRIVATE));
  const dirty = pteMkdirty(clean);
  expect(entryFlags(dirty)).toBe(READABLE | NX | SAVED_DIRTY | SOFT_DIRTY);
  expect(entryFlags(pteMkwrite(dirty))).toBe(READABLE | NX | RW | DIRTY | SOFT_DIRTY);
  expect(entryFlags(pteMkwrite(clean))).toBe(READABLE | NX | RW);
  expect(entryFlags(pteWrprotect(pteMkwrite(dirty)))).toBe(READABLE | NX | SAVED_DIRTY | SOFT_DIRTY);
  expect(entryFlags(pteMkclean(dirty))).toBe(READABLE | NX | SOFT_DIRTY);
  expect(entryFlags(pteMkclean(pteMkwrite(dirty)))).toBe(READABLE | NX | RW | SOFT_DIRTY);
  expect(entryFlags(pteMkuffdWp(pteMkwrite(dirty)))).toBe(READABLE | NX | SAVED_DIRTY | SOFT_DIRTY | UFFD_WP);
  expect(entryFlags(pteClearSoftDirty(dirty))).toBe(READABLE | NX | SAVED_DIRTY);
  expect(entryFlags(pteMkold(clean))).toBe(PRESENT | USER | NX);
  for (const entry of [dirty, pteMkwrite(dirty), pteMkuffdWp(dirty), pteModify(dirty, 0)]) {
    expect(entryTarget(entry)).toBe(FAR);
  }
});

test('pte_modify takes the protection and keeps what was noted', () => {
  const entry = pteMkwrite(pteMkdirty(mkPte(FAR, vmPageProt(PRIVATE) | SPECIAL)));
  expect(entryFlags(pteModify(entry, vmPageProt(VM_READ)))).toBe(READABLE | NX | SAVED_DIRTY | SOFT_DIRTY | SPECIAL);
  expect(entryFlags(pteModify(pteMkold(entry), vmPageProt(SHARED | VM_EXEC)))).toBe(
    PRESENT | USER | RW | DIRTY | SOFT_DIRTY | SPECIAL,
  );
  const none = pteModify(entry, vmPageProt(0));
  expect(entryFlags(none)).toBe(PROTNONE | ACCESSED | SAVED_DIRTY | SOFT_DIRTY | SPECIAL);
  expect([pteProtnone(none), isSwapPte(none)]).toEqual([true, false]);
});

test('entries that only software understands', () => {
  const swap = mkSwapPte(FAR);
  const migration = mkMigrationPte(FAR);
  expect([swap, migration, 0, mkPte(FAR, READABLE)].map(isSwapPte)).toEqual([true, true, false, false]);
  expect([swap, migration, 0, mkPte(FAR, READABLE | SPECIAL)].map(isMigrationPte)).toEqual([false, true, false, false]);
  expect([entryTarget(swap), entryTarget(migration)]).toEqual([FAR, FAR]);
});
