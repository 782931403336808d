/**
 * Meter: what a replay costs: flushes, interrupts, entries lost and modelled time, by process and operation, over time, and by CPU.
 *
 * It listens to what the running code asks of MMUs, so it counts alike on every architecture. Each invalidation, context load and interrupt
 * belongs to the operation that caused it, on whatever CPU it happens. What the recording leaves out (`quiet`) changes what TLBs hold, and
 * costs nothing.
 */
import { EVERYTHING, GENERIC_PTE, type Scope } from '@mmu-gather/core';
import type { MmuEvent, OnMmu } from '@mmu-gather/counting';
import type { Prices } from '../costs/price.ts';
import type { Host } from '../model/host.ts';
import type { TraceEvent } from '../read/event.ts';
import type { Observer } from '../watching.ts';
import type { Operation } from '../schedule/action.ts';
import { walksPageTables } from './backends.ts';
import { type FlushCall, FlushCalls } from './flush-calls.ts';
import { type Dropped, Shadow } from './shadow.ts';
import { Timeline } from './timeline.ts';
import { watchWrites } from './writes.ts';

/** What something cost. */
export interface Bill {
  /** Calls of flush functions that invalidated or interrupted. */
  flushes: number;
  /** Those that on no CPU removed an entry older than memory; 0 where that is not known. */
  redundant: number;
  /** Interrupts sent to flush. */
  ipis: number;
  /** Instructions that drop one page, or a range of them. */
  pages: number;
  /** Instructions that drop everything under a tag. */
  full: number;
  /** Context loads that drop what their tag held. */
  loads: number;
  /** Entries that TLBs lost, at most. */
  lost: number;
  /** Modelled time, in nanoseconds of CPU time, of all CPUs that took part. */
  ns: number;
}

/** How entries are dropped: kinds of a timeline. */
export const KINDS: readonly Kind[] = ['context load', 'own CPU', 'interrupted CPU', 'broadcast', 'with the entry'];
/** How entries are dropped. */
export type Kind = 'context load' | 'own CPU' | 'interrupted CPU' | 'broadcast' | 'with the entry';

/** A flush on one CPU, for pictures. */
export interface Slice {
  /** Ticks of the recording's clock. */
  readonly time: number;
  /** The CPU. */
  readonly cpu: number;
  /** How entries are dropped. */
  readonly kind: Kind;
  /** Pages; -1 for everything. */
  readonly pages: number;
  /** The operation that it is for. */
  readonly operation: string;
  /** Id of its task. */
  readonly pid: number;
  /** Line of the recording at which it begins. */
  readonly line: number;
  /** Modelled time, in nanoseconds. */
  readonly ns: number;
  /** The CPU that asked for it. */
  readonly from: number;
}

/** What is billed apart: an operation of a process, asked for at one place. */
export interface Line {
  /** The process. */
  readonly pid: number;
  /** System call, `fault`, `switch`, `exit` ... */
  readonly operation: string;
  /** Its call site, if stacks were recorded; else ''. */
  readonly site: string;
  readonly bill: Bill;
  /** Why its redundant flushes were redundant. */
  readonly causes: Map<string, number>;
}

/** Pages of a request of which a histogram is kept; larger ones are the last bucket's. */
const HISTOGRAM = 65;

/** Why a flush was redundant. */
const CAUSES = {
  unchanged: 'nothing was taken away since the flush before',
  unusable: 'what was taken away was not usable (PROT_NONE, say)',
  unheld: 'no CPU could hold what was taken away',
  dropped: 'another flush or a switch had dropped it already',
} as const;

/** What is metered: a {@link Host}. */
export type Metered = Pick<Host, 'direct' | 'stepped' | 'cpus' | 'operation' | 'time' | 'pageSize'>;

/** What the meter may be told. */
export interface MeterOptions {
  /** Prices of the architecture. */
  readonly prices: Prices;
  /** Keep every slice, not sums alone. */
  readonly slices?: boolean;
}

