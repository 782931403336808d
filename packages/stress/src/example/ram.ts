/**
 * RAM of the example: the emulator's own SharedArrayBuffer, 1024 words for each frame. A frame that was just allocated is filled with zeroes by the first
 * CPU that comes to it; the word that mm keeps of a page's contents says how far that is. Where mm copies a page, it asks here (Frames).
 */
import { type Frames, Page } from '@mmu-gather/core';
import type { Memory } from '@mmu-gather/threads';

/** Bytes in a page. */
export const PAGE = 4096;
/** Words in a page. */
export const PAGE_WORDS = 1024;
/** Frames of RAM, behind them that of the zero page, which nobody stores to. */
export const FRAMES = 256;
const DATA = Page.fields.indexOf('data');
/** A frame's contents: as they were before it was allocated, being filled with zeroes, or in use. */
const OLD = 0;
const FILLING = 1;
const IN_USE = 2;

/** Contents of all frames. */
export function ramOf(): SharedArrayBuffer {
  return new SharedArrayBuffer((FRAMES + 1) * PAGE);
}

/** RAM, as one thread sees it. */
export class Ram implements Frames {
  /** Its words. */
  readonly words: Int32Array;
  readonly #memory: Memory;

  constructor(memory: Memory, ram: SharedArrayBuffer) {
    this.#memory = memory;
    this.words = new Int32Array(ram);
  }

  /** The number of a page's frame, which holds zeroes when it is new. No port call: the page stays ours until the next one. */
  frame(page: number): number {
    const { words } = this.#memory;
    const frame = this.#memory.indexIn('page', page);
    if (frame < 0) return FRAMES;
    if (words.compareExchange(page + DATA, OLD, FILLING) === OLD) {
      this.words.fill(0, frame * PAGE_WORDS, (frame + 1) * PAGE_WORDS);
      words.store(page + DATA, IN_USE);
    }
    while (words.load(page + DATA) !== IN_USE);
    return frame;
  }

  /** A page is copied, into one that nobody sees yet. */
  copy(to: number, from: number): void {
    const first = this.frame(from) * PAGE_WORDS;
    this.words.copyWithin(this.#memory.indexIn('page', to) * PAGE_WORDS, first, first + PAGE_WORDS);
    this.#memory.words.store(to + DATA, IN_USE);
  }

  /** Are two pages equal? */
  equal(one: number, other: number): boolean {
    const [a, b] = [this.frame(one) * PAGE_WORDS, this.frame(other) * PAGE_WORDS];
    return this.words.subarray(a, a + PAGE_WORDS).every((word, n) => word === this.words[b + n]);
  }
}
