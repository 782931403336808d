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
 *     O3   no CPU can write to a clean page without a trace          claim.clean, return to user mode
 *     O4   no walk reads a freed table, lazy CPUs and speculation included    free of a table, any fill (mmu/fills.ts)
 *     O5   no kernel code accesses a freed table, VMA or mm          any access (effects.ts)
 *     O6   no two CPUs can access different pages at one address, one of them writing   any fill, return to user mode
 *     O7   what has moved can not be used where it was               claim.moved
 *     O8   no ASID answers with entries of the mm that had it before          context load without flush (effects.ts)
 *     O9   what a reader takes for settled is flushed                claim.settled
 *     O10  what a gather saw is flushed when it finishes             claim.observed, claim.finished
 *     O11  what a generation covers is gone where it is claimed      claim.caughtUp, store of a completed generation; claim.that
 *     O12  nothing deferred stays unflushed                          end of the execution
 *     O13  nobody can write to a stable page, and nobody does        claim.stable, any fill, any store, return to user mode
 *     O14  no address has a huge and a smaller leaf, or stands twice in a table of translations     any fill (mmu/fills.ts)
 *     O15  no CPU holds an entry for a kernel address that is reused claim.reassigned
 *     O16  pending counters are 0 at the end; frees and RCU sections pair up; none sleeps; claim.held, claim.irqsOff, claim.that
 *     O17  memory says what the operations were for                   end of the execution (Program.quiet)
 *
 * What an entry allows is in rights.ts, what was declared of pages in declared.ts, what a generation covers in coverage.ts.
 */
import {
  type Access,
  type Address,
  type Cell,
  type Claims,
  type Entry,
  type Extent,
  type Isa,
  type OracleId,
  pteDirty,
} from '@mmu-gather/core/stepped';
import { Coverage } from './coverage.ts';
import { Declared } from './declared.ts';
import type { Mmu } from './mmu/mmu.ts';
import { type Leaf, Rights } from './rights.ts';
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
  /** Might a process hold a lock, as far as is known? @param write not for read only */
  mayHold(process: number, lock: Cell, write: boolean): boolean;
  /** Does a CPU take no interrupts? */
  irqsOff(cpu: number): boolean;
  /** Name of an object for people. */
  nameOf(address: Address): string;
  /** Name of a word for people. */
  cellName(cell: Cell): string;
  /** Name of a page-table entry for people. */
  entryName(entry: Entry): string;
  /** Number of the root table among all tables, for words per root. */
  rootNumber(root: Address): number;
  /** Number of a page among all pages, for words per page; -1 if it is none of the pools. */
  pageNumber(page: Address): number;
  /** Reports. */
  violate(oracle: OracleId, message: string): void;
}

/** How many words the oracles need. */
export interface OracleSizes {
  /** Number of CPUs. */
  readonly cpus: number;
  /** Tables that may be roots. */
  readonly roots: number;
  /** Pages of the address space. */
  readonly pages: number;
  /** Physical pages. */
  readonly frames: number;
}

/** How strict the oracles are. */
export interface OracleOptions {
  /** Also check O1s. */
  readonly strict: boolean;
  /** What a store through an entry does that is not dirty. */
  readonly isa: Pick<Isa, 'cleanWalks' | 'dirty'>;
}

/** Words per page that a gather saw: entry + 1, frame. */
const SEEN_WORDS = 2;

/** Words per root and page: limit, windows. */
const PAGE_WORDS = 2;

const LEVELS: Readonly<Record<Access, number>> = { write: 0, read: 1, none: 2 };

/** The oracles of one machine. */
export class Oracles {
  readonly #state: State;
  readonly #mmu: Mmu;
  readonly #host: OracleHost;
  readonly #base: number;
  readonly #strict: boolean;
  /** Where the words of what gathers saw begin. */
  readonly #seen: number;
  readonly #rights: Rights;
  readonly #coverage: Coverage;
  readonly #declared: Declared;

