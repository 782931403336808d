/**
 * Sets: for each CPU, tag (ASID), level and virtual path, which entry values it may hold; and what it has loaded. All of it in words of the state:
 *
 *     CPU    loaded ASID + 1, loaded root, then for each tag, those of the kernel last:
 *     tag    its root, then for each level and path a mask of values (values.ts)
 */
import {
  type Address,
  ALL_ASIDS,
  type BootOptions,
  type Entry,
  entryShift,
  type Extent,
  type Scope,
} from '@mmu-gather/core/stepped';
import type { State } from '../state.ts';
import { Doomed } from './doomed.ts';
import { type PageTables, slotsPerLevel } from './page-tables.ts';
import { bitOf, type EntryValues, MASK_WORDS, wordOf } from './values.ts';

/** A word of the set of one path. */
export interface SetWord {
  readonly cpu: number;
  readonly tag: number;
  readonly level: number;
  readonly slot: number;
  /** Which word of the set. */
  readonly w: number;
  /** Where it stands. */
  readonly word: number;
}

/** The sets of all CPUs. */
export class Sets {
  /** Called before values go, if set. */
  onDrop: ((from: SetWord, values: number) => void) | undefined;
  readonly doomed: Doomed;
  /** Number of ASIDs; also the tag of the kernel's own entries. */
  readonly asids: number;
  readonly #state: State;
  readonly #values: EntryValues;
  readonly #tables: PageTables;
  readonly #options: BootOptions;
  readonly #base: number;
  /** Offset of each level's masks within a tag. */
  readonly #levelOffset: readonly number[];
  readonly #tagWords: number;
  readonly #cpuWords: number;

  /** Words that they need, with what is doomed. */
  static words({ cpus, backend, geometry }: BootOptions): number {
    const tag = 1 + MASK_WORDS * slotsPerLevel(geometry).reduce((a, b) => a + b, 0);
    const held = cpus * (2 + (1 + backend.isa.asids) * tag);
    return held * (backend.isa.broadcasts ? 1 + cpus : 1);
  }