/** Counts. */
export class Meter implements Observer {
  readonly #prices: Prices;
  readonly #slicesWanted: boolean;
  #host!: Metered;
  #shadow: Shadow | null = null;
  #calls!: FlushCalls;
  #lines = new Map<string, Line>();
  /** The flush or operation that sent the last interrupt of each CPU. */
  readonly #sent: unknown[] = [];
  readonly #processes = new Map<number, { pid: number; name: string }>();
  readonly #executed = new Set<number>();
  /** Broadcasts that no barrier of their CPU has waited for. */
  readonly #broadcasts: boolean[] = [];
  /** Flushes over time. */
  timeline: Timeline = new Timeline(KINDS.length);
  /** Requests by number of pages; the first one is of everything, the last one of more. */
  histogram: number[] = noHistogram();
  /** Flushes on single CPUs, if they were asked for. */
  slices: Slice[] = [];
  /** Ticks of a second. */
  ticksPerSecond = 1;

  constructor({ prices, slices = false }: MeterOptions) {
    this.#prices = prices;
    this.#slicesWanted = slices;
  }

  begin(host: Metered, ticksPerSecond: number): void {
    this.#host = host;
    this.ticksPerSecond = ticksPerSecond;
    const { backend, geometry } = host.direct.kernel;
    const { arena } = host.direct;
    const read = (cell: number): number => arena.words[cell]!;
    // Which pages a table of translations holds depends on accesses, which are not recorded.
    if (walksPageTables(backend.id)) {
      const cachesInvalid = backend.isa.cachesInvalid !== undefined;
      this.#shadow = new Shadow(geometry, host.cpus, this.#prices.entries, cachesInvalid, read);
    }
    const shadow = this.#shadow;
    if (shadow !== null) {
      const tables = {
        allocated: (table: number): void => shadow.tables.add(table),
        changed: (cell: number, old: number, value: number): void => {
          if (shadow.tables.tableOf(cell) !== 0) shadow.change(cell, old, value);
        },
      };
      for (const cpu of host.direct.cpus) watchWrites(cpu, false, read, tables);
      for (const cpu of host.stepped.cpus) watchWrites(cpu, true, read, tables);
    }
    this.#calls = new FlushCalls(host, GENERIC_PTE, (flush) => this.#ended(flush));
    for (const machine of [host.direct, host.stepped]) {
      const before: OnMmu | undefined = machine.onMmu;
      machine.onMmu = (cpu: number, event: MmuEvent): void => {
        before?.(cpu, event);
        this.#take(cpu, event);
      };
    }
  }

  read(events: readonly TraceEvent[]): void {
    for (const event of events) {
      if (event.kind === 'lost' || event.kind === 'truncated') continue;
      if (event.kind === 'schedProcessExec') this.#executed.add(event.pid);
      const known = this.#processes.get(event.pid);
      const pid = event.tgid ?? known?.pid ?? event.pid;
      if (known === undefined) this.#processes.set(event.pid, { pid, name: event.comm });
      else {
        known.pid = pid;
        known.name = event.comm;
      }
    }
  }

  workload(): void {
    this.#lines = new Map();
    this.timeline = new Timeline(KINDS.length);
    this.histogram = noHistogram();
    this.slices = [];
  }

  /** Whether redundant flushes and lost entries can be told. */
  get tellsRedundant(): boolean {
    return this.#shadow !== null;
  }

