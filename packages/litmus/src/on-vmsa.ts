/**
 * A test as a program of the VMSA machine.
 */
import {
  type EntryFields,
  type FaultKind,
  type FenceKind,
  faultOf,
  type Place,
  type RmwOperation,
  type VmsaAccess,
  VmsaMachine,
  type VmsaPort,
  type VmsaRule,
} from '@mmu-gather/checker';
import type { Steps } from '@mmu-gather/core/stepped';
import { Unsupported } from './errors.ts';
import type { Final } from './final.ts';
import type { Limits } from './limits.ts';
import { runInstructions } from './run-instructions.ts';
import type { LitmusTest, Thread } from './test.ts';
import type { Access, Dependencies, Outcome, ThreadMemory } from './thread-memory.ts';
import { type Arithmetic, compute, type EntryValue, truncate, type Value, type Words } from './values.ts';

/** Events that one instruction may be: walk, update, load and store. */
const EVENTS_OF_INSTRUCTION = 4;
/** Events of a thread, at least and at most. */
const ROOM = { least: 12, most: 62 };

/** What the machine does. */
export interface VmsaOptions {
  readonly ets2?: boolean;
  readonly without?: readonly VmsaRule[];
}

/** Makes a machine that runs a test. */
export function onVmsa(
  test: LitmusTest,
  words: Words,
  final: Final,
  limits: Limits,
  { ets2 = false, without = [] }: VmsaOptions,
): VmsaMachine {
  const cells = final.cells;
  const home = new Map(cells.map((name, cell) => [name, cell]));
  const places = new Places(test, words, home);
  return new VmsaMachine({
    cells: cells.map((name) => words.of(test.memory.get(name)!)),
    entries: cells.flatMap((name, cell) => (name.startsWith('PTE(') ? [cell] : [])),
    values: places,
    threads: test.threads.map((thread, number) => (port: VmsaPort) => {
      const memory = new VmsaMemory(port, words, limits);
      const word = (value: Value): number => words.of(value);
      const registers = final.registersOf(number);
      const faults = { faultsAt: final.faultsAt(number), faults: final.faultsWord.bind(final) };
      return runInstructions(test, number, memory, { registers, word, ...faults });
    }),
    results: final.results,
    management: test.threads.map(({ accessFlag, dirty, user }) => ({ accessFlag, dirty, el0: user })),
    handlers: test.threads.map(({ handler }) => handler !== undefined),
    ets2: ets2 || test.ets2,
    without: new Set(without),
    room: Math.max(...test.threads.map(roomOf)),
  });
}

function roomOf({ code, handler }: Thread): number {
  const loops = code.some(({ action }, i) => {
    const to =
      action.kind === 'jump' || action.kind === 'branch' || action.kind === 'branchOnZero' ? action.to : undefined;
    return to !== undefined && code.findIndex(({ labels }) => labels.includes(to)) <= i;
  });
  if (loops || handler !== undefined) return ROOM.most;
  let room = ROOM.least;
  for (const { action } of code) {
    if ('at' in action) room += EVENTS_OF_INSTRUCTION;
    else if (action.kind === 'fence' || action.kind === 'tlbi') room++;
  }
  return Math.min(ROOM.most, room);
}

/** What words mean to the machine. */
class Places {
  readonly #test: LitmusTest;
  readonly #words: Words;
  readonly #cells: ReadonlyMap<string, number>;

  constructor(test: LitmusTest, words: Words, cells: ReadonlyMap<string, number>) {
    this.#test = test;
    this.#words = words;
    this.#cells = cells;
  }

