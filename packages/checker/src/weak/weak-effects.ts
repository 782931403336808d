/**
 * Weak effects: what each port call does to messages and knowledge under the memory model `weak`. What else it does is in effects.ts.
 *
 * Orders are LKMM's: atomics with a result are full fences around a relaxed read-modify-write of the newest message, others are relaxed; a
 * lock acquires, an unlock releases, and an unlock stands before a later lock of its CPU; an interrupt brings along what its
 * sender knew, and back what the handler knew; grace periods and readers order as their law says (rcu.ts). Loading a context
 * or invalidating own entries orders no memory; waiting for broadcasts is a full fence.
 *
 * Page walks lag, too (walkers.ts).
 */
import type { Cell } from '@mmu-gather/core/stepped';
import { FENCE_KINDS, fenceClass, operate, rmwOrder } from '../bare-steps.ts';
import type { Memory } from '../memory.ts';
import type { Mmu } from '../mmu/mmu.ts';
import { isBroadcast, onlyReads, OP, passes, scopeCpus, WRITER } from '../op.ts';
import { CPU, type Words } from '../words.ts';
import { KNOWN } from './knowledge.ts';
import { Translated } from './translated.ts';
import { EMPTY_VIEW, type View } from './views.ts';
import { LaggingWalkers } from './walkers.ts';
import { Walks } from './walks.ts';
import { type AccessAfter, AFTER_NOTHING, type Acquiring, ACQUIRING, type WeakMemory } from './weak-memory.ts';

/** What a load may read, as choices: the newest first. */
interface Readable {
  readonly cell: Cell;
  readonly addr: View;
  readonly acquiring: Acquiring;
  /** The numbers of the messages. */
  readonly indices: readonly number[];
}

/** The weak side of the steps of one machine. */
export class WeakEffects {
  readonly #words: Words;
  readonly #memory: Memory;
  readonly #weak: WeakMemory;
  readonly #translated: Translated | undefined;
  /** Of kernel code. */
  readonly #walkers: LaggingWalkers | undefined;

  constructor(words: Words, memory: Memory, weak: WeakMemory, mmu: Mmu, walkers: LaggingWalkers | Walks | undefined) {
    this.#words = words;
    this.#memory = memory;
    this.#weak = weak;
    this.#translated = walkers instanceof Walks ? new Translated(words, memory, mmu, weak, walkers) : undefined;
    this.#walkers = walkers instanceof LaggingWalkers ? walkers : undefined;
  }

