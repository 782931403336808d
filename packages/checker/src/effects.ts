/**
 * Effects: what each port call waits for, and what it does.
 *
 * Atomics, barriers and serialising instructions wait until their CPU's store buffer is empty; locks, waits and calls to
 * other CPUs until they can succeed. A step that has to wait is not enabled: nothing spins.
 */
import { type Address, type Cell, EVERYTHING, type OracleId, type Scope } from '@mmu-gather/core/stepped';
import type { HeldLocks } from './held-locks.ts';
import type { Interrupts } from './interrupts.ts';
import type { Memory } from './memory.ts';
import type { Mmu } from './mmu/mmu.ts';
import type { Objects } from './objects.ts';
import { fenceClass, operate } from './bare-steps.ts';
import {
  isBroadcast,
  onlyReads,
  OP,
  OP_NAMES,
  passes,
  SCOPE_GLOBALS,
  SCOPE_DATA,
  SCOPE_ROOTS,
  scopeCpus,
  scopeLevel,
  touchesCell,
  WRITER,
} from './op.ts';
import type { Oracles } from './oracles.ts';
import { EVERYTHING_WORD } from './port.ts';
import type { Locks } from './quiet.ts';
import type { Races } from './races.ts';
import { Rcu } from './rcu.ts';
import type { Text } from './text.ts';
import type { UserAccess } from './user-access.ts';
import type { LaggingWalkers } from './weak/walkers.ts';
import type { Walks } from './weak/walks.ts';
import { WeakEffects } from './weak/weak-effects.ts';
import { CPU, type Words } from './words.ts';

/** What steps have effects on. */
export interface Parts {
  readonly words: Words;
  readonly memory: Memory;
  readonly objects: Objects;
  readonly locks: Locks;
  readonly held: HeldLocks;
  readonly races: Races;
  readonly interrupts: Interrupts;
  readonly mmu: Mmu;
  readonly user: UserAccess;
  /** Under weak. */
  readonly walkers: LaggingWalkers | Walks | undefined;
  /** Broadcasts do not wait for stores (Isa.unorderedBroadcasts). */
  readonly unorderedBroadcasts: boolean;
  readonly oracles: Oracles;
  readonly text: Text;
  /** Reports a broken oracle. */
  violate(oracle: OracleId, message: string): void;
}

