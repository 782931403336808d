/**
 * Rights: what a cached entry allows, beside what memory has now.
 *
 * A store through an entry that was cached writable but clean looks at memory again, to set the dirty bit there
 * (`Isa.cleanWalks`). So such an entry allows no write by itself: only what memory allows at that moment. Where software sets dirty
 * bits (`Isa.dirty`) it allows none at all: the store faults.
 */
import { type Address, DIRTY, type Entry, type Isa, PRESENT, RW } from '@mmu-gather/core/stepped';

/** An entry, and the frame that it maps the page in question to. */
export interface Leaf {
  readonly entry: Entry;
  readonly frame: Address;
}

/** The rules of one machine. */
export class Rights {
  readonly #cleanStores: 'never' | 'walk' | 'at once';

  constructor({ cleanWalks, dirty }: Pick<Isa, 'cleanWalks' | 'dirty'>) {
    this.#cleanStores = dirty === 'software' ? 'never' : cleanWalks ? 'walk' : 'at once';
  }

  /** Does a cached entry allow writes whatever memory holds now, and so without a trace? */
  writesAlone(entry: Entry): boolean {
    return (entry & RW) !== 0 && ((entry & DIRTY) !== 0 || this.#cleanStores === 'at once');
  }

  /** Does a cached entry allow writes while memory holds `now`? */
  mayWrite(entry: Entry, now: Entry): boolean {
    return this.writesAlone(entry) || ((entry & RW) !== 0 && entry === now && this.#cleanStores === 'walk');
  }

  /** Does an older leaf allow what another one does not, a write without a trace included, or lead elsewhere? */
  allowsMore(old: Leaf, now: Leaf): boolean {
    if (old.entry === now.entry && old.frame === now.frame) return false;
    if ((now.entry & PRESENT) === 0) return true;
    return old.frame !== now.frame || (this.writesAlone(old.entry) && !this.writesAlone(now.entry));
  }
}
