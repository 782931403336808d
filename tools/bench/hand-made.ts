/**
 * What somebody would write by hand who needs this once: a TLB of the same size over page tables in shared memory, tagged, with rights. One format, one size of
 * pages, no port.
 */
const PAGE = 4096;
const LEVELS = 4;
const ENTRIES = 512;
const SETS = 64;
const WAYS = 4;
const EMPTY = -1;
const PRESENT = 1;
const TAG = 1;

/** Everything in one class. */
export class HandMade {
  readonly #shared: Int32Array = new Int32Array(new SharedArrayBuffer(64));
  readonly #entries: BigInt64Array = new BigInt64Array(new SharedArrayBuffer(8 * LEVELS * ENTRIES));
  readonly #data: Int32Array;
  readonly #numbers: Float64Array = new Float64Array(SETS * WAYS).fill(EMPTY);
  readonly #frames: Float64Array = new Float64Array(SETS * WAYS);
  readonly #tags: Int32Array = new Int32Array(SETS * WAYS);
  readonly #rights: Int32Array = new Int32Array(SETS * WAYS);
  readonly #next: Uint8Array = new Uint8Array(SETS);

  /** @param pages that are mapped from address 0 on */
  constructor(pages: number) {
    this.#data = new Int32Array(new SharedArrayBuffer(4 * pages));
    for (let level = LEVELS - 1; level > 0; level--)
      this.#entries[level * ENTRIES] = BigInt((level - 1) * ENTRIES * 2 + PRESENT);
    for (let page = 0; page < pages; page++) this.#entries[page] = BigInt(page * 2 + PRESENT);
  }

  /** A load of user code. */
  load(address: number): number {
    if (this.#shared[0] !== 0) throw new Error('nobody else is there');
    const number = Math.floor(address / PAGE);
    const first = (number & (SETS - 1)) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++)
      if (this.#numbers[slot] === number && this.#tags[slot] === TAG && (this.#rights[slot]! & PRESENT) !== 0)
        return this.#data[this.#frames[slot]!]!;
    return this.#data[this.#fill(number)]!;
  }

  /** Empties the TLB. */
  clear(): void {
    this.#numbers.fill(EMPTY);
  }

  #fill(number: number): number {
    let table = (LEVELS - 1) * ENTRIES;
    for (let level = LEVELS - 1; ; level--) {
      const entry = Number(Atomics.load(this.#entries, table + (Math.floor(number / ENTRIES ** level) % ENTRIES)));
      if ((entry & PRESENT) === 0) throw new Error(`page ${number} is not mapped`);
      table = Math.floor(entry / 2);
      if (level === 0) break;
    }
    const set = number & (SETS - 1);
    const slot = set * WAYS + this.#next[set]!;
    this.#next[set] = (this.#next[set]! + 1) % WAYS;
    this.#numbers[slot] = number;
    this.#tags[slot] = TAG;
    this.#rights[slot] = PRESENT;
    this.#frames[slot] = table;
    return table;
  }
}
