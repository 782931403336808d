/**
 * Walkers: which older values of page-table entries walks may still read under weak. Kernel code's walkers lag; those of programs of
 * bare instructions have rules of their own (walks.ts).
 *
 * A lagging walker may read any value of an entry that its CPU's loads may read, and knows besides what broadcasts and purges told it. So
 * does hardware that looks into a table of translations instead; of such an entry it reads all words at one moment.
 *
 *     a broadcast that was waited for     all walkers know of all entries that its issuer knew when it was issued, whatever it covers
 *     a cross call (`Scope.cpus`)         those that it names, at once
 *     a change and purge in one step      all walkers know of the change
 */
import type { Cell, Entry } from '@mmu-gather/core/stepped';
import { KNOWN } from './knowledge.ts';
import { EMPTY_VIEW, type View } from './views.ts';
import type { WeakMemory } from './weak-memory.ts';

/** What memory and the sets of the MMU ask of walkers. */
export interface Walkers {
  /**
   * Calls back with older values of an entry that the walker of a CPU may still read, and the CPUs, as a mask, whose broadcasts will have
   * removed them when they are done.
   */
  olderEntries(cpu: number, entry: Cell, visit: (value: Entry, doomed: number) => void): void;
  /**
   * Looks into a table of translations as the hardware of a CPU may: once for each way in which its loads may read older words. All words are
   * read at one moment: none is older than what stood before another one was stored.
   * @param found is told what was found, and the CPUs, as a mask, whose broadcasts will have removed that
   */
  lookUps?<T>(cpu: number, look: (load: (cell: Cell) => number) => T, found: (what: T, doomed: number) => void): void;
  /** The oldest message of a cell that a walker may need. */
  oldestKept(cell: Cell): number;
}

/** What lagging walkers depend on. */
export interface WalkerOptions {
  readonly cpus: number;
  /** May the walker of this CPU read entries? */
  walks(cpu: number): boolean;
  /** Is it a page-table entry? */
  isEntry(cell: Cell): boolean;
  /** Is it a word of a table of translations, into which hardware looks instead of page tables? */
  isTranslation(cell: Cell): boolean;
  /** May this value of an entry be cached? */
  cacheable(entry: Entry): boolean;
}

/** The walkers of kernel code. */
export class LaggingWalkers implements Walkers {
  readonly #weak: WeakMemory;
  readonly #options: WalkerOptions;

  constructor(weak: WeakMemory, options: WalkerOptions) {
    this.#weak = weak;
    this.#options = options;
  }

  olderEntries(cpu: number, entry: Cell, visit: (value: Entry, doomed: number) => void): void {
    const { messages } = this.#weak;
    const newest = messages.newest(entry);
    for (let i = this.#oldest(cpu, entry); i < newest; i++) {
      const { value } = messages.at(entry, i);
      if (this.#options.cacheable(value)) visit(value, this.#doomedBy(entry, i));
    }
  }

  lookUps<T>(cpu: number, look: (load: (cell: Cell) => number) => T, found: (what: T, doomed: number) => void): void {
    const { messages, views } = this.#weak;
    /** How many newer messages each load misses, and how many it may. */
    const missed: number[] = [];
    const most: number[] = [];
    do {
      const read: { readonly cell: Cell; readonly index: number }[] = [];
      let [doomed, before] = [0, EMPTY_VIEW];
      const what = look((cell) => {
        const at = read.length;
        const newest = messages.newest(cell);
        most[at] = newest - this.#oldest(cpu, cell);
        const index = newest - (missed[at] ??= 0);
        read.push({ cell, index });
        if (index < newest) doomed |= this.#doomedBy(cell, index);
        const { value, view } = messages.at(cell, index);
        before = views.join(before, view);
        return value;
      });
      if (read.every(({ cell, index }) => index >= views.at(before, cell))) found(what, doomed);
      missed.length = read.length;
      while (missed.length > 0 && missed.at(-1) === most[missed.length - 1]) missed.pop();
      if (missed.length > 0) missed[missed.length - 1]!++;
    } while (missed.length > 0);
  }

  oldestKept(cell: Cell): number {
    const { messages } = this.#weak;
    let oldest = messages.newest(cell);
    const translates = this.#options.isTranslation(cell);
    if (!translates && !this.#options.isEntry(cell)) return oldest;
    for (let cpu = 0; cpu < this.#options.cpus; cpu++) {
      if (!this.#options.walks(cpu)) continue;
      let i = this.#oldest(cpu, cell);
      if (!translates) while (i < oldest && !this.#options.cacheable(messages.at(cell, i).value)) i++;
      oldest = Math.min(oldest, i);
    }
    return oldest;
  }

  /** A CPU broadcasts an invalidation. */
  broadcast(cpu: number): void {
    this.#weak.known.add(cpu, KNOWN.broadcast, this.#entriesKnown(cpu));
  }

  /** A CPU has waited for its broadcasts. */
  broadcastsDone(cpu: number): void {
    const { known } = this.#weak;
    this.#tell(known.get(cpu, KNOWN.broadcast), -1);
    known.set(cpu, KNOWN.broadcast, EMPTY_VIEW);
  }

  /** A CPU has others, as a mask, invalidate at once. */
  crossCall(cpu: number, targets: number): void {
    this.#tell(this.#entriesKnown(cpu), targets);
  }

  /** An entry was changed and purged in one step. */
  purged(entry: Cell): void {
    this.#tell(this.#weak.views.of(entry, this.#weak.messages.newest(entry)), -1);
  }

  #tell(entries: View, targets: number): void {
    for (let cpu = 0; cpu < this.#options.cpus; cpu++)
      if ((targets & (1 << cpu)) !== 0) this.#weak.known.add(cpu, KNOWN.walks, entries);
  }

  #entriesKnown(cpu: number): View {
    const known = this.#weak.known.get(cpu, KNOWN.loads);
    return this.#weak.views.lists.map(known, (index, cell) =>
      this.#options.isEntry(cell) || this.#options.isTranslation(cell) ? index : 0,
    );
  }

  #oldest(cpu: number, entry: Cell): number {
    const { views, known } = this.#weak;
    return Math.max(views.at(known.get(cpu, KNOWN.loads), entry), views.at(known.get(cpu, KNOWN.walks), entry));
  }

  /** CPUs whose broadcasts know of a newer message. */
  #doomedBy(entry: Cell, index: number): number {
    const { views, known } = this.#weak;
    let issuers = 0;
    for (let issuer = 0; issuer < this.#options.cpus; issuer++)
      if (views.at(known.get(issuer, KNOWN.broadcast), entry) > index) issuers |= 1 << issuer;
    return issuers;
  }
}
