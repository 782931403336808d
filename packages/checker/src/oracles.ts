/**
 * Oracles: what must hold in every state, asked at the steps that can break it.
 *
 * A CPU *can access* while it is in user mode with its interrupt side idle: its next instruction may go through any entry
 * that its TLB may hold, before any generation is compared again. The sets of the Mmu are the worst case, so no access needs
 * to be explored for an oracle to see it.
 *
 *     O1   no CPU can access a page that was freed                   free of a page, return to user mode
 *     O1s  no CPU holds such an entry on its loaded context          free of a page (only if asked for)
 *     O2   no CPU can access more than an operation left standing    claim.limit, return to user mode
 *     O4   no walk reads a freed table, lazy CPUs and speculation included    free of a table, any fill
 *     O6   no two CPUs can access different pages at one address, one of them writing   any fill, return to user mode
 *     O8   no ASID answers with entries of the mm that had it before          context load without flush
 *     O9   what a reader takes for settled is flushed                claim.settled
 *     O10  what a gather saw is flushed when it finishes             claim.observed, claim.finished
 *     O11  what a generation covers is gone where it is claimed      claim.caughtUp; also claim.that
 *     O12  nothing deferred stays unflushed                          end of the execution
 *     O16  pending counters are 0 at the end; also claim.that
 */
import {
  type Access,
  type Address,
  type Claims,
  type Entry,
  entryTarget,
  type Extent,
  type OracleId,
  RW,
} from '@mmu-gather/core/stepped';
import { MAX_MESSAGES, type Mmu } from './mmu.ts';
import type { State } from './state.ts';

/** What the oracles need to know of the machine. */
export interface OracleHost {
  /** Number of CPUs. */
  readonly cpus: number;
  /** Is the CPU in user mode, and not in an interrupt? */
  canAccess(cpu: number): boolean;
  /** What a CPU reads from a cell: its own buffered store, or memory. */
  load(cpu: number, cell: Address): number;
  /** Was the object at this address given back? */
  freed(address: Address): boolean;
  /** Name of an object for people. */
  nameOf(address: Address): string;
  /** Name of a page-table entry for people. */
  entryName(entry: Entry): string;
  /** Number of the root table among all tables, for words per root. */
  rootNumber(root: Address): number;
  /** Reports. */
  violate(oracle: OracleId, message: string): void;
}

/** Words per root and page: limit, windows, and one for each entry value. */
const PAGE_WORDS: number = 2 + MAX_MESSAGES;

const LEVELS: Readonly<Record<Access, number>> = { write: 0, read: 1, none: 2 };

/** The oracles of one machine. */
export class Oracles {
  readonly #state: State;
  readonly #mmu: Mmu;
  readonly #host: OracleHost;
  readonly #base: number;
  readonly #roots: number;
  readonly #strict: boolean;

  /**
   * Words that the oracles of a machine need: per root and page a limit, a count of windows, and for each entry value the
   * generation that covers its replacement; per CPU what its gather saw.
   */
  static words(cpus: number, roots: number, pages: number): number {
    return roots * pages * PAGE_WORDS + cpus * (1 + pages);
  }

  constructor(state: State, mmu: Mmu, host: OracleHost, base: number, roots: number, strict: boolean) {
    this.#state = state;
    this.#mmu = mmu;
    this.#host = host;
    this.#base = base;
    this.#roots = roots;
    this.#strict = strict;
  }

