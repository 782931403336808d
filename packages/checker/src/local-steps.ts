/**
 * Local steps: which steps of the exploring machine may be taken at once, whatever others are about to do.
 *
 * *Cells.* A step on a cell that nobody else touches any more, or only reads as it does, commutes with what others do. So do the
 * plain accesses up to the code's next step. Steps that write page-table entries or generations are never local: fills
 * and oracles see them. Reading them is like reading any other cell.
 *
 * *Objects.* An access to a table, a VMA or an mm conflicts with its free, too.
 *
 * *Interrupts.* Main code shares its CPU with the handlers of calls that may still come, if its interrupts are on. A handler
 * shares it with nobody: the main code stands still.
 *
 *     main code, irqs on                    handler
 *     store x (into the buffer)             irqReturn waits until the buffer is empty
 *     // the store is not local: taken at once, x would reach memory before the handler returns
 *
 * *Store buffers.* A store into the buffer is local unless a handler may come before it, also if the cell is shared: only the
 * drain shows it. The drain of a cell that no other CPU touches any more is local: what its owner loads is the same, and
 * waiting for an empty buffer only gets easier. A plain store that goes into the buffer (memory.ts) is not.
 *
 * *Spinlocks.* To let go a lock is local although others wait for it: until then nobody else can do anything with it (Lipton's left mover).
 * This holds for a cell that is nothing but a spinlock, and that only its holder lets go:
 *
 *     CPU 0 (holds l)                CPU 1
 *     spinUnlock l                   spinLock l            // not enabled before
 *     or, under TSO, its drain       readOnce(l)           // would see it held: then the cell is not only a lock
 *
 * A handler that waits for the lock on the holder's own CPU waits for ever: with such a handler to come it is not local.
 *
 * *Races.* A step ends the time in which an access of others races with the plain accesses before it: it is local only if no such
 * access can come. A store into the buffer is not local if another CPU may still access the cell plainly: taken at once it
 * would miss the race.
 *
 * *TLBs.* While nobody else can change page tables any more:
 *
 * - an invalidation is local on a CPU that cannot access (oracles.ts): what its TLB holds is seen by nobody but walks of freed tables,
 *   and claims about kernel addresses, so none of both may come meanwhile;
 * - `caughtUp` speaks of the own TLB and of memory, and may stand behind a local step. Other claims may not;
 * - the way back to user mode, by `enterUser` or from an interrupt, is local although oracles see it. It only makes them stricter: what
 *   it would break later, another step breaks once it was taken. While page tables change that is not so, as a new entry
 *   is not compared with all that was promised.
 *
 * *RCU.* A free that waits for readers takes effect at some step of a reader: it counts as one that anybody may do at any time. Steps by
 * which a CPU becomes a reader, or is none any more, are local while nothing waits for readers and nobody else will.
 *
 * *Weak memory.* A step that changes what its CPU knows is not local if a handler may come before it: it would know that, too. A
 * full fence is local only if it tells the fences to come nothing about a cell that others still touch. What it learns from earlier
 * ones it may learn too early, and so know less than it would later: then it can do all that it could do later, and more, and what
 * it does is an execution of the full search. With orders followed exactly (bare programs) no step is local, for loads order stores of others.
 *
 * Kinds of steps that are not named here are not local.
 */
import type { Address, Cell, Claims, Extent } from '@mmu-gather/core/stepped';
import { type Locality, type Sharing, TOUCH } from './explorable.ts';
import type { Interrupts } from './interrupts.ts';
import type { Memory } from './memory.ts';
import { isBroadcast, onlyReads, OP, scopeCpus, touchesCell } from './op.ts';
import {
  ALWAYS,
  announce,
  GRACE,
  IN_TABLES,
  isStore,
  KERNEL_CLAIMS,
  now,
  poolOf,
  PSEUDO_WORDS,
  seenCells,
  TABLE_FREES,
  TABLES,
  type TouchHost,
  USER_STORES,
} from './touched.ts';
import { CPU, QUIET } from './words.ts';

