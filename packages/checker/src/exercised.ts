/**
 * Exercised: what a search has exercised. It stands before a machine and is searched in its place; nobody pays who does not ask.
 *
 *     CPU 0                  CPU 1
 *     a: writeOnce(x)        b: readOnce(x)
 *
 * Two accesses of one cell by different CPUs, one of them a write, are a *racing pair*. It was seen in both orders if in some explored
 * execution a took effect before b, and in another one b before a; they need not be neighbours. Under TSO a store takes effect when it
 * leaves the buffer; under weak a load comes before the stores that it misses. A page-table entry is also read by the MMUs that may walk
 * it, at any time: a store to it races with their walks, in both orders.
 *
 * Plain accesses are in no pair: they are ordered, or a data race. A search that comes to a known state does not go on from there: of
 * what came before, only the first way to it counts.
 */
import type { Cell } from '@mmu-gather/core/stepped';
import type { Alike, Explorable, Locality, Touch, Violation } from './explorable.ts';
import type { Machine } from './machine.ts';
import type { OpName } from './op.ts';

/** What a search has exercised: plain data. */
export interface Exercise {
  /** Places of port calls whose steps were taken: `mm/munmap.ts:12`. */
  readonly sites: readonly string[];
  /** Racing pairs that were seen in both orders. */
  readonly both: readonly (readonly [site: string, other: string])[];
  /** Those that were seen in one order only: the first one took effect first. */
  readonly one: readonly (readonly [first: string, second: string])[];
}

/** The MMU, as one side of a pair. */
export const PAGE_WALK = 'page walk';

const ONLY_READS: ReadonlySet<OpName> = new Set(['readOnce', 'loadAcquire', 'waitFor']);
const BUFFERED: ReadonlySet<OpName> = new Set(['writeOnce', 'storeRelease', 'spinUnlock']);

/** An access that takes effect. */
interface Access {
  readonly cell: Cell;
  readonly cpu: number;
  /** Number of its site. */
  readonly site: number;
  readonly writes: boolean;
  /** Stores to the cell that it comes before, although they took effect. */
  readonly missed: number;
}

/** A step, to be taken back. */
interface Taken {
  /** Of the machine, before it. */
  readonly mark: number;
  readonly cpu: number;
  /** Sites of the stores that were in the CPU's buffer. */
  readonly buffer: readonly string[];
  /** The cell that was accessed; -1 if none. */
  readonly cell: Cell;
}

/** More than there are sites. */
const SITES = 2 ** 20;
/** Orders of a pair: the site with the lower number first, or the other one. On one site: the lower CPU. */
const FORTH = 1;
const BACK = 2;

/** A machine whose steps are watched. It must note sites. */
export class Exercised implements Explorable {
  readonly actors: number;
  readonly #machine: Machine;
  readonly #numbers = new Map<string, number>([[PAGE_WALK, 0]]);
  readonly #orders = new Map<number, number>();
  readonly #accesses = new Map<Cell, Access[]>();
  readonly #buffers: (readonly string[])[];
  readonly #taken: Taken[] = [];

  constructor(machine: Machine) {
    this.#machine = machine;
    this.actors = machine.actors;
    this.#buffers = Array.from({ length: machine.actors / 3 }, () => []);
  }

