/**
 * O17: when all is quiet, memory says what the operations were for. Asked at the end of every execution of every scenario; a scenario states
 * only what its own code keeps (`Scenario.holds`).
 */
import { type Address, type Kernel, Page } from '@mmu-gather/core/stepped';
import type { Quiet } from '@mmu-gather/checker';
import { Books } from './books.ts';
import type { Clause, Hold, Own } from './clause.ts';
import { LOCKS_FREE, NOTHING_PENDING, SECTIONS_LEFT } from './cpus.ts';
import { CONTENTS, DIRTY_BIT, NOTICE, PLACES, REVERSE_MAP, RIGHTS, SHARING } from './entries.ts';
import { AREAS, FILES, MMS, PAGES, TABLES, VMAS } from './objects.ts';

/** All clauses, in the order in which they are asked. */
export const CLAUSES: readonly Clause[] = [
  SECTIONS_LEFT,
  LOCKS_FREE,
  NOTHING_PENDING,
  VMAS,
  FILES,
  PLACES,
  RIGHTS,
  DIRTY_BIT,
  SHARING,
  CONTENTS,
  NOTICE,
  REVERSE_MAP,
  TABLES,
  PAGES,
  MMS,
  AREAS,
];

/** What a check of ends is made for. */
export interface QuietOptions {
  /** What runs. */
  readonly kernel: Kernel;
  /** What the scenario keeps. */
  readonly holds?: readonly Hold[];
  /** Clauses to leave out: for tests of what only one of them sees. */
  readonly without?: readonly string[];
}

/** The check of every end. @param begin what the setup has left */
export function whenQuiet(
  begin: Quiet,
  { kernel, holds = [], without = [] }: QuietOptions,
): (end: Quiet) => string | undefined {
  const own = ownOf(holds, standingApart(new Books(begin, kernel)));
  const clauses = CLAUSES.filter(({ id }) => !without.includes(id));
  return (end) => {
    const books = new Books(end, kernel);
    for (const clause of clauses) {
      const found = clause.find(books, own);
      if (found !== undefined) return `all is quiet, and ${found}`;
    }
    return undefined;
  };
}

function ownOf(holds: readonly Hold[], apart: ReadonlySet<Address>): Own {
  const byObject = new Map(holds.map((hold) => [hold.object, hold]));
  return {
    counts(object, what, count, found) {
      const [from, to] = [byObject.get(object)?.[what] ?? 0].flat();
      return count - found >= from! && count - found <= (to ?? from!);
    },
    apart: (object) => apart.has(object) || byObject.has(object),
    slotFreed: (page) => byObject.get(page)?.slotFreed === true,
  };
}

/** Frames without references, and tables of no mm: a scenario's own, or page tables of a device. */
function standingApart(begin: Books): ReadonlySet<Address> {
  const { now } = begin;
  const apart = new Set<Address>();
  now.forLive('page', (page) => {
    if (now.peek(Page.at(page).refcount) === 0) apart.add(page);
  });
  now.forLive('table', (table) => {
    if (begin.ways.of(table) === 0) apart.add(table);
  });
  return apart;
}
