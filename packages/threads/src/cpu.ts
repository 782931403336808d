/**
 * ThreadCpu: the port of one CPU, on a thread of its own. Every call that may pause in the exploring machine is a place where this CPU looks into its
 * mailbox: interrupts and invalidations of others are taken there, never in between.
 *
 *     readOnce .. atomicX     Atomics: sequentially consistent, at least as strong as asked for (words.ts)
 *     smpMb, Wmb, Rmb         nothing: the marked accesses around them are ordered already, and plain ones by those
 *     locks                   tickets (ticket.ts)
 *     sendIpi, awaitIpis      a ring per pair of CPUs (ipis.ts)
 *     invalidate, barrier     this CPU's TLB (mmu.ts), and the bus to those of others (bus.ts)
 *     alloc, free, RCU        objects.ts, rcu.ts
 *
 * Who waits, for whatever, also serves; so a wait ends when what it waits for happens. A call of a CPU whose run is over throws Stopped.
 */
import {
  type Address,
  type CacheName,
  type Cell,
  type Claims,
  type Cpu,
  FAULT,
  type Frames,
  type Kernel,
  type OracleId,
  Page,
  pageSize,
  type Scope,
  type Test,
} from '@mmu-gather/core';
import { Bus } from './bus.ts';
import { Canaries } from './canaries.ts';
import { Events } from './events.ts';
import { Ipis } from './ipis.ts';
import { type Chance, Jitter } from './jitter.ts';
import { CACHES } from './layout.ts';
import { BUS, IPI, Mailboxes, STOP, Stopped } from './mailbox.ts';
import type { Memory } from './memory.ts';
import { Mmu } from './mmu.ts';
import { Objects } from './objects.ts';
import { type Readers, Rcu } from './rcu.ts';
import {
  downgradeWrite,
  downRead,
  downReadTrylock,
  downWrite,
  type Pause,
  readAgain,
  spinLock,
  spinUnlock,
  upRead,
  upWrite,
} from './ticket.ts';
import { UNCLAIMED, UNWATCHED } from './unwatched.ts';
import { Verdict } from './verdict.ts';
import { type Waits, Waiting } from './waiting.ts';
import type { Words } from './words.ts';

const DATA = Page.fields.indexOf('data');
/** With jitter an interrupt waits for so many port calls on average. */
const IPI_LATENCY = 6;

/** An object that waits for readers to leave. */
interface Deferred {
  readonly cache: CacheName;
  readonly object: Address;
  readonly readers: Readers;
}

/** One CPU. */
export class ThreadCpu implements Cpu {
  readonly id: number;
  readonly kernel: Kernel;
  readonly claim: Claims;
  /** Where contents of pages are, if not here: for who uses {@link ThreadCpu.translate}. */
  frames?: Frames;
  /** Its MMU. */
  readonly mmu: Mmu;
  /** What it allocates. */
  readonly objects: Objects;
  /** What it does, noted. */
  readonly events: Events;
  readonly #waits: Waiting;
  readonly #memory: Memory;
  readonly #words: Words;
  readonly #mailboxes: Mailboxes;
  readonly #mail: Int32Array;
  readonly #ipis: Ipis;
  readonly #bus: Bus;
  readonly #rcu: Rcu;
  readonly #canaries: Canaries | null;
  readonly #jitter: Jitter | null;
  readonly #verdict: Verdict;
  readonly #pages: number;
  readonly #pageBytes: number;
  readonly #deferred: Deferred[] = [];
  /** Rwsems that this CPU holds for read. */
  readonly #readLocks: Cell[] = [];
  /** Interrupts are off so many times, and so many RCU sections are open. */
  #irqsOff = 0;
  #reading = 0;
  readonly #pause: Pause = (turn) => this.#wait(turn);

