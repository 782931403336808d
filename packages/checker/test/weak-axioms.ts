/**
 * Axioms: which outcomes of a straight-line program a memory model allows, by its definition alone. Independent of the machine.
 *
 * All ways to choose for each load the store that it reads (rf) and for each cell an order of its stores (co) are tried. Of those in
 * which program order, rf and co have no cycle (what step functions can show), the model's axioms allow some:
 *
 * - sc: po, rf, co, fr together have no cycle;
 * - tso: the same without po from stores to later loads, except over full fences and read-modify-writes, and without reading one's own stores;
 * - mca: Arm's ordered-before (Arm ARM B2.3; Pulte et al., POPL 2018) has no cycle;
 * - power: no load reads a store older than one that is known to it. A fence or release makes known what stands before it, stores and what
 *   loads have read; dependencies, acquires and reads-from pass on what is known; full fences pass it on in one order.
 */
import { fenceClass, FENCE_KINDS, rmwOrder, RMW_ORDERS } from '../src/bare-steps.ts';
import { cellsOf, type Instruction, type Straight } from './weak-programs.ts';

interface Event {
  readonly id: number;
  readonly thread: number;
  readonly kind: 'R' | 'W' | 'F';
  readonly cell: number;
  readonly value: number;
  /** Of a load: values that it must read, or must not. */
  readonly must?: number;
  readonly mustNot?: number;
  readonly acquire?: 'pc' | 'rcsc';
  readonly release?: boolean;
  /** Nothing depends on it, and fences between loads do not see it. */
  readonly noReturn?: boolean;
  /** Of a store: the load half of its read-modify-write. */
  readonly rmw?: number;
  readonly fence?: string;
  /** Loads by event. */
  readonly addr: readonly number[];
  readonly data: readonly number[];
  readonly ctrl: readonly number[];
}

/** The events of a program in which each compare-and-swap succeeds or not, as told. */
function eventsOf(program: Straight, succeeds: readonly boolean[]): Event[] {
  const events: Event[] = [];
  for (let cell = 0; cell < cellsOf(program); cell++)
    events.push({ id: cell, thread: -1, kind: 'W', cell, value: 0, addr: [], data: [], ctrl: [] });
  let nth = 0;
  for (const [thread, code] of program.entries()) {
    const slots: number[] = [];
    const none = { addr: [], data: [], ctrl: [] };
    const of = (mask = 0): number[] => slots.filter((id, slot) => (mask & (1 << slot)) !== 0 && id >= 0);
    const add = (event: Omit<Event, 'id' | 'thread'>): number => {
      events.push({ ...event, id: events.length, thread });
      return events.length - 1;
    };
    const full = (): number => add({ kind: 'F', cell: -1, value: 0, fence: 'full', ...none });
    for (const i of code) {
      if (i.op === 'fence') {
        const fence = fenceClass(FENCE_KINDS.indexOf(i.kind));
        add({ kind: 'F', cell: -1, value: 0, fence, ...none, ctrl: of(i.ctrl) });
        continue;
      }
      const after = { addr: of(i.addr), data: of(i.data), ctrl: of(i.ctrl) };
      if (i.op === 'load') {
        const acquire = i.order === 'acquire' ? 'rcsc' : i.order === 'acquirePc' ? 'pc' : undefined;
        slots.push(add({ kind: 'R', cell: i.cell, value: 0, ...(acquire && { acquire }), ...none, addr: after.addr }));
      } else if (i.op === 'store') {
        add({ kind: 'W', cell: i.cell, value: i.value, release: i.release === true, ...after });
      } else slots.push(readModifyWrite(i, after, i.op === 'swap' || succeeds[nth++]!, add, full));
    }
  }
  return events;
}

