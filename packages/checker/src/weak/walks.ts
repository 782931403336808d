/**
 * Walks: what the page walks of a program of bare instructions come after, and what comes after them. An access is
 *
 *     walk of the entry  ->  (flags set in memory)  ->  load or store, or a fault
 *
 * and each of these has an order of its own, as in Arm's model (aarch64.cat of herdtools7):
 *
 *     ISB                     waits for walks that went through, and for what decides whether it is reached; holds back everything
 *     DSB                     waits for everything; holds back all but walks, with ETS2 walks too
 *     DMB, acquire            hold back accesses and faults, never walks
 *     a later store           comes after the walks of earlier accesses
 *     a walk that goes through     may read any message of the entry that no completed TLBI forbids (invalidations.ts)
 *     a walk that faults           for a translation or an access flag comes from memory, as a load does
 */
import type { Cell, Entry } from '@mmu-gather/core/stepped';
import type { FenceKind } from '../bare.ts';
import type { State } from '../state.ts';
import { Invalidations } from './invalidations.ts';
import { KNOWN, MAPS } from './knowledge.ts';
import { EMPTY_VIEW, type View } from './views.ts';
import type { Without } from './walk-rules.ts';
import type { WalkerOptions, Walkers } from './walkers.ts';
import type { WeakMemory } from './weak-memory.ts';

/** Not the store of any CPU: its own loads do not see it earlier than others. */
const HARDWARE = 0;
/** No CPU's walk. */
const NOBODY = -1;

/** The walks of one machine. */
export class Walks implements Walkers {
  readonly invalidations: Invalidations;
  readonly #weak: WeakMemory;
  readonly #options: WalkerOptions;
  readonly #ets2: boolean;
  readonly #without: Without;

  /** @param base cells for {@link Invalidations} */
  constructor(state: State, weak: WeakMemory, base: Cell, options: WalkerOptions, ets2: boolean, without: Without) {
    this.invalidations = new Invalidations(state, weak, base, options.cpus, without);
    this.#weak = weak;
    this.#options = options;
    this.#ets2 = ets2;
    this.#without = without;
  }

  // ---- barriers ----

  /** A barrier of Arm; `ctrl`: what stands before the branches, and before addresses that were picked. */
  fence(cpu: number, kind: FenceKind, ctrl: View): void {
    const { known } = this.#weak;
    switch (kind) {
      case 'dsb sy':
        this.#dsb(cpu, this.invalidations.complete(cpu, this.#everything(cpu)));
        return;
      case 'dsb ld':
        this.#dsb(cpu, known.get(cpu, KNOWN.loaded));
        return;
      case 'dsb st':
        this.#dsb(cpu, known.get(cpu, KNOWN.stored));
        return;
      case 'dmb sy':
        known.fullFence(cpu);
        return;
      case 'dmb ld':
        this.#weak.loadFence(cpu, true);
        return;
      case 'dmb st':
        this.#weak.storeFence(cpu);
        return;
      case 'isb':
        this.synchronize(cpu, ctrl);
        return;
      default:
        throw new TypeError(`${kind} is no barrier of Arm`);
    }
  }

  /** Context synchronisation: an ISB, an exception entry or a return. `after`: what it depends on. */
  synchronize(cpu: number, after: View): void {
    const { known, views } = this.#weak;
    const before = views.joinAll([known.get(cpu, KNOWN.barriers), known.get(cpu, KNOWN.addresses), after]);
    known.acquire(cpu, before);
    known.add(cpu, KNOWN.barriers, before);
    if (!this.#without.has('isb')) known.add(cpu, KNOWN.walks, before);
  }

  /** A TLBI of an entry, or with 0 of all. `after`: what it depends on. */
  invalidate(cpu: number, entry: Cell, broadcast: boolean, after: View): void {
    const { known, views } = this.#weak;
    this.invalidations.issue(cpu, entry, broadcast, views.join(known.get(cpu, KNOWN.barriers), after));
  }

  #everything(cpu: number): View {
    const { known, views } = this.#weak;
    return this.#without.has('dsb-waits') ? known.all(cpu) : views.join(known.all(cpu), known.get(cpu, KNOWN.walked));
  }

