/**
 * How version 7 packs its parts: zlib or zstd, each piece by itself.
 */
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import type { Source } from '../source.ts';
import type { Cursor } from './cursor.ts';

/** Unpacks a piece whose unpacked size is known. */
export type Packing = (packed: Buffer, size: number) => Buffer;

const PACKINGS: Readonly<Record<string, Packing>> = {
  zlib: (packed, size) => inflateSync(packed, { maxOutputLength: size }),
  zstd: (packed, size) => zstdDecompressSync(packed, { maxOutputLength: size }),
};

/** The largest piece that is believed: kallsyms and the formats of a large kernel have some tens of MiB. */
const LARGEST = 2 ** 28;

/** Reads the name of the packing; null for `none`. */
export function packingOf(source: Source, head: Cursor): Packing | null {
  const { place } = head;
  const name = head.string('the name of the packing');
  head.string('the version of the packing');
  if (name === 'none') return null;
  const packing = Object.hasOwn(PACKINGS, name) ? PACKINGS[name] : undefined;
  if (packing !== undefined) return packing;
  const mend = 'convert it: trace-cmd convert --file-version 7 --compression zstd -i FILE -o NEW';
  throw source.error(place, `data packed with ${JSON.stringify(name.slice(0, 20))}`, mend);
}

/** Unpacks a piece. @param at where it stands, for a message */
export function unpack(source: Source, at: number, packing: Packing | null, packed: Buffer, size: number): Buffer {
  if (packing === null) throw source.error(at, 'packed data in a file that names no packing');
  if (size > LARGEST) throw source.error(at, `a piece of ${size} bytes: more than ${LARGEST} are not believed`);
  let bytes: Buffer;
  try {
    bytes = packing(packed, Math.max(1, size));
  } catch (error) {
    throw source.error(at, `damaged packed data (${(error as Error).message})`);
  }
  if (bytes.length !== size)
    throw source.error(at, `a piece has ${bytes.length} bytes unpacked, and should have ${size}`);
  return bytes;
}
