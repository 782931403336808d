import { mkEntry, PRESENT, RW, USER } from '@mmu-gather/core/stepped';
import { pteAccessible, pteNeedsFlush } from '@mmu-gather/riscv/stepped';
import { expect, test } from 'vitest';

const PAGE = 1000;

test('there is no rule: every change is flushed, also one of what was not there', () => {
  expect(pteNeedsFlush(0, mkEntry(PAGE, PRESENT | USER))).toBe(true);
  expect(pteNeedsFlush(mkEntry(PAGE, PRESENT | USER | RW), mkEntry(PAGE, PRESENT | USER))).toBe(true);
});

test('any valid entry may be cached', () => {
  expect(pteAccessible(mkEntry(PAGE, PRESENT | USER))).toBe(true);
  expect(pteAccessible(0)).toBe(false);
});
