/**
 * A test with page tables as a program of the exploring machine that picks translations from the MMU's sets, as kernel scenarios do: what
 * this observes and a published verdict forbids would be an error of the sets, or of what kernel scenarios simplify.
 *
 *     pte_x           a cell of a real table, two levels below the root that every CPU has loaded; accessed as bare instructions do
 *     LDR, STR of x   userRead, userWrite: data is not ordered by the memory model there
 *     a flag          a location whose entry the test leaves alone is a word of the kernel, in the order of the memory model
 *     TLBI            the scope that arm64's isa table has for it
 *     DSB             the barrier that completes broadcasts, and a full fence; DSB ST: a full fence; DSB LD: a fence of loads
 *
 * It has no kinds of faults, no atomics through translations, no TTHM by CPU and no EL0: such tests are not supported here.
 */
import { arm64Isa } from '@mmu-gather/arm64/stepped';
import { type BarePort, bareOf, type FenceKind, Machine } from '@mmu-gather/checker';
import {
  ACCESSED,
  type Address,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type Cell,
  type Cpu,
  DIRTY,
  FAULT,
  type Geometry,
  type Isa,
  LINUX_6_18,
  mkEntry,
  type OracleId,
  Page,
  PRESENT,
  RW,
  SOFT_DIRTY,
  type Steps,
  UFFD_WP,
  USER,
} from '@mmu-gather/core/stepped';
import { forEachAtom, type Proposition } from './condition.ts';
import { type EntryBits, EntryWords } from './entry-words.ts';
import { Unsupported } from './errors.ts';
import type { Final } from './final.ts';
import type { Model, Run } from './on-machine.ts';
import { guarded, type Limits } from './limits.ts';
import { runInstructions } from './run-instructions.ts';
import type { LitmusTest } from './test.ts';
import type { Access, Dependencies, Outcome, ThreadMemory } from './thread-memory.ts';
import { defaultEntry, type EntryValue, entryOf, same, truncate, type Value, type Words } from './values.ts';

/** One table of eight pages, below a root of two entries. */
const GEOMETRY: Geometry = { pageShift: 12, bits: [3, 1] };
const PAGES = 8;
const PAGE_SIZE = 2 ** GEOMETRY.pageShift;
const ALL_USER: number = PRESENT | RW | USER | ACCESSED | DIRTY;

/** What the oracles of kernel scenarios would say is not asked here. */
const SILENT: readonly OracleId[] = Array.from({ length: 17 }, (_, i) => `O${i + 1}` as OracleId);

/** Where the test's locations are. */
interface Memory {
  /** First word of the flags. */
  readonly flags: Cell;
  readonly root: Address;
  readonly table: Address;
  /** Page of each home location, in the order of {@link homesOf}. */
  readonly pages: readonly Address[];
}

/** Makes a machine that runs a test. */
export function onSets(test: LitmusTest, words: Words, final: Final, model: Model, limits: Limits): Run {
  const homes = homesOf(test);
  const flags = flagsOf(test);
  mustFit(test, homes);
  const ends = new Set<string>();
  const count = test.threads.length;
  let results = 0;
  let gaveUp = 0;
  let flagsAt = 0;
  const machine = new Machine<Memory>(
    {
      cpus: count,
      geometry: GEOMETRY,
      backend: BACKEND,
      profile: LINUX_6_18,
      memoryModel: model === 'weak-mca' ? 'weak' : model,
      pools: { mm: 0, vma: 0, page: homes.length, table: 2, mapping: 0, area: 0 },
      oraclesOff: SILENT,
    },
    {
      reserve(layout) {
        results = layout.reserve('result', range(final.results));
        gaveUp = layout.reserve('gaveUp', range(count));
        flagsAt = layout.reserve('flag', range(flags.length));
        flags.forEach((name, i) => layout.initialise(flagsAt + i, words.of(test.memory.get(name)!)));
      },
      setup(run) {
        const memory = run(0, (cpu) => boot(cpu, test, words, homes, flags, flagsAt));
        for (let cpu = 0; cpu < count; cpu++) run(cpu, (port) => port.loadContext(memory.root, 0, false));
        return memory;
      },
      threads: (memory) =>
        test.threads.map((_, number) => (cpu: Cpu) => {
          const pages = new Pages(homes, flags, memory, words);
          const thread = new MmuMemory(cpu, pages, words, results, gaveUp + number, limits, test.file);
          const registers = final.registersOf(number);
          const faults = { faultsAt: final.faultsAt(number), faults: final.faultsWord.bind(final) };
          return guarded(
            limits,
            runInstructions(test, number, thread, { registers, word: (value) => words.of(value), ...faults }),
          );
        }),
      final(peek, memory) {
        for (let thread = 0; thread < count; thread++) if (peek(gaveUp + thread) !== 0) return undefined;
        const pages = new Pages(homes, flags, memory, words);
        const cells = final.cells.map((name) => words.of(pages.inMemory(name, peek)));
        ends.add([...Array.from({ length: final.results }, (_, i) => peek(results + i)), ...cells].join());
        return undefined;
      },
    },
  );
  return { machine, ends };
}