  /** Number of outcomes of a pending step; undefined if the memory model has no say. */
  outcomes(number: number, cpu: number): number | undefined {
    const arg = (i: number): number => this.#words.arg(number, i);
    switch (this.#words.kind(number)) {
      case OP.readOnce:
      case OP.loadAcquire:
      case OP.bareLoad:
      case OP.bareLoadExclusive:
        return this.#readable(number, cpu).indices.length;
      case OP.waitFor: {
        const passing = this.#readable(number, cpu).indices.length;
        return passing + (passing > 0 && !passes(arg(2), this.#newest(arg(0)), arg(1)) ? 1 : 0);
      }
      case OP.cmpxchg:
      case OP.bareCas:
        return (this.#newest(arg(0)) === arg(2) ? 1 : 0) + this.#readable(number, cpu).indices.length;
      case OP.bareStoreExclusive:
        return this.#weak.isReserved(cpu, arg(0)) ? 2 : 1;
      default:
        return this.#translated?.outcomes(number, cpu);
    }
  }

  /** Is this choice of a waitFor one that waits on: it has read the newest message, which does not pass? */
  spins(number: number, cpu: number, choice: number): boolean {
    return this.#words.kind(number) === OP.waitFor && choice >= this.#readable(number, cpu).indices.length;
  }

  /** Waits on. */
  spin(number: number, cpu: number): void {
    const cell = this.#words.arg(number, 0);
    this.#weak.load(cpu, cell, this.#weak.messages.newest(cell), this.#weak.pointed(cpu, cell), 'relaxed');
  }

  /** How many newer messages a choice of a pending load misses; 0 if it reads the newest, or is none. */
  missed(number: number, cpu: number, choice: number): number {
    const arg = (i: number): number => this.#words.arg(number, i);
    const kind = this.#words.kind(number);
    const cell = arg(0);
    let nth = choice;
    if (kind === OP.cmpxchg || kind === OP.bareCas) nth -= this.#newest(cell) === arg(2) ? 1 : 0;
    else if (!onlyReads(kind) && kind !== OP.bareLoadExclusive) return 0;
    const index = this.#readable(number, cpu).indices[nth];
    return index === undefined ? 0 : this.#weak.messages.newest(cell) - index;
  }

  /** Lets a pending step take effect. Returns its result; undefined if there is more to do than this. */
  perform(number: number, cpu: number, choice: number): number | undefined {
    const kind = this.#words.kind(number);
    const cell = this.#words.arg(number, 0);
    switch (kind) {
      case OP.readOnce:
      case OP.loadAcquire:
      case OP.waitFor:
        return this.#load(number, cpu, choice);
      case OP.writeOnce:
      case OP.storeRelease:
        this.#weak.store(cpu, cell, kind === OP.storeRelease, this.#pointed(cpu, cell));
        this.#memory.commit(cpu, cell, this.#words.arg(number, 1));
        return 0;
      case OP.cmpxchg:
        return this.#cmpxchg(number, cpu, choice);
      case OP.xchg:
        return this.#atomic(number, cpu, this.#words.arg(number, 2) === 0);
      case OP.atomicAddReturn:
      case OP.atomicFetchAndNot:
        return this.#atomic(number, cpu, true);
      case OP.atomicAdd:
      case OP.atomicOr:
      case OP.atomicAndNot:
        return this.#atomic(number, cpu, false);
      default:
        return (
          this.#performBare(number, cpu, choice) ??
          this.#translated?.perform(number, cpu, choice) ??
          this.#order(number, cpu)
        );
    }
  }

  /** An entry was changed and purged in one step. */
  purged(entry: Cell): void {
    this.#walkers?.purged(entry);
  }

  /** An entry was not changed, for it was not as expected: what it is has been read. */
  unchanged(cpu: number, entry: Cell): void {
    this.#weak.load(cpu, entry, this.#weak.messages.newest(entry), EMPTY_VIEW, 'relaxed');
  }

  /** A CPU is about to take the oldest call of its queue. */
  taken(cpu: number): void {
    const { known } = this.#weak;
    this.#readerBegins(cpu);
    known.acquire(cpu, known.get(cpu, KNOWN.queue));
    const left = this.#words.cpu(cpu, CPU.queued) - 1;
    for (let i = 0; i < left; i++) known.set(cpu, KNOWN.queue + i, known.get(cpu, KNOWN.queue + i + 1));
    known.set(cpu, KNOWN.queue + left, EMPTY_VIEW);
  }

  /** The call that a CPU runs is about to return. */
  returned(cpu: number): void {
    const { known } = this.#weak;
    known.add(this.#words.cpu(cpu, CPU.irqSource), KNOWN.returned, known.all(cpu));
  }

  /** A CPU has left what made it an RCU reader, for which another one waits. */
  readerLeft(cpu: number, waiter: number): void {
    const { known } = this.#weak;
    known.add(waiter, KNOWN.readers, known.all(cpu));
  }

  // ---- loads ----

  #newest(cell: Cell): number {
    return this.#words.state.words[cell]!;
  }

  /** The messages that a pending load, or a failing compare-and-swap, may read. */
  #readable(number: number, cpu: number): Readable {
    const words = this.#words;
    const arg = (i: number): number => words.arg(number, i);
    const kind = words.kind(number);
    const cell = arg(0);
    let addr = EMPTY_VIEW;
    let acquiring: Acquiring = 'relaxed';
    let reads = (_value: number): boolean => true;
    if (kind === OP.bareLoad || kind === OP.bareLoadExclusive) {
      acquiring = ACQUIRING[arg(1)]!;
      addr = this.#weak.slots(cpu, arg(3));
    } else if (kind === OP.bareCas) {
      if (rmwOrder(arg(3)).acquires) acquiring = 'rcsc';
      addr = this.#weak.slots(cpu, arg(5));
      reads = (value) => value !== arg(2);
    } else {
      addr = this.#weak.pointed(cpu, cell);
      if (kind === OP.loadAcquire || kind === OP.waitFor) acquiring = 'pc';
      if (kind === OP.waitFor) reads = (value) => passes(arg(2), value, arg(1));
      if (kind === OP.cmpxchg) reads = (value) => value !== arg(2);
    }
    const indices: number[] = [];
    const oldest = this.#weak.oldest(cpu, cell, addr, acquiring);
    for (let i = this.#weak.messages.newest(cell); i >= oldest; i--)
      if (reads(this.#weak.messages.at(cell, i).value)) indices.push(i);
    return { cell, addr, acquiring, indices };
  }

  #load(number: number, cpu: number, choice: number, slot = -1, reserve = false): number {
    const { cell, addr, acquiring, indices } = this.#readable(number, cpu);
    return this.#weak.load(cpu, cell, indices[choice]!, addr, acquiring, slot, reserve);
  }

  #pointed(cpu: number, cell: Cell): AccessAfter {
    const addr = this.#weak.pointed(cpu, cell);
    return addr === EMPTY_VIEW ? AFTER_NOTHING : { ...AFTER_NOTHING, addr };
  }

  // ---- atomics of kernel code ----

  /** @param full fully ordered */
  #atomic(number: number, cpu: number, full: boolean): number {
    const cell = this.#words.arg(number, 0);
    const operand = this.#words.arg(number, 1);
    const kind = this.#words.kind(number);
    const result = full || kind === OP.xchg;
    const now = this.#newest(cell);
    if (full) this.#weak.known.fullFence(cpu);
    this.#weak.readModifyWrite(cpu, cell, 'relaxed', false, result, this.#pointed(cpu, cell));
    const value =
      kind === OP.xchg
        ? operand
        : kind === OP.atomicOr
          ? now | operand
          : kind === OP.atomicAdd || kind === OP.atomicAddReturn
            ? now + operand
            : now & ~operand;
    this.#memory.commit(cpu, cell, value);
    if (full) this.#weak.known.fullFence(cpu);
    if (!result) return 0;
    return kind === OP.atomicAddReturn ? value : now;
  }

  #cmpxchg(number: number, cpu: number, choice: number): number {
    const arg = (i: number): number => this.#words.arg(number, i);
    const cell = arg(0);
    const succeeds = this.#newest(cell) === arg(2);
    if (!succeeds || choice > 0) return this.#load(number, cpu, succeeds ? choice - 1 : choice);
    const full = arg(3) === 0;
    if (full) this.#weak.known.fullFence(cpu);
    this.#weak.readModifyWrite(cpu, cell, 'relaxed', false, true, this.#pointed(cpu, cell));
    this.#memory.commit(cpu, cell, arg(1));
    if (full) this.#weak.known.fullFence(cpu);
    return arg(2);
  }

  // ---- bare instructions ----

  #performBare(number: number, cpu: number, choice: number): number | undefined {
    const arg = (i: number): number => this.#words.arg(number, i);
    const cell = arg(0);
    switch (this.#words.kind(number)) {
      case OP.bareLoadExclusive:
        return this.#load(number, cpu, choice, arg(2), true);
      case OP.bareLoad:
        return this.#load(number, cpu, choice, arg(2));
      case OP.bareStoreExclusive: {
        const stores = choice === 0 && this.#weak.isReserved(cpu, cell);
        if (stores) {
          this.#weak.storeReserved(cpu, cell, arg(2) !== 0, this.#after(cpu, arg(3), arg(4), arg(5)));
          this.#memory.commit(cpu, cell, arg(1));
        }
        this.#weak.unreserve(cpu);
        return stores ? 0 : 1;
      }
      case OP.bareStore:
        this.#weak.store(cpu, cell, arg(2) !== 0, this.#after(cpu, arg(3), arg(4), arg(5)));
        this.#memory.commit(cpu, cell, arg(1));
        return 0;
      case OP.bareRmw:
        return this.#bareRmw(number, cpu, operate(arg(2), this.#newest(cell), arg(1)));
      case OP.bareCas: {
        const succeeds = this.#newest(cell) === arg(2);
        if (succeeds && choice === 0) return this.#bareRmw(number, cpu, arg(1));
        return this.#load(number, cpu, succeeds ? choice - 1 : choice, arg(4));
      }
      case OP.bareFence:
        this.#fence(cpu, arg(0), arg(1));
        return 0;
      default:
        return undefined;
    }
  }

