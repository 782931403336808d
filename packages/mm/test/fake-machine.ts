/**
 * A machine for these tests: one thing at a time, and strict about what a sequential run can show.
 *
 * - Freed objects must not be touched; a page is freed with no reference, no mapping and no cached entry, a table empty,
 *   and all without a lock held.
 * - A lock that is taken while it is held is a deadlock, since nobody else will run; mmap_lock may sleep.
 * - The TLB keeps what user accesses filled until a flush covers it: a missing flush shows as an access that succeeds.
 * - What the architecture is told about a change of an entry must be true (checked-pte.ts).
 * - `before` is called ahead of every marked access, so that a test can let another CPU run in the middle of an operation.
 */
import {
  ACCESSED,
  type Address,
  bootKernel,
  type BootOptions,
  type CacheName,
  cacheFields,
  type Cell,
  type Claims,
  type Cpu,
  DIRTY,
  type Entry,
  entryCell,
  entryIndex,
  entryPresent,
  entrySet,
  entryTarget,
  FAULT,
  finish,
  FOUR_LEVELS_FOLDED,
  type Geometry,
  type Kernel,
  LINUX_6_18,
  maxEntries,
  mkEntry,
  Mm,
  type OracleId,
  Page,
  type Profile,
  PSE,
  RW,
  type Scope,
  type Steps,
  tablePtl,
  type Test,
  USER,
} from '@mmu-gather/core/stepped';
import { mmAlloc, mmput } from '@mmu-gather/mm/stepped';
import type { Change } from './checked-pte.ts';
import { type Arch, type Flush, recordingBackend } from './recording-backend.ts';

/** A test body, run to its end in either build. */
export function run(body: () => Steps<void>): () => void {
  return () => finish(body());
}

/** A claim that was made. Of a page: its address, and how many flushes there were before. */
export interface Claim {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly access?: string;
}

/** How to make a machine. */
export interface FakeOptions {
  readonly geometry?: Geometry;
  readonly profile?: Partial<Profile>;
  readonly cpus?: number;
  readonly hugeZeroPage?: 'split' | 'huge';
  /** What the architecture has of its own. */
  readonly arch?: (machine: FakeMachine) => Arch;
}

const PAGE = 4096;

export class FakeMachine {
  readonly kernel: Kernel;
  readonly cpus: readonly FakeCpu[];
  readonly cpu: FakeCpu;
  readonly words: number[] = [0];
  /** 1 where an object was freed. */
  readonly freed: number[] = [0];
  /** Flushes that the backend was asked for. */
  readonly flushes: Flush[] = [];
  /** Mms that every CPU was asked to leave. */
  readonly left: Address[] = [];
  readonly claims: Claim[] = [];
  /** Changes of entries that the architecture was asked for. */
  readonly changes: Change[] = [];
  /** Begins and ends of lazy MMU sections. */
  readonly sections: string[] = [];
  /** Live objects by cache. */
  readonly live: Record<CacheName, Set<Address>> = {
    mm: new Set(),
    vma: new Set(),
    page: new Set(),
    table: new Set(),
    mapping: new Set(),
    area: new Set(),
  };
  /** Ahead of each marked access; takes itself away if it should run once. */
  before: ((cell: Cell) => void) | undefined;
  readonly options: BootOptions;

  constructor(options: FakeOptions = {}) {
    const geometry = options.geometry ?? FOUR_LEVELS_FOLDED;
    const backend = recordingBackend(this, geometry, options.arch?.(this) ?? {});
    this.options = { cpus: options.cpus ?? 2, geometry, backend, profile: { ...LINUX_6_18, ...options.profile } };
    if (options.hugeZeroPage !== undefined) this.options = { ...this.options, hugeZeroPage: options.hugeZeroPage };
    this.kernel = bootKernel(this, this.options);
    this.cpus = Array.from({ length: this.options.cpus }, (_, id) => new FakeCpu(this, id));
    this.cpu = this.cpus[0]!;
  }

  reserve(_name: string, fields: readonly string[]): Address {
    const address = this.words.length;
    for (let i = 0; i < fields.length; i++) {
      this.words.push(0);
      this.freed.push(0);
    }
    return address;
  }

  initialise(cell: Cell, value: number): void {
    this.words[cell] = value;
  }

  /** A new mm, loaded on a CPU. */
  *newMm(cpu: FakeCpu = this.cpu): Steps<Mm> {
    const mm = yield* mmAlloc(cpu);
    yield* this.kernel.backend.switchMm(cpu, mm);
    return mm;
  }

