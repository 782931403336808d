import {
  maxTlbiRangePages,
  RANGE_SHAPE,
  type RangeOp,
  rangeOps,
  tlbiRangePages,
  tlbiOperand,
  tlbiRangeOperand,
} from '@mmu-gather/arm64/stepped';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

test('what each scale covers', () => {
  const table = [0, 1, 2, 3].map((scale) => [tlbiRangePages(0, scale), tlbiRangePages(31, scale)]);
  expect(table).toEqual([
    [2, 64],
    [64, 2048],
    [2048, 65536],
    [65536, 2097152],
  ]);
  expect(maxTlbiRangePages()).toBe(2 * 1024 * 1024);
});

/** One page after the other, with no gap and no overlap. */
function cover(ops: readonly RangeOp[], page: number, pages: number): void {
  let at = page;
  for (const op of ops) {
    expect(op.page).toBe(at);
    at += op.pages;
  }
  expect(at).toBe(page + pages);
}

const start = fc.integer({ min: 0, max: 2 ** 36 - 1 });
const count = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 1, max: maxTlbiRangePages() }),
  fc.constantFrom(64, 65, 2048, 65536, 2 ** 20 + 1, maxTlbiRangePages()),
);

test('every range is covered, by at most one operation of each scale and one page', () => {
  fc.assert(
    fc.property(start, count, (page, pages) => {
      const ops = rangeOps(page, pages);
      cover(ops, page, pages);
      expect(ops.length).toBeLessThanOrEqual(5);
      const scales = ops.map(({ scale }) => scale);
      expect(scales.toSorted((a, b) => b - a)).toEqual(scales);
      expect(new Set(scales).size).toBe(scales.length);
    }),
    { numRuns: 500 },
  );
});

test('with LPA2 range operations start at multiples of 64 KiB, after at most 15 pages: 20 operations', () => {
  const lpa2 = { ...RANGE_SHAPE, alignment: 16 };
  fc.assert(
    fc.property(start, count, (page, pages) => {
      const ops = rangeOps(page, pages, lpa2);
      cover(ops, page, pages);
      for (const op of ops) if (op.scale >= 0) expect(op.page % 16).toBe(0);
      expect(ops.length).toBeLessThanOrEqual(20);
    }),
    { numRuns: 500 },
  );
});

test('the operand before e3ba51ab24fd: the largest range is not covered at all', () => {
  const masked = { ...RANGE_SHAPE, num: 'masked' as const };
  expect(rangeOps(0, maxTlbiRangePages(), masked)).toEqual([]);
  expect(rangeOps(0, maxTlbiRangePages())).toEqual([{ page: 0, pages: maxTlbiRangePages(), scale: 3 }]);
});

test('operands that a 6.1 kernel has written: flush_tlb_page, and a huge page that mremap moved', () => {
  expect(tlbiOperand(2, 0x5d4)).toBe(0x20000000005d4n);
  const [huge] = rangeOps(0xffffad400, 512);
  expect(huge).toEqual({ page: 0xffffad400, pages: 512, scale: 1 });
  expect(tlbiRangeOperand(672, huge!.page, huge!.pages, huge!.scale, 1)).toBe(0x2a053cffffad400n);
});

test('a level hint names the granule, too', () => {
  expect(tlbiOperand(0, 0, 0)).toBe(0b0111n << 44n);
  expect(tlbiOperand(0, 0, 1)).toBe(0b0110n << 44n);
});
