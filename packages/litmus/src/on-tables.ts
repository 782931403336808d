/**
 * A test with page tables as a program of the exploring machine, under `weak-mca`: real tables, walks, and accesses behind them.
 *
 *     pte_x           a cell of a real table, below the root that every CPU has loaded; accessed as bare instructions do
 *     x               a page of its own; an array is a page of several words
 *     LDR, STR of x   an access through the tables, as what the thread's TTHM and EL make of it
 */
import { arm64Isa } from '@mmu-gather/arm64/stepped';
import {
  type BarePort,
  bareOf,
  type FaultKind,
  type FenceKind,
  faultOf,
  Machine,
  type RmwOperation,
  type TranslatedBy,
  type WalkRule,
} from '@mmu-gather/checker';
import {
  ACCESSED,
  type Address,
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type Cell,
  type Cpu,
  DIRTY,
  type Geometry,
  type Isa,
  LINUX_6_18,
  mkEntry,
  type OracleId,
  Page,
  PRESENT,
  RW,
  type Steps,
  USER,
} from '@mmu-gather/core/stepped';
import { type EntryBits, EntryWords } from './entry-words.ts';
import { Unsupported } from './errors.ts';
import type { Final } from './final.ts';
import { guarded, type Limits } from './limits.ts';
import { numbered, type Run, rmwOf, slotMasks, slotOf } from './on-machine.ts';
import { runInstructions } from './run-instructions.ts';
import type { LitmusTest, Thread } from './test.ts';
import type { Access, Dependencies, Outcome, ThreadMemory } from './thread-memory.ts';
import { defaultEntry, type EntryValue, entryOf, truncate, type Value, type Words } from './values.ts';

/** What the machine does. */
export interface TableOptions {
  /** FEAT_ETS2. */
  readonly ets2?: boolean;
  /** Rules of walks to leave out. */
  readonly without?: readonly WalkRule[];
}

const PAGE_SHIFT = 12;
const PAGE_SIZE = 2 ** PAGE_SHIFT;
const ALL_USER: number = PRESENT | RW | USER | ACCESSED | DIRTY;

/** What the oracles of kernel scenarios would say is not asked here. */
const SILENT: readonly OracleId[] = Array.from({ length: 17 }, (_, i) => `O${i + 1}` as OracleId);

/** Makes a machine that runs a test. */
export function onTables(
  test: LitmusTest,
  words: Words,
  final: Final,
  limits: Limits,
  options: TableOptions = {},
): Run {
  const { ets2 = false, without = [] } = options;
  const homes = homesOf(test);
  const ends = new Set<string>();
  const count = test.threads.length;
  const geometry: Geometry = { pageShift: PAGE_SHIFT, bits: [Math.ceil(Math.log2(homes.length + 1)), 1] };
  let results = 0;
  let gaveUp = 0;
  const machine = new Machine<Tables>(
    {
      cpus: count,
      geometry,
      backend: backendOf(geometry, ets2 || test.ets2),
      profile: LINUX_6_18,
      memoryModel: 'weak',
      exact: true,
      walks: {
        setsAccessFlags: test.threads.some(({ accessFlag, dirty }) => accessFlag || dirty),
        without: new Set(without),
      },
      pools: { mm: 0, vma: 0, page: homes.reduce((sum, home) => sum + home.size, 0), table: 2, mapping: 0, area: 0 },
      oraclesOff: SILENT,
    },
    {
      reserve(layout) {
        results = layout.reserve('result', numbered(final.results));
        gaveUp = layout.reserve('gaveUp', numbered(count));
      },
      setup(run) {
        const tables = run(0, (cpu) => boot(cpu, test, words, homes));
        for (let cpu = 0; cpu < count; cpu++) run(cpu, (port) => port.loadContext(tables.root, 0, false));
        return tables;
      },
      threads: (tables) =>
        test.threads.map((thread, number) => (cpu: Cpu) => {
          const memory = new TableMemory(cpu, thread, new Pages(test, homes, tables, words), limits, test.file, {
            results,
            gaveUp: gaveUp + number,
          });
          const registers = final.registersOf(number);
          const faults = { faultsAt: final.faultsAt(number), faults: final.faultsWord.bind(final) };
          const word = (value: Value): number => words.of(value);
          return guarded(limits, runInstructions(test, number, memory, { registers, word, ...faults }));
        }),
      final(peek, tables) {
        for (let thread = 0; thread < count; thread++) if (peek(gaveUp + thread) !== 0) return undefined;
        const pages = new Pages(test, homes, tables, words);
        const cells = final.cells.map((name) => words.of(pages.inMemory(name, peek)));
        ends.add([...Array.from({ length: final.results }, (_, i) => peek(results + i)), ...cells].join());
        return undefined;
      },
    },
  );
  return { machine, ends };
}