/** The steps of one machine. */
export class Effects {
  readonly #parts: Parts;
  readonly #rcu: Rcu;
  /** What there is to do besides under weak. */
  readonly weak: WeakEffects | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { words, memory } = parts;
    this.weak = memory.weak && new WeakEffects(words, memory, memory.weak, parts.mmu, parts.walkers);
    const weak = this.weak;
    this.#rcu = new Rcu(
      words,
      parts.objects,
      (object) => this.#free(object),
      (reader, waiter) => weak?.readerLeft(reader, waiter),
    );
  }

  /** Does anything wait for an RCU reader? */
  get readersAwaited(): boolean {
    return this.#rcu.waits;
  }

  /** Kernel code accesses a word, marked or plainly: a table, a VMA or an mm that was freed is not there any more (O5). */
  touched(cpu: number, cell: Cell): void {
    const { objects, text } = this.#parts;
    if (!objects.gone(cell)) return;
    const cache = objects.cacheOf(cell);
    this.#parts.violate('O5', `CPU ${cpu} accesses ${text.cell(cell)} of a freed ${cache}`);
  }

  /** The interrupt side of a CPU has returned. */
  irqReturned(cpu: number): void {
    this.#rcu.left(cpu);
  }

  /** Number of outcomes of a process's pending step now; 0 while it has to wait. */
  outcomes(number: number, cpu: number): number {
    const { words, memory } = this.#parts;
    const a = words.arg(number, 0);
    const kind = words.kind(number);
    const weak = this.weak?.outcomes(number, cpu);
    if (weak !== undefined) return weak;
    switch (kind) {
      case OP.readOnce:
      case OP.loadAcquire:
      case OP.bareLoad:
      case OP.alloc:
      case OP.localIrqDisable:
      case OP.localIrqEnable:
      case OP.rcuReadLock:
      case OP.rcuReadUnlock:
        return 1;
      case OP.mayFail:
        return 2;
      case OP.writeOnce:
      case OP.storeRelease:
      case OP.bareStore:
      case OP.spinUnlock:
        return memory.isFull(cpu) ? 0 : 1;
      case OP.waitFor:
        return passes(words.arg(number, 2), memory.load(cpu, a), words.arg(number, 1)) ? 1 : 0;
      case OP.bareFence:
        return fenceClass(a) !== 'full' || memory.isEmpty(cpu) ? 1 : 0;
    }
    if (kind >= OP.viaLoad && kind <= OP.bareInvalidate)
      throw new TypeError(`${OP_NAMES[kind]} on a machine without walks (MachineOptions.walks)`);
    if (kind === OP.invalidate && this.#parts.unorderedBroadcasts && isBroadcast(words.arg(number, 1))) return 1;
    // All others are ordered after the CPU's own stores.
    if (!memory.isEmpty(cpu)) return 0;
    const value = words.state.words[a]!;
    switch (kind) {
      case OP.spinLock:
      case OP.downWrite:
        return value === 0 ? 1 : 0;
      case OP.downRead:
        return value !== WRITER ? 1 : 0;
      case OP.bareStoreExclusive:
        return memory.isReserved(cpu, a) ? 2 : 1;
      case OP.awaitIpis:
        return this.#parts.interrupts.allReturned(cpu) ? 1 : 0;
      case OP.awaitReaders:
        return this.#rcu.ended(cpu) ? 1 : 0;
      case OP.sendIpi:
        return this.#parts.interrupts.mayBeSent(a) ? 1 : 0;
      case OP.userRead:
        return this.#parts.user.translations(cpu, a, false, words.arg(number, 2) !== 0).length;
      case OP.userWrite:
        return this.#parts.user.translations(cpu, a, true, words.arg(number, 2) !== 0).length;
      case OP.kernelRead:
        return this.#parts.user.kernelTranslations(cpu, a).length;
      default:
        return 1;
    }
  }

  /** Lets a process's pending step take effect. Returns its result. */
  perform(number: number, cpu: number, choice: number): number {
    const { words, locks, held } = this.#parts;
    const kind = words.kind(number);
    const result = this.#take(number, cpu, choice);
    if (kind >= OP.spinLock && kind <= OP.downgradeWrite) {
      const lock = words.arg(number, 0);
      locks.note(lock);
      held.did(number, kind, lock, result);
    }
    return result;
  }

  #take(number: number, cpu: number, choice: number): number {
    const { words, memory } = this.#parts;
    const a = words.arg(number, 0);
    const b = words.arg(number, 1);
    const now = words.state.words[a]!;
    const kind = words.kind(number);
    if (touchesCell(kind)) this.touched(cpu, a);
    if (kind === OP.downRead || kind === OP.downWrite) this.#maySleep(cpu);
    if (kind >= OP.readOnce && kind <= OP.atomicFetchAndNot) this.#parts.races.check(number, a, !onlyReads(kind));
    const weak = this.weak?.perform(number, cpu, choice);
    if (weak !== undefined) return weak;
    switch (kind) {
      case OP.readOnce:
      case OP.loadAcquire:
      case OP.waitFor:
      case OP.bareLoad:
        return memory.load(cpu, a);
      case OP.bareLoadExclusive:
        memory.reserve(cpu, a);
        return memory.load(cpu, a);
      case OP.bareStoreExclusive:
        if (!memory.takeReservation(cpu, a) || choice > 0) return 1;
        memory.exchange(cpu, a, b);
        return 0;
      case OP.bareRmw:
        return memory.exchange(cpu, a, operate(words.arg(number, 2), now, b));
      case OP.bareCas:
        return now === words.arg(number, 2) ? memory.exchange(cpu, a, b) : now;
      case OP.writeOnce:
      case OP.storeRelease:
      case OP.bareStore:
        memory.store(cpu, a, b);
        return 0;
      case OP.xchg:
        return memory.exchange(cpu, a, b);
      case OP.cmpxchg:
        return now === words.arg(number, 2) ? memory.exchange(cpu, a, b) : now;
      case OP.atomicAdd:
        memory.exchange(cpu, a, now + b);
        return 0;
      case OP.atomicAddReturn:
        return memory.exchange(cpu, a, now + b) + b;
      case OP.atomicOr:
        memory.exchange(cpu, a, now | b);
        return 0;
      case OP.atomicAndNot:
        memory.exchange(cpu, a, now & ~b);
        return 0;
      case OP.atomicFetchAndNot:
        return memory.exchange(cpu, a, now & ~b);
      case OP.spinLock:
        words.state.set(a, 1);
        return 0;
      case OP.spinUnlock:
        memory.store(cpu, a, 0);
        return 0;
      case OP.downRead:
        words.state.set(a, now + 1);
        return 0;
      case OP.downReadTrylock:
        if (now === WRITER) return 0;
        words.state.set(a, now + 1);
        return 1;
      case OP.upRead:
        words.state.set(a, now - 1);
        return 0;
      case OP.downWrite:
        words.state.set(a, WRITER);
        return 0;
      case OP.upWrite:
        words.state.set(a, 0);
        return 0;
      case OP.downgradeWrite:
        words.state.set(a, 1);
        return 0;
      case OP.alloc:
        this.#mayReclaim(number, cpu);
        return this.#parts.objects.alloc(cpu, a, b);
      case OP.mayFail:
        return choice;
      case OP.free:
        this.#freeBy(number, b);
        return 0;
      case OP.rcuReadLock:
        this.#rcu.lock(cpu);
        return 0;
      case OP.rcuReadUnlock:
        if (!this.#rcu.unlock(cpu)) this.#parts.violate('O16', `CPU ${cpu} leaves an RCU section that it is not in`);
        return 0;
      case OP.freeRcu:
        this.#rcu.free(b);
        return 0;
      case OP.synchronizeRcu:
        this.#rcu.begin(cpu);
        return 0;
      case OP.localIrqDisable:
        words.setCpu(cpu, CPU.irqOff, words.cpu(cpu, CPU.irqOff) + 1);
        return 0;
      case OP.localIrqEnable:
        words.setCpu(cpu, CPU.irqOff, words.cpu(cpu, CPU.irqOff) - 1);
        this.#rcu.left(cpu);
        return 0;
      case OP.sendIpi:
        this.#parts.interrupts.send(cpu, a, b, words.arg(number, 2));
        return 0;
      case OP.loadContext:
        this.#loadContext(cpu, a, b, words.arg(number, 2) !== 0);
        return 0;
      case OP.invalidate:
        this.#invalidate(number, cpu);
        return 0;
      case OP.cmpxchgAndInvalidate:
        return this.#cmpxchgAndInvalidate(number, cpu);
      case OP.invalidationBarrier:
        this.#parts.mmu.broadcastsDone(cpu);
        this.#parts.oracles.invalidated();
        return 0;
      case OP.userRead:
      case OP.userWrite:
        return this.#parts.user.perform(cpu, a, kind === OP.userWrite, b, choice);
      case OP.kernelRead:
        return this.#parts.user.kernelRead(cpu, a, choice);
      case OP.enterUser:
        words.setCpu(cpu, CPU.userMode, 1);
        this.#parts.mmu.entersUser(cpu);
        this.#parts.oracles.userMode(cpu);
        return 0;
      case OP.enterKernel:
        words.setCpu(cpu, CPU.userMode, 0);
        return 0;
      default:
        return 0;
    }
  }

  /**
   * might_sleep (O16). Nothing is said of spinlocks that are held: one of mm's stands for a lock that sleeps (the folio lock). Who waits for
   * readers, and is one, waits for ever.
   */
  #maySleep(cpu: number): void {
    const where = (word: number): boolean => this.#parts.words.cpu(cpu, word) > 0;
    if (where(CPU.irqOff)) this.#parts.violate('O16', `CPU ${cpu} may sleep with interrupts off`);
    else if (where(CPU.rcuNesting)) this.#parts.violate('O16', `CPU ${cpu} may sleep in an RCU section`);
  }

  /** might_alloc (O16): who allocates may have to reclaim, which takes PTLs and the locks of files' reverse maps. */
  #mayReclaim(number: number, cpu: number): void {
    const { objects, held, text } = this.#parts;
    const taken = (lock: number): boolean => ['table', 'mapping'].includes(objects.cacheOf(lock) ?? '');
    const lock = held.find(number, taken);
    if (lock !== undefined)
      this.#parts.violate('O16', `CPU ${cpu} allocates, and holds ${text.cell(lock)}, which reclaim may take`);
  }

  /** A process frees an object, at once. */
  #freeBy(number: number, address: Address): void {
    const { objects, held, text } = this.#parts;
    const cache = objects.cacheOf(address);
    if (cache !== undefined && held.anyIn(number, address, objects.sizeOf(cache)))
      this.#parts.violate('O16', `${text.object(address)} is freed by who holds its lock`);
    this.#free(address);
  }

  #free(address: Address): void {
    if (!this.#parts.objects.free(address))
      this.#parts.violate('O16', `${this.#parts.text.object(address)} is freed, which is not allocated`);
    const cache = this.#parts.objects.cacheOf(address);
    if (cache === 'page') this.#parts.oracles.pageFreed(address);
    if (cache === 'table') this.#parts.mmu.refillAll();
  }

  #loadContext(cpu: number, root: Address, asid: number, noflush: boolean): void {
    const leaked = this.#parts.mmu.loadContext(cpu, root, asid, noflush);
    if (!noflush) this.#parts.oracles.invalidated();
    if (leaked === 0) return;
    const name = root === 0 ? 'the kernel' : this.#parts.text.object(root);
    this.#parts.violate(
      'O8',
      `CPU ${cpu} loads ${name} under ASID ${asid}, which still holds entries of ${this.#parts.text.object(leaked)}`,
    );
  }

  /** The scope that a step carries from an argument on. */
  #scope(number: number, at: number): Scope {
    const arg = (i: number): number => this.#parts.words.arg(number, at + i);
    const end = (i: number): number => (arg(i) === EVERYTHING_WORD ? EVERYTHING : arg(i));
    const level = scopeLevel(arg(1));
    const cpus = scopeCpus(arg(1));
    return {
      asid: arg(0),
      globals: (arg(1) & SCOPE_GLOBALS) !== 0,
      roots: (arg(1) & SCOPE_ROOTS) !== 0,
      data: (arg(1) & SCOPE_DATA) !== 0,
      broadcast: isBroadcast(arg(1)),
      leaves: { start: arg(2), end: end(3) },
      walks: { start: arg(4), end: end(5) },
      ...(level < 0 ? {} : { level }),
      ...(cpus === 0 ? {} : { cpus }),
    };
  }

  /** Nobody can walk between the change of the entry and the invalidation. */
  #cmpxchgAndInvalidate(number: number, cpu: number): number {
    const { words, memory, races, mmu, oracles } = this.#parts;
    const cell = words.arg(number, 0);
    const now = words.state.words[cell]!;
    this.touched(cpu, cell);
    races.check(number, cell, true);
    if (now !== words.arg(number, 2)) {
      this.weak?.unchanged(cpu, cell);
      return now;
    }
    memory.exchange(cpu, cell, words.arg(number, 1));
    this.weak?.purged(cell);
    const scope = this.#scope(number, 3);
    if (scope.broadcast) mmu.invalidateEverywhere(scope);
    else mmu.invalidate(cpu, scope);
    oracles.invalidated();
    return now;
  }

  #invalidate(number: number, cpu: number): void {
    const scope = this.#scope(number, 0);
    if (scope.broadcast) {
      this.#parts.mmu.broadcast(cpu, scope);
      return;
    }
    if (scope.cpus === undefined) this.#parts.mmu.invalidate(cpu, scope);
    else this.#parts.mmu.invalidateEverywhere(scope);
    this.#parts.oracles.invalidated();
  }
}