function readModifyWrite(
  i: Extract<Instruction, { op: 'swap' | 'cas' }>,
  after: Pick<Event, 'addr' | 'data' | 'ctrl'>,
  succeeds: boolean,
  add: (event: Omit<Event, 'id' | 'thread'>) => number,
  full: () => number,
): number {
  const order = rmwOrder(RMW_ORDERS.indexOf(i.order ?? 'relaxed'));
  const noReturn = i.op === 'swap' && i.noReturn === true;
  const fences = order.order === 'full' && succeeds;
  if (fences) full();
  const load = add({
    kind: 'R',
    cell: i.cell,
    value: 0,
    noReturn,
    ...(order.acquires && !noReturn && { acquire: 'rcsc' }),
    ...(i.op === 'cas' && (succeeds ? { must: i.old } : { mustNot: i.old })),
    addr: after.addr,
    data: [],
    ctrl: [],
  });
  if (succeeds) add({ kind: 'W', cell: i.cell, value: i.value, release: order.releases, rmw: load, ...after });
  if (fences) full();
  return noReturn ? -1 : load;
}

/** Edges between events: for each, a mask of those after it. */
class Edges {
  readonly rows: Int32Array;
  constructor(n: number, from?: Edges) {
    this.rows = from === undefined ? new Int32Array(n) : from.rows.slice();
  }
  add(a: number, b: number): void {
    this.rows[a]! |= 1 << b;
  }
  has(a: number, b: number): boolean {
    return (this.rows[a]! & (1 << b)) !== 0;
  }
  plus(...others: Edges[]): Edges {
    const sum = new Edges(this.rows.length, this);
    for (const other of others) for (let i = 0; i < sum.rows.length; i++) sum.rows[i]! |= other.rows[i]!;
    return sum;
  }
  closed(): Edges {
    const sum = new Edges(this.rows.length, this);
    const { rows } = sum;
    for (let k = 0; k < rows.length; k++)
      for (let i = 0; i < rows.length; i++) if ((rows[i]! & (1 << k)) !== 0) rows[i]! |= rows[k]!;
    return sum;
  }
  acyclic(): boolean {
    const { rows } = this.closed();
    return rows.every((row, i) => (row & (1 << i)) === 0);
  }
}

/** One way to choose rf and co. */
interface Candidate {
  readonly events: readonly Event[];
  readonly po: Edges;
  /** Store that each load reads. */
  readonly from: ReadonlyMap<number, number>;
  readonly rf: Edges;
  readonly co: Edges;
  readonly fr: Edges;
}

const external = (events: readonly Event[], edges: Edges): Edges => {
  const out = new Edges(events.length);
  for (const a of events)
    for (const b of events) if (a.thread !== b.thread && edges.has(a.id, b.id)) out.add(a.id, b.id);
  return out;
};

/** A fence between two accesses of one thread, of a class that orders them. */
function fenced(events: readonly Event[], a: Event, b: Event, light: boolean): boolean {
  for (let id = a.id + 1; id < b.id; id++) {
    const { fence } = events[id]!;
    if (fence === 'full' && !light) return true;
    if (a.kind === 'R' && a.noReturn !== true) {
      if (fence === 'loads' || fence === 'light') return true;
      if (fence === 'loadsOnly' && b.kind === 'R') return true;
    }
    if (a.kind === 'W' && b.kind === 'W' && (fence === 'stores' || fence === 'light')) return true;
  }
  return false;
}

/** Order within threads: address, data and control, acquire and release, one cell, read-modify-write. Fences not. */
function locally({ events, po, from }: Candidate, mca: boolean): Edges {
  const edges = new Edges(events.length);
  for (const b of events) {
    for (const a of b.addr) edges.add(a, b.id);
    if (b.kind === 'W') for (const a of [...b.data, ...b.ctrl]) edges.add(a, b.id);
    if (b.rmw !== undefined) edges.add(b.rmw, b.id);
    for (const a of events) {
      if (!po.has(a.id, b.id)) continue;
      if (b.kind === 'W' && a.kind !== 'F' && a.cell === b.cell && (mca || a.kind === 'R')) edges.add(a.id, b.id);
      if (b.kind === 'W') for (const source of a.addr) edges.add(source, b.id);
      if (a.acquire !== undefined && b.kind !== 'F') edges.add(a.id, b.id);
      if (b.release === true && a.kind !== 'F') edges.add(a.id, b.id);
      if (a.fence === 'instructions' && b.kind === 'R') {
        for (const source of a.ctrl) edges.add(source, b.id);
        for (const c of events) if (po.has(c.id, a.id)) for (const source of c.addr) edges.add(source, b.id);
      }
    }
    const store = b.kind === 'R' ? events[from.get(b.id)!]! : undefined;
    if (store === undefined || store.thread !== b.thread) continue;
    for (const source of [...store.addr, ...store.data]) edges.add(source, b.id);
    if (store.rmw !== undefined && b.acquire !== undefined) edges.add(store.rmw, b.id);
  }
  return edges;
}