  /** Words that the oracles of a machine need: per root and page a limit and a count of windows; per CPU what its gather saw. */
  static words({ cpus, roots, pages, frames }: OracleSizes): number {
    const own = roots * pages * PAGE_WORDS + cpus * (1 + SEEN_WORDS * pages);
    return own + Coverage.words(roots, pages) + Declared.words(frames);
  }

  constructor(state: State, mmu: Mmu, host: OracleHost, base: number, sizes: OracleSizes, options: OracleOptions) {
    this.#state = state;
    this.#mmu = mmu;
    this.#host = host;
    this.#base = base;
    this.#strict = options.strict;
    this.#rights = new Rights(options.isa);
    const { cpus, roots, pages } = sizes;
    this.#seen = base + roots * pages * PAGE_WORDS;
    const coverage = this.#seen + cpus * (1 + SEEN_WORDS * pages);
    this.#coverage = new Coverage(state, mmu, coverage, (root) => host.rootNumber(root));
    this.#declared = new Declared(state, mmu, coverage + Coverage.words(roots, pages), (page) => host.pageNumber(page));
  }

  /** After a page was freed. */
  pageFreed(page: Address): void {
    this.#declared.freed(page);
    for (let cpu = 0; cpu < this.#host.cpus; cpu++) {
      const user = this.#host.canAccess(cpu);
      if (!user && !this.#strict) continue;
      for (let p = 0; p < this.#mmu.pages; p++) {
        this.#mmu.leaves(cpu, p, (_entry, _number, frame) => {
          if (frame !== page) return;
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
      this.#mmu.leaves(cpu, p, (entry, _number, frame) => {
        if (this.#host.freed(frame)) {
          this.#host.violate(
            'O1',
            `CPU ${cpu} is in user mode and can access ${this.#host.nameOf(frame)} at page ${p}, which was freed`,
          );
        }
        this.#checkLimit(cpu, p, entry);
        if (this.#declared.isClean(frame)) this.#checkClean(cpu, p, entry, frame);
      });
    }
    this.filled();
  }

