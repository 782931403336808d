/**
 * Text: names of words, objects, entries and steps for people.
 */
import {
  ALL_ASIDS,
  type Address,
  type Cell,
  DIRTY,
  type Entry,
  entryFlags,
  entryTarget,
  FAULT,
  PRESENT,
  RW,
} from '@mmu-gather/core/stepped';
import { FENCE_KINDS, RMW_OPERATIONS } from './bare-steps.ts';
import type { Layout } from './layout.ts';
import { isBroadcast, OP_NAMES, SCOPE_DATA, scopeCpus, scopeLevel } from './op.ts';
import { CACHE_NAMES, EVERYTHING_WORD } from './port.ts';
import type { Words } from './words.ts';

const PAGE = 4096;

/** Names things of one machine. */
export class Text {
  readonly #words: Words;
  readonly #layout: Layout;
  readonly #isEntry: (cell: Cell) => boolean;
  readonly #isObject: (address: Address) => boolean;

  constructor(words: Words, layout: Layout, isEntry: (cell: Cell) => boolean, isObject: (address: Address) => boolean) {
    this.#words = words;
    this.#layout = layout;
    this.#isEntry = isEntry;
    this.#isObject = isObject;
  }

  /** The object that starts at an address. */
  object(address: Address): string {
    return this.#layout.name(address).replace(/(\[0\]|\.\w+)$/, '');
  }

  /** A word. */
  cell(cell: Cell): string {
    return this.#layout.name(cell);
  }

  /** Where a page-table entry leads and what it allows. */
  entry(entry: Entry): string {
    if (entry === 0) return 'none';
    const flags = entryFlags(entry);
    const absent = (flags & PRESENT) === 0 ? 'not present ' : '';
    return `${this.object(entryTarget(entry))} ${absent}${(flags & RW) !== 0 ? 'RW' : 'RO'}${(flags & DIRTY) !== 0 ? ' dirty' : ''}`;
  }

  /** A value of a cell; a cell of -1 stands for the result of a step that is about no cell. */
  value(cell: Cell, value: number): string {
    if (cell >= 0 && this.#isEntry(cell)) return this.entry(value);
    if (cell < 0 && value === FAULT) return 'fault';
    return this.#isObject(value) ? this.object(value) : `${value}`;
  }

  /** The invalidation that a step carries from an argument on. */
  #scope(process: number, at: number): string {
    const a = (i: number): number => this.#words.arg(process, at + i);
    const where = isBroadcast(a(1)) ? 'broadcast: ' : this.#elsewhere(scopeCpus(a(1)));
    const tag = a(0) === ALL_ASIDS ? 'all ASIDs' : `ASID ${a(0)}`;
    const some = a(2) < a(3) ? `pages [${a(2) / PAGE}, ${a(3) / PAGE})` : 'ways to tables';
    const pages = a(3) === EVERYTHING_WORD ? 'everything' : some;
    const level = scopeLevel(a(1)) >= 0 ? `, level ${scopeLevel(a(1))} only` : '';
    const data = (a(1) & SCOPE_DATA) === 0 ? '' : ', data only';
    return `${where}invalidate ${tag}, ${pages}${level}${data}`;
  }