function allowedByArm(c: Candidate): boolean {
  const { events, po, rf, co, fr } = c;
  const edges = locally(c, true);
  for (const a of events) {
    for (const b of events) {
      if (!po.has(a.id, b.id) || a.kind === 'F' || b.kind === 'F') continue;
      if (fenced(events, a, b, false)) edges.add(a.id, b.id);
      // Behind a read-modify-write that acquires and releases: after its store, and so after all before it.
      if (a.rmw !== undefined && a.release === true && events[a.rmw]!.acquire !== undefined) edges.add(a.id, b.id);
      if (a.release === true && b.acquire === 'rcsc') edges.add(a.id, b.id);
    }
  }
  return edges.plus(external(events, rf), external(events, co), external(events, fr)).acyclic();
}

/** Tries all orders of full fences. */
function allowedByPower(c: Candidate): boolean {
  const { events, po, rf, co } = c;
  const fences = events.filter(({ fence }) => fence === 'full').map(({ id }) => id);
  const base = po.plus(rf, co);
  return permutations(fences).some((order) => {
    const agreed = new Edges(events.length);
    for (let i = 1; i < order.length; i++) agreed.add(order[i - 1]!, order[i]!);
    return base.plus(agreed).acyclic() && knowsNothingNewer(c, agreed);
  });
}

function knowsNothingNewer(c: Candidate, agreed: Edges): boolean {
  const { events, po, rf, co, from } = c;
  const flow = locally(c, false).plus(external(events, rf), agreed);
  /** Stores that become known at an event. */
  const learnt: number[] = events.map(() => 0);
  const stands = (a: Event): number => {
    if (a.kind === 'W') return 1 << a.id;
    const store = events[from.get(a.id)!]!;
    return store.thread === a.thread ? 0 : 1 << store.id;
  };
  for (const a of events) {
    for (const b of events) {
      if (!po.has(a.id, b.id)) continue;
      if (a.kind === 'F' || b.kind === 'F') {
        if (a.fence === 'full') flow.add(a.id, b.id);
        if (b.fence === 'full') flow.add(a.id, b.id);
        if (b.fence === 'full' && a.kind !== 'F') learnt[b.id]! |= stands(a);
        continue;
      }
      const release = b.release === true || (a.release === true && b.acquire === 'rcsc');
      if (!release && !fenced(events, a, b, true)) continue;
      flow.add(a.id, b.id);
      learnt[b.id]! |= stands(a);
    }
  }
  const reach = flow.closed();
  for (const load of events) {
    if (load.kind !== 'R') continue;
    let known = learnt[load.id]!;
    for (const a of events) if (reach.has(a.id, load.id)) known |= learnt[a.id]!;
    if ((co.rows[from.get(load.id)!]! & known) !== 0) return false;
  }
  return true;
}

function allowedByTso({ events, po, rf, co, fr }: Candidate): boolean {
  const ppo = new Edges(events.length);
  for (const a of events) {
    for (const b of events) {
      if (!po.has(a.id, b.id) || a.kind === 'F' || b.kind === 'F') continue;
      const locked = (e: Event): boolean =>
        e.rmw !== undefined || e.mustNot !== undefined || events.some(({ rmw }) => rmw === e.id);
      const between = events.slice(a.id, b.id + 1).some((e) => e.fence === 'full' || locked(e));
      if (a.kind === 'R' || b.kind === 'W' || between) ppo.add(a.id, b.id);
    }
  }
  return ppo.plus(external(events, rf), co, fr).acyclic();
}

const AXIOMS: Readonly<Record<'sc' | 'tso' | 'mca' | 'power', (c: Candidate) => boolean>> = {
  sc: ({ po, rf, co, fr }) => po.plus(rf, co, fr).acyclic(),
  tso: allowedByTso,
  mca: allowedByArm,
  power: allowedByPower,
};