  /** Something was filled, or a CPU has come to where it can access: what depends on more than one entry. */
  filled(): void {
    this.#coherent();
    if (this.#declared.anyStable) this.#checkStable();
  }

  /** A CPU replaced a page-table entry in memory. */
  entryChanged(cpu: number, cell: Address): void {
    this.#declared.entryStored(this.#state.words[cell]!);
    this.#coverage.entryChanged(cpu, cell);
  }

  /** A CPU made a generation. */
  generationMade(cpu: number, root: Address, gen: number): void {
    this.#coverage.generationMade(cpu, root, gen);
  }

  /** Entries were invalidated. */
  invalidated(): void {
    this.#coverage.invalidated();
  }

  /**
   * The completed generation of an mm was stored: every CPU that can access has flushed up to it, and it does not run ahead.
   * @param newest the mm's generation
   */
  generationCompleted(root: Address, old: number, gen: number, newest: number): void {
    if (gen < old) this.#host.violate('O11', `the completed generation goes back from ${old} to ${gen}`);
    if (gen > newest)
      this.#host.violate('O11', `generation ${gen} is said to be completed, and ${newest} is the newest`);
    if (root === 0) return;
    for (let cpu = 0; cpu < this.#host.cpus; cpu++) {
      if (!this.#host.canAccess(cpu) || this.#mmu.liveRoot(cpu) !== root) continue;
      this.#checkCovered(
        cpu,
        root,
        this.#mmu.liveAsid(cpu),
        gen,
        (what) => `generation ${gen} is said to be completed, and ${what}`,
      );
    }
  }

  /** A word of contents of a page was stored, by user or kernel code. */
  dataStored(cpu: number, page: Address): void {
    if (this.#declared.isStable(page))
      this.#host.violate('O13', `CPU ${cpu} writes to ${this.#host.nameOf(page)}, whose contents are taken for stable`);
  }

  /** O6 in the present state. */
  #coherent(): void {
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

  /** The claims of one CPU's code. @param process its main code, or its interrupt side */
  claimsOf(cpu: number, process: number): Claims {
    const seen = this.#seen + cpu * (1 + SEEN_WORDS * this.#mmu.pages);
    const seenAt = (p: number): number => seen + 1 + SEEN_WORDS * p;
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
          const entry = cell === 0 ? 0 : this.#host.load(cpu, cell);
          this.#state.set(seenAt(p), entry + 1);
          this.#state.set(seenAt(p) + 1, this.#mmu.frameAt(cell, entry, root, p));
        });
      },
      finished: () => {
        const root = this.#state.words[seen]!;
        this.#state.set(seen, 0);
        for (let p = 0; p < this.#mmu.pages; p++) {
          const entry = this.#state.words[seenAt(p)]! - 1;
          if (entry < 0) continue;
          const saw = { entry, frame: this.#state.words[seenAt(p) + 1]! };
          this.#state.set(seenAt(p), 0);
          this.#state.set(seenAt(p) + 1, 0);
          for (let c = 0; c < this.#host.cpus; c++) {
            // The caller itself returns to user mode without another check.
            if ((c !== cpu && !this.#host.canAccess(c)) || this.#mmu.liveRoot(c) !== root) continue;
            const stale = this.#staleAt(c, root, p, saw);
            if (stale !== '') this.#host.violate('O10', `CPU ${cpu}'s gather saw page ${p} and finishes, and ${stale}`);
          }
        }
      },
      caughtUp: (root: Address, asid: number, gen: number) =>
        this.#checkCovered(
          cpu,
          root,
          asid,
          gen,
          (what) => `CPU ${cpu} claims generation ${gen} under ASID ${asid}, and ${what}`,
        ),
      changing: (root: Address, range: Extent, begins: boolean) => {
        this.#forPages(range, (p) => {
          const at = this.#window(root, p);
          this.#state.set(at, this.#state.words[at]! + (begins ? 1 : -1));
        });
        if (!begins) this.#coherent();
      },
      clean: (page: Address) => {
        this.#declared.clean(page);
        this.#forAccessible((c, p, entry, frame) => {
          const now = this.#now(this.#mmu.liveRoot(c), p);
          const tells = now.frame === page && pteDirty(now.entry);
          if (frame === page && !tells) this.#checkClean(c, p, entry, frame);
        });
      },
      stable: (page: Address, begins: boolean) => {
        this.#declared.stable(page, begins);
        if (begins) this.#checkStable();
      },
      moved: (root: Address, range: Extent) => {
        for (let c = 0; c < this.#host.cpus; c++) {
          if (!this.#host.canAccess(c) || this.#mmu.liveRoot(c) !== root) continue;
          this.#forPages(range, (p) =>
            this.#mmu.leaves(c, p, (entry) =>
              this.#host.violate(
                'O7',
                `page ${p} has moved away, and CPU ${c} may still use ${this.#host.entryName(entry)} there`,
              ),
            ),
          );
        }
      },
      reassigned: (range: Extent) => {
        for (let c = 0; c < this.#host.cpus; c++) {
          this.#forPages(range, (p) =>
            this.#mmu.kernelLeaves(c, p, (entry) =>
              this.#host.violate(
                'O15',
                `kernel page ${p} is handed out again, and CPU ${c} may still use ${this.#host.entryName(entry)} there`,
              ),
            ),
          );
        }
      },
      held: (lock: Cell, how?: 'write') => {
        if (!this.#host.mayHold(process, lock, how === 'write'))
          this.#host.violate(
            'O16',
            `CPU ${cpu} does not hold ${this.#host.cellName(lock)}${how === undefined ? '' : ' for write'}`,
          );
      },
      irqsOff: () => {
        if (!this.#host.irqsOff(cpu)) this.#host.violate('O16', `CPU ${cpu} takes interrupts where it must not`);
      },
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
  #staleAt(cpu: number, root: Address, p: number, saw?: Leaf): string {
    if (root === 0) return '';
    const now = this.#now(root, p);
    let found = '';
    this.#mmu.leaves(cpu, p, (entry, _number, frame) => {
      const old = { entry, frame };
      if (
        found !== '' ||
        !this.#rights.allowsMore(old, now) ||
        (saw !== undefined && !this.#rights.allowsMore(old, saw))
      )
        return;
      found = `CPU ${cpu} may still use ${this.#host.entryName(entry)} for page ${p}, where memory has ${this.#host.entryName(now.entry)}`;
    });
    return found;
  }

  #checkPair(a: number, b: number, p: number): void {
    const now = this.#mmu.inMemory(this.#mmu.liveRoot(a), p);
    this.#mmu.leaves(a, p, (one, _n, frame) => {
      this.#mmu.leaves(b, p, (other, _m, otherFrame) => {
        if (frame === otherFrame || !(this.#rights.mayWrite(one, now) || this.#rights.mayWrite(other, now))) return;
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
    if (limit === LEVELS.write) return;
    if (limit === LEVELS.none || this.#rights.mayWrite(entry, this.#mmu.inMemory(root, p))) {
      this.#host.violate(
        'O2',
        `page ${p} was left with access '${limit === LEVELS.none ? 'none' : 'read'}', and CPU ${cpu} may still use ${this.#host.entryName(entry)}`,
      );
    }
  }

  #checkCovered(cpu: number, root: Address, asid: number, gen: number, say: (what: string) => string): void {
    for (let p = 0; p < this.#mmu.pages; p++) {
      const now = this.#now(root, p);
      this.#mmu.leavesUnder(cpu, asid, p, (entry, number, frame) => {
        const covered = this.#coverage.coveredBy(root, p, number, gen);
        if (covered === 0 || !this.#rights.allowsMore({ entry, frame }, now)) return;
        const may = `CPU ${cpu} may still use ${this.#host.entryName(entry)} for page ${p}`;
        this.#host.violate('O11', say(`${may}, whose change generation ${covered} covers`));
      });
    }
  }

  #checkClean(cpu: number, p: number, entry: Entry, frame: Address): void {
    if (!this.#rights.writesAlone(entry)) return;
    this.#host.violate(
      'O3',
      `${this.#host.nameOf(frame)} was declared clean, and CPU ${cpu} may still write to it through ${this.#host.entryName(entry)} at page ${p}, which leaves no trace`,
    );
  }

  #checkStable(): void {
    this.#forAccessible((cpu, p, entry, frame) => {
      if (
        !this.#declared.isStable(frame) ||
        !this.#rights.mayWrite(entry, this.#mmu.inMemory(this.#mmu.liveRoot(cpu), p))
      )
        return;
      this.#host.violate(
        'O13',
        `the contents of ${this.#host.nameOf(frame)} are taken for stable, and CPU ${cpu} may still write to it through ${this.#host.entryName(entry)} at page ${p}`,
      );
    });
  }

  /** Every leaf that a CPU which can access may hold on its loaded context. */
  #forAccessible(visit: (cpu: number, page: number, entry: Entry, frame: Address) => void): void {
    for (let cpu = 0; cpu < this.#host.cpus; cpu++) {
      if (!this.#host.canAccess(cpu)) continue;
      for (let p = 0; p < this.#mmu.pages; p++) {
        this.#mmu.leaves(cpu, p, (entry, _number, frame) => visit(cpu, p, entry, frame));
      }
    }
  }

  #now(root: Address, p: number): Leaf {
    return { entry: this.#mmu.inMemory(root, p), frame: this.#mmu.frameInMemory(root, p) };
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
}
