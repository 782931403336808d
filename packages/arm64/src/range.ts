/**
 * Range operations (FEAT_TLBIRANGE): how many pages one TLBI covers, and how a range is cut into them (asm/tlbflush.h).
 *
 *     operand    scale 0..3, num 0..31
 *     covers     (num + 1) << (5 * scale + 1) pages:  2..64, 64..2048, 2048..65536, 65536..2097152
 *
 * From the largest scale down, each scale takes as many units as it can; an odd page at the end is an operation of its own. With 52-bit
 * addresses (LPA2) the start of a range operation is a multiple of 64 KiB: single pages lead up to it.
 */

/** Shape of the operand. */
export interface RangeShape {
  /** Bits of num: 5. */
  readonly numBits: number;
  /** Number of scales: 4. */
  readonly scales: number;
  /**
   * How num follows from what is left: `clamped` to what the field holds, which no range exceeds that one operation covers, or (wrong, up to 6.8,
   * e3ba51ab24fd) by its low bits alone, which are 0 for the largest one, so that nothing is invalidated.
   */
  readonly num: 'clamped' | 'masked';
  /** Pages that the start of a range operation is a multiple of: 1, or with LPA2 the pages of 64 KiB. */
  readonly alignment: number;
}

/** The operand of the architecture, without LPA2. */
export const RANGE_SHAPE: RangeShape = { numBits: 5, scales: 4, num: 'clamped', alignment: 1 };

/** One TLBI: pages from one on. */
export interface RangeOp {
  /** The first page, as a page number. */
  readonly page: number;
  /** How many. */
  readonly pages: number;
  /** Its scale; -1 for an operation on a single page. */
  readonly scale: number;
}

/** Pages of one unit of a scale: what num = 0 covers. */
function unit({ numBits }: RangeShape, scale: number): number {
  return 2 ** (numBits * scale + 1);
}

/** __TLBI_RANGE_PAGES: pages that an operand covers. */
export function tlbiRangePages(num: number, scale: number, shape: RangeShape = RANGE_SHAPE): number {
  return (num + 1) * unit(shape, scale);
}

/** MAX_TLBI_RANGE_PAGES: the most pages of one operation; 2097152, 8 GiB of 4 KiB pages. */
export function maxTlbiRangePages(shape: RangeShape = RANGE_SHAPE): number {
  return tlbiRangePages(2 ** shape.numBits - 1, shape.scales - 1, shape);
}

/**
 * __TLBI_RANGE_NUM: num for as many of `pages` as one operation of a scale covers; -1 if it would cover too many.
 * @param pages less than a unit of the next scale, or, of the largest scale, at most {@link maxTlbiRangePages}
 */
export function tlbiRangeNum(pages: number, scale: number, shape: RangeShape = RANGE_SHAPE): number {
  const units = Math.floor(pages / unit(shape, scale));
  return (shape.num === 'clamped' ? units : units % 2 ** shape.numBits) - 1;
}

/**
 * __flush_tlb_range_op with range operations: what covers `pages` pages from `page` on, in order.
 * @param pages at most {@link maxTlbiRangePages}
 */
export function rangeOps(page: number, pages: number, shape: RangeShape = RANGE_SHAPE): RangeOp[] {
  const ops: RangeOp[] = [];
  let scale = shape.scales - 1;
  while (pages > 0) {
    if (pages === 1 || page % shape.alignment !== 0) {
      ops.push({ page, pages: 1, scale: -1 });
      page++;
      pages--;
      continue;
    }
    if (scale < 0) break;
    const num = tlbiRangeNum(pages, scale, shape);
    if (num >= 0) {
      const covered = tlbiRangePages(num, scale, shape);
      ops.push({ page, pages: covered, scale });
      page += covered;
      pages -= covered;
    }
    scale--;
  }
  return ops;
}