  /** The changes of entries since the last call. */
  takeChanges(): Change[] {
    return this.changes.splice(0);
  }

  /** The flushes since the last call. */
  takeFlushes(): Flush[] {
    return this.flushes.splice(0);
  }

  /** The claims of a kind since the last call; all others are forgotten. */
  takeClaims(kind: string): Claim[] {
    return this.claims.splice(0).filter((claim) => claim.kind === kind);
  }

  /** The leaf entry for an address, 0 if there is none. */
  entry(mm: Mm, address: number): Entry {
    const cell = this.leaf(this.words[mm.pgd]!, address);
    return cell === 0 ? 0 : this.words[cell]!;
  }

  /** The struct of the page that an address maps. */
  pageAt(mm: Mm, address: number): Page {
    return Page.at(entryTarget(this.entry(mm, address)));
  }

  /** Cell of the leaf entry for an address, of whatever size; 0 if a table is absent. */
  leaf(root: Address, address: number): Cell {
    const { geometry } = this.options;
    let table = root;
    for (let level = geometry.bits.length - 1; level > 0; level--) {
      const entry = this.words[entryCell(geometry, table, level, address)]!;
      if (!entryPresent(entry)) return 0;
      if ((entry & PSE) !== 0) return entryCell(geometry, table, level, address);
      table = entryTarget(entry);
    }
    return entryCell(geometry, table, 0, address);
  }

  /** Drops cached entries of an mm on all CPUs. */
  invalidate(root: Address, start: number, end: number): void {
    for (const { tlb } of this.cpus) {
      const entries = tlb.get(root);
      if (entries === undefined) continue;
      for (const address of entries.keys()) if (address >= start && address < end) entries.delete(address);
    }
  }

  /** Does a TLB hold an entry that leads to this page? */
  cached(page: Address): boolean {
    return this.cpus.some(({ tlb }) =>
      [...tlb.values()].some((entries) => [...entries.values()].some((e) => entryTarget(e) === page)),
    );
  }

  /** The last user leaves, and nothing may be left. @returns live objects by cache */
  *leaks(mm: Mm): Steps<Record<CacheName, number>> {
    yield* mmput(this.cpu, mm);
    const { live } = this;
    return {
      mm: live.mm.size,
      vma: live.vma.size,
      page: live.page.size,
      table: live.table.size,
      mapping: live.mapping.size,
      area: live.area.size,
    };
  }
}

/** No object is left. */
export const NO_LEAKS: Readonly<Record<CacheName, number>> = { mm: 0, vma: 0, page: 0, table: 0, mapping: 0, area: 0 };