/** A location that is a page. */
interface Home {
  readonly name: string;
  /** Names of its words, by number. */
  readonly words: readonly string[];
  /** Number of them. */
  readonly size: number;
}

/** Locations, and what else is mapped or mapped to. */
function homesOf(test: LitmusTest): Home[] {
  const names = [...test.memory.keys()];
  const homes = new Set(names.filter((name) => !name.startsWith('PTE(') && !name.includes('[')));
  for (const name of names) if (name.startsWith('PTE(')) homes.add(name.slice('PTE('.length, -1));
  for (const value of [...test.memory.values(), ...test.registers.values()])
    if (typeof value === 'object' && value.kind === 'entry') homes.add(value.oa);
  return [...homes].map((name) => {
    const words = [name, ...names.filter((other) => other.startsWith(`${name}[`))];
    return { name, words, size: words.length };
  });
}

/** Where the test's tables and pages are. */
interface Tables {
  readonly root: Address;
  readonly table: Address;
  /** First of each home's page. */
  readonly pages: readonly Address[];
}

function backendOf(geometry: Geometry, ets2: boolean): BackendSpec {
  const cpu = arm64Isa({ asids: 1, hafdbs: false, ets2, kpti: false, contPtes: 16, bbml2: true });
  const isa: Isa = { ...cpu, geometry };
  return {
    id: 'litmus',
    isa,
    mmContextFields: ['context'],
    link: () => ({ ...ASM_GENERIC, id: 'litmus', handlers: [] }) as unknown as Backend,
  };
}

/** Builds the tables. */
function* boot(cpu: Cpu, test: LitmusTest, words: Words, homes: readonly Home[]): Steps<Tables> {
  const root = yield* cpu.alloc('table');
  const table = yield* cpu.alloc('table');
  const pages: Address[] = [];
  for (const home of homes) {
    const page = yield* cpu.alloc('page', home.size);
    for (const [i, name] of home.words.entries())
      cpu.write(Page.at(page + i * Page.words).data, words.of(test.memory.get(name) ?? 0n));
    pages.push(page);
  }
  const tables = { root, table, pages };
  const all = new Pages(test, homes, tables, words);
  for (const [i, { name }] of homes.entries())
    yield* cpu.writeOnce(
      table + i,
      all.entries.entry((test.memory.get(entryOf(name)) ?? defaultEntry(name)) as EntryValue),
    );
  yield* cpu.writeOnce(root, mkEntry(table, ALL_USER));
  return tables;
}

/** An entry's cell, or a virtual address. */
type At = { readonly cell: Cell } | { readonly cell?: undefined; readonly address: number };

/** Bits of an entry of the machine by those of an entry of Arm; AP[2], which is 7, says that stores are not allowed. */
const BITS: ReadonlyMap<bigint, number> = new Map([
  [1n << 0n, PRESENT],
  [1n << 6n, USER],
  [1n << 10n, ACCESSED],
  [1n << 51n, RW],
]);
const READ_ONLY: bigint = 1n << 7n;

/** What stands for the bits that a test names. */
const NAMED: EntryBits = { valid: PRESENT, af: ACCESSED, db: DIRTY, dbm: RW, el0: USER };

/** Where the test's names lead. */
class Pages {
  /** What words mean. */
  readonly entries: EntryWords;
  readonly #test: LitmusTest;
  readonly #homes: readonly Home[];
  readonly #tables: Tables;
  readonly #words: Words;

  constructor(test: LitmusTest, homes: readonly Home[], tables: Tables, words: Words) {
    this.#test = test;
    this.#homes = homes;
    this.#tables = tables;
    this.#words = words;
    const names = homes.map(({ name }) => name);
    this.entries = new EntryWords(names, tables.pages, NAMED, 0, words);
  }

