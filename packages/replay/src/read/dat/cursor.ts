/**
 * Cursor: numbers and strings one after the other, in the byte order of the file that they are from.
 *
 * Nothing that a file says is believed: a length that reaches past the end is an error at its place, and is never allocated.
 */
import type { Source } from '../source.ts';

/** Reads on from a place. */
export class Cursor {
  readonly #source: Source;
  readonly #bytes: Buffer | null;
  readonly #little: boolean;
  readonly #base: number;
  readonly #end: number;
  /** Where the next number is: an offset in the file, or in the bytes that were given. */
  at: number;

  /** @param bytes read from these, which stand at `at` in the file (or were unpacked from there) */
  constructor(source: Source, at: number, little: boolean, bytes: Buffer | null = null) {
    this.#source = source;
    this.#bytes = bytes;
    this.#little = little;
    this.#base = at;
    this.at = bytes === null ? at : 0;
    this.#end = bytes === null ? source.size : bytes.length;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.at;
  }

  /** Where the cursor is in the file, for a message. */
  get place(): number {
    return this.#bytes === null ? this.at : this.#base;
  }

  u16(what: string): number {
    const bytes = this.bytes(2, what);
    return this.#little ? bytes.readUInt16LE() : bytes.readUInt16BE();
  }

  u32(what: string): number {
    const bytes = this.bytes(4, what);
    return this.#little ? bytes.readUInt32LE() : bytes.readUInt32BE();
  }

  /** A 64-bit number; one that is not exact as a number is too large for anything that it may mean here. */
  u64(what: string): number {
    const bytes = this.bytes(8, what);
    const value = Number(this.#little ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE());
    if (!Number.isSafeInteger(value))
      throw this.#source.error(this.place, `${what} is ${value}: no file is that large`);
    return value;
  }

  /** Bytes, as many as a number before them said. */
  bytes(length: number, what: string): Buffer {
    if (length > this.left) {
      const text = `${what} should have ${length} bytes, and ${Math.max(0, this.left)} are left`;
      throw this.#source.error(this.place, text);
    }
    const { at } = this;
    this.at += length;
    return this.#bytes === null ? this.#source.read(at, length, what) : this.#bytes.subarray(at, at + length);
  }

  /** A text that ends with a zero byte. */
  string(what: string): string {
    const most = Math.min(this.left, LONGEST);
    const bytes = this.#bytes === null ? this.#source.read(this.at, most, what) : this.#bytes.subarray(this.at);
    const end = bytes.indexOf(0);
    if (end < 0) throw this.#source.error(this.place, `${what} has no end`);
    this.at += end + 1;
    return bytes.toString('utf8', 0, end);
  }

  /** A text that must stand here. */
  expect(text: string, what: string): void {
    const { place } = this;
    const found = this.bytes(Buffer.byteLength(text), what).toString('latin1');
    if (found !== text) throw this.#source.error(place, `${what} is missing: here is ${JSON.stringify(found)}`);
  }
}

/** No name of a system, a buffer or a clock is longer. */
const LONGEST = 65_536;