  /** Where a cross call has its effect. */
  #elsewhere(cpus: number): string {
    const names = Array.from({ length: 15 }, (_, cpu) => cpu).filter((cpu) => (cpus & (1 << cpu)) !== 0);
    return names.length === 0 ? '' : `on CPU ${names.join(' and ')}: `;
  }

  /** The step that a process is paused before. */
  step(process: number): string {
    const a = (i: number): number => this.#words.arg(process, i);
    const name = OP_NAMES[this.#words.kind(process)] ?? 'none';
    const cell = this.#layout.name(a(0));
    switch (name) {
      case 'readOnce':
      case 'loadAcquire':
      case 'bareLoad':
      case 'bareLoadExclusive':
        return `read ${cell}`;
      case 'writeOnce':
      case 'storeRelease':
      case 'bareStore':
      case 'bareStoreExclusive':
        return `${cell} := ${this.value(a(0), a(1))}`;
      case 'xchg':
        return `xchg ${cell} := ${this.value(a(0), a(1))}`;
      case 'bareRmw':
        return `${RMW_OPERATIONS[a(2)]} ${cell}, ${this.value(a(0), a(1))}`;
      case 'cmpxchg':
      case 'bareCas':
        return `cmpxchg ${cell}: ${this.value(a(0), a(2))} to ${this.value(a(0), a(1))}`;
      case 'atomicAdd':
      case 'atomicAddReturn':
        return `${cell} ${a(1) < 0 ? '-=' : '+='} ${Math.abs(a(1))}`;
      case 'atomicOr':
        return `${cell} |= ${a(1)}`;
      case 'atomicAndNot':
      case 'atomicFetchAndNot':
        return `${cell} &= ~${a(1)}`;
      case 'waitFor':
        return `wait until ${cell} ${['==', '!=', '>='][a(2)]} ${a(1)}`;
      case 'alloc':
        return `allocate a ${CACHE_NAMES[a(0)]}`;
      case 'free':
        return `free ${this.object(a(1))}`;
      case 'freeRcu':
        return `free ${this.object(a(1))} after a grace period`;
      case 'synchronizeRcu':
        return 'synchronize_rcu';
      case 'awaitReaders':
        return 'wait for RCU readers';
      case 'rcuReadLock':
        return 'rcu_read_lock';
      case 'rcuReadUnlock':
        return 'rcu_read_unlock';
      case 'mayFail':
        return 'an allocation that may fail';
      case 'kernelRead':
        return `kernel load page ${Math.floor(a(0) / PAGE)}`;
      case 'sendIpi':
        return `send IPI to CPU ${a(0)}`;
      case 'awaitIpis':
        return 'wait for IPIs';
      case 'loadContext':
        return `load ${a(0) === 0 ? 'no user table' : this.object(a(0))}, ASID ${a(1)}, ${a(2) !== 0 ? 'no flush' : 'flush'}`;
      case 'invalidate':
        return this.#scope(process, 0);
      case 'cmpxchgAndInvalidate':
        return `${cell}: ${this.value(a(0), a(2))} to ${this.value(a(0), a(1))}, and ${this.#scope(process, 3)}`;
      case 'userRead':
        return `user load page ${Math.floor(a(0) / PAGE)}`;
      case 'userWrite':
        return `user store page ${Math.floor(a(0) / PAGE)} := ${a(1)}`;
      case 'viaLoad':
      case 'viaLoadExclusive':
        return `load page ${Math.floor(a(0) / PAGE)}`;
      case 'viaStore':
      case 'viaStoreExclusive':
        return `store page ${Math.floor(a(0) / PAGE)} := ${a(1)}`;
      case 'viaRmw':
        return `${RMW_OPERATIONS[a(2)]} page ${Math.floor(a(0) / PAGE)}, ${a(1)}`;
      case 'viaCas':
        return `cmpxchg page ${Math.floor(a(0) / PAGE)}: ${a(2)} to ${a(1)}`;
      case 'bareInvalidate':
        return `${a(1) !== 0 ? 'broadcast: ' : ''}invalidate ${a(0) < 0 ? 'everything' : `page ${Math.floor(a(0) / PAGE)}`}`;
      case 'enterUser':
        return 'to user mode';
      case 'enterKernel':
        return 'enter kernel';
      case 'irqReturn':
        return 'return from interrupt';
      case 'localIrqDisable':
        return 'interrupts off';
      case 'localIrqEnable':
        return 'interrupts on';
      case 'smpMb':
        return a(0) === 0 ? 'smp_mb()' : 'barrier of stores';
      case 'smpWmb':
        return 'smp_wmb()';
      case 'smpRmb':
        return 'smp_rmb()';
      case 'smpMbAfterAtomic':
        return 'smp_mb__after_atomic()';
      case 'bareFence':
        return FENCE_KINDS[a(0)]!.toUpperCase();
      case 'invalidationBarrier':
        return 'wait for broadcasts';
      case 'none':
        return name;
      default:
        return `${name} ${cell}`;
    }
  }
}
