import {
  ACCESSED,
  DIRTY,
  mkEntry,
  NX,
  PRESENT,
  PROTNONE,
  PSE,
  RW,
  SAVED_DIRTY,
  SOFT_DIRTY,
  SPECIAL,
  UFFD_WP,
  USER,
} from '@mmu-gather/core/stepped';
import { hugePmdNeedsFlush, pteAccessible, pteMayNeedFlush, pteNeedsFlush } from '@mmu-gather/x86/stepped';
import { describe, expect, test } from 'vitest';

const PAGE = 2 ** 30;
const BASE = PRESENT | USER | NX;

function pte(flags: number): number {
  return mkEntry(PAGE, flags);
}

// Flags before, flags after, PTE flushes, huge PMD flushes.
const TABLE: readonly (readonly [string, number, number, boolean, boolean])[] = [
  ['nothing changes', BASE, BASE, false, false],
  ['was not present', RW | USER, BASE, false, false],
  ['PROT_NONE to anything', PROTNONE | USER, BASE | RW, false, false],
  ['anything to PROT_NONE', BASE, (BASE & ~PRESENT) | PROTNONE, true, true],
  ['cleared', BASE, 0, true, true],
  ['RW to R', BASE | RW, BASE, true, true],
  ['R to RW', BASE, BASE | RW, true, true],
  ['NX set', BASE & ~NX, BASE, true, true],
  ['NX cleared', BASE, BASE & ~NX, true, true],
  ['USER cleared', BASE, BASE & ~USER, true, true],
  ['size changes', BASE, BASE | PSE, true, true],
  ['GLOBAL set', BASE, BASE | PROTNONE, true, true],
  ['D cleared', BASE | DIRTY, BASE, true, true],
  ['D set', BASE, BASE | DIRTY, false, false],
  ['D becomes SAVED_DIRTY', BASE | DIRTY, BASE | SAVED_DIRTY, true, true],
  ['A cleared', BASE | ACCESSED, BASE, false, true],
  ['A set', BASE, BASE | ACCESSED, false, false],
  ['A and D cleared', BASE | ACCESSED | DIRTY, BASE, true, true],
  ['software bits', BASE | UFFD_WP, BASE | SOFT_DIRTY | SPECIAL | SAVED_DIRTY, false, false],
];

describe('which changes need a flush', () => {
  for (const [name, before, after, small, huge] of TABLE) {
    test(name, () => {
      expect(pteNeedsFlush(pte(before), pte(after))).toBe(small);
      expect(hugePmdNeedsFlush(pte(before), pte(after))).toBe(huge);
    });
  }
  test('another page', () => {
    expect(pteNeedsFlush(mkEntry(PAGE, BASE), mkEntry(PAGE + 4, BASE))).toBe(true);
    expect(pteNeedsFlush(mkEntry(PAGE, BASE & ~PRESENT), mkEntry(PAGE + 4, BASE))).toBe(false);
  });
});

// Flags before, flags after, flushes by the rule of RFC 03.
const RFC: readonly (readonly [string, number, number, boolean])[] = [
  ['nothing changes', BASE, BASE, false],
  ['was not present', RW | USER, BASE, false],
  ['cleared', BASE, 0, true],
  ['R to RW', BASE, BASE | RW, false],
  ['RW to R, clean', BASE | RW, BASE, false],
  ['RW to R, clean, and dirty by software', BASE | RW, BASE | SAVED_DIRTY, false],
  ['RW to R, dirty', BASE | RW | DIRTY, BASE | SAVED_DIRTY, true],
  ['RW to R, clean, and NX set', (BASE & ~NX) | RW, BASE, true],
  ['D cleared', BASE | RW | DIRTY, BASE | RW, true],
  ['D set', BASE | RW, BASE | RW | DIRTY, false],
  ['NX set', BASE & ~NX, BASE, true],
  ['NX cleared', BASE, BASE & ~NX, false],
  ['GLOBAL set', BASE, BASE | PROTNONE, false],
  ['GLOBAL cleared', BASE | PROTNONE, BASE, true],
  ['USER cleared', BASE, BASE & ~USER, true],
  ['A cleared', BASE | ACCESSED, BASE, false],
  ['software bits', BASE | UFFD_WP, BASE | SOFT_DIRTY | SPECIAL, false],
];

describe('which changes need a flush by RFC 03', () => {
  for (const [name, before, after, flushes] of RFC) {
    test(name, () => expect(pteMayNeedFlush(pte(before), pte(after))).toBe(flushes));
  }
  test('another page', () => expect(pteMayNeedFlush(mkEntry(PAGE, BASE), mkEntry(PAGE + 4, BASE))).toBe(true));
});

test('only what is present is accessible', () => {
  expect(pteAccessible(pte(BASE))).toBe(true);
  expect(pteAccessible(pte(PROTNONE | USER))).toBe(false);
  expect(pteAccessible(0)).toBe(false);
});
