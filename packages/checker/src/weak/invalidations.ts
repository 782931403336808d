/**
 * Invalidations: TLBIs among the messages of memory, and what their completion says of walks.
 *
 *     issued[cpu]       a message for each TLBI of a CPU: what stands before it
 *     completed[cpu]    a message for each DSB that completes some: its value is how many TLBIs are done then
 *
 * A walk that a completed TLBI covers comes before or after it, and who knows the completion knows which:
 *
 *     TLBI, then walk     whatever replaced what it read comes after the TLBI: possible if the TLBI knew of no newer message
 *     walk, then TLBI     it, and the access behind it, come before the completion: possible if neither knows of the completion
 *
 * Walks of steps before the DSB are noted (Knowledge.goThrough), for the DSB waits for them: it comes after all that went through an entry
 * older than the TLBI knew of.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import type { State } from '../state.ts';
import type { Without } from './walk-rules.ts';
import { markOf } from './messages.ts';
import type { View } from './views.ts';
import type { WeakMemory } from './weak-memory.ts';

/** Everything is covered. */
const ALL_ENTRIES = 0;

/** A walk: of whom, of which entry, and which message it reads. */
export interface Walk {
  readonly cpu: number;
  readonly entry: Cell;
  readonly index: number;
}

/** The TLBIs of all CPUs. */
export class Invalidations {
  readonly #state: State;
  readonly #weak: WeakMemory;
  readonly #base: Cell;
  readonly #cpus: number;
  readonly #without: Without;

  /** Cells that so many CPUs need. */
  static cells(cpus: number): number {
    return 2 * cpus;
  }

  constructor(state: State, weak: WeakMemory, base: Cell, cpus: number, without: Without) {
    this.#state = state;
    this.#weak = weak;
    this.#base = base;
    this.#cpus = cpus;
    this.#without = without;
  }

  /**
   * A TLBI.
   * @param entry the entry that it covers, or 0 for all
   * @param before what stands before it
   */
  issue(cpu: number, entry: Cell, broadcast: boolean, before: View): void {
    const cell = this.#issued(cpu);
    this.#weak.messages.append(cell, before, markOf(cpu, 0), true);
    this.#state.set(cell, this.#weak.views.lists.number([entry, broadcast ? 1 : 0, before]));
  }

  /** A DSB that comes after `view`: it completes its CPU's TLBIs. Returns what all behind it comes after. */
  complete(cpu: number, view: View): View {
    const { views, messages } = this.#weak;
    const issued = this.#issued(cpu);
    const completed = this.#completed(cpu);
    const all = messages.newest(issued);
    const done = this.#state.words[completed]!;
    if (all === done || this.#without.has('tlbi')) return view;
    let after = view;
    for (let tlbi = done + 1; tlbi <= all; tlbi++) {
      after = views.joinAll([after, messages.at(issued, tlbi).view, views.of(issued, tlbi)]);
      after = views.join(after, this.#waited(cpu, tlbi));
    }
    messages.append(completed, after, markOf(cpu, 0), true);
    this.#state.set(completed, all);
    return views.join(after, views.of(completed, messages.newest(completed)));
  }

  /** What a TLBI waits for: what went through entries that are older than it knows of. */
  #waited(cpu: number, tlbi: number): View {
    const { views, known } = this.#weak;
    const later: Walk[] = [];
    let waited: View = 0;
    known.through((other, entry, index, view) => {
      const walk = { cpu: other, entry, index };
      if (other === cpu || !this.#covers(cpu, tlbi, walk)) return;
      if (this.#knows(cpu, tlbi, walk)) waited = views.join(waited, view);
      else later.push(walk);
    });
    for (const walk of later) this.#first(cpu, tlbi, walk);
    return waited;
  }

  /** Is it a cell of TLBIs? */
  has(cell: Cell): boolean {
    return cell >= this.#base && cell < this.#base + Invalidations.cells(this.#cpus);
  }

  /** Has a CPU issued TLBIs that are not completed? */
  pending(cpu: number): boolean {
    return this.#weak.messages.newest(this.#issued(cpu)) > this.#state.words[this.#completed(cpu)]!;
  }

  /**
   * Can a walk read its message?
   * @param before what it comes after
   * @param access what the access or the fault behind it comes after
   */
  allow(walk: Walk, before: View, access: View): boolean {
    for (let issuer = 0; issuer < this.#cpus; issuer++) {
      const done = this.#doneFor(walk, issuer, before, access);
      for (let tlbi = 1; tlbi <= done; tlbi++)
        if (this.#covers(issuer, tlbi, walk) && this.#knows(issuer, tlbi, walk)) return false;
    }
    return true;
  }

  /** The oldest message of an entry that completed TLBIs left to a CPU's walker, by what they knew when they were issued. */
  oldest(cpu: number, entry: Cell): number {
    let oldest = 0;
    this.#forCompleted({ cpu, entry, index: 0 }, (issuer, tlbi) => {
      oldest = Math.max(oldest, this.#newestKnown(issuer, tlbi, entry));
    });
    return oldest;
  }

  /** CPUs, as a mask, whose broadcasts will remove a message of an entry when they are completed. */
  doomedBy(entry: Cell, index: number): number {
    let cpus = 0;
    for (let issuer = 0; issuer < this.#cpus; issuer++) {
      const issued = this.#weak.messages.newest(this.#issued(issuer));
      for (let tlbi = this.#state.words[this.#completed(issuer)]! + 1; tlbi <= issued; tlbi++) {
        const dooms =
          this.#covers(issuer, tlbi, { cpu: -1, entry, index }) && this.#newestKnown(issuer, tlbi, entry) > index;
        if (dooms) cpus |= 1 << issuer;
      }
    }
    return cpus;
  }

  /** A walk is about to read its message: what replaced that comes after the TLBIs that did not know of it. */
  read(walk: Walk): void {
    this.#forCompleted(walk, (issuer, tlbi) => {
      if (!this.#knows(issuer, tlbi, walk)) this.#first(issuer, tlbi, walk);
    });
  }

  /** A walk, and the access behind it, have taken effect: they come before the TLBIs that knew of a newer message. */
  went(walk: Walk, before: View, access: View): void {
    const { messages } = this.#weak;
    this.#forCompleted(walk, (issuer, tlbi) => {
      if (!this.#knows(issuer, tlbi, walk)) return;
      const completed = this.#completed(issuer);
      let n = messages.newest(completed);
      while (messages.at(completed, n - 1).value >= tlbi) n--;
      this.#weak.readBefore(completed, n - 1, this.#seen(walk, issuer, before, access));
    });
    this.#weak.known.goThrough(walk.cpu, walk.entry, walk.index, access);
  }

  /** What a CPU knows of another's completions when it walks, or of its own: there the access behind the walk does not count. */
  #seen(walk: Walk, issuer: number, before: View, access: View): View {
    return issuer === walk.cpu || this.#without.has('tlbi-access') ? before : access;
  }