export class FakeCpu implements Cpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  /** Top-level table that is loaded. */
  root: Address = 0;
  /** What the TLB holds: entries by top-level table, then by address of the page. */
  readonly tlb = new Map<Address, Map<number, Entry>>();
  lazy = false;
  irqsOff = 0;
  user = false;
  readonly #machine: FakeMachine;

  constructor(machine: FakeMachine, id: number) {
    this.#machine = machine;
    this.id = id;
    this.kernel = machine.kernel;
    const note = (kind: string, start: number, end: number, access?: string): void => {
      machine.claims.push(access === undefined ? { kind, start, end } : { kind, start, end, access });
    };
    this.claim = {
      limit: (_root, { start, end }, access) => note('limit', start, end, access),
      settled: (_root, address) => note('settled', address, address + PAGE),
      observed: (_root, { start, end }) => note('observed', start, end),
      finished: () => note('finished', 0, 0),
      changing: (_root, { start, end }, begins) => note(begins ? 'begins' : 'ends', start, end),
      caughtUp: () => {},
      clean: (page) => note('clean', page, machine.flushes.length),
      stable: (page, begins) => note(begins ? 'stable' : 'unstable', page, machine.flushes.length),
      moved: (_root, { start, end }) => note('moved', start, end),
      reassigned: ({ start, end }) => note('reassigned', start, end),
      held: (lock, how) => {
        const value = this.read(lock);
        if (how === 'write' ? value < WRITER : value === 0) throw new Error(`O16: word ${lock} should be locked`);
      },
      irqsOff: () => {},
      that: (holds: boolean, oracle: OracleId, message: string) => {
        if (!holds) throw new Error(`${oracle}: ${message}`);
      },
    };
  }

  #access(cell: Cell): void {
    this.#machine.before?.(cell);
    this.#check(cell);
  }
  #check(cell: Cell): void {
    if (!(cell > 0 && cell < this.#machine.words.length)) throw new Error(`no such word: ${cell}`);
    if (this.#machine.freed[cell] !== 0) throw new Error(`word ${cell} was freed`);
  }

  read(cell: Cell): number {
    this.#check(cell);
    return this.#machine.words[cell]!;
  }
  write(cell: Cell, value: number): void {
    this.#check(cell);
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`word ${cell} = ${value}`);
    this.#machine.words[cell] = value;
  }
  *readOnce(cell: Cell): Steps<number> {
    this.#access(cell);
    return this.read(cell);
  }
  *writeOnce(cell: Cell, value: number): Steps<void> {
    this.#access(cell);
    this.write(cell, value);
  }
  *loadAcquire(cell: Cell): Steps<number> {
    return yield* this.readOnce(cell);
  }
  *storeRelease(cell: Cell, value: number): Steps<void> {
    yield* this.writeOnce(cell, value);
  }
  *xchg(cell: Cell, value: number): Steps<number> {
    this.#access(cell);
    const old = this.read(cell);
    this.write(cell, value);
    return old;
  }
  *cmpxchg(cell: Cell, old: number, value: number): Steps<number> {
    this.#access(cell);
    const seen = this.read(cell);
    if (seen === old) this.write(cell, value);
    return seen;
  }
  *atomicAdd(cell: Cell, delta: number): Steps<void> {
    this.#access(cell);
    this.write(cell, this.read(cell) + delta);
  }
  *atomicAddReturn(cell: Cell, delta: number): Steps<number> {
    yield* this.atomicAdd(cell, delta);
    return this.read(cell);
  }
  *atomicOr(cell: Cell, bits: number): Steps<void> {
    this.#access(cell);
    this.write(cell, this.read(cell) | bits);
  }
  *atomicAndNot(cell: Cell, bits: number): Steps<void> {
    this.#access(cell);
    this.write(cell, this.read(cell) & ~bits);
  }
  *atomicFetchAndNot(cell: Cell, bits: number): Steps<number> {
    const old = this.read(cell);
    yield* this.atomicAndNot(cell, bits);
    return old;
  }
  *smpMb(): Steps<void> {}
  *smpWmb(): Steps<void> {}
  *smpRmb(): Steps<void> {}
  *smpMbAfterAtomic(): Steps<void> {}
  *waitFor(cell: Cell, test: Test, operand: number): Steps<number> {
    this.#access(cell);
    const value = this.read(cell);
    const passes = test === 'equal' ? value === operand : test === 'notEqual' ? value !== operand : value >= operand;
    if (!passes) throw new Error(`waits for ever: word ${cell} is ${value}, ${test} ${operand}`);
    return value;
  }

  #lock(lock: Cell, from: number, to: number): void {
    this.#access(lock);
    if (this.read(lock) !== from) throw new Error(`lock ${lock} is ${this.read(lock)}, expected ${from}`);
    this.write(lock, to);
  }
  *downReadTrylock(lock: Cell): Steps<number> {
    yield* this.downRead(lock);
    return 1;
  }
  *mayFail(): Steps<number> {
    return 0;
  }
  *rcuReadLock(): Steps<void> {}
  *rcuReadUnlock(): Steps<void> {}
  freeRcu(cache: CacheName, object: Address): Steps<void> {
    return this.free(cache, object);
  }
  *synchronizeRcu(): Steps<void> {}
  *kernelRead(): Steps<number> {
    return FAULT;
  }
  *spinLock(lock: Cell): Steps<void> {
    this.#lock(lock, 0, 1);
  }
  *spinUnlock(lock: Cell): Steps<void> {
    this.#lock(lock, 1, 0);
  }
  #mayNotSleep(): void {
    if (this.irqsOff !== 0 || this.user) throw new Error('sleeps with interrupts off or in user mode');
  }
  *downRead(lock: Cell): Steps<void> {
    this.#mayNotSleep();
    this.#access(lock);
    if (this.read(lock) >= WRITER) throw new Error(`lock ${lock} is held for write`);
    this.write(lock, this.read(lock) + 1);
  }
  *upRead(lock: Cell): Steps<void> {
    if (this.read(lock) === 0 || this.read(lock) >= WRITER) throw new Error(`lock ${lock} is not held for read`);
    this.write(lock, this.read(lock) - 1);
  }
  *downWrite(lock: Cell): Steps<void> {
    this.#mayNotSleep();
    this.#lock(lock, 0, WRITER);
  }
  *upWrite(lock: Cell): Steps<void> {
    this.#lock(lock, WRITER, 0);
  }
  *downgradeWrite(lock: Cell): Steps<void> {
    this.#lock(lock, WRITER, 1);
  }

  *alloc(cache: CacheName, count = 1): Steps<Address> {
    const row = Array.from({ length: count }, () =>
      this.#machine.reserve(cache, cacheFields(this.#machine.options, cache)),
    );
    for (const object of row) this.#machine.live[cache].add(object);
    return row[0]!;
  }
  *free(cache: CacheName, object: Address): Steps<void> {
    const machine = this.#machine;
    if (!machine.live[cache].delete(object))
      throw new Error(`${cache} ${object} is freed twice, or was never allocated`);
    if (cache === 'page') {
      const page = Page.at(object);
      if (this.read(page.refcount) !== 0 || this.read(page.mapcount) !== 0) throw new Error(`page ${object} is in use`);
      if (machine.cached(object)) throw new Error(`page ${object} is cached`);
    } else if (cache === 'table') {
      const entries = maxEntries(machine.options.geometry);
      for (let i = 0; i < entries; i++)
        if (this.read(object + i) !== 0) throw new Error(`table ${object} is not empty`);
      // Where locks are not split the word is none.
      const lock = machine.options.profile.splitPtl ? this.read(tablePtl(machine.options.geometry, object)) : 0;
      if (lock !== 0) throw new Error(`table ${object} is locked`);
    } else if (cache === 'mm') {
      const mm = Mm.at(object);
      for (const cell of [mm.mmapLock, mm.pageTableLock, mm.tlbFlushPending, mm.mmap, mm.mmUsers]) {
        if (this.read(cell) !== 0) throw new Error(`word ${cell - object} of an mm is not 0`);
      }
    }
    const words = cacheFields(machine.options, cache).length;
    for (let i = 0; i < words; i++) machine.freed[object + i] = 1;
  }

  *localIrqDisable(): Steps<void> {
    this.irqsOff++;
  }
  *localIrqEnable(): Steps<void> {
    if (--this.irqsOff < 0) throw new Error('interrupts enabled twice');
  }
  *sendIpi(_target: number, _handler: number, _argument: Address): Steps<void> {}
  *awaitIpis(): Steps<void> {}
  *loadContext(_root: Address, _asid: number, _noflush: boolean): Steps<void> {}
  *invalidate(_scope: Scope): Steps<void> {}
  cmpxchgAndInvalidate(cell: Cell, old: number, value: number, _scope: Scope): Steps<number> {
    return this.cmpxchg(cell, old, value);
  }
  *invalidationBarrier(): Steps<void> {}

  /** The entry that an access uses, or 0: from the TLB if it will do, else by a walk, which sets A and D. */
  #translate(address: number, write: boolean): Entry {
    if (!this.user || this.lazy) throw new Error('a user access outside of user mode');
    const machine = this.#machine;
    const page = address - (address % PAGE);
    let entries = this.tlb.get(this.root);
    if (entries === undefined) this.tlb.set(this.root, (entries = new Map<number, Entry>()));
    const need = USER | (write ? RW : 0);
    const held = entries.get(page) ?? 0;
    if (held !== 0 && (held & need) === need && (!write || (held & DIRTY) !== 0)) return held;
    entries.delete(page);
    const cell = machine.leaf(this.root, page);
    const entry = cell === 0 ? 0 : this.read(cell);
    if (!entryPresent(entry) || (entry & need) !== need) return 0;
    const used = entrySet(entry, write ? ACCESSED | DIRTY : ACCESSED);
    this.write(cell, used);
    // Of a huge page the TLB holds what it says about one page.
    const index = (used & PSE) === 0 ? 0 : entryIndex(machine.options.geometry, 0, page);
    const cached = used + mkEntry(index * Page.words, 0);
    entries.set(page, cached);
    return cached;
  }
  *userRead(address: number): Steps<number> {
    const entry = this.#translate(address, false);
    return entry === 0 ? FAULT : this.read(Page.at(entryTarget(entry)).data);
  }
  *userWrite(address: number, value: number): Steps<number> {
    const entry = this.#translate(address, true);
    if (entry === 0) return FAULT;
    this.write(Page.at(entryTarget(entry)).data, value);
    return 0;
  }
  *enterUser(_result?: number): Steps<void> {
    if (this.user) throw new Error('already in user mode');
    this.user = true;
  }
  *enterKernel(): Steps<void> {
    if (!this.user) throw new Error('already in kernel mode');
    this.user = false;
  }

  jiffies(): number {
    return 0;
  }
  trace(_event: string, ..._values: number[]): void {}
}

const WRITER = 1000;