/** Each cell sees its accesses in one order, and nothing comes between the halves of a read-modify-write. */
function coherent({ events, po, from, rf, co, fr }: Candidate): boolean {
  const here = new Edges(events.length);
  for (const a of events)
    for (const b of events) if (a.cell >= 0 && a.cell === b.cell && po.has(a.id, b.id)) here.add(a.id, b.id);
  if (!here.plus(rf, co, fr).acyclic()) return false;
  return events.every(({ rmw, id }) => {
    if (rmw === undefined) return true;
    const source = from.get(rmw)!;
    return events.every((w) => !(co.has(source, w.id) && co.has(w.id, id)));
  });
}

function permutations(list: readonly number[]): number[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((first) => permutations(list.filter((other) => other !== first)).map((rest) => [first, ...rest]));
}

/** All products of one choice from each list. */
function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((sum, list) => sum.flatMap((head) => list.map((item) => [...head, item])), [[]]);
}

/** Outcomes that are allowed, as weak-programs.ts writes them; undefined if there is too much to try. */
export function allowed(program: Straight, model: keyof typeof AXIOMS, most = 60_000): string[] | undefined {
  const cas = program.flat().filter(({ op }) => op === 'cas').length;
  const found = new Set<string>();
  let left = most;
  for (const succeeds of product(Array.from({ length: cas }, () => [true, false]))) {
    const events = eventsOf(program, succeeds);
    if (events.length > 31) return undefined;
    const loads = events.filter(({ kind }) => kind === 'R');
    const stores = events.filter(({ kind }) => kind === 'W');
    const sources = loads.map(({ cell, must, mustNot }) =>
      stores
        .filter((w) => w.cell === cell && (must === undefined || w.value === must) && w.value !== mustNot)
        .map(({ id }) => id),
    );
    const cells = cellsOf(program);
    const orders = product(
      Array.from({ length: cells }, (_, cell) =>
        permutations(stores.filter((w) => w.cell === cell && w.thread >= 0).map(({ id }) => id)).map((order) => [
          cell,
          ...order,
        ]),
      ),
    );
    left -= sources.reduce((n, list) => n * list.length, 1) * orders.length;
    if (left < 0) return undefined;
    const po = new Edges(events.length);
    for (const a of events)
      for (const b of events) if (a.thread === b.thread && a.thread >= 0 && a.id < b.id) po.add(a.id, b.id);
    for (const chosen of product(sources)) {
      for (const order of orders) {
        const c = candidate(events, po, loads, chosen, order);
        if (!c.po.plus(c.rf, c.co).acyclic() || !coherent(c) || !AXIOMS[model](c)) continue;
        found.add(outcomeOf(program, c, order));
      }
    }
  }
  return [...found].toSorted();
}

function candidate(
  events: readonly Event[],
  po: Edges,
  loads: readonly Event[],
  chosen: readonly number[],
  order: readonly (readonly number[])[],
): Candidate {
  const n = events.length;
  const rf = new Edges(n);
  const co = new Edges(n);
  const fr = new Edges(n);
  const from = new Map(loads.map(({ id }, i) => [id, chosen[i]!]));
  for (const list of order) list.forEach((a, i) => list.slice(i + 1).forEach((b) => co.add(a, b)));
  for (const [load, store] of from) {
    rf.add(store, load);
    fr.rows[load] = co.rows[store]!;
  }
  // A read-modify-write does not come before its own store.
  for (const { rmw, id } of events) if (rmw !== undefined) fr.rows[rmw]! &= ~(1 << id);
  return { events, po, from, rf, co, fr };
}

function outcomeOf(program: Straight, { events, from }: Candidate, order: readonly (readonly number[])[]): string {
  const read = program.map((_, thread) =>
    events
      .filter((e) => e.kind === 'R' && e.thread === thread)
      .map((e) => events[from.get(e.id)!]!.value)
      .join(),
  );
  const last = order.map((list) => events[list.at(-1)!]!.value);
  return `${read.join(' ')} ; ${last.join()}`;
}