  constructor(memory: Memory, id: number) {
    this.id = id;
    this.kernel = memory.kernel;
    this.#memory = memory;
    this.#words = memory.words;
    this.#mailboxes = new Mailboxes(memory);
    this.#mail = this.#mailboxes.of(id);
    this.#ipis = new Ipis(memory, id, this.#mailboxes, this.#pause);
    this.#bus = new Bus(memory, id, this.#mailboxes, this.#pause, (scope) => this.#drop(scope));
    this.#rcu = new Rcu(memory);
    this.#verdict = new Verdict(memory);
    this.#waits = new Waiting(memory);
    this.events = new Events(memory);
    this.objects = new Objects(
      memory,
      (cache, object, what) => this.#violate('O5', `${cache} ${memory.indexIn(cache, object)} was ${what}`),
      (turn) => this.#mailboxes.rest(id, turn),
    );
    const { canaries, jitter = 0, geometry } = memory.options;
    this.#canaries =
      canaries === true ? new Canaries(memory, this.objects, (...found) => this.#violate(...found)) : null;
    this.#jitter = jitter === 0 ? null : new Jitter(jitter * 64 + id);
    this.mmu = new Mmu(memory, id, this.#canaries ?? UNWATCHED);
    this.claim = this.#canaries?.claims ?? UNCLAIMED;
    this.#pageBytes = pageSize(geometry);
    this.#pages =
      2 **
      Math.min(
        30,
        geometry.bits.reduce((a, b) => a + b, 0),
      );
  }

  // ---- memory ----

  read(cell: Cell): number {
    return this.#words.read(cell);
  }
  write(cell: Cell, value: number): void {
    this.#words.write(cell, value);
  }
  readOnce(cell: Cell): number {
    this.#poll();
    return this.#words.load(cell);
  }
  writeOnce(cell: Cell, value: number): void {
    this.#poll();
    this.#words.store(cell, value);
  }
  loadAcquire(cell: Cell): number {
    this.#poll();
    return this.#words.load(cell);
  }
  storeRelease(cell: Cell, value: number): void {
    this.#poll();
    this.#words.store(cell, value);
  }
  xchg(cell: Cell, value: number): number {
    this.#poll();
    return this.#words.exchange(cell, value);
  }
  cmpxchg(cell: Cell, old: number, value: number): number {
    this.#poll();
    return this.#words.compareExchange(cell, old, value);
  }
  atomicAdd(cell: Cell, delta: number): void {
    this.#poll();
    this.#words.add(cell, delta);
  }
  atomicAddReturn(cell: Cell, delta: number): number {
    this.#poll();
    return this.#words.add(cell, delta);
  }
  atomicOr(cell: Cell, bits: number): void {
    this.#poll();
    this.#words.or(cell, bits);
  }
  atomicAndNot(cell: Cell, bits: number): void {
    this.#poll();
    this.#words.andNot(cell, bits);
  }
  atomicFetchAndNot(cell: Cell, bits: number): number {
    this.#poll();
    return this.#words.andNot(cell, bits);
  }
  smpMb(): void {
    this.#poll();
  }
  smpWmb(): void {
    this.#poll();
  }
  smpRmb(): void {
    this.#poll();
  }
  smpMbAfterAtomic(): void {
    this.#poll();
  }
  waitFor(cell: Cell, test: Test, operand: number): number {
    return this.#waiting('a word', () => {
      for (let turn = 0; ; turn++) {
        const value = this.#words.load(cell);
        const passes =
          test === 'equal' ? value === operand : test === 'notEqual' ? value !== operand : value >= operand;
        if (passes) return value;
        this.#wait(turn);
      }
    });
  }

  // ---- locks ----