function range(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `[${i}]`);
}

/** Locations that are pages: their entries are not left alone, or map them elsewhere. */
function homesOf(test: LitmusTest): string[] {
  const flags = new Set(flagsOf(test));
  return [...test.memory.keys()].filter((name) => !name.startsWith('PTE(') && !flags.has(name));
}

/** Locations whose entry is the usual one, and is named nowhere. */
function flagsOf(test: LitmusTest): string[] {
  const pages = new Set<string>();
  const note = (value: Value): void => {
    if (typeof value !== 'object') return;
    if (value.kind === 'entry') pages.add(value.oa);
    if (value.kind === 'address' && value.of.startsWith('PTE(')) pages.add(value.of.slice('PTE('.length, -1));
  };
  for (const value of test.registers.values()) note(value);
  for (const [name, value] of test.memory) {
    const home = /^PTE\((.*)\)$/.exec(name)?.[1];
    if (home === undefined) note(value);
    else if (!same(value, defaultEntry(home))) {
      pages.add(home);
      note(value);
    }
  }
  const patterns = (atom: Proposition): void => {
    if (atom.kind === 'fault' && atom.fault.location !== undefined) pages.add(atom.fault.location);
    if (atom.kind !== 'equal') return;
    note(atom.value);
    if (atom.item.kind === 'location') note({ kind: 'address', of: atom.item.name, offset: 0 });
  };
  forEachAtom(test.condition.proposition, patterns);
  return [...test.memory.keys()].filter((name) => !name.startsWith('PTE(') && !pages.has(name));
}

function mustFit(test: LitmusTest, homes: readonly string[]): void {
  const no = (what: string): never => {
    throw new Unsupported(test.file, 0, `${what} on the sets of the MMU`);
  };
  if (homes.length > PAGES) no(`${homes.length} pages`);
  if (homes.some((name) => name.includes('['))) no('an array');
  for (const { accessFlag, dirty, user, code } of test.threads) {
    if (accessFlag || dirty) no('TTHM');
    if (user) no('EL0');
    for (const { action } of code) if (action.kind === 'load' && action.exclusive) no('an exclusive load');
  }
  forEachAtom(test.condition.proposition, (atom) => {
    if (atom.kind === 'fault' && atom.fault.type !== undefined) no('a kind of fault');
  });
}

const ARM64: Isa = arm64Isa({ asids: 1, hafdbs: false, ets2: false, kpti: false, contPtes: 16, bbml2: true });
const BACKEND: BackendSpec = {
  id: 'litmus',
  isa: { ...ARM64, geometry: GEOMETRY },
  mmContextFields: ['context'],
  link: () => ({ ...ASM_GENERIC, id: 'litmus', handlers: [] }) as unknown as Backend,
};

