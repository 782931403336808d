/**
 * Ways: in which ways a thread's access can go now. One outcome of a step each.
 */
import { type Management, walkOf } from './entry.ts';
import { EVENT } from './event.ts';
import type { Graph } from './graph.ts';
import type { Histories } from './histories.ts';
import { STEP } from './port.ts';
import type { Values } from './values.ts';

/** What an access is, as its thread announced it. */
export interface Announced {
  readonly thread: number;
  readonly kind: number;
  readonly address: number;
  /** Of a choice: how many. Of a compare-and-swap: what it expects. */
  readonly operand: number;
  /** What the CPU does by hardware for it. */
  readonly by: Management;
  /** The load that reserved a cell for a store-exclusive, or -1. */
  readonly reserved: number;
}

/** One way in which an access can go. */
export interface Way {
  /** Which value of the entry its walk reads; -1: there is no walk. */
  readonly walk: number;
  /** Which value of the cell it reads; -1: none. */
  readonly source: number;
  /** What else is open; see {@link VARIANT}. */
  readonly variant: number;
}

/** What else is open. */
export const VARIANT = {
  usual: 0,
  /** A compare-and-swap stores: because it succeeds, or what it read. A store-exclusive fails. */
  other: 1,
  /** A compare-and-swap that fails leaves the dirty state alone. */
  clean: 2,
} as const;

/** Does an access store, as far as permissions go? */
export function stores(kind: number): boolean {
  return kind !== STEP.load && kind !== STEP.loadExclusive;
}

/** All ways. */
export function waysOf(access: Announced, values: Values, histories: Histories, graph: Graph): Way[] {
  const { kind } = access;
  if (kind === STEP.choose)
    return Array.from({ length: access.operand }, (_, variant) => ({ walk: -1, source: -1, variant }));
  const place = values.place(access.address);
  if (place.entry === undefined) {
    // User code has no physical addresses.
    if (access.by.el0) return [{ walk: -1, source: -1, variant: VARIANT.usual }];
    return sourcesOf(access, place.cell, -1, false, histories, graph);
  }
  const ways: Way[] = [];
  const newest = histories.newest(place.entry);
  for (let walk = 0; walk <= newest; walk++) {
    const entry = histories.value(place.entry, walk);
    const result = walkOf(values.fields(entry), stores(kind), true, access.by);
    if (result.fault !== undefined) ways.push({ walk, source: -1, variant: VARIANT.usual });
    // Hardware updates what memory holds.
    else if (walk === newest || !(result.setAccessed || result.setDirty)) {
      const cell = values.cell(entry, place.offset);
      ways.push(...sourcesOf(access, cell, walk, result.setDirty, histories, graph));
    }
  }
  return ways;
}

/** @param dirties the walk would set the dirty state */
function sourcesOf(
  { thread, kind, operand, reserved }: Announced,
  cell: number,
  walk: number,
  dirties: boolean,
  histories: Histories,
  graph: Graph,
): Way[] {
  const newest = histories.newest(cell);
  const stale = (variant: number, when: (value: number) => boolean): Way[] => {
    const ways: Way[] = [];
    for (let source = histories.floor(thread, cell); source <= newest; source++)
      if (when(histories.value(cell, source))) ways.push({ walk, source, variant });
    return ways;
  };
  switch (kind) {
    case STEP.load:
    case STEP.loadExclusive:
      return stale(VARIANT.usual, () => true);
    case STEP.store:
      return [{ walk, source: -1, variant: VARIANT.usual }];
    case STEP.rmw:
      return [{ walk, source: newest, variant: VARIANT.usual }];
    case STEP.compareAndSwap: {
      const fails = (value: number): boolean => value !== operand;
      const clean = dirties ? stale(VARIANT.clean, fails) : [];
      return [...stale(VARIANT.usual, fails), ...clean, { walk, source: newest, variant: VARIANT.other }];
    }
    case STEP.storeExclusive: {
      const failed = { walk, source: -1, variant: VARIANT.other };
      const holds =
        reserved >= 0 && graph.get(reserved, EVENT.cell) === cell + 1 && histories.indexOf(reserved) === newest;
      return holds ? [failed, { walk, source: newest, variant: VARIANT.usual }] : [failed];
    }
    default:
      throw new Error(`step ${kind} is no access`);
  }
}