  spinLock(lock: Cell): void {
    this.#poll();
    this.#waiting('a lock', () => spinLock(this.#words.ints, 2 * lock, this.#pause));
  }
  spinUnlock(lock: Cell): void {
    this.#poll();
    spinUnlock(this.#words.ints, 2 * lock);
  }
  downRead(lock: Cell): void {
    this.#poll();
    // Taken again by who has it: a writer that waits must not come between.
    if (this.#readLocks.includes(lock)) readAgain(this.#words.ints, 2 * lock);
    else this.#waiting('a lock', () => downRead(this.#words.ints, 2 * lock, this.#pause));
    this.#readLocks.push(lock);
  }
  downReadTrylock(lock: Cell): number {
    this.#poll();
    if (!downReadTrylock(this.#words.ints, 2 * lock)) return 0;
    this.#readLocks.push(lock);
    return 1;
  }
  upRead(lock: Cell): void {
    this.#poll();
    this.#readLocks.splice(this.#readLocks.lastIndexOf(lock), 1);
    upRead(this.#words.ints, 2 * lock);
  }
  downWrite(lock: Cell): void {
    this.#poll();
    this.#waiting('a lock', () => downWrite(this.#words.ints, 2 * lock, this.#pause));
  }
  upWrite(lock: Cell): void {
    this.#poll();
    upWrite(this.#words.ints, 2 * lock);
  }
  downgradeWrite(lock: Cell): void {
    this.#poll();
    downgradeWrite(this.#words.ints, 2 * lock);
    this.#readLocks.push(lock);
  }

  // ---- objects ----

  alloc(cache: CacheName, count = 1): Address {
    this.#poll();
    this.#freeDeferred();
    const object = this.objects.alloc(cache, count);
    const { size } = this.#memory.pools[cache];
    for (let n = 0; n < count; n++) this.#canaries?.allocated(cache, object + n * size);
    this.#noteObject('alloc', cache, object);
    return object;
  }
  free(cache: CacheName, object: Address): void {
    this.#poll();
    this.#noteObject('free', cache, object);
    this.objects.free(cache, object);
  }
  mayFail(): number {
    this.#poll();
    return this.#jitter !== null && this.#jitter.chance.once(8) ? 1 : 0;
  }

  // ---- RCU ----

  rcuReadLock(): void {
    this.#poll();
    this.#beginReading();
  }
  rcuReadUnlock(): void {
    this.#poll();
    this.#endReading();
  }
  freeRcu(cache: CacheName, object: Address): void {
    this.#poll();
    this.#deferred.push({ cache, object, readers: this.#rcu.readers() });
    this.#freeDeferred();
  }
  synchronizeRcu(): void {
    this.#poll();
    const readers = this.#rcu.readers();
    this.#waiting('RCU readers', () => {
      for (let turn = 0; !this.#rcu.haveLeft(readers); turn++) this.#wait(turn);
    });
  }

  // ---- interrupts ----

  localIrqDisable(): void {
    this.#poll();
    this.#irqsOff++;
    this.#beginReading();
  }
  localIrqEnable(): void {
    this.#endReading();
    this.#irqsOff--;
    this.#poll();
  }
  sendIpi(target: number, handler: number, argument: Address): void {
    this.#poll();
    this.events.note(this.id, 'sendIpi', target, handler);
    this.#waiting('interrupts that it sent', () => this.#ipis.send(target, handler, argument));
  }
  awaitIpis(): void {
    this.#poll();
    this.#waiting('interrupts that it sent', () => this.#ipis.await());
  }

  // ---- MMU ----

  loadContext(root: Address, asid: number, noflush: boolean): void {
    this.#poll();
    this.events.note(this.id, 'loadContext', root, asid, noflush ? 1 : 0);
    this.mmu.load(root, asid, noflush);
  }
  invalidate(scope: Scope): void {
    this.#poll();
    this.events.note(this.id, 'invalidate', scope.asid, scope.leaves.start, scope.leaves.end);
    if (!scope.broadcast && scope.cpus === undefined) {
      this.mmu.invalidate(scope);
      return;
    }
    this.#bus.issue(scope);
    if (scope.cpus !== undefined) this.#reachOthers();
  }
  cmpxchgAndInvalidate(cell: Cell, old: number, value: number, scope: Scope): number {
    this.#poll();
    this.events.note(this.id, 'invalidate', scope.asid, scope.leaves.start, scope.leaves.end);
    const held = this.#words.compareExchange(cell, old, value);
    if (held !== old) return held;
    if (!scope.broadcast) {
      this.mmu.invalidate(scope);
      return held;
    }
    this.#bus.issue(scope);
    this.#reachOthers();
    return held;
  }
  invalidationBarrier(): void {
    this.#poll();
    this.events.note(this.id, 'barrier');
    this.#reachOthers();
  }
  userRead(address: number): number {
    this.#poll();
    const frame = this.#access(address, false);
    return frame === 0 ? FAULT : this.#words.ints[2 * (frame + DATA)]!;
  }
  userWrite(address: number, value: number): number {
    this.#poll();
    const frame = this.#access(address, true);
    if (frame === 0) return FAULT;
    this.#words.ints[2 * (frame + DATA)] = value;
    return 0;
  }
  kernelRead(address: number): number {
    this.#poll();
    const slot = this.mmu.translateKernel(address);
    return slot < 0 ? FAULT : this.#words.ints[2 * (this.mmu.frame(slot, address) + DATA)]!;
  }

  /**
   * The page through which user code accesses an address, as for userRead and userWrite: for who keeps contents of pages elsewhere, as emulators do.
   * @returns the address of the page's struct, 0 if the access faults
   */
  translate(address: number, write: boolean): Address {
    this.#poll();
    return this.#access(address, write);
  }

  // ---- modes ----

  enterUser(_result?: number): void {
    this.#poll();
  }
  enterKernel(): void {
    this.#poll();
    this.#canaries?.entersKernel();
  }

  // ---- never a pause ----

  jiffies(): number {
    return Math.floor((performance.timeOrigin + performance.now()) / 4);
  }
  trace(): void {}

  // ---- the machine's own ----

  /** Serves others for a moment; for who has nothing else to do. @param turn how often so far */
  idle(turn: number): void {
    this.#freeDeferred();
    this.#waiting('the other CPUs', () => this.#wait(turn));
  }

  /** Objects that wait for readers to leave. */
  get deferred(): number {
    return this.#deferred.length;
  }

  /** Looks into the mailbox. */
  #poll(): void {
    if (this.#jitter !== null && this.#jitter.disturb()) this.#speculate(this.#jitter.chance);
    const mail = this.#mail[0]!;
    if (mail !== 0) this.#serve(mail, this.#jitter !== null && !this.#jitter.chance.once(IPI_LATENCY));
  }

  #speculate(chance: Chance): void {
    this.mmu.speculate(chance.below(this.#pages) * this.#pageBytes);
  }

  /** @param late interrupts may wait */
  #serve(mail: number, late: boolean): void {
    if ((mail & STOP) !== 0) throw new Stopped(`CPU ${this.id} was stopped`);
    if ((mail & BUS) !== 0) this.#bus.serve();
    if ((mail & IPI) !== 0 && this.#irqsOff === 0 && !late)
      this.#ipis.serve((handler, argument) => this.#interrupt(handler, argument));
  }

  #interrupt(handler: number, argument: Address): void {
    const waits = this.#waits.of(this.id);
    this.#waits.set(this.id, 'nothing');
    this.events.note(this.id, 'handler', handler);
    this.#irqsOff++;
    this.#beginReading();
    this.kernel.handlers[handler]!(this, argument);
    this.#endReading();
    this.#irqsOff--;
    this.#waits.set(this.id, waits);
  }

  /** One look at the mailbox between two looks at what is waited for, and a rest. */
  #wait(turn: number): void {
    const mail = this.#mailboxes.look(this.id);
    const masked = this.#irqsOff === 0 ? 0 : IPI;
    if ((mail & ~masked) !== 0) this.#serve(mail, false);
    else this.#mailboxes.rest(this.id, turn);
  }

  #waiting<T>(what: Waits, body: () => T): T {
    const before = this.#waits.of(this.id);
    this.#waits.set(this.id, what);
    const value = body();
    this.#waits.set(this.id, before);
    return value;
  }

  #reachOthers(): void {
    this.#waiting('its invalidations', () => this.#bus.barrier());
  }

  #drop(scope: Scope): void {
    this.mmu.invalidate(scope);
  }

  #beginReading(): void {
    if (this.#reading++ === 0) this.#rcu.toggle(this.id);
  }

  #endReading(): void {
    if (--this.#reading === 0) this.#rcu.toggle(this.id);
  }

  #freeDeferred(): void {
    while (this.#deferred.length > 0 && this.#rcu.haveLeft(this.#deferred[0]!.readers)) {
      const { cache, object } = this.#deferred.shift()!;
      this.#noteObject('free', cache, object);
      this.objects.free(cache, object);
    }
  }

  #noteObject(what: 'alloc' | 'free', cache: CacheName, object: Address): void {
    this.events.note(this.id, what, CACHES.indexOf(cache), this.#memory.indexIn(cache, object));
  }

  /** The frame of an access; 0 if it faults. */
  #access(address: number, write: boolean): Address {
    const slot = this.mmu.hit(address, write);
    if (slot < 0) return this.#accessAnew(address, write);
    const frame = this.mmu.tlb.frame(slot);
    if (this.#canaries !== null) this.#watch(this.#canaries, slot, address, frame, write);
    return frame;
  }

  /** The same where the TLB does not hold it as a base page, with these rights. */
  #accessAnew(address: number, write: boolean): Address {
    const slot = this.mmu.translate(address, write);
    if (slot < 0) {
      this.events.note(this.id, 'fault', address, write ? 1 : 0);
      return 0;
    }
    const frame = this.mmu.frame(slot, address);
    if (this.#canaries !== null) this.#watch(this.#canaries, slot, address, frame, write);
    return frame;
  }

  #watch(canaries: Canaries, slot: number, address: number, frame: Address, write: boolean): void {
    this.events.note(this.id, write ? 'userWrite' : 'userRead', address, this.#memory.indexIn('page', frame));
    canaries.access(this.mmu.root, address, frame, this.mmu.tlb.canary(slot), write);
  }

  #violate(oracle: OracleId, message: string): never {
    this.#verdict.found(this.id, { oracle, message });
    throw new Stopped(`CPU ${this.id}: ${oracle}: ${message}`);
  }
}