  place(address: number): Place {
    const value = this.#words.value(address);
    if (typeof value === 'bigint' || value.kind !== 'address') return this.#wrong('an access to what is no address');
    if (value.of.startsWith('PTE(')) return { cell: this.#cell(value.of, value.offset) };
    return { entry: this.#cell(`PTE(${value.of})`, 0), offset: value.offset };
  }

  cell(entry: number, offset: number): number {
    return this.#cell(this.#entry(entry).oa, offset);
  }

  fields(entry: number): EntryFields {
    const { valid, af, db, dbm, el0 } = this.#entry(entry);
    return { valid: valid === 1, accessed: af === 1, dirty: db === 1, managed: dbm === 1, user: el0 === 1 };
  }

  set(entry: number, accessed: boolean, dirty: boolean): number {
    const old = this.#entry(entry);
    return this.#words.of({ ...old, ...(accessed && { af: 1 }), ...(dirty && { db: 1 }) });
  }

  combine(operation: RmwOperation, old: number, operand: number): number {
    if (operation === 'swap') return operand;
    const kind = COMBINES[operation];
    const value = kind === undefined ? undefined : compute(kind, this.#words.value(old), this.#words.value(operand));
    return value === undefined ? this.#wrong(`an atomic '${operation}' on these values`) : this.#words.of(value);
  }

  #entry(word: number): EntryValue {
    const value = this.#words.value(word);
    if (typeof value === 'bigint' || value.kind !== 'entry') return this.#wrong('a page-table entry that is none');
    return value;
  }

  #cell(location: string, offset: number): number {
    const bytes = this.#test.arrays.get(location) ?? 0;
    const name = offset === 0 ? location : bytes > 0 && offset % bytes === 0 ? `${location}[${offset / bytes}]` : '';
    const cell = this.#cells.get(name);
    return cell ?? this.#wrong(`an access to ${location}+${offset}, which is no location`);
  }

  #wrong(what: string): never {
    throw new Unsupported(this.#test.file, 0, what);
  }
}

const COMBINES: Readonly<Partial<Record<RmwOperation, Arithmetic>>> = {
  add: 'add',
  or: 'or',
  andNot: 'andNot',
  xor: 'xor',
};

/** The memory of a thread. */
class VmsaMemory implements ThreadMemory {
  readonly #port: VmsaPort;
  readonly #words: Words;
  readonly #limits: Limits;

  constructor(port: VmsaPort, words: Words, limits: Limits) {
    this.#port = port;
    this.#words = words;
    this.#limits = limits;
  }

  *load(address: Value, access: Access): Steps<Outcome> {
    return this.#outcome(yield* this.#port.load(this.#words.of(address), how(access)), access);
  }
  *store(address: Value, value: Value, access: Access): Steps<Outcome> {
    return this.#outcome(yield* this.#port.store(this.#words.of(address), this.#words.of(value), how(access)), access);
  }
  *rmw(address: Value, operation: RmwOperation, operand: Value, access: Access): Steps<Outcome> {
    const word = yield* this.#port.rmw(this.#words.of(address), operation, this.#words.of(operand), how(access));
    return this.#outcome(word, access);
  }
  *compareAndSwap(address: Value, old: Value, value: Value, access: Access): Steps<Outcome> {
    const [a, o, v] = [address, old, value].map((each) => this.#words.of(each));
    const word = yield* this.#port.compareAndSwap(a!, o!, v!, how(access));
    return this.#outcome(word, access);
  }
  *loadExclusive(address: Value, access: Access): Steps<Outcome> {
    return this.#outcome(yield* this.#port.loadExclusive(this.#words.of(address), how(access)), access);
  }
  *storeExclusive(address: Value, value: Value, access: Access): Steps<Outcome> {
    return this.#outcome(
      yield* this.#port.storeExclusive(this.#words.of(address), this.#words.of(value), how(access)),
      access,
    );
  }
  fence(kind: FenceKind | 'eret', on: Dependencies): Steps<void> {
    return this.#port.fence(kind, on);
  }
  invalidate(address: Value | undefined, broadcast: boolean, on: Dependencies): Steps<void> {
    return this.#port.invalidate({
      ...on,
      broadcast,
      ...(address !== undefined && { address: this.#words.of(address) }),
    });
  }
  choose(count: number): Steps<number> {
    return this.#port.choose(count);
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
    yield* this.#port.giveUp();
  }
  result(index: number, word: number): void {
    this.#port.result(index, word);
  }

  #outcome(word: number, { bits }: Access): Outcome {
    const fault: FaultKind | undefined = faultOf(word);
    return fault === undefined ? { value: truncate(this.#words.value(word), bits) } : { fault };
  }
}

function noKernel(): never {
  throw new TypeError('instructions have no locks and no RCU');
}

function how(access: Access): VmsaAccess {
  const { addr, pickAddr, data, trueData, ctrl, earlier, acquire, release, noReturn, slot, privileged } = access;
  return {
    addr,
    pickAddr,
    data,
    trueData,
    ctrl,
    earlier,
    slot,
    privileged,
    ...(acquire !== undefined && { acquire }),
    ...(release === true && { release }),
    ...(noReturn === true && { noReturn }),
  };
}
