/**
 * Records: what one CPU wrote into its ring buffer, one after the other, with the time that each is from.
 *
 *     page     | timestamp | committed bytes, flags | records ...
 *     record   | type:5 delta:27 | data             time = timestamp + all deltas so far
 *
 *     type     1..28    that many words of data
 *              0        the next word is the length
 *              29       padding: what was thrown away, or the end of the page
 *              30       more time: the next word is the upper part of a delta
 *              31       the time itself
 *
 * A page says if records before it were lost, and perhaps how many.
 */
import type { Source } from '../source.ts';
import type { CpuData } from './file.ts';
import type { Packing } from './packing.ts';
import { pagesOf, type PageReader } from './pages.ts';
import type { Field } from './layout.ts';

/** Where things are in a page: the kernel's header_page. */
export interface PageLayout {
  readonly little: boolean;
  /** Bytes of a page. */
  readonly size: number;
  /** Where records begin. */
  readonly data: number;
  /** Where the time is. */
  readonly time: number;
  /** Where the number of committed bytes is, and how wide it is. */
  readonly commit: number;
  readonly commitSize: number;
}

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
const DELTA = 2 ** 27;
const WORD = 2 ** 32;
/** Of the committed bytes: records are missing before this page, and their number stands behind the last record. */
const MISSED = 2 ** 31;
const MISSED_STORED = 2 ** 30;
const COMMITTED = 0xfffffff;
/** The kernel keeps 59 bits of a time in a record; the others are those of the page. */
const STAMP_BITS = 2 ** 59;

/** What is meant where nobody says where things are in a page. */
const USUAL = { timestamp: 0, commit: 8, data: 16 } as const;

/** Reads header_page. */
export function pageLayout(fields: ReadonlyMap<string, Field>, size: number, little: boolean): PageLayout {
  const at = (name: keyof typeof USUAL): number => fields.get(name)?.offset ?? USUAL[name];
  const commitSize = fields.get('commit')?.size ?? 8;
  return { little, size, data: at('data'), time: at('timestamp'), commit: at('commit'), commitSize };
}

/** The records of one CPU. */
export class Records {
  /** The CPU. */
  readonly cpu: number;
  /** Time of the record. */
  time: number = -1;
  /** Where its data are in `view`. */
  at: number = 0;
  /** Bytes of them. */
  length: number = 0;
  /** Records that are missing before this one; null if nobody counted them, 0 if none are. */
  lost: number | null = 0;
  /** The pages that hold it. */
  view: DataView = new DataView(new ArrayBuffer(0));
  readonly #source: Source;
  readonly #pages: PageReader;
  readonly #layout: PageLayout;
  #page = 0;
  #next = 0;
  #end = 0;
  #before = 0;

  constructor(source: Source, layout: PageLayout, packing: Packing | null, data: CpuData, pages: number) {
    this.cpu = data.cpu;
    this.#source = source;
    this.#layout = layout;
    this.#pages = pagesOf(source, layout, packing, data, pages);
  }

  /** Goes on to the next record. @returns false if there is none */
  next(): boolean {
    const { little } = this.#layout;
    this.lost = 0;
    for (;;) {
      while (this.#next >= this.#end) if (!this.#openPage()) return false;
      const { view } = this;
      const at = this.#next;
      const head = view.getUint32(at, little);
      const type = little ? head & 31 : head >>> 27;
      const delta = little ? head >>> 5 : head & (DELTA - 1);
      if (type > 0 && type < PADDING) {
        this.#before += delta;
        this.#data(at + 4, 4 * type);
        return true;
      }
      if (type === PADDING && delta === 0) {
        this.#next = this.#end;
        continue;
      }
      if (at + 8 > this.#end) throw this.#error('a record that is longer than its page');
      const word = view.getUint32(at + 4, little);
      if (type === TIME_STAMP) {
        this.#before = Math.floor(this.#before / STAMP_BITS) * STAMP_BITS + word * DELTA + delta;
        this.#next = at + 8;
      } else if (type === TIME_EXTEND) {
        this.#before += word * DELTA + delta;
        this.#next = at + 8;
      } else if (word < 4) {
        throw this.#error(`a record of ${word} bytes`);
      } else if (type === PADDING) {
        this.#before += delta;
        this.#skip(at + 4 + word);
      } else {
        this.#before += delta;
        this.#data(at + 8, word - 4);
        return true;
      }
    }
  }

  #data(at: number, length: number): void {
    this.#skip(at + length);
    if (this.#before < this.time) throw this.#error('time goes back');
    this.time = this.#before;
    this.at = at;
    this.length = length;
  }

  #skip(to: number): void {
    if (to > this.#end) throw this.#error('a record that is longer than its page');
    // Records begin at words.
    this.#next = (to + 3) & ~3;
  }

  #openPage(): boolean {
    const { size, data, time, commit, commitSize, little } = this.#layout;
    let at = this.#page + size;
    if (this.#end === 0 || at >= this.view.byteLength) {
      const block = this.#pages.read();
      if (block === null) return false;
      this.view = new DataView(block.buffer, block.byteOffset, block.byteLength);
      at = 0;
    }
    const { view } = this;
    this.#page = at;
    this.#before = this.#long(at + time);
    // Of a wider number the flags are in the lower half, too.
    const flags = view.getUint32(at + commit + (commitSize === 8 && !little ? 4 : 0), little);
    const length = flags & COMMITTED;
    this.#next = at + data;
    this.#end = this.#next + length;
    if (data + length > size) throw this.#error(`${length} bytes of records in a page of ${size}`);
    if ((flags & MISSED) !== 0) this.#missed(flags, length);
    return true;
  }

  /** More may be missing before a page that holds none that counts. */
  #missed(flags: number, length: number): void {
    const { size, data } = this.#layout;
    const stored = (flags & MISSED_STORED) !== 0 && data + length + 8 <= size;
    if (!stored || this.lost === null) this.lost = null;
    else this.lost += this.#long(this.#page + data + length);
  }

  #long(at: number): number {
    const { little } = this.#layout;
    const low = this.view.getUint32(at + (little ? 0 : 4), little);
    return this.view.getUint32(at + (little ? 4 : 0), little) * WORD + low;
  }

  #error(what: string): Error {
    return this.#source.error(this.#pages.place(this.#page), `CPU ${this.cpu}: ${what}`);
  }
}