  /** Number of TLBIs of a CPU that are known to be done. */
  #doneFor(walk: Walk, issuer: number, before: View, access: View): number {
    const completed = this.#completed(issuer);
    const n = this.#weak.views.at(this.#seen(walk, issuer, before, access), completed);
    return this.#weak.messages.at(completed, n).value;
  }

  #forCompleted(walk: Walk, visit: (issuer: number, tlbi: number) => void): void {
    for (let issuer = 0; issuer < this.#cpus; issuer++) {
      const done = this.#state.words[this.#completed(issuer)]!;
      for (let tlbi = 1; tlbi <= done; tlbi++) if (this.#covers(issuer, tlbi, walk)) visit(issuer, tlbi);
    }
  }

  /** Does a TLBI concern a walk? */
  #covers(issuer: number, tlbi: number, walk: Walk): boolean {
    const [entry, broadcast] = this.#issuedAs(issuer, tlbi);
    return (entry === ALL_ENTRIES || entry === walk.entry) && (broadcast === 1 || issuer === walk.cpu);
  }

  /** A TLBI as it was issued: the entry, whether it is a broadcast, and what stood before it then. */
  #issuedAs(issuer: number, tlbi: number): Int32Array {
    return this.#weak.views.lists.of(this.#weak.messages.at(this.#issued(issuer), tlbi).value);
  }

  /** Does a TLBI know of a newer message of the entry than a walk reads? */
  #knows(issuer: number, tlbi: number, { entry, index }: Walk): boolean {
    return this.#weak.views.at(this.#weak.messages.at(this.#issued(issuer), tlbi).view, entry) > index;
  }

  /** The newest message of an entry that a TLBI knew of when it was issued. Loads of old values may show later that it came after more. */
  #newestKnown(issuer: number, tlbi: number, entry: Cell): number {
    return this.#weak.views.at(this.#issuedAs(issuer, tlbi)[2]!, entry);
  }

  /** A TLBI comes before a walk, and so before what replaces what that reads. */
  #first(issuer: number, tlbi: number, { entry, index }: Walk): void {
    if (this.#without.has('tlbi-first')) return;
    const { views, messages } = this.#weak;
    const issued = this.#issued(issuer);
    this.#weak.readBefore(entry, index, views.join(messages.at(issued, tlbi).view, views.of(issued, tlbi)));
  }

  #issued(cpu: number): Cell {
    return this.#base + cpu;
  }

  #completed(cpu: number): Cell {
    return this.#base + this.#cpus + cpu;
  }
}