/** Builds the tables. */
function* boot(
  cpu: Cpu,
  test: LitmusTest,
  words: Words,
  homes: readonly string[],
  flags: readonly string[],
  flagsAt: Cell,
): Steps<Memory> {
  const root = yield* cpu.alloc('table');
  const table = yield* cpu.alloc('table');
  const pages: Address[] = [];
  for (const home of homes) {
    const page = yield* cpu.alloc('page');
    cpu.write(Page.at(page).data, words.of(test.memory.get(home)!));
    pages.push(page);
  }
  const memory = { root, table, pages, flags: flagsAt };
  const all = new Pages(homes, flags, memory, words);
  for (const [i, home] of homes.entries())
    yield* cpu.writeOnce(table + i, all.entries.entry(test.memory.get(entryOf(home)) as EntryValue));
  yield* cpu.writeOnce(root, mkEntry(table, ALL_USER));
  return memory;
}

/** An entry's cell, a flag's, or a virtual address. */
type At = { readonly cell: Cell; readonly entry: boolean } | { readonly cell?: undefined; readonly address: number };

/** dbm and el0 are bits that mean nothing to the machine. */
const BITS: EntryBits = { valid: PRESENT, af: ACCESSED, db: RW | DIRTY, dbm: SOFT_DIRTY, el0: UFFD_WP };

/** Where the test's names lead. */
class Pages {
  /** What words mean. */
  readonly entries: EntryWords;
  readonly #homes: readonly string[];
  readonly #flags: readonly string[];
  readonly #memory: Memory;
  readonly #words: Words;

  constructor(homes: readonly string[], flags: readonly string[], memory: Memory, words: Words) {
    this.#homes = homes;
    this.#flags = flags;
    this.#memory = memory;
    this.#words = words;
    this.entries = new EntryWords(homes, memory.pages, BITS, USER, words);
  }

