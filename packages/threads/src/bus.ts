/**
 * Bus: invalidations that reach other CPUs without an interrupt (TLBI, tlbie, INVLPGB, IPTE, a mondo). A ring of scopes for each issuer; every
 * target takes them in order.
 *
 *     issuer                            target, in any port call, whatever it has masked
 *     scope -> ring[issued]
 *     issued + 1
 *     barrier: tell the targets         drop what the scopes cover
 *              wait for all             taken = issued
 *
 * Nothing is told before the barrier, or before the ring is full: until its issuer has waited, a broadcast may not have happened, and this machine
 * takes it at its word. A target that runs user code does so in port calls, so it takes a scope between two accesses, never within one.
 */
import type { Scope } from '@mmu-gather/core';
import { BUS, type Mailboxes } from './mailbox.ts';
import type { Memory } from './memory.ts';
import type { Pause } from './ticket.ts';

const NAME = 'bus';
/** Scopes of an issuer that may wait. */
const RING = 8;
/** Doubles of a scope. */
const FIELDS = 8;
const GLOBALS = 1;
const DATA = 2;
const ROOTS = 4;
/** A scope without a level hint. */
const EVERY_LEVEL = -1;

/** Drops what a scope covers on this CPU. */
export type Drop = (scope: Scope) => void;

/** The bus of one machine, seen from one CPU. */
export class Bus {
  readonly #control: Int32Array;
  readonly #doubles: Float64Array;
  readonly #scopes: number;
  readonly #counts: number;
  readonly #cpus: number;
  readonly #id: number;
  readonly #mailboxes: Mailboxes;
  readonly #pause: Pause;
  readonly #drop: Drop;

  /** Reserves its words: scopes, then for each issuer how many it issued, and how many each target took. */
  static reserve(memory: Memory): void {
    const { cpus } = memory.kernel;
    memory.reserve(`${NAME}.scopes`, cpus * RING * FIELDS * 2);
    memory.reserve(`${NAME}.counts`, cpus * (cpus + 1));
  }

  constructor(memory: Memory, id: number, mailboxes: Mailboxes, pause: Pause, drop: Drop) {
    this.#control = memory.control;
    this.#doubles = memory.doubles;
    this.#scopes = memory.part(`${NAME}.scopes`) / 2;
    this.#counts = memory.part(`${NAME}.counts`);
    this.#cpus = memory.kernel.cpus;
    this.#id = id;
    this.#mailboxes = mailboxes;
    this.#pause = pause;
    this.#drop = drop;
  }

  /** Issues a scope for every CPU, this one too. */
  issue(scope: Scope): void {
    if (this.#issued(this.#id) - this.#fewestTaken() >= RING) this.barrier();
    const issued = this.#issued(this.#id);
    this.#put(this.#id, issued, scope);
    Atomics.store(this.#control, this.#countsOf(this.#id), issued + 1);
  }

  /** Waits until every CPU has taken what this one issued. */
  barrier(): void {
    const issued = this.#issued(this.#id);
    if (this.#fewestTaken() === issued) return;
    for (let cpu = 0; cpu < this.#cpus; cpu++) if (cpu !== this.#id) this.#mailboxes.tell(cpu, BUS);
    this.serve();
    for (let turn = 0; this.#fewestTaken() < issued; turn++) this.#pause(turn);
  }

  /** Takes what all CPUs have issued. */
  serve(): void {
    this.#mailboxes.clear(this.#id, BUS);
    for (let from = 0; from < this.#cpus; from++) {
      const issued = this.#issued(from);
      const taken = this.#countsOf(from) + 1 + this.#id;
      for (let n = Atomics.load(this.#control, taken); n < issued; n++) this.#take(from, n);
      Atomics.store(this.#control, taken, issued);
      if (from !== this.#id) this.#mailboxes.tell(from, 0);
    }
  }

  #countsOf(issuer: number): number {
    return this.#counts + issuer * (this.#cpus + 1);
  }

  #issued(issuer: number): number {
    return Atomics.load(this.#control, this.#countsOf(issuer));
  }

  #fewestTaken(): number {
    const counts = this.#countsOf(this.#id) + 1;
    let fewest = Infinity;
    for (let cpu = 0; cpu < this.#cpus; cpu++) fewest = Math.min(fewest, Atomics.load(this.#control, counts + cpu));
    return fewest;
  }

  #at(issuer: number, n: number): number {
    return this.#scopes + (issuer * RING + (n % RING)) * FIELDS;
  }

  /** Plain stores: the count that is stored behind them publishes them. */
  #put(issuer: number, n: number, scope: Scope): void {
    const at = this.#at(issuer, n);
    const { asid, leaves, walks, globals, level, cpus, data, roots } = scope;
    const flags = (globals ? GLOBALS : 0) | (data === true ? DATA : 0) | (roots === true ? ROOTS : 0);
    this.#doubles.set(
      [
        asid,
        leaves.start,
        leaves.end,
        walks.start,
        walks.end,
        flags,
        level ?? EVERY_LEVEL,
        cpus ?? 2 ** this.#cpus - 1,
      ],
      at,
    );
  }

  #take(issuer: number, n: number): void {
    const [asid, from, to, walksFrom, walksTo, flags, level, cpus] = this.#doubles.subarray(
      this.#at(issuer, n),
      this.#at(issuer, n) + FIELDS,
    ) as unknown as [number, number, number, number, number, number, number, number];
    if ((cpus & (1 << this.#id)) === 0) return;
    this.#drop({
      asid,
      leaves: { start: from, end: to },
      walks: { start: walksFrom, end: walksTo },
      globals: (flags & GLOBALS) !== 0,
      broadcast: false,
      data: (flags & DATA) !== 0,
      roots: (flags & ROOTS) !== 0,
      ...(level === EVERY_LEVEL ? {} : { level }),
    });
  }
}