  /** Where an address leads; undefined if nowhere. */
  place(of: string, offset: number): At | undefined {
    const home = /^PTE\((.*)\)$/.exec(of)?.[1];
    const i = this.#homes.findIndex(({ name }) => name === (home ?? of));
    if (i < 0) return undefined;
    if (home !== undefined) return offset === 0 ? { cell: this.#tables.table + i } : undefined;
    const bytes = this.#test.arrays.get(of) ?? 0;
    const word = offset === 0 ? 0 : offset / bytes;
    return Number.isInteger(word) && word >= 0 ? { address: i * PAGE_SIZE + word } : undefined;
  }

  /** What a cell of the test holds. */
  inMemory(name: string, peek: (cell: Cell) => number): Value {
    const home = /^PTE\((.*)\)$/.exec(name)?.[1];
    const i = this.#homes.findIndex((each) => each.name === home || (home === undefined && each.words.includes(name)));
    if (home !== undefined) return this.entries.value(peek(this.#tables.table + i));
    const page = this.#tables.pages[i]! + this.#homes[i]!.words.indexOf(name) * Page.words;
    return this.#words.value(peek(Page.at(page).data));
  }
}

/** Where a thread notes how it ended. */
interface Notes {
  /** First word of the results. */
  readonly results: Cell;
  /** Set if the execution does not count. */
  readonly gaveUp: Cell;
}

/** The memory of a thread. */
class TableMemory implements ThreadMemory {
  readonly #cpu: Cpu;
  readonly #port: BarePort;
  readonly #by: TranslatedBy;
  readonly #pages: Pages;
  readonly #limits: Limits;
  readonly #file: string;
  readonly #notes: Notes;

  constructor(cpu: Cpu, thread: Thread, pages: Pages, limits: Limits, file: string, notes: Notes) {
    this.#cpu = cpu;
    this.#port = bareOf(cpu);
    const { accessFlag, dirty, user, handler } = thread;
    this.#by = { accessFlag, dirty, el0: user, handler: handler !== undefined };
    this.#pages = pages;
    this.#limits = limits;
    this.#file = file;
    this.#notes = notes;
  }

  *load(address: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    const how = { ...slotMasks(access), order: access.acquire ?? 'relaxed', ...slotOf(access.slot) } as const;
    if (place.cell === undefined)
      return this.#outcome(yield* this.#port.loadVia(place.address, this.#who(access), how), access);
    return (yield* this.#denied(access)) ?? this.#read(yield* this.#port.load(place.cell, how), access);
  }
  *store(address: Value, value: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    const order = access.release === true ? 'release' : 'relaxed';
    const how = { ...slotMasks(access), order } as const;
    const word = this.#word(value, place);
    if (place.cell === undefined)
      return this.#outcome(yield* this.#port.storeVia(place.address, word, this.#who(access), how), access);
    const denied = yield* this.#denied(access);
    if (denied === undefined) yield* this.#port.store(place.cell, word, how);
    return denied ?? DONE;
  }
  *rmw(address: Value, operation: RmwOperation, operand: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    const how = rmwOf(access);
    if (place.cell === undefined) {
      const word = this.#word(operand, place);
      return this.#outcome(yield* this.#port.rmwVia(place.address, operation, word, this.#who(access), how), access);
    }
    const denied = yield* this.#denied(access);
    if (denied !== undefined) return denied;
    const [combine, word] = this.#onEntry(operation, operand, place);
    return this.#read(yield* this.#port.rmw(place.cell, combine, word, how), access);
  }
  *compareAndSwap(address: Value, old: Value, value: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    const how = rmwOf(access);
    const [from, to] = [this.#word(old, place), this.#word(value, place)];
    if (place.cell === undefined)
      return this.#outcome(
        yield* this.#port.compareAndSwapVia(place.address, from, to, this.#who(access), how),
        access,
      );
    const denied = yield* this.#denied(access);
    return denied ?? this.#read(yield* this.#port.compareAndSwap(place.cell, from, to, how), access);
  }
  *loadExclusive(address: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    const how = { ...slotMasks(access), order: access.acquire ?? 'relaxed', ...slotOf(access.slot) } as const;
    if (place.cell === undefined)
      return this.#outcome(yield* this.#port.loadExclusiveVia(place.address, this.#who(access), how), access);
    return (yield* this.#denied(access)) ?? this.#read(yield* this.#port.loadExclusive(place.cell, how), access);
  }
  *storeExclusive(address: Value, value: Value, access: Access): Steps<Outcome> {
    const place = this.#place(address);
    const order = access.release === true ? 'release' : 'relaxed';
    const how = { ...slotMasks(access), order } as const;
    const word = this.#word(value, place);
    if (place.cell === undefined)
      return this.#outcome(yield* this.#port.storeExclusiveVia(place.address, word, this.#who(access), how), access);
    const denied = yield* this.#denied(access);
    return denied ?? { value: BigInt(yield* this.#port.storeExclusive(place.cell, word, how)) };
  }
  fence(kind: FenceKind | 'eret', { ctrl, earlier }: Dependencies): Steps<void> {
    return this.#port.fence(kind === 'eret' ? 'isb' : kind, ctrl | earlier);
  }
  *invalidate(address: Value | undefined, broadcast: boolean, on: Dependencies): Steps<void> {
    const masks = { addr: on.addr | on.pickAddr, ctrl: on.ctrl, broadcast };
    const place = address === undefined ? undefined : this.#place(address);
    // The address of an entry names a page that no test maps.
    if (place?.cell !== undefined) return;
    yield* this.#port.invalidateVia({ ...masks, ...(place !== undefined && { address: place.address }) });
  }
  choose(count: number): Steps<number> {
    if (count !== 2) throw new RangeError('the machine chooses between two');
    return this.#cpu.mayFail();
  }
  lock(): Steps<void> {
    return noKernel();
  }
  unlock(): Steps<void> {
    return noKernel();
  }
  rcuReadLock(): Steps<void> {
    return noKernel();
  }
  rcuReadUnlock(): Steps<void> {
    return noKernel();
  }
  synchronizeRcu(): Steps<void> {
    return noKernel();
  }
  *giveUp(limited: boolean): Steps<void> {
    if (limited) this.#limits.limited = true;
    this.#cpu.write(this.#notes.gaveUp, 1);
  }
  result(index: number, word: number): void {
    this.#cpu.write(this.#notes.results + index, word);
  }

  #who({ privileged }: Access): TranslatedBy {
    return privileged ? { ...this.#by, el0: false } : this.#by;
  }

  /** User code has no entries: the fault of one that accesses them. */
  *#denied(access: Access): Steps<Outcome | undefined> {
    if (this.#who(access).el0 !== true) return undefined;
    if (this.#by.handler === true) yield* this.#port.fence('isb', access.ctrl | access.earlier | access.pickAddr);
    return { fault: 'Permission' };
  }

  #place(address: Value): At {
    const known = typeof address === 'object' && address.kind === 'address';
    return (known ? this.#pages.place(address.of, address.offset) : undefined) ?? this.#no('an access to no location');
  }

  #word(value: Value, { cell }: At): number {
    return this.#pages.entries.word(value, cell !== undefined) ?? this.#no('a page-table entry that is none');
  }

  /** An atomic on an entry, in the machine's bits. */
  #onEntry(operation: RmwOperation, operand: Value, place: At): [RmwOperation, number] {
    if (operation === 'swap') return ['swap', this.#word(operand, place)];
    if (operand === READ_ONLY && operation !== 'xor') {
      if (operation === 'or') return ['andNot', DIRTY];
      if (operation === 'andNot') return ['or', DIRTY];
    }
    const bits = typeof operand === 'bigint' && (operation === 'or' || operation === 'andNot' || operation === 'xor');
    if (bits && operand === READ_ONLY) return [operation, DIRTY];
    let word = 0;
    let rest = bits ? operand : 0n;
    for (const [bit, flag] of BITS) {
      if ((rest & bit) === 0n) continue;
      rest ^= bit;
      word |= flag;
    }
    if (!bits || rest !== 0n) return this.#no(`an atomic '${operation}' on these values`);
    return [operation, word];
  }

  #read(word: number, { bits }: Access): Outcome {
    return { value: truncate(this.#pages.entries.read(word, true), bits) };
  }

  #outcome(word: number, { bits }: Access): Outcome {
    const fault: FaultKind | undefined = faultOf(word);
    return fault === undefined ? { value: truncate(this.#pages.entries.read(word, false), bits) } : { fault };
  }

  #no(what: string): never {
    throw new Unsupported(this.#file, 0, what);
  }
}

const DONE: Outcome = { value: 0n };

function noKernel(): never {
  throw new TypeError('instructions have no locks and no RCU');
}
