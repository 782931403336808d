/**
 * A test as a program of the exploring machine, under its memory models: no translation.
 *
 * Locations are words of the arena. An execution that is given up sets a word instead of a result, and its end does not count.
 */
import {
  type BarePort,
  bareOf,
  type Dependencies as SlotMasks,
  type Explorable,
  type FenceKind,
  type Layout,
  Machine,
  type RmwAccess,
  type RmwOperation,
} from '@mmu-gather/checker';
import {
  ASM_GENERIC,
  type Backend,
  type BackendSpec,
  type Cell,
  type Cpu,
  LINUX_6_18,
  type Steps,
  TINY,
} from '@mmu-gather/core/stepped';
import { Unsupported } from './errors.ts';
import type { Final } from './final.ts';
import { guarded, type Limits } from './limits.ts';
import { runC } from './run-c.ts';
import { runInstructions } from './run-instructions.ts';
import type { LitmusTest } from './test.ts';
import type { Access, Dependencies, Outcome, ThreadMemory } from './thread-memory.ts';
import { truncate, type Value, type Words } from './values.ts';

/** Memory models that tests without page tables run under: `weak-mca` is multi-copy atomic (Arm, RISC-V), `weak` is not (POWER). */
export type Model = 'sc' | 'tso' | 'weak-mca' | 'weak';
/** All of them, the strongest first. */
export const MODELS: readonly Model[] = ['sc', 'tso', 'weak-mca', 'weak'];

/** A machine that runs a test, and the ends that it comes to. */
export interface Run {
  readonly machine: Explorable;
  /** Final states as words, with commas: results, then cells. Filled while the machine is explored. */
  readonly ends: ReadonlySet<string>;
}

/** Makes a machine that runs a test. */
export function onMachine(test: LitmusTest, words: Words, final: Final, model: Model, limits: Limits): Run {
  const ends = new Set<string>();
  let cells = 0;
  let results = 0;
  let gaveUp = 0;
  const count = test.threads.length;
  const machine = new Machine(
    {
      cpus: count,
      geometry: TINY,
      backend: backendOf(model),
      profile: LINUX_6_18,
      memoryModel: model === 'weak-mca' ? 'weak' : model,
      exact: true,
      pools: { mm: 0, vma: 0, page: 0, table: 0, mapping: 0, area: 0 },
    },
    {
      reserve(layout: Layout) {
        cells = layout.reserve('', final.cells);
        results = layout.reserve('result', numbered(final.results));
        gaveUp = layout.reserve('gaveUp', numbered(count));
        final.cells.forEach((name, i) => layout.initialise(cells + i, words.of(test.memory.get(name)!)));
      },
      setup: () => undefined,
      threads: () =>
        test.threads.map((_, number) => (cpu: Cpu) => {
          const place = (address: Value): Cell => cells + cellOf(test, final, address);
          const memory = new MachineMemory(cpu, words, place, results, gaveUp + number, limits);
          const registers = final.registersOf(number);
          const word = (value: Value): number => words.of(value);
          if (test.language === 'C') return guarded(limits, runC(test, number, memory, { registers, word }));
          const faults = { faultsAt: final.faultsAt(number), faults: final.faultsWord.bind(final) };
          return guarded(limits, runInstructions(test, number, memory, { registers, word, ...faults }));
        }),
      final(peek) {
        for (let thread = 0; thread < count; thread++) if (peek(gaveUp + thread) !== 0) return undefined;
        const state = [
          ...Array.from({ length: final.results }, (_, i) => peek(results + i)),
          ...final.cells.map((_, i) => peek(cells + i)),
        ];
        ends.add(state.join());
        return undefined;
      },
    },
  );
  return { machine, ends };
}

/** Names of words of an array. */
export function numbered(n: number): string[] {
  return Array.from({ length: n }, (_, i) => `[${i}]`);
}

/** No architecture: nothing here calls a function of the backend. */
function backendOf(model: Model): BackendSpec {
  return {
    id: 'litmus',
    isa: {
      memoryModel: model === 'weak-mca' ? 'weak' : model,
      multiCopyAtomic: model !== 'weak',
      geometry: TINY,
      asids: 1,
      broadcasts: false,
      cleanWalks: true,
      accessed: 'hardware',
      dirty: 'hardware',
      instructions: {},
    },
    mmContextFields: ['context'],
    link: () => ({ ...ASM_GENERIC, id: 'litmus', handlers: [] }) as unknown as Backend,
  };
}

function cellOf(test: LitmusTest, final: Final, address: Value): number {
  if (typeof address === 'object' && address.kind === 'address') {
    const bytes = test.arrays.get(address.of) ?? 0;
    const name = address.offset === 0 || bytes === 0 ? address.of : `${address.of}[${address.offset / bytes}]`;
    const cell = final.cells.indexOf(name);
    if (cell >= 0 && (address.offset === 0 || bytes > 0)) return cell;
  }
  throw new Unsupported(test.file, 0, 'an access to what is no location');
}