  /** Where a name leads; undefined if nowhere. */
  place(of: string): At | undefined {
    const flag = this.#flags.indexOf(of);
    if (flag >= 0) return { cell: this.#memory.flags + flag, entry: false };
    const home = /^PTE\((.*)\)$/.exec(of)?.[1];
    const i = this.#homes.indexOf(home ?? of);
    if (i < 0) return undefined;
    return home === undefined ? { address: i * PAGE_SIZE } : { cell: this.#memory.table + i, entry: true };
  }

  /** What a cell of the test holds. */
  inMemory(name: string, peek: (cell: Cell) => number): Value {
    const place = this.place(name);
    // The entry of a flag is the usual one.
    if (place === undefined) return defaultEntry(/^PTE\((.*)\)$/.exec(name)?.[1] ?? name);
    if (place.cell !== undefined) return this.entries.read(peek(place.cell), place.entry);
    return this.#words.value(peek(Page.at(this.#memory.pages[place.address / PAGE_SIZE]!).data));
  }
}

/** The memory of a thread. */
class MmuMemory implements ThreadMemory {
  readonly #cpu: Cpu;
  readonly #port: BarePort;
  readonly #pages: Pages;
  readonly #words: Words;
  readonly #results: Cell;
  readonly #gaveUp: Cell;
  readonly #limits: Limits;
  readonly #file: string;

  constructor(cpu: Cpu, pages: Pages, words: Words, results: Cell, gaveUp: Cell, limits: Limits, file: string) {
    this.#cpu = cpu;
    this.#port = bareOf(cpu);
    this.#pages = pages;
    this.#words = words;
    this.#results = results;
    this.#gaveUp = gaveUp;
    this.#limits = limits;
    this.#file = file;
  }

  *load(address: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    if (place.cell !== undefined) {
      const how = { addr: access.addr, order: access.acquire ?? 'relaxed', slot: access.slot } as const;
      const read = this.#pages.entries.read(yield* this.#port.load(place.cell, how), place.entry);
      return { value: truncate(read, access.bits) };
    }
    const word = yield* this.#cpu.userRead(place.address);
    return word === FAULT ? FAULTED : { value: truncate(this.#words.value(word), access.bits) };
  }
  *store(address: Value, value: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    if (place.cell === undefined) {
      const word = yield* this.#cpu.userWrite(place.address, this.#words.of(value));
      return word === FAULT ? FAULTED : DONE;
    }
    const order = access.release === true ? 'release' : 'relaxed';
    const { addr, trueData, ctrl, earlier } = access;
    yield* this.#port.store(place.cell, this.#word(value, place.entry), {
      addr,
      data: trueData,
      ctrl: ctrl | earlier,
      order,
    });
    return DONE;
  }
  *rmw(address: Value, operation: string, operand: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    if (place.cell === undefined || operation !== 'swap') return this.#no(`an atomic '${operation}'`);
    const half = access.acquire === undefined ? (access.release === true ? 'release' : 'relaxed') : 'acquire';
    const order = access.acquire !== undefined && access.release === true ? 'acquireRelease' : half;
    const { addr, trueData, ctrl, earlier, slot } = access;
    const how = { addr, data: trueData, ctrl: ctrl | earlier, order, ...(slot >= 0 && { slot }) } as const;
    const word = yield* this.#port.rmw(place.cell, 'swap', this.#word(operand, place.entry), how);
    return { value: truncate(this.#pages.entries.read(word, place.entry), access.bits) };
  }
  compareAndSwap(): Steps<Outcome> {
    return this.#no('a compare-and-swap');
  }
  loadExclusive(): Steps<Outcome> {
    return this.#no('an exclusive load');
  }
  storeExclusive(): Steps<Outcome> {
    return this.#no('an exclusive store');
  }
  *fence(kind: FenceKind | 'eret', { ctrl, earlier }: Dependencies): Steps<void> {
    // As arm64's backend has it (barriers.ts): walkers see stores behind a full barrier.
    const fence = kind === 'eret' ? 'isb' : kind === 'dsb st' ? 'dsb sy' : kind;
    yield* this.#port.fence(fence, ctrl | earlier);
    if (kind === 'dsb sy') yield* this.#cpu.invalidationBarrier();
  }
  *invalidate(address: Value | undefined, broadcast: boolean): Steps<void> {
    const place = address === undefined ? undefined : this.#place(address);
    // A flag's entry stays as it is, and the address of an entry names a page that no test maps.
    if (place?.cell !== undefined) return;
    const { instructions } = ARM64;
    const name = `${place === undefined ? 'VMALLE1' : 'VAAE1'}${broadcast ? 'IS' : ''}`;
    yield* this.#cpu.invalidate(instructions[name]!(0, place?.address ?? 0, PAGE_SIZE));
  }
  choose(): Steps<number> {
    return this.#cpu.mayFail();
  }
  lock(): Steps<void> {
    return this.#no('a lock');
  }
  unlock(): Steps<void> {
    return this.#no('a lock');
  }
  rcuReadLock(): Steps<void> {
    return this.#no('RCU');
  }
  rcuReadUnlock(): Steps<void> {
    return this.#no('RCU');
  }
  synchronizeRcu(): Steps<void> {
    return this.#no('RCU');
  }
  *giveUp(limited: boolean): Steps<void> {
    if (limited) this.#limits.limited = true;
    this.#cpu.write(this.#gaveUp, 1);
  }
  result(index: number, word: number): void {
    this.#cpu.write(this.#results + index, word);
  }

  #place(address: Value): At {
    const known = typeof address === 'object' && address.kind === 'address' && address.offset === 0;
    const place = known ? this.#pages.place(address.of) : undefined;
    return place ?? this.#no('an access to what is no page');
  }

  #word(value: Value, entry: boolean): number {
    return this.#pages.entries.word(value, entry) ?? this.#no('a store of what is no entry to one');
  }

  #no(what: string): never {
    throw new Unsupported(this.#file, 0, `${what} on the sets of the MMU`);
  }
}

const DONE: Outcome = { value: 0n };
/** This MMU does not say why. */
const FAULTED: Outcome = { fault: 'Translation' };
