/**
 * Pages of one CPU's ring buffer, some at a time, so that memory grows neither with the file nor much with the number of CPUs.
 */
import type { Source } from '../source.ts';
import { Cursor } from './cursor.ts';
import type { CpuData } from './file.ts';
import { type Packing, unpack } from './packing.ts';
import type { PageLayout } from './records.ts';

/** Hands out whole pages. */
export interface PageReader {
  /** The next pages; null at the end. They are good until the next call. */
  read(): Uint8Array | null;
  /** Where in the file a byte of the pages last read is; of packed ones, where those begin. */
  place(at: number): number;
}

/** @param most pages to read at once */
export function pagesOf(
  source: Source,
  layout: PageLayout,
  packing: Packing | null,
  data: CpuData,
  most: number,
): PageReader {
  return data.packed && data.size > 0 ? chunks(source, layout, packing, data) : plain(source, layout, data, most);
}

function plain(source: Source, { size }: PageLayout, data: CpuData, most: number): PageReader {
  const end = data.offset + data.size;
  let block: Uint8Array | null = null;
  let at = data.offset;
  let next = data.offset;
  return {
    read() {
      if (next >= end) return null;
      const length = Math.min(end - next, most * size);
      if (length % size !== 0) throw source.error(next, `CPU ${data.cpu}: the last page is cut off`);
      block ??= new Uint8Array(most * size);
      source.readInto(block, next, length);
      at = next;
      next += length;
      return length === block.length ? block : block.subarray(0, length);
    },
    place: (offset) => at + offset,
  };
}

function chunks(source: Source, { size, little }: PageLayout, packing: Packing | null, data: CpuData): PageReader {
  const cursor = new Cursor(source, data.offset, little);
  let left = cursor.u32('the number of chunks');
  let at = data.offset;
  return {
    read() {
      if (left === 0) return null;
      left--;
      at = cursor.at;
      const packed = cursor.u32('the packed size of a chunk');
      const unpacked = cursor.u32('the unpacked size of a chunk');
      if (unpacked === 0 || unpacked % size !== 0)
        throw source.error(at, `CPU ${data.cpu}: a chunk of ${unpacked} bytes, which are no whole pages`);
      // The size that is named leaves out the number of chunks.
      if (cursor.at + packed > data.offset + 4 + data.size)
        throw source.error(at, `CPU ${data.cpu}: a chunk that is longer than the CPU's data`);
      return unpack(source, at, packing, cursor.bytes(packed, 'a chunk'), unpacked);
    },
    place: () => at,
  };
}