/** The memory of a thread. */
class MachineMemory implements ThreadMemory {
  readonly #cpu: Cpu;
  readonly #port: BarePort;
  readonly #words: Words;
  readonly #place: (address: Value) => Cell;
  readonly #results: Cell;
  readonly #gaveUp: Cell;
  readonly #limits: Limits;

  constructor(cpu: Cpu, words: Words, place: (address: Value) => Cell, results: Cell, gaveUp: Cell, limits: Limits) {
    this.#cpu = cpu;
    this.#port = bareOf(cpu);
    this.#words = words;
    this.#place = place;
    this.#results = results;
    this.#gaveUp = gaveUp;
    this.#limits = limits;
  }

  *load(address: Value, access: Access): Steps<Outcome> {
    const { addr, slot } = access;
    const order = access.acquire ?? 'relaxed';
    return this.#outcome(yield* this.#port.load(this.#place(address), { addr, order, ...slotOf(slot) }), access);
  }
  *store(address: Value, value: Value, access: Access): Steps<Outcome> {
    const order = access.release === true ? 'release' : 'relaxed';
    yield* this.#port.store(this.#place(address), this.#words.of(value), { ...slotMasks(access), order });
    return NOTHING;
  }
  *rmw(address: Value, operation: RmwOperation, operand: Value, access: Access): Steps<Outcome> {
    const word = yield* this.#port.rmw(this.#place(address), operation, this.#words.of(operand), rmwOf(access));
    return this.#outcome(word, access);
  }
  *compareAndSwap(address: Value, old: Value, value: Value, access: Access): Steps<Outcome> {
    const [from, to] = [this.#words.of(old), this.#words.of(value)];
    return this.#outcome(yield* this.#port.compareAndSwap(this.#place(address), from, to, rmwOf(access)), access);
  }
  *loadExclusive(address: Value, access: Access): Steps<Outcome> {
    const { addr, slot } = access;
    const order = access.acquire ?? 'relaxed';
    return this.#outcome(
      yield* this.#port.loadExclusive(this.#place(address), { addr, order, ...slotOf(slot) }),
      access,
    );
  }
  *storeExclusive(address: Value, value: Value, access: Access): Steps<Outcome> {
    const order = access.release === true ? 'release' : 'relaxed';
    const how = { ...slotMasks(access), order } as const;
    return { value: BigInt(yield* this.#port.storeExclusive(this.#place(address), this.#words.of(value), how)) };
  }
  *fence(kind: FenceKind | 'eret', { ctrl, earlier }: Dependencies): Steps<void> {
    yield* this.#port.fence(kind === 'eret' ? 'isb' : kind, ctrl | earlier);
  }
  *invalidate(): Steps<void> {
    throw new TypeError('there is no translation here');
  }
  choose(count: number): Steps<number> {
    if (count !== 2) throw new RangeError('the machine chooses between two');
    return this.#cpu.mayFail();
  }
  lock(address: Value): Steps<void> {
    return this.#cpu.spinLock(this.#place(address));
  }
  unlock(address: Value): Steps<void> {
    return this.#cpu.spinUnlock(this.#place(address));
  }
  rcuReadLock(): Steps<void> {
    return this.#cpu.rcuReadLock();
  }
  rcuReadUnlock(): Steps<void> {
    return this.#cpu.rcuReadUnlock();
  }
  synchronizeRcu(): Steps<void> {
    return this.#cpu.synchronizeRcu();
  }
  *giveUp(limited: boolean): Steps<void> {
    if (limited) this.#limits.limited = true;
    this.#cpu.write(this.#gaveUp, 1);
  }
  result(index: number, word: number): void {
    this.#cpu.write(this.#results + index, word);
  }

  #outcome(word: number, { bits }: Access): Outcome {
    return { value: truncate(this.#words.value(word), bits) };
  }
}

const NOTHING: Outcome = { value: 0n };

/** Where a load is kept. */
export function slotOf(slot: number): { readonly slot?: number } {
  return slot < 0 ? {} : { slot };
}

/** What an access depends on. What was only picked orders the store and nothing that reads it: as a branch does. */
export function slotMasks({ addr, pickAddr, data, trueData, ctrl, earlier }: Access): SlotMasks {
  return { addr, data: trueData, ctrl: ctrl | earlier | pickAddr, picked: data };
}

/** A read-modify-write. */
export function rmwOf(access: Access): RmwAccess {
  const { acquire, release, full, noReturn } = access;
  const half = acquire === undefined ? (release === true ? 'release' : 'relaxed') : 'acquire';
  const order = full === true ? 'full' : acquire !== undefined && release === true ? 'acquireRelease' : half;
  return { ...slotMasks(access), order, ...slotOf(access.slot), ...(noReturn === true && { noReturn }) };
}
