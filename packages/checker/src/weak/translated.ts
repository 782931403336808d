/**
 * Translated: the accesses of bare instructions that go through page tables. Each outcome of a step is a way in which the access can go:
 * which message of the entry its walk reads, and which message of the cell behind it the access does.
 */
import {
  ACCESSED,
  ALL,
  ALL_ASIDS,
  type Cell,
  type Entry,
  entryTarget,
  Page,
  PRESENT,
  type Scope,
} from '@mmu-gather/core/stepped';
import type { FenceKind, TranslatedBy } from '../bare.ts';
import { operate, rmwOrder, translatedBy, viaOf } from '../bare-steps.ts';
import type { Memory } from '../memory.ts';
import type { Mmu } from '../mmu/mmu.ts';
import { FAULTS, isUncacheable, walk as walkEntry } from '../mmu/descriptor.ts';
import { OP } from '../op.ts';
import type { Words } from '../words.ts';
import type { Walk } from './invalidations.ts';
import { KNOWN } from './knowledge.ts';
import { EMPTY_VIEW, type View } from './views.ts';
import type { Walks } from './walks.ts';
import { type AccessAfter, type Acquiring, ACQUIRING, type WeakMemory } from './weak-memory.ts';

/** An access, as its thread announced it. */
interface Access {
  readonly cpu: number;
  readonly kind: number;
  readonly page: number;
  readonly entry: Cell;
  readonly offset: number;
  readonly value: number;
  /** Number of the operation, or what a compare-and-swap expects. */
  readonly operand: number;
  readonly acquiring: Acquiring;
  readonly release: boolean;
  /** It acquires and releases. */
  readonly both: boolean;
  /** The result of an atomic is kept. */
  readonly result: boolean;
  readonly slot: number;
  readonly addr: View;
  readonly data: View;
  readonly ctrl: View;
  readonly picked: View;
  readonly by: Required<TranslatedBy>;
}

/** Bits of an entry that may be cached. */
const CACHEABLE: number = PRESENT | ACCESSED;
const EVERYTHING_HERE: Scope = { asid: ALL_ASIDS, globals: true, leaves: ALL, walks: ALL, broadcast: false };

/** What else is open. */
const USUAL = 0;
/** A compare-and-swap stores: because it succeeds, or what it read. A store-exclusive fails. */
const OTHER = 1;
/** A compare-and-swap that fails leaves the dirty state alone. */
const CLEAN = 2;

/** One way in which an access can go. */
interface Way {
  /** The message of the entry that is walked. */
  readonly index: number;
  /** The message that is read; -1: none. */
  readonly source: number;
  readonly variant: number;
  /** What it returns if it faults. */
  readonly fault: number | undefined;
}

/** Translated accesses of one machine. */
export class Translated {
  readonly #words: Words;
  readonly #memory: Memory;
  readonly #mmu: Mmu;
  readonly #weak: WeakMemory;
  readonly #walks: Walks;

  constructor(words: Words, memory: Memory, mmu: Mmu, weak: WeakMemory, walks: Walks) {
    this.#words = words;
    this.#memory = memory;
    this.#mmu = mmu;
    this.#weak = weak;
    this.#walks = walks;
  }