  /** After a page was freed. */
  pageFreed(page: Address): void {
    for (let cpu = 0; cpu < this.#host.cpus; cpu++) {
      const user = this.#host.canAccess(cpu);
      if (!user && !this.#strict) continue;
      for (let p = 0; p < this.#mmu.pages; p++) {
        this.#mmu.leaves(cpu, p, (entry) => {
          if (entryTarget(entry) !== page) return;
          this.#host.violate(
            user ? 'O1' : 'O1s',
            `${this.#host.nameOf(page)} is freed, CPU ${cpu} ${user ? 'can still access' : 'still holds'} it at page ${p}`,
          );
        });
      }
    }
  }

  /** A CPU has come to where it can access: everything that it may hold must be allowed. */
  userMode(cpu: number): void {
    for (let p = 0; p < this.#mmu.pages; p++) {
      this.#mmu.leaves(cpu, p, (entry) => {
        const page = entryTarget(entry);
        if (this.#host.freed(page)) {
          this.#host.violate(
            'O1',
            `CPU ${cpu} is in user mode and can access ${this.#host.nameOf(page)} at page ${p}, which was freed`,
          );
        }
        this.#checkLimit(cpu, p, entry);
      });
    }
    this.coherent();
  }

  /** A CPU replaced a leaf entry in memory: its own next generation covers that. Until then the stamp names the CPU. */
  entryChanged(cpu: number, cell: Address, old: Entry): void {
    const number = this.#mmu.numberOf(old);
    if (number < 0) return;
    for (const root of this.#mmu.roots) {
      for (let p = 0; p < this.#mmu.pages; p++) {
        if (this.#mmu.leafCell(root, p) !== cell) continue;
        // What nobody may hold needs no stamp; it would keep states apart for nothing.
        this.#state.set(this.#coveredAt(root, p, number), this.#mmu.isHeld(root, p, number) ? -1 - cpu : 0);
      }
    }
  }

  /** A CPU made a generation: it covers what this CPU changed before. */
  generationMade(cpu: number, root: Address, gen: number): void {
    if (!this.#mmu.roots.includes(root)) return;
    for (let p = 0; p < this.#mmu.pages; p++) {
      for (let number = 0; number < this.#mmu.messages.length; number++) {
        const at = this.#coveredAt(root, p, number);
        if (this.#state.words[at] === -1 - cpu) this.#state.set(at, gen);
      }
    }
  }

  /** Entries were invalidated: stamps of what nobody holds any more go. */
  invalidated(): void {
    for (const root of this.#mmu.roots) {
      for (let p = 0; p < this.#mmu.pages; p++) {
        for (let number = 0; number < this.#mmu.messages.length; number++) {
          const at = this.#coveredAt(root, p, number);
          if (this.#state.words[at] !== 0 && !this.#mmu.isHeld(root, p, number)) this.#state.set(at, 0);
        }
      }
    }
  }

  /** O6 in the present state. */
  coherent(): void {
    for (let a = 0; a < this.#host.cpus; a++) {
      if (!this.#host.canAccess(a)) continue;
      const root = this.#mmu.liveRoot(a);
      if (root === 0) continue;
      for (let b = a; b < this.#host.cpus; b++) {
        if (!this.#host.canAccess(b) || this.#mmu.liveRoot(b) !== root) continue;
        for (let p = 0; p < this.#mmu.pages; p++)
          if (this.#state.words[this.#window(root, p)] === 0) this.#checkPair(a, b, p);
      }
    }
  }

  /** At the end of an execution: nothing that a CPU can access is older than memory and allows more. */
  end(): void {
    for (let cpu = 0; cpu < this.#host.cpus; cpu++) {
      if (!this.#host.canAccess(cpu)) continue;
      const stale = this.#stale(cpu, this.#mmu.liveRoot(cpu));
      if (stale !== '') this.#host.violate('O12', `all operations are done, and ${stale}: its flush was lost`);
    }
  }

  /** The claims of one CPU's code. */
  claimsOf(cpu: number): Claims {
    const seen = this.#base + this.#roots * this.#mmu.pages * PAGE_WORDS + cpu * (1 + this.#mmu.pages);
    return {
      limit: (root: Address, range: Extent, access: Access) => {
        this.#forPages(range, (p) => this.#state.set(this.#limit(root, p), LEVELS[access]));
        for (let c = 0; c < this.#host.cpus; c++) {
          if (!this.#host.canAccess(c) || this.#mmu.liveRoot(c) !== root) continue;
          this.#forPages(range, (p) => this.#mmu.leaves(c, p, (entry) => this.#checkLimit(c, p, entry)));
        }
      },
      settled: (root: Address, address: number) => {
        const p = this.#mmu.page(address);
        for (let c = 0; c < this.#host.cpus; c++) {
          if (!this.#host.canAccess(c) || this.#mmu.liveRoot(c) !== root) continue;
          const stale = this.#staleAt(c, root, p);
          if (stale !== '') this.#host.violate('O9', `CPU ${cpu} takes page ${p} for settled, and ${stale}`);
        }
      },
      observed: (root: Address, range: Extent) => {
        this.#state.set(seen, root);
        this.#forPages(range, (p) => {
          // As this CPU sees it: its own store may still be in its buffer.
          const cell = this.#mmu.leafCell(root, p);
          this.#state.set(seen + 1 + p, (cell === 0 ? 0 : this.#host.load(cpu, cell)) + 1);
        });
      },
      finished: () => {
        const root = this.#state.words[seen]!;
        this.#state.set(seen, 0);
        for (let p = 0; p < this.#mmu.pages; p++) {
          const saw = this.#state.words[seen + 1 + p]! - 1;
          if (saw < 0) continue;
          this.#state.set(seen + 1 + p, 0);
          for (let c = 0; c < this.#host.cpus; c++) {
            // The caller itself returns to user mode without another check.
            if ((c !== cpu && !this.#host.canAccess(c)) || this.#mmu.liveRoot(c) !== root) continue;
            const stale = this.#staleAt(c, root, p, saw);
            if (stale !== '') this.#host.violate('O10', `CPU ${cpu}'s gather saw page ${p} and finishes, and ${stale}`);
          }
        }
      },
      caughtUp: (root: Address, asid: number, gen: number) => {
        for (let p = 0; p < this.#mmu.pages; p++) {
          const now = this.#mmu.inMemory(root, p);
          this.#mmu.leavesUnder(cpu, asid, p, (entry, number) => {
            const covered = this.#state.words[this.#coveredAt(root, p, number)]!;
            if (covered <= 0 || covered > gen || !allowsMore(entry, now)) return;
            this.#host.violate(
              'O11',
              `CPU ${cpu} claims generation ${gen} under ASID ${asid}, and may still use ${this.#host.entryName(entry)} for page ${p}, whose change generation ${covered} covers`,
            );
          });
        }
      },
      changing: (root: Address, range: Extent, begins: boolean) => {
        this.#forPages(range, (p) => {
          const at = this.#window(root, p);
          this.#state.set(at, this.#state.words[at]! + (begins ? 1 : -1));
        });
        if (!begins) this.coherent();
      },
      clean: () => {},
      stable: () => {},
      moved: () => {},
      reassigned: () => {},
      that: (holds: boolean, oracle: OracleId, message: string) => {
        if (!holds) this.#host.violate(oracle, `CPU ${cpu}: ${message}`);
      },
    };
  }

  /** The first stale entry of a CPU that allows more than memory, in words; '' if none. */
  #stale(cpu: number, root: Address): string {
    for (let p = 0; p < this.#mmu.pages; p++) {
      const stale = this.#staleAt(cpu, root, p);
      if (stale !== '') return stale;
    }
    return '';
  }

  /** @param saw only entries that allow more than this, too: what came later is not the asker's business */
  #staleAt(cpu: number, root: Address, p: number, saw?: Entry): string {
    if (root === 0) return '';
    const now = this.#mmu.inMemory(root, p);
    let found = '';
    this.#mmu.leaves(cpu, p, (entry) => {
      if (found === '' && allowsMore(entry, now) && (saw === undefined || allowsMore(entry, saw))) {
        found = `CPU ${cpu} may still use ${this.#host.entryName(entry)} for page ${p}, where memory has ${this.#host.entryName(now)}`;
      }
    });
    return found;
  }

  #checkPair(a: number, b: number, p: number): void {
    this.#mmu.leaves(a, p, (one) => {
      this.#mmu.leaves(b, p, (other) => {
        if (entryTarget(one) === entryTarget(other) || ((one | other) & RW) === 0) return;
        this.#host.violate(
          'O6',
          `at page ${p} CPU ${a} may use ${this.#host.entryName(one)} and CPU ${b} ${this.#host.entryName(other)} at the same time`,
        );
      });
    });
  }

  #checkLimit(cpu: number, p: number, entry: Entry): void {
    const root = this.#mmu.liveRoot(cpu);
    const limit = this.#state.words[this.#limit(root, p)]!;
    if (limit === LEVELS.none || (limit === LEVELS.read && (entry & RW) !== 0)) {
      this.#host.violate(
        'O2',
        `page ${p} was left with access '${limit === LEVELS.none ? 'none' : 'read'}', and CPU ${cpu} may still use ${this.#host.entryName(entry)}`,
      );
    }
  }

  #forPages(range: Extent, visit: (page: number) => void): void {
    const to = Math.min(this.#mmu.pages, this.#mmu.page(range.end - 1) + 1);
    for (let p = this.#mmu.page(range.start); p < to; p++) visit(p);
  }

  #limit(root: Address, page: number): number {
    return this.#base + (this.#host.rootNumber(root) * this.#mmu.pages + page) * PAGE_WORDS;
  }

  #window(root: Address, page: number): number {
    return this.#limit(root, page) + 1;
  }

  #coveredAt(root: Address, page: number, number: number): number {
    return this.#limit(root, page) + 2 + number;
  }
}

/** Does an older entry allow what the present one does not, or lead elsewhere? */
function allowsMore(old: Entry, now: Entry): boolean {
  if (old === now) return false;
  if ((now & 1) === 0) return true;
  return entryTarget(old) !== entryTarget(now) || (old & RW & ~now) !== 0;
}
