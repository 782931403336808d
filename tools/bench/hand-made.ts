/**
 * What somebody would write by hand who needs this once: a TLB of the same size over page tables in shared memory, tagged, with rights, for pages of all
 * levels. One format of entries, one size of the TLB, no port, no walk cache.
 */
const PAGE = 4096;
const LEVELS = 4;
const ENTRIES = 512;
const SETS = 64;
const WAYS = 4;
const EMPTY = -1;
const PRESENT = 1;
const HUGE = 2;
const TAG = 1;
/** An entry is the number of what it leads to, and these bits. */
const BITS = 4;

/** Everything in one class. */
export class HandMade {
  readonly #shared: Int32Array = new Int32Array(new SharedArrayBuffer(64));
  readonly #entries: BigInt64Array = new BigInt64Array(new SharedArrayBuffer(8 * LEVELS * ENTRIES));
  readonly #data: Int32Array;
  readonly #numbers: Float64Array = new Float64Array(SETS * WAYS).fill(EMPTY);
  readonly #frames: Float64Array = new Float64Array(SETS * WAYS);
  readonly #tags: Int32Array = new Int32Array(SETS * WAYS);
  readonly #rights: Int32Array = new Int32Array(SETS * WAYS);
  readonly #levels: Int8Array = new Int8Array(SETS * WAYS);
  readonly #next: Uint8Array = new Uint8Array(SETS);
  /** Slots that hold a page of a level above the lowest. */
  #huge = 0;

  /** @param pages that are mapped from address 0 on */
  constructor(pages: number) {
    this.#data = new Int32Array(new SharedArrayBuffer(4 * pages));
    for (let level = LEVELS - 1; level > 0; level--)
      this.#entries[level * ENTRIES] = BigInt((level - 1) * ENTRIES * BITS + PRESENT);
    for (let page = 0; page < pages; page++) this.#entries[page] = BigInt(page * BITS + PRESENT);
  }

  /** A load of user code. */
  load(address: number): number {
    if (this.#shared[0] !== 0) throw new Error('nobody else is there');
    const number = Math.floor(address / PAGE);
    let slot = this.#find(number, 0);
    for (let level = 1; slot === EMPTY && this.#huge > 0 && level < LEVELS; level++) slot = this.#find(number, level);
    if (slot === EMPTY) slot = this.#fill(number);
    if ((this.#rights[slot]! & PRESENT) === 0) return EMPTY;
    const level = this.#levels[slot]!;
    const first = this.#frames[slot]!;
    return this.#data[level === 0 ? first : first + (number % ENTRIES ** level)]!;
  }

  /** Empties the TLB. */
  clear(): void {
    this.#numbers.fill(EMPTY);
    this.#huge = 0;
  }

  #find(page: number, level: number): number {
    const number = level === 0 ? page : Math.floor(page / ENTRIES ** level);
    const first = (number & (SETS - 1)) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++)
      if (this.#numbers[slot] === number && this.#tags[slot] === TAG && this.#levels[slot] === level) return slot;
    return EMPTY;
  }

  #fill(page: number): number {
    let table = (LEVELS - 1) * ENTRIES;
    for (let level = LEVELS - 1; ; level--) {
      const entry = Number(Atomics.load(this.#entries, table + (Math.floor(page / ENTRIES ** level) % ENTRIES)));
      if ((entry & PRESENT) === 0) throw new Error(`page ${page} is not mapped`);
      table = Math.floor(entry / BITS);
      if (level === 0 || (entry & HUGE) !== 0) return this.#insert(page, level, table);
    }
  }

  #insert(page: number, level: number, frame: number): number {
    const number = Math.floor(page / ENTRIES ** level);
    const set = number & (SETS - 1);
    const slot = set * WAYS + this.#next[set]!;
    this.#next[set] = (this.#next[set]! + 1) % WAYS;
    if (this.#numbers[slot] !== EMPTY && this.#levels[slot]! > 0) this.#huge--;
    if (level > 0) this.#huge++;
    this.#numbers[slot] = number;
    this.#tags[slot] = TAG;
    this.#rights[slot] = PRESENT;
    this.#levels[slot] = level;
    this.#frames[slot] = frame;
    return slot;
  }
}
