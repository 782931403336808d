/**
 * Splits: when the pages of a huge page become pages of their own, those that hold nothing but zeroes are mapped to the one page of
 * zeroes (6.12 on). What a page holds is not recorded, but which pages were put back is.
 *
 *     huge page            split (flush)          put back
 *     | 1 0 0 0 5 0 |  ->  each page is away  ->  1 and 5; the others lead to the page of zeroes
 */
import { type Cpu, entrySize, type Mm } from '@mmu-gather/core';
import { pmdOffset, pmdTransHuge } from '@mmu-gather/mm';
import { type Call, call, quietly } from './library.ts';

/** The splits that a call begins with. @param returned addresses of pages that were put back; none: nothing is known of a split */
export function splitCalls(cpu: Cpu, mm: Mm, returned: readonly number[]): Call[] {
  const size = entrySize(cpu.kernel.geometry, 1);
  const starts = new Set(returned.map((address) => address - (address % size)));
  return [...starts].flatMap((start) => {
    const pmd = pmdOffset(cpu, mm, start);
    if (pmd === 0 || !pmdTransHuge(cpu.readOnce(pmd))) return [];
    const split = call((lib, port) => lib.splitHugePmd(port, mm, pmd, start));
    return [split, ...zeroes(cpu, mm, start, start + size, new Set(returned))];
  });
}

/** Pages of a range lead to the page of zeroes, but for some. */
function zeroes(cpu: Cpu, mm: Mm, start: number, end: number, but: ReadonlySet<number>): Call[] {
  const size = 2 ** cpu.kernel.geometry.pageShift;
  const pages = Array.from({ length: (end - start) / size }, (_, at) => start + at * size);
  return pages
    .filter((page) => !but.has(page))
    .flatMap((page) => [
      quietly((lib, port) => lib.madviseDontneed(port, mm, page, size)),
      quietly((lib, port, files) => lib.doUserAddrFault(port, mm, page, false, files)),
    ]);
}