/** What local steps need to know of the machine. */
export interface LocalityHost extends TouchHost {
  readonly memory: Memory;
  readonly interrupts: Interrupts;
  /** Does an oracle look at entries on CPUs that cannot access? */
  readonly strict: boolean;
  /** Does anything wait for an RCU reader? */
  readersAwaited(): boolean;
  /** Under weak: cells of which a full fence of this CPU would tell the fences to come. */
  tellsFences?: ((cpu: number) => Iterable<number>) | undefined;
}

/** The local steps of one machine. */
export class LocalSteps implements Locality {
  readonly words: number;
  readonly #host: LocalityHost;
  readonly #pseudo: number;
  #sharing: Sharing | undefined;
  /** What the machine sees of each cell itself. */
  #seenBy: Uint8Array | undefined;

  /** A free waits for readers since before the search began: it was not noted, so nothing is local. */
  #unknown = false;

  // The step that is being tried: its CPU, whether a handler may come before it, and where the processes are that may step before it.
  #trying = false;
  #cpu = 0;
  #exposed = false;
  readonly #position: Int32Array;
  /** Stores that must be in the CPU's buffer after it. */
  #buffered = 0;
  /** Something behind it was not local. */
  #seen = false;

  constructor(host: LocalityHost) {
    this.#host = host;
    this.#pseudo = host.words.state.quiet;
    this.words = this.#pseudo + PSEUDO_WORDS;
    this.#position = new Int32Array(2 * host.words.cpus);
  }

  watch(sharing: Sharing | undefined): void {
    this.#sharing = sharing;
    this.#trying = false;
    if (sharing === undefined) return;
    const { words } = this.#host;
    this.#seenBy ??= seenCells(this.#host);
    this.#unknown = this.#host.readersAwaited();
    for (let process = 0; process < 2 * words.cpus; process++) if (words.running(process)) this.announced(process);
  }