  /** Number of ways of a pending access, 1 of a TLBI; undefined if it is neither. */
  outcomes(number: number, cpu: number): number | undefined {
    if (this.#words.kind(number) === OP.bareInvalidate) return 1;
    return viaOf(this.#words.kind(number)) === undefined ? undefined : this.#ways(this.#access(number, cpu)).length;
  }

  /** Performs a pending access, or a TLBI. Returns its result; undefined if it is none. */
  perform(number: number, cpu: number, choice: number): number | undefined {
    if (this.#words.kind(number) === OP.bareInvalidate) return this.#invalidate(number, cpu);
    if (viaOf(this.#words.kind(number)) === undefined) return undefined;
    const access = this.#access(number, cpu);
    return this.#go(access, this.#ways(access)[choice]!);
  }

  #invalidate(number: number, cpu: number): number {
    const arg = (i: number): number => this.#words.arg(number, i);
    const entry = arg(0) < 0 ? 0 : this.#entry(cpu, arg(0));
    const after = this.#weak.views.join(this.#weak.slots(cpu, arg(2)), this.#weak.slots(cpu, arg(3)));
    const broadcast = arg(1) !== 0;
    this.#walks.invalidate(cpu, entry, broadcast, after);
    const pages = arg(0) < 0 ? ALL : { start: arg(0), end: arg(0) + this.#mmu.pageSize };
    if (broadcast) this.#mmu.broadcast(cpu, { ...EVERYTHING_HERE, leaves: pages, walks: pages, broadcast });
    return 0;
  }

  /** A barrier; see {@link Walks.fence}. */
  fence(cpu: number, kind: FenceKind, ctrl: View): void {
    const completes = kind === 'dsb sy' && this.#walks.invalidations.pending(cpu);
    this.#walks.fence(cpu, kind, ctrl);
    if (!completes) return;
    // What was removed on this CPU alone goes as well; what no TLBI removed comes back at once.
    this.#mmu.invalidate(cpu, EVERYTHING_HERE);
    this.#mmu.broadcastsDone(cpu);
  }

  #entry(cpu: number, address: number): Cell {
    return this.#mmu.leafCell(this.#mmu.liveRoot(cpu), this.#mmu.page(address));
  }

  #access(number: number, cpu: number): Access {
    const arg = (i: number): number => this.#words.arg(number, i);
    const { kind, value, operand, order, slot, addr, data, ctrl, picked } = viaOf(this.#words.kind(number))!;
    const at = (i: number): number => (i < 0 ? 0 : arg(i));
    const atomic = kind === OP.bareRmw || kind === OP.bareCas;
    const how = rmwOrder(arg(order));
    const loads = kind === OP.bareLoad || kind === OP.bareLoadExclusive;
    const view = (i: number): View => this.#weak.slots(cpu, at(i));
    return {
      cpu,
      kind,
      page: this.#mmu.page(arg(0)),
      entry: this.#entry(cpu, arg(0)),
      offset: arg(0) % this.#mmu.pageSize,
      value: at(value),
      operand: at(operand),
      acquiring: loads ? ACQUIRING[arg(order) % 4]! : atomic && how.acquires && how.result ? 'rcsc' : 'relaxed',
      release: atomic ? how.releases : !loads && arg(order) % 2 !== 0,
      both: atomic && how.order === 'acquireRelease' && how.result,
      result: loads || (atomic && how.result),
      slot: slot < 0 ? -1 : arg(slot),
      addr: view(addr),
      data: view(data),
      ctrl: view(ctrl),
      picked: view(picked),
      by: translatedBy(arg(order)),
    };
  }

  // ---- ways ----

  /**
   * The sets of the MMU, from which kernel scenarios pick, hold what is left to a walker that knows of every completed TLBI. Walks here may know
   * less, and then read what only those removed.
   */
  #agree({ cpu, entry, page }: Access): void {
    const { messages } = this.#weak;
    const left = new Set<Entry>();
    for (let i = this.#walks.invalidations.oldest(cpu, entry); i <= messages.newest(entry); i++) {
      const { value } = messages.at(entry, i);
      if ((value & CACHEABLE) === CACHEABLE) left.add(value);
    }
    let same = true;
    let held = 0;
    this.#mmu.leaves(cpu, page, (value) => {
      held++;
      same &&= left.has(value);
    });
    if (!same || held !== left.size)
      throw new Error(
        `the sets of CPU ${cpu} hold ${held} entries for page ${page}, and its walks may read ${left.size}`,
      );
  }

  #ways(access: Access): Way[] {
    const { cpu, entry, by, kind } = access;
    this.#agree(access);
    const ways: Way[] = [];
    const newest = this.#weak.messages.newest(entry);
    const stores = kind !== OP.bareLoad && kind !== OP.bareLoadExclusive;
    for (let index = newest; index >= 0; index--) {
      const { value } = this.#weak.messages.at(entry, index);
      const result = walkEntry(value, stores, true, by);
      const fromMemory = isUncacheable(result.fault);
      const start = this.#walks.start(cpu, access.addr, fromMemory);
      if (fromMemory && !this.#walks.mayRead(entry, index, start)) continue;
      const walk = this.#walks.reading(entry, index, start);
      if (result.fault !== undefined) {
        const way = { index, source: -1, variant: USUAL, fault: FAULTS[result.fault] };
        if (this.#allows(access, way, walk, this.#walks.fault(cpu, walk))) ways.push(way);
      } else if (index === newest || result.updated === value) {
        // Hardware updates what memory holds.
        const dirties = (result.updated ^ value) !== 0;
        for (const way of this.#sources(access, index, walk, dirties))
          if (this.#allows(access, way, walk, this.#before(access, way, walk))) ways.push(way);
      }
    }
    return ways;
  }

  #allows({ cpu, entry, offset }: Access, { index, fault, variant }: Way, walk: View, access: View): boolean {
    const explicit = fault === undefined && variant !== OTHER;
    const all = explicit ? this.#weak.views.join(access, this.#walks.earlier(cpu, offset)) : access;
    return this.#walks.invalidations.allow({ cpu, entry, index }, walk, all);
  }

  /** @param dirties the walk would set flags in the entry */
  #sources(access: Access, index: number, walk: View, dirties: boolean): Way[] {
    const { cpu, kind, operand, acquiring } = access;
    const { messages } = this.#weak;
    const cell = this.#cell(access, index);
    const newest = messages.newest(cell);
    const usual = { index, source: newest, variant: USUAL, fault: undefined };
    const stale = (variant: number, when: (value: number) => boolean): Way[] => {
      const ways: Way[] = [];
      const oldest = this.#weak.oldest(cpu, cell, this.#loadAfter(access, walk), acquiring);
      for (let source = newest; source >= oldest; source--)
        if (when(messages.at(cell, source).value)) ways.push({ index, source, variant, fault: undefined });
      return ways;
    };
    switch (kind) {
      case OP.bareLoad:
      case OP.bareLoadExclusive:
        return stale(USUAL, () => true);
      case OP.bareCas: {
        const fails = (value: number): boolean => value !== operand;
        return [...stale(USUAL, fails), ...(dirties ? stale(CLEAN, fails) : []), { ...usual, variant: OTHER }];
      }
      case OP.bareStoreExclusive: {
        const fails = { ...usual, variant: OTHER };
        return this.#weak.isReserved(cpu, cell) ? [usual, fails] : [fails];
      }
      default:
        return [usual];
    }
  }

  #cell({ entry, offset }: Access, index: number): Cell {
    const frame = entryTarget(this.#weak.messages.at(entry, index).value);
    return Page.at(frame + offset * Page.words).data;
  }

  #loadAfter({ addr }: Access, walk: View): View {
    return this.#weak.views.join(addr, this.#walks.access(walk));
  }

  #storeAfter({ addr, data, ctrl, picked }: Access, walk: View): AccessAfter {
    return { addr, data, ctrl: this.#weak.views.join(ctrl, picked), walk: this.#walks.access(walk) };
  }

  /** What an access that goes through comes after. */
  #before(access: Access, { index, source, variant }: Way, walk: View): View {
    const { cpu, kind, acquiring, release } = access;
    const weak = this.#weak;
    const cell = this.#cell(access, index);
    const exclusive = kind === OP.bareStoreExclusive;
    if (exclusive && variant === OTHER) return walk;
    const loads = kind !== OP.bareStore && !exclusive;
    const read = loads
      ? weak.beforeLoad(cpu, cell, source, this.#loadAfter(access, walk), acquiring)
      : exclusive
        ? weak.known.get(cpu, KNOWN.reserved)
        : EMPTY_VIEW;
    if (!storesAt(kind, variant)) return read;
    return weak.views.join(read, weak.beforeStore(cpu, cell, release, this.#storeAfter(access, walk), read));
  }

  // ---- what a way does ----

  #go(access: Access, way: Way): number {
    const { cpu, entry, addr, ctrl, kind, by, offset } = access;
    const { index, fault, variant } = way;
    const { views, messages } = this.#weak;
    const of: Walk = { cpu, entry, index };
    this.#walks.invalidations.read(of);
    const fromMemory = fault === FAULTS.Translation || fault === FAULTS.AccessFlag;
    const walk = this.#walks.reading(entry, index, this.#walks.start(cpu, addr, fromMemory));
    if (fault !== undefined) {
      const after = this.#walks.fault(cpu, walk);
      this.#walks.walked(cpu, entry, index, walk, fromMemory);
      this.#walks.invalidations.went(of, walk, after);
      if (by.handler) this.#walks.synchronize(cpu, views.join(ctrl, walk));
      return fault;
    }
    const before = this.#before(access, way, walk);
    const cell = this.#cell(access, index);
    const { value } = messages.at(entry, index);
    const stores = kind !== OP.bareLoad && kind !== OP.bareLoadExclusive;
    const result = walkEntry(value, stores, variant !== CLEAN, by);
    if (result.fault === undefined && result.updated !== value) {
      this.#walks.update(cpu, entry, walk, views.join(addr, ctrl));
      this.#memory.commit(cpu, entry, result.updated);
    }
    this.#walks.walked(cpu, entry, index, walk, false);
    const read = this.#perform(access, way, cell, walk);
    const explicit = kind !== OP.bareStoreExclusive || variant === USUAL;
    const own = storesAt(kind, variant) ? views.of(cell, messages.newest(cell)) : EMPTY_VIEW;
    const earlier = explicit ? this.#walks.earlier(cpu, offset) : EMPTY_VIEW;
    this.#walks.invalidations.went(of, walk, views.joinAll([before, own, earlier]));
    if (explicit) this.#walks.passed(cpu, offset, walk);
    return read;
  }

  /** The access itself. Returns its result. */
  #perform(access: Access, { source, variant }: Way, cell: Cell, walk: View): number {
    const { cpu, kind, value, acquiring, release, slot, result } = access;
    const weak = this.#weak;
    const after = this.#storeAfter(access, walk);
    switch (kind) {
      case OP.bareStore:
        weak.store(cpu, cell, release, after);
        this.#memory.commit(cpu, cell, value);
        return 0;
      case OP.bareStoreExclusive:
        if (variant === USUAL) {
          weak.storeReserved(cpu, cell, release, after);
          this.#memory.commit(cpu, cell, value);
        }
        weak.unreserve(cpu);
        return variant;
      default:
    }
    if (!storesAt(kind, variant)) {
      const reserve = kind === OP.bareLoadExclusive;
      return weak.load(cpu, cell, source, access.addr, acquiring, slot, reserve, this.#walks.access(walk));
    }
    const old = weak.messages.at(cell, source).value;
    weak.readModifyWrite(cpu, cell, acquiring, release, result, after, slot);
    this.#memory.commit(cpu, cell, this.#combine(access, old));
    if (access.both) weak.behindStore(cpu);
    return old;
  }

  /** What an atomic stores. */
  #combine({ kind, value, operand }: Access, old: Entry): number {
    if (kind === OP.bareRmw) return operate(operand, old, value);
    return old === operand ? value : old;
  }
}

/** Does an access store, in this variant? */
function storesAt(kind: number, variant: number): boolean {
  if (kind === OP.bareCas) return variant === OTHER;
  if (kind === OP.bareStoreExclusive) return variant === USUAL;
  return kind === OP.bareStore || kind === OP.bareRmw;
}
