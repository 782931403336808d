import { mkEntry, PRESENT, RW, USER } from '@mmu-gather/core/stepped';
import { pteNeedsFlush } from '@mmu-gather/riscv/stepped';
import { expect, test } from 'vitest';

const PAGE = 1000;

test('what was not present was never cached', () => {
  expect(pteNeedsFlush(0, mkEntry(PAGE, PRESENT | USER))).toBe(false);
});

test('a right that is taken away needs a flush', () => {
  expect(pteNeedsFlush(mkEntry(PAGE, PRESENT | USER | RW), mkEntry(PAGE, PRESENT | USER))).toBe(true);
});
