/**
 * The operand of a TLBI, as recordings show it (arch/arm64/include/asm/tlbflush.h __TLBI_VADDR, __TLBI_VADDR_RANGE).
 *
 *     one address    ASID 63:48   TTL 47:44                                         VA >> 12 in 43:0
 *     a range        ASID 63:48   TG 47:46   SCALE 45:44   NUM 43:39   TTL 38:37    first page in 36:0
 */
import { TTL_UNKNOWN } from './isa.ts';
import { tlbiRangeNum } from './range.ts';

/** Granule of 4 KiB, in TTL and TG. */
const TG_4K = 1n;
/** The architecture counts levels from the root: base pages are level 3. */
const LAST_LEVEL = 3;

/**
 * The operand for one address.
 * @param page page number of the address
 * @param level counted from base pages, or {@link TTL_UNKNOWN}
 */
export function tlbiOperand(asid: number, page: number, level: number = TTL_UNKNOWN): bigint {
  const ttl = level === TTL_UNKNOWN ? 0n : (TG_4K << 2n) | BigInt(LAST_LEVEL - level);
  return (BigInt(asid) << 48n) | (ttl << 44n) | (BigInt(page) & ((1n << 44n) - 1n));
}

/**
 * The operand for a range, of a number of pages that one operation of the scale covers.
 * @param page page number of the first one
 * @param level counted from base pages, or {@link TTL_UNKNOWN}
 */
export function tlbiRangeOperand(
  asid: number,
  page: number,
  pages: number,
  scale: number,
  level: number = TTL_UNKNOWN,
): bigint {
  const num = BigInt(tlbiRangeNum(pages, scale));
  const ttl = level === TTL_UNKNOWN ? 0n : BigInt(LAST_LEVEL - level);
  const head = (BigInt(asid) << 48n) | (TG_4K << 46n) | (BigInt(scale) << 44n);
  return head | (num << 39n) | (ttl << 37n) | (BigInt(page) & ((1n << 37n) - 1n));
}