  announced(process: number): void {
    if (this.#sharing !== undefined) announce(this.#host, this.#sharing, this.#seenBy!, process);
  }

  /** A plain access of a process. */
  plain(process: number, cell: number, write: boolean): void {
    const sharing = this.#sharing;
    if (sharing === undefined) return;
    const position = now(this.#host.words, process) - 1;
    sharing.touch(process, cell, TOUCH.plain, position);
    sharing.touch(process, cell, write ? TOUCH.write : TOUCH.read, position);
    const seenBy = write ? this.#seenBy![cell]! : 0;
    if ((seenBy & IN_TABLES) !== 0) sharing.touch(process, this.#pseudo + TABLES, TOUCH.write, position);
    if (this.#trying && (seenBy !== 0 || this.#conflicts(cell, write))) this.#seen = true;
  }

  /**
   * May a CPU still load a cell, or race with a plain access of it? If not, it makes no difference what it knows of the cell. Yes, where
   * nothing is watched.
   * @param plain there was a plain access, perhaps before anything was watched
   */
  mayLookAt(cpu: number, cell: number, plain: boolean): boolean {
    if (this.#sharing === undefined) return true;
    const { words } = this.#host;
    const isPlain = plain || this.#isPlain(cell);
    return (
      (words.running(cpu) && this.#mayLook(cpu, cell, now(words, cpu), isPlain)) ||
      this.#mayLook(words.cpus + cpu, cell, 0, isPlain)
    );
  }

  #mayLook(process: number, cell: number, position: number, isPlain: boolean): boolean {
    const sharing = this.#sharing!;
    if (sharing.mayTouch(process, cell, TOUCH.read, position)) return true;
    return (
      isPlain &&
      (sharing.mayTouch(process, cell, TOUCH.write, position) || sharing.mayTouch(process, cell, TOUCH.plain, position))
    );
  }

  /** May a CPU still read what it wrote to a cell, or a plain access meet it? If not, nobody asks who wrote it. Yes, where nothing is watched. */
  mayMeetOwn(cpu: number, cell: number): boolean {
    if (this.#sharing === undefined) return true;
    const { words } = this.#host;
    return (
      (words.running(cpu) && this.#mayRead(cpu, cell, now(words, cpu))) ||
      this.#mayRead(words.cpus + cpu, cell, 0) ||
      this.#isPlain(cell)
    );
  }

  #mayRead(process: number, cell: number, position: number): boolean {
    const sharing = this.#sharing!;
    return (
      sharing.mayTouch(process, cell, TOUCH.read, position) || sharing.mayTouch(process, cell, TOUCH.modify, position)
    );
  }

  /** Is a cell accessed plainly by any process? */
  #isPlain(cell: number): boolean {
    for (let process = 0; process < 2 * this.#host.words.cpus; process++)
      if (this.#sharing!.mayTouch(process, cell, TOUCH.plain, 0)) return true;
    return false;
  }

  /** The claims of a process, noted. */
  noting(process: number, claims: Claims): Claims {
    const noted = (claim: (...args: never[]) => void): ((...args: never[]) => void) => {
      return (...args) => {
        this.#seen = true;
        claim(...args);
      };
    };
    return {
      ...(Object.fromEntries(Object.entries(claims).map(([name, claim]) => [name, noted(claim)])) as unknown as Claims),
      caughtUp: (root: Address, asid: number, gen: number) => {
        if (this.#trying && (this.#exposed || !this.#tablesStay())) this.#seen = true;
        claims.caughtUp(root, asid, gen);
      },
      // What a process itself holds, and whether its CPU takes interrupts, nobody else changes.
      held: (lock: Cell, how?: 'write') => claims.held(lock, how),
      irqsOff: () => claims.irqsOff(),
      reassigned: (range: Extent) => {
        this.#seen = true;
        this.#sharing?.touch(process, this.#pseudo + KERNEL_CLAIMS, TOUCH.write, now(this.#host.words, process) - 1);
        claims.reassigned(range);
      },
    };
  }

  mayBeLocal(actor: number): boolean {
    if (this.#unknown) return false;
    const { words, memory, interrupts } = this.#host;
    const cpu = actor % words.cpus;
    this.#cpu = cpu;
    this.#exposed = false;
    this.#seen = false;
    this.#buffered = words.cpu(cpu, CPU.buffered);
    if (actor >= 2 * words.cpus) {
      const cell = memory.oldest(cpu);
      if (this.#seenBy![cell] !== 0) return false;
      this.#lookAround();
      this.#buffered--;
      return this.#isOnlyLock(cell) || !this.#conflicts(cell, true);
    }
    const inIrq = actor >= words.cpus;
    // A delivery is not.
    if (inIrq && !interrupts.running(cpu)) return false;
    this.#exposed = !inIrq && words.cpu(cpu, CPU.irqOff) === 0 && this.#mayBeCalled(cpu);
    this.#lookAround();
    this.#trying = this.#isLocal(actor, cpu) && this.#closesNoRace(actor);
    return this.#trying;
  }

  wasLocal(): boolean {
    this.#trying = false;
    return !this.#seen && this.#host.words.cpu(this.#cpu, CPU.buffered) === this.#buffered;
  }

  #isLocal(process: number, cpu: number): boolean {
    const { words, memory, interrupts, strict } = this.#host;
    const kind = words.kind(process);
    const a = words.arg(process, 0);
    if (
      this.#host.tellsFences !== undefined &&
      (this.#exposed || (isFullFence(kind) && !this.#fencesLearnNothing(cpu)))
    )
      return false;
    const letsGo = kind === OP.spinUnlock && this.#isOnlyLock(a) && !this.#isTakenByHandler(a);
    if (memory.tso && isStore(kind)) {
      this.#buffered++;
      if (letsGo) return true;
      return !this.#exposed && !this.#othersMayTouch(a, TOUCH.plain, cpu) && !this.#mayGo(a);
    }
    if (touchesCell(kind)) {
      const write = !onlyReads(kind);
      if (letsGo) return true;
      return (!write || this.#seenBy![a] === 0) && !this.#conflicts(a, write);
    }
    switch (kind) {
      case OP.alloc:
        return !this.#othersMayTouch(poolOf(words, process), TOUCH.write);
      case OP.smpMb:
      case OP.smpWmb:
      case OP.smpRmb:
      case OP.smpMbAfterAtomic:
      case OP.awaitIpis:
      case OP.awaitReaders:
        return true;
      case OP.localIrqDisable:
        return !this.#exposed && this.#nothingWaitsForReaders();
      case OP.localIrqEnable:
        return words.cpu(cpu, CPU.irqOff) > 0 && this.#nothingWaitsForReaders();
      case OP.rcuReadLock:
      case OP.rcuReadUnlock:
        return this.#nothingWaitsForReaders();
      case OP.invalidate:
        return (
          !isBroadcast(words.arg(process, 1)) &&
          scopeCpus(words.arg(process, 1)) === 0 &&
          !strict &&
          !this.#exposed &&
          !interrupts.inUser(cpu) &&
          this.#tablesStay() &&
          !this.#othersMayTouch(this.#pseudo + TABLE_FREES, TOUCH.write) &&
          !this.#othersMayTouch(this.#pseudo + KERNEL_CLAIMS, TOUCH.write)
        );
      case OP.enterUser:
        return this.#tablesStay();
      case OP.irqReturn:
        return (words.cpu(cpu, CPU.userMode) === 0 || this.#tablesStay()) && this.#nothingWaitsForReaders();
      default:
        return false;
    }
  }

  /** A full fence of the CPU passes on nothing about cells that others still touch, nor about entries, which walkers and broadcasts go by. */
  #fencesLearnNothing(cpu: number): boolean {
    for (const cell of this.#host.tellsFences!(cpu)) {
      if ((this.#seenBy![cell]! & IN_TABLES) !== 0) return false;
      if (this.#othersMayTouch(cell, TOUCH.write) || this.#othersMayTouch(cell, TOUCH.read)) return false;
    }
    return true;
  }

  /** Notes who may step before the step that is tried, and from where on. Of the others only what has no position counts. */
  #lookAround(): void {
    const { words, interrupts } = this.#host;
    const { cpus } = words;
    for (let cpu = 0; cpu < cpus; cpu++) {
      const own = cpu === this.#cpu;
      this.#position[cpu] = !own && words.running(cpu) ? now(words, cpu) : ALWAYS;
      // Behind the handler that runs there may come another one.
      if (own && !this.#exposed) this.#position[cpus + cpu] = ALWAYS;
      else if (this.#mayBeCalled(cpu)) this.#position[cpus + cpu] = 0;
      else this.#position[cpus + cpu] = interrupts.running(cpu) ? now(words, cpus + cpu) : ALWAYS;
    }
  }

  /** May an interrupt come to a CPU before the step that is tried? */
  #mayBeCalled(cpu: number): boolean {
    const { words } = this.#host;
    const { cpus } = words;
    const queue = words.cpuAt(cpu, CPU.queued);
    if (words.cpu(cpu, CPU.queued) > 0) return true;
    for (let process = 0; process < 2 * cpus; process++) {
      const inIrq = process >= cpus;
      // The CPU of the step sends nothing before it, unless a handler comes.
      if (process % cpus === this.#cpu && !(inIrq && this.#exposed)) continue;
      if (!inIrq && !words.running(process)) continue;
      const position = inIrq ? 0 : now(words, process);
      if (this.#sharing!.mayTouch(process, queue, TOUCH.write, position)) return true;
    }
    return false;
  }

  /** May one of the others still touch a word in this way? `cpu`: leave out this one's. */
  #othersMayTouch(word: number, how: number, cpu = -1): boolean {
    const sharing = this.#sharing!;
    const { cpus } = this.#host.words;
    for (let process = 0; process < 2 * cpus; process++) {
      if (process % cpus === cpu) continue;
      if (sharing.mayTouch(process, word, how, this.#position[process]!)) return true;
    }
    return false;
  }

  /** Is a cell nothing but a spinlock, of which none but its holder lets go, and which stays? */
  #isOnlyLock(cell: number): boolean {
    const sharing = this.#sharing!;
    if (this.#seenBy![cell] !== 0) return false;
    for (let process = 0; process < 2 * this.#host.words.cpus; process++)
      if (sharing.mayTouch(process, cell, TOUCH.unlike, 0) || sharing.mayTouch(process, cell, TOUCH.plain, 0))
        return false;
    return !this.#mayGo(cell);
  }

  /** May a handler that comes before the step wait for the lock? */
  #isTakenByHandler(lock: number): boolean {
    const { cpus } = this.#host.words;
    return this.#exposed && this.#sharing!.mayTouch(cpus + this.#cpu, lock, TOUCH.write, 0);
  }

  /** May one of the others free the object around a cell? */
  #mayGo(cell: number): boolean {
    const guard = this.#host.objects.guardOf(cell);
    return guard !== 0 && this.#othersMayTouch(guard, TOUCH.write);
  }

  /** Nobody who waits for RCU readers can tell when a CPU becomes one, or is none any more. */
  #nothingWaitsForReaders(): boolean {
    return !this.#host.readersAwaited() && !this.#othersMayTouch(this.#pseudo + GRACE, TOUCH.write);
  }

  /** May one of the others still access a cell so that it matters who does it first? */
  #conflicts(cell: number, write: boolean): boolean {
    if (this.#othersMayTouch(cell, TOUCH.write)) return true;
    if (write && this.#othersMayTouch(cell, TOUCH.read)) return true;
    if (this.#seenBy![cell] !== 0 && this.#othersMayTouch(this.#pseudo + USER_STORES, TOUCH.write)) return true;
    if (this.#mayGo(cell)) return true;
    const { words, memory } = this.#host;
    if (!memory.tso) return false;
    for (let cpu = 0; cpu < words.cpus; cpu++) if (cpu !== this.#cpu && this.#waits(cpu, cell)) return true;
    return false;
  }

  /** Does a store to a cell wait in a CPU's buffer? */
  #waits(cpu: number, cell: number): boolean {
    const { words } = this.#host;
    for (let i = words.cpu(cpu, CPU.buffered) - 1; i >= 0; i--)
      if (words.cpu(cpu, CPU.buffer + 2 * i) === cell) return true;
    return false;
  }

  /** Nobody else changes page tables or generations any more, and no such store waits in a buffer. */
  #tablesStay(): boolean {
    if (this.#othersMayTouch(this.#pseudo + TABLES, TOUCH.write)) return false;
    const { words } = this.#host;
    for (let cpu = 0; cpu < words.cpus; cpu++) {
      for (let i = words.cpu(cpu, CPU.buffered) - 1; i >= 0; i--)
        if ((this.#seenBy![words.cpu(cpu, CPU.buffer + 2 * i)]! & IN_TABLES) !== 0) return false;
    }
    return true;
  }

  /** No access of others can still race with the plain ones since the process's last step. */
  #closesNoRace(process: number): boolean {
    const { words } = this.#host;
    const length = words.quiet(process, QUIET.segmentLength);
    for (let i = 0; i < length; i++) {
      const access = words.quiet(process, QUIET.segment + i);
      if (this.#othersMayTouch(access >> 1, TOUCH.write, this.#cpu)) return false;
      if ((access & 1) !== 0 && this.#othersMayTouch(access >> 1, TOUCH.read, this.#cpu)) return false;
    }
    return true;
  }
}

/** Kinds of steps that are full fences under weak. */
function isFullFence(kind: number): boolean {
  switch (kind) {
    case OP.smpMb:
    case OP.smpMbAfterAtomic:
    case OP.xchg:
    case OP.cmpxchg:
    case OP.atomicAddReturn:
    case OP.atomicFetchAndNot:
    case OP.bareRmw:
    case OP.bareCas:
    case OP.awaitReaders:
      return true;
    default:
      return false;
  }
}