  /** What was seen until now. */
  get exercise(): Exercise {
    const sites = [...this.#numbers.keys()];
    const both: (readonly [string, string])[] = [];
    const one: (readonly [string, string])[] = [];
    for (const [pair, orders] of this.#orders) {
      const [low, high] = [sites[Math.floor(pair / SITES)]!, sites[pair % SITES]!];
      if (orders === (FORTH | BACK)) both.push(low < high ? [low, high] : [high, low]);
      else one.push(orders === FORTH ? [low, high] : [high, low]);
    }
    const alphabet = (a: readonly string[], b: readonly string[]): number => (a.join(' ') < b.join(' ') ? -1 : 1);
    return { sites: sites.slice(1).toSorted(), both: both.toSorted(alphabet), one: one.toSorted(alphabet) };
  }

  perform(actor: number, choice: number): void {
    const machine = this.#machine;
    const cpu = actor % this.#buffers.length;
    const buffer = this.#buffers[cpu]!;
    const mark = machine.mark();
    const process = machine.view.processOf(actor)?.number;
    const isDrain = actor >= 2 * this.#buffers.length;
    const site = process === undefined ? '' : machine.view.stepSite(process);
    const stores = process !== undefined && this.#goesIntoBuffer(process);
    const access = isDrain ? this.#drain(cpu) : process === undefined ? undefined : this.#access(process, cpu, choice);
    if (site !== '') this.#numberOf(site);
    machine.perform(actor, choice);
    const left = isDrain ? buffer.slice(1) : buffer;
    const added = machine.view.buffered(cpu) - left.length;
    // Behind a store of a step there may be plain ones.
    this.#buffers[cpu] =
      added === 0 ? left : [...left, stores ? site : '', ...Array.from({ length: added - 1 }, () => '')];
    if (access !== undefined) this.#takes(access);
    this.#taken.push({ mark, cpu, buffer, cell: access?.cell ?? -1 });
  }

  undo(mark: number): void {
    this.#machine.undo(mark);
    for (let last = this.#taken.at(-1); last !== undefined && last.mark >= mark; last = this.#taken.at(-1)) {
      this.#taken.pop();
      this.#buffers[last.cpu] = last.buffer;
      if (last.cell >= 0) this.#accesses.get(last.cell)!.pop();
    }
  }

  /** The access of a process's pending step, if it is one and takes effect at once. */
  #access(process: number, cpu: number, choice: number): Access | undefined {
    const machine = this.#machine;
    const site = machine.view.stepSite(process);
    const cell = machine.view.stepCell(process);
    if (cell < 0 || site === '' || this.#goesIntoBuffer(process) || machine.view.waitsOn(process, choice))
      return undefined;
    const writes = !ONLY_READS.has(machine.view.stepKind(process));
    return { cell, cpu, site: this.#numberOf(site), writes, missed: machine.view.missedStores(process, choice) };
  }

  /** The store that leaves a CPU's buffer next; undefined if it is a plain one. */
  #drain(cpu: number): Access | undefined {
    const site = this.#buffers[cpu]![0] ?? '';
    if (site === '') return undefined;
    return { cell: this.#machine.view.drainCell(cpu), cpu, site: this.#numberOf(site), writes: true, missed: 0 };
  }

  #goesIntoBuffer(process: number): boolean {
    return this.#machine.memoryModel === 'tso' && BUFFERED.has(this.#machine.view.stepKind(process));
  }

  /** An access takes effect: what was before it? */
  #takes(access: Access): void {
    const before = this.#accesses.get(access.cell) ?? [];
    let missed = access.missed;
    for (const other of before.toReversed()) {
      const isMissed = other.writes && missed > 0;
      if (isMissed) missed--;
      if (other.cpu === access.cpu || !(other.writes || access.writes)) continue;
      if (isMissed) this.#note(access, other);
      else this.#note(other, access);
    }
    before.push(access);
    this.#accesses.set(access.cell, before);
    if (access.writes && this.#machine.view.walkersOf(access.cell) !== 0) this.#orders.set(access.site, FORTH | BACK);
  }

  #note(first: Access, second: Access): void {
    const isForth = first.site === second.site ? first.cpu < second.cpu : first.site < second.site;
    const [low, high] = first.site < second.site ? [first.site, second.site] : [second.site, first.site];
    const pair = low * SITES + high;
    this.#orders.set(pair, (this.#orders.get(pair) ?? 0) | (isForth ? FORTH : BACK));
  }

  #numberOf(site: string): number {
    let number = this.#numbers.get(site);
    if (number === undefined) this.#numbers.set(site, (number = this.#numbers.size));
    return number;
  }

  // ---- the machine's own ----

  choices(actor: number): number {
    return this.#machine.choices(actor);
  }
  finished(): boolean {
    return this.#machine.finished();
  }
  get violation(): Violation | undefined {
    return this.#machine.violation;
  }
  checkEnd(): Violation | undefined {
    return this.#machine.checkEnd();
  }
  mark(): number {
    return this.#machine.mark();
  }
  get keyLow(): number {
    return this.#machine.keyLow;
  }
  get keyHigh(): number {
    return this.#machine.keyHigh;
  }
  nextSteps(): string {
    return this.#machine.nextSteps();
  }
  footprint(actor: number, touch: Touch): void {
    this.#machine.footprint(actor, touch);
  }
  runCode(always: boolean): void {
    this.#machine.runCode(always);
  }
  get alike(): Alike | undefined {
    return this.#machine.alike;
  }
  get locality(): Locality | undefined {
    return this.#machine.locality;
  }
  observation(): string {
    return this.#machine.observation();
  }
}