  #dsb(cpu: number, before: View): void {
    const { known } = this.#weak;
    known.acquire(cpu, before);
    if (this.#without.has('dsb')) return;
    known.add(cpu, KNOWN.barriers, before);
    if (this.#ets2) known.add(cpu, KNOWN.walks, before);
  }

  // ---- walks ----

  /**
   * What a walk comes after, before it has read.
   * @param addr what its address depends on
   * @param fromMemory it will fault, and not through a cached entry
   */
  start(cpu: number, addr: View, fromMemory: boolean): View {
    const { known, views } = this.#weak;
    const before = this.#without.has('address')
      ? known.get(cpu, KNOWN.walks)
      : views.join(known.get(cpu, KNOWN.walks), addr);
    if (!fromMemory || !this.#ets2 || this.#without.has('ets2-fault')) return before;
    return views.joinAll([before, known.get(cpu, KNOWN.loaded), known.get(cpu, KNOWN.stored)]);
  }

  /** May a walk that comes from memory read a message: does it know of no newer one? */
  mayRead(entry: Cell, index: number, before: View): boolean {
    return this.#without.has('fault-from-memory') || this.#weak.views.at(before, entry) <= index;
  }

  /** What a walk comes after that reads a message. */
  reading(entry: Cell, index: number, before: View): View {
    if (this.#without.has('walk-reads-from')) return before;
    const { views, messages } = this.#weak;
    return views.joinAll([before, messages.at(entry, index).view, views.of(entry, index)]);
  }

  /** What a fault comes after. */
  fault(cpu: number, walk: View): View {
    const { known, views } = this.#weak;
    if (this.#without.has('fault-held-back')) return walk;
    return views.joinAll([walk, known.get(cpu, KNOWN.loads), known.get(cpu, KNOWN.stores)]);
  }

  /** What the access behind a walk comes after because of it. */
  access(walk: View): View {
    return this.#without.has('access') ? EMPTY_VIEW : walk;
  }

  /**
   * A walk has taken place.
   * @param fromMemory it faults, and not through a cached entry
   */
  walked(cpu: number, entry: Cell, index: number, walk: View, fromMemory: boolean): void {
    const weak = this.#weak;
    weak.known.add(cpu, KNOWN.walked, walk);
    if (!this.#without.has('same-cell')) weak.reread(cpu, entry, walk);
    if (fromMemory && !this.#without.has('fault-from-memory')) weak.readBefore(entry, index, walk);
  }

  /** The access behind a walk did not fault. `offset`: where it was in the page. */
  passed(cpu: number, offset: number, walk: View): void {
    const { known, views } = this.#weak;
    known.put(cpu, MAPS.passed, offset, views.join(known.in(cpu, MAPS.passed, offset), walk));
    if (!this.#without.has('walk-store')) known.add(cpu, KNOWN.addresses, walk);
  }

  /** What the earlier walks for a place in a page come after: they do not go back behind a later one. */
  earlier(cpu: number, offset: number): View {
    return this.#without.has('tlbi-earlier-walk') ? EMPTY_VIEW : this.#weak.known.in(cpu, MAPS.passed, offset);
  }

  // ---- as walkers ----

  /** As if the walker knew of all completed TLBIs. */
  olderEntries(cpu: number, entry: Cell, visit: (value: Entry, doomed: number) => void): void {
    const { messages } = this.#weak;
    const newest = messages.newest(entry);
    for (let i = this.invalidations.oldest(cpu, entry); i < newest; i++)
      visit(messages.at(entry, i).value, this.invalidations.doomedBy(entry, i));
  }

  /** All of an entry, and of TLBIs: a walk may come early. */
  oldestKept(cell: Cell): number {
    return this.#options.isEntry(cell) || this.invalidations.has(cell) ? 0 : this.#weak.messages.newest(cell);
  }

  // ---- updates of entries ----

  /** Hardware is about to update an entry for a walk; `after`: what the instruction depends on. */
  update(cpu: number, entry: Cell, walk: View, after: View): void {
    const { known, views } = this.#weak;
    const own = [known.get(cpu, KNOWN.addresses), known.in(cpu, MAPS.reread, entry)];
    const update = this.#update(entry, views.joinAll([walk, after, ...own]));
    known.add(cpu, KNOWN.walked, update);
  }

  /** Hardware is about to update an entry of its own accord. */
  updateAlone(entry: Cell): void {
    const index = this.#weak.messages.newest(entry);
    this.invalidations.read({ cpu: NOBODY, entry, index });
    this.#update(entry, this.reading(entry, index, EMPTY_VIEW));
  }

  #update(entry: Cell, after: View): View {
    const { views, messages } = this.#weak;
    const newest = messages.newest(entry);
    const order = this.#without.has('update-order')
      ? EMPTY_VIEW
      : views.join(this.#weak.beforeNext(entry), views.of(entry, newest));
    const before = views.join(after, order);
    messages.append(entry, before, HARDWARE, true);
    return views.join(before, views.of(entry, newest + 1));
  }
}