  constructor(state: State, values: EntryValues, tables: PageTables, options: BootOptions, base: number) {
    this.#state = state;
    this.#values = values;
    this.#tables = tables;
    this.#options = options;
    this.#base = base;
    const { isa } = options.backend;
    this.asids = isa.asids;
    const offsets: number[] = [];
    let at = 1;
    for (const n of slotsPerLevel(options.geometry)) {
      offsets.push(at);
      at += n * MASK_WORDS;
    }
    this.#levelOffset = offsets;
    this.#tagWords = at;
    this.#cpuWords = 2 + (1 + this.asids) * at;
    this.doomed = new Doomed(state, isa.broadcasts ? options.cpus : 0, options.cpus * this.#cpuWords);
  }

  // ---- what is loaded ----

  /** The loaded ASID of a CPU, -1 before the first load. */
  liveAsid(cpu: number): number {
    return this.#state.words[this.#base + cpu * this.#cpuWords]! - 1;
  }

  /** The loaded root of a CPU; 0 if it has no user part. */
  liveRoot(cpu: number): Address {
    return this.#state.words[this.#base + cpu * this.#cpuWords + 1]!;
  }

  /** A CPU loads an ASID, and a root. */
  load(cpu: number, asid: number, root: Address): void {
    this.#state.set(this.#base + cpu * this.#cpuWords, asid + 1);
    this.loadRoot(cpu, root);
  }

  /** A CPU goes on with another root under its ASID. */
  loadRoot(cpu: number, root: Address): void {
    this.#state.set(this.#base + cpu * this.#cpuWords + 1, root);
  }

  /** The word with the root of a tag: that of what is cached under it. */
  rootWord(cpu: number, tag: number): number {
    return this.#base + cpu * this.#cpuWords + 2 + tag * this.#tagWords;
  }

  /** The root of a tag of a CPU. */
  root(cpu: number, tag: number): Address {
    return this.#state.words[this.rootWord(cpu, tag)]!;
  }

  /** Another root of a tag. No broadcast that is under way concerns it. */
  setRoot(cpu: number, tag: number, root: Address): void {
    this.#state.set(this.rootWord(cpu, tag), root);
    this.doomed.forget(this.rootWord(cpu, tag), -1);
  }

  // ---- what is held ----

  /** First word of the set of a path. */
  at(cpu: number, tag: number, level: number, slot: number): number {
    return this.rootWord(cpu, tag) + this.#levelOffset[level]! + slot * MASK_WORDS;
  }

  /** First word of the set of the path to a page, at a level. */
  atPage(cpu: number, tag: number, level: number, page: number): number {
    return this.at(cpu, tag, level, Math.floor(page / this.#tables.pagesPerEntry[level]!));
  }

  /** Calls back with each value of a set. */
  forEach(at: number, visit: (entry: Entry, number: number) => void): void {
    for (let w = 0; w < MASK_WORDS; w++) this.#values.forEach(w, this.#state.words[at + w]!, visit);
  }

  /** Is a value, by its number, in a set? */
  has(at: number, number: number): boolean {
    return (this.#state.words[at + wordOf(number)]! & bitOf(number)) !== 0;
  }

  /** Are there values in a set that are in one of these masks, or with `inverted` in none? */
  intersects(at: number, mask: Int32Array, inverted = false): boolean {
    for (let w = 0; w < MASK_WORDS; w++)
      if ((this.#state.words[at + w]! & (inverted ? ~mask[w]! : mask[w]!)) !== 0) return true;
    return false;
  }

  /** Is anything cached under a tag that leads somewhere? */
  any(cpu: number, tag: number): boolean {
    const at = this.rootWord(cpu, tag);
    for (let i = 1; i < this.#tagWords; i++)
      if ((this.#state.words[at + i]! & ~this.#values.absent[(i - 1) % MASK_WORDS]!) !== 0) return true;
    return false;
  }

  /**
   * A walk adds a value to a set.
   * @param doomed CPUs whose broadcasts have doomed the way to it
   * @returns true if it was not there
   */
  add(at: number, entry: Entry, doomed: number): boolean {
    const number = this.#values.number(entry);
    const word = at + wordOf(number);
    const bit = bitOf(number);
    const old = this.#state.words[word]!;
    const held = (old & bit) !== 0;
    if (this.doomed.issuers !== 0) this.doomed.walked(word, bit, held ? doomed & this.doomed.by(word, bit) : doomed);
    if (!held) this.#state.set(word, old | bit);
    return !held;
  }

  /** CPUs whose broadcasts have doomed a value, by its number, of a set. */
  doomedBy(at: number, number: number): number {
    return this.doomed.by(at + wordOf(number), bitOf(number));
  }

  // ---- what goes ----

  /** Drops values from a word of a set. */
  drop(from: SetWord, values: number): void {
    const old = this.#state.words[from.word]!;
    if ((old & values) === 0) return;
    this.onDrop?.(from, old & values);
    this.#state.set(from.word, old & ~values);
    this.doomed.forget(from.word, values);
  }

  /** Drops everything under a tag. */
  clear(cpu: number, tag: number): void {
    for (let level = 0; level < this.#levelOffset.length; level++)
      this.#forWords(cpu, tag, level, EVERYWHERE, (at) => this.drop(at, -1));
  }

  /** A broadcast of a CPU dooms what it covers of a word of a set. */
  doom(issuer: number, { word }: SetWord, values: number): void {
    this.doomed.add(issuer, word, this.#state.words[word]! & values);
  }

  /** Calls back with each word of the sets that a scope touches on a CPU, and which of its values it covers. */
  forCovered(cpu: number, scope: Scope, visit: (at: SetWord, values: number) => void): void {
    const { executable, huge, absent } = this.#values;
    const { cachesInvalid } = this.#options.backend.isa;
    const hinted = (level: number): boolean => scope.level === undefined || scope.level === level;
    // A pointer to a table is on the way to what is below it.
    const onTheWay = (level: number): boolean => scope.level === undefined || scope.level < level;
    const goes = (w: number): number => (scope.data === true ? ~executable[w]! : -1);
    // What is not valid led nowhere: a leaf, or as the hardware has it.
    const leaf = (w: number): number => huge[w]! | (cachesInvalid === 'leaves' ? absent[w]! : 0);
    for (let tag = 0; tag <= this.asids; tag++) {
      if (tag === this.asids ? !scope.globals : scope.asid !== ALL_ASIDS && scope.asid !== tag) continue;
      if (hinted(0)) this.#forWords(cpu, tag, 0, scope.leaves, (at) => visit(at, goes(at.w)));
      for (let level = 1; level < this.#levelOffset.length; level++) {
        if (onTheWay(level)) this.#forWords(cpu, tag, level, scope.walks, (at) => visit(at, ~leaf(at.w)));
        if (hinted(level)) this.#forWords(cpu, tag, level, scope.leaves, (at) => visit(at, leaf(at.w) & goes(at.w)));
      }
    }
  }

  #forWords(cpu: number, tag: number, level: number, extent: Extent, visit: (at: SetWord) => void): void {
    const [from, to] = this.#slots(level, extent);
    for (let slot = from; slot < to; slot++) {
      const word = this.at(cpu, tag, level, slot);
      for (let w = 0; w < MASK_WORDS; w++) visit({ cpu, tag, level, slot, w, word: word + w });
    }
  }

  #slots(level: number, { start, end }: Extent): [number, number] {
    const size = 2 ** entryShift(this.#options.geometry, level);
    const count = this.#tables.pages / this.#tables.pagesPerEntry[level]!;
    if (start >= end) return [0, 0];
    return [Math.floor(start / size), Math.min(count, Math.ceil(end / size))];
  }
}

const EVERYWHERE: Extent = { start: 0, end: Number.MAX_SAFE_INTEGER };