  #after(cpu: number, addr: number, data: number, ctrl: number): AccessAfter {
    return { addr: this.#weak.slots(cpu, addr), data: this.#weak.slots(cpu, data), ctrl: this.#weak.slots(cpu, ctrl) };
  }

  #bareRmw(number: number, cpu: number, value: number): number {
    const arg = (i: number): number => this.#words.arg(number, i);
    const { order, acquires, releases, result } = rmwOrder(arg(3));
    const after = this.#after(cpu, arg(5), arg(6), arg(7));
    const old = this.#newest(arg(0));
    const { known } = this.#weak;
    if (order === 'full') known.fullFence(cpu);
    this.#weak.readModifyWrite(cpu, arg(0), acquires && result ? 'rcsc' : 'relaxed', releases, result, after, arg(4));
    this.#memory.commit(cpu, arg(0), value);
    if (order === 'full') known.fullFence(cpu);
    if (order === 'acquireRelease' && result) this.#weak.behindStore(cpu);
    return old;
  }

  #fence(cpu: number, kind: number, ctrl: number): void {
    const weak = this.#weak;
    if (this.#translated !== undefined) {
      this.#translated.fence(cpu, FENCE_KINDS[kind]!, weak.slots(cpu, ctrl));
      return;
    }
    switch (fenceClass(kind)) {
      case 'full':
        weak.known.fullFence(cpu);
        return;
      case 'loads':
        weak.loadFence(cpu, true);
        return;
      case 'loadsOnly':
        weak.loadFence(cpu, false);
        return;
      case 'stores':
        weak.storeFence(cpu);
        return;
      case 'light':
        weak.loadFence(cpu, true);
        weak.storeFence(cpu);
        return;
      case 'instructions':
        weak.instructionFence(cpu, this.#weak.slots(cpu, ctrl));
    }
  }

  // ---- all else that orders memory ----

  #order(number: number, cpu: number): number | undefined {
    const { known } = this.#weak;
    const cell = this.#words.arg(number, 0);
    switch (this.#words.kind(number)) {
      case OP.smpMb:
        if (cell === 0) known.fullFence(cpu);
        else known.storeBarrier(cpu);
        return undefined;
      case OP.smpMbAfterAtomic:
        known.fullFence(cpu);
        return undefined;
      case OP.invalidate:
        if (isBroadcast(this.#words.arg(number, 1))) this.#walkers?.broadcast(cpu);
        else this.#walkers?.crossCall(cpu, scopeCpus(this.#words.arg(number, 1)));
        return undefined;
      case OP.invalidationBarrier:
        known.fullFence(cpu);
        this.#walkers?.broadcastsDone(cpu);
        return undefined;
      case OP.smpWmb:
        this.#weak.storeFence(cpu);
        return 0;
      case OP.smpRmb:
        this.#weak.loadFence(cpu, false);
        return 0;
      case OP.downReadTrylock:
        if (this.#newest(cell) !== WRITER) this.#weak.lock(cpu, cell);
        return undefined;
      case OP.spinLock:
      case OP.downRead:
      case OP.downWrite:
        this.#weak.lock(cpu, cell);
        return undefined;
      case OP.spinUnlock:
        this.#weak.unlock(cpu, cell);
        this.#memory.commit(cpu, cell, 0);
        return 0;
      case OP.upRead:
      case OP.upWrite:
      case OP.downgradeWrite:
        this.#weak.unlock(cpu, cell);
        return undefined;
      default:
        return this.#call(number, cpu);
    }
  }

  /** Interrupts and RCU. */
  #call(number: number, cpu: number): number | undefined {
    const { known } = this.#weak;
    switch (this.#words.kind(number)) {
      case OP.sendIpi: {
        const target = this.#words.arg(number, 0);
        known.fullFence(cpu);
        known.set(target, KNOWN.queue + this.#words.cpu(target, CPU.queued), known.all(cpu));
        return undefined;
      }
      case OP.awaitIpis:
        known.acquire(cpu, known.get(cpu, KNOWN.returned));
        known.add(cpu, KNOWN.loaded, known.get(cpu, KNOWN.returned));
        known.set(cpu, KNOWN.returned, EMPTY_VIEW);
        return undefined;
      case OP.rcuReadLock:
      case OP.localIrqDisable:
        this.#readerBegins(cpu);
        return undefined;
      case OP.synchronizeRcu:
        known.fullFence(cpu);
        known.set(cpu, KNOWN.readers, EMPTY_VIEW);
        known.graceBegins(cpu);
        return undefined;
      case OP.freeRcu:
        known.graceBegins(cpu);
        return undefined;
      case OP.awaitReaders:
        known.acquire(cpu, known.get(cpu, KNOWN.readers));
        known.set(cpu, KNOWN.readers, EMPTY_VIEW);
        known.fullFence(cpu);
        return undefined;
      default:
        return undefined;
    }
  }

  #readerBegins(cpu: number): void {
    const of = (word: number): number => this.#words.cpu(cpu, word);
    if (of(CPU.rcuNesting) === 0 && of(CPU.irqOff) === 0 && of(CPU.inIrq) === 0) this.#weak.known.readerBegins(cpu);
  }
}