  /** What each operation of each process cost, by call site. */
  get lines(): readonly Line[] {
    return [...this.#lines.values()];
  }

  /** The process of a task, by its id. */
  processOf(pid: number): number {
    return this.#processes.get(pid)?.pid ?? pid;
  }

  /** Whether a task has run another program. */
  hasExecuted(pid: number): boolean {
    return this.#executed.has(pid);
  }

  /** The name of a process, by its leader's id. */
  nameOf(pid: number): string {
    return this.#processes.get(pid)?.name ?? `pid ${pid}`;
  }

  #take(cpu: number, event: MmuEvent): void {
    const flush = this.#calls.of(cpu);
    const operation = this.#host.operation;
    switch (event.kind) {
      case 'load': {
        const dropped = this.#shadow?.load(cpu, event.root, event.asid, event.noflush);
        if (event.noflush) return;
        this.#drops(cpu, flush, operation, 'context load', -1, this.#prices.load, dropped);
        return;
      }
      case 'barrier':
        if (this.#broadcasts[cpu] === true) this.#pay(operation, this.#prices.wait);
        this.#broadcasts[cpu] = false;
        return;
      case 'ipi':
        this.#interrupts(cpu, flush, operation);
        return;
      case 'invalidate':
      case 'change':
        this.#invalidates(cpu, event.kind, event.scope, flush, operation);
    }
  }

  #invalidates(
    cpu: number,
    kind: 'invalidate' | 'change',
    scope: Scope,
    flush: FlushCall | null,
    operation: Operation | null,
  ): void {
    const all = scope.leaves.end === EVERYTHING;
    const pages = all ? -1 : Math.max(1, Math.ceil((scope.leaves.end - scope.leaves.start) / this.#host.pageSize));
    const { page, full, broadcast, entry } = this.#prices;
    if (scope.broadcast) this.#broadcasts[cpu] = true;
    const own = flush === null || flush.cpu === cpu;
    const how: Kind =
      kind === 'change' ? 'with the entry' : scope.broadcast ? 'broadcast' : own ? 'own CPU' : 'interrupted CPU';
    const price = kind === 'change' && scope.broadcast ? entry : scope.broadcast ? broadcast : all ? full : page;
    if (flush !== null) flush.invalidations++;
    this.#drops(cpu, flush, operation, how, pages, price, this.#shadow?.invalidate(cpu, scope));
  }

  #drops(
    cpu: number,
    flush: FlushCall | null,
    operation: Operation | null,
    kind: Kind,
    pages: number,
    price: number,
    dropped: Dropped | undefined,
  ): void {
    if (flush !== null && dropped !== undefined) {
      flush.entries += dropped.entries;
      flush.stale += dropped.stale;
      flush.changed += dropped.changed;
      flush.held += dropped.held;
      flush.unusable += dropped.unusable;
    }
    if (operation === null) return;
    const { bill } = this.#line(operation);
    const lost = dropped?.entries ?? 0;
    const ns = price + lost * this.#prices.refill;
    bill.lost += lost;
    bill.ns += ns;
    if (kind === 'context load') bill.loads++;
    else if (pages < 0) bill.full++;
    else bill.pages++;
    this.timeline.add(this.#host.time, KINDS.indexOf(kind));
    if (!this.#slicesWanted) return;
    const { name, pid, line } = operation;
    const from = flush?.cpu ?? cpu;
    this.slices.push({ time: this.#host.time, cpu, kind, pages, operation: name, pid, line, ns, from });
  }

  #interrupts(cpu: number, flush: FlushCall | null, operation: Operation | null): void {
    const sender = flush ?? operation;
    const more = this.#sent[cpu] === sender;
    this.#sent[cpu] = sender;
    if (flush !== null) flush.ipis++;
    if (operation === null) return;
    this.#line(operation).bill.ipis++;
    const { ipi, ipiMore, interrupt } = this.#prices;
    this.#pay(operation, (more ? ipiMore : ipi) + interrupt);
  }

  #pay(operation: Operation | null, ns: number): void {
    if (operation !== null) this.#line(operation).bill.ns += ns;
  }

  #ended(flush: FlushCall): void {
    const { operation, pages, invalidations, ipis, stale } = flush;
    if (operation === null || invalidations + ipis === 0) return;
    const { bill, causes } = this.#line(operation);
    bill.flushes++;
    if (pages !== null) this.histogram[pages < 0 ? 0 : Math.min(pages, HISTOGRAM)]!++;
    if (this.#shadow === null || stale > 0) return;
    bill.redundant++;
    const cause = causeOf(flush);
    causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }

  #line(operation: Operation): Line {
    const pid = this.processOf(operation.pid);
    const { name, site } = operation;
    const key = `${pid} ${name} ${site}`;
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { pid, operation: name, site, bill: noBill(), causes: new Map() };
      this.#lines.set(key, line);
    }
    return line;
  }
}

function causeOf({ changed, held, unusable }: FlushCall): string {
  if (changed > 0) return held === 0 ? CAUSES.unheld : CAUSES.dropped;
  return unusable > 0 ? CAUSES.unusable : CAUSES.unchanged;
}

function noHistogram(): number[] {
  return Array.from({ length: HISTOGRAM + 1 }, () => 0);
}

/** Nothing was spent. */
export function noBill(): Bill {
  return { flushes: 0, redundant: 0, ipis: 0, pages: 0, full: 0, loads: 0, lost: 0, ns: 0 };
}

/** Adds bills up. */
export function addBills(bills: Iterable<Bill>): Bill {
  const sum = noBill();
  for (const bill of bills) for (const key of Object.keys(sum) as (keyof Bill)[]) sum[key] += bill[key];
  return sum;
}
