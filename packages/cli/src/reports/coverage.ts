/**
 * Coverage: what a run has exercised, in all of it and cell by cell. A pair of racing sites counts as seen in both orders if it was so
 * in some cell.
 */
import type { CellResult, Report } from '@mmu-gather/conformance';

/** Two sites. */
export type Pair = readonly [site: string, other: string];

/** What was exercised: schema 1. */
export interface Coverage {
  readonly schema: 1;
  /** Places of port calls whose steps were taken. */
  readonly sites: readonly string[];
  /** Those whose steps were not taken, in the packages of which some were. Code of other profiles is among them. */
  readonly untaken: readonly string[];
  /** Racing pairs that were seen in both orders. */
  readonly both: readonly Pair[];
  /** Those that no cell has seen in both, the first site first. A pair is there twice if cells have seen it in different orders. */
  readonly one: readonly Pair[];
  /** The cells, twins aside. */
  readonly cells: readonly CellCoverage[];
}

/** What one cell has exercised. */
export interface CellCoverage extends Pick<CellResult, 'scenario' | 'arch' | 'profile' | 'memoryModel' | 'vacuous'> {
  readonly sites: number;
  readonly both: readonly Pair[];
  readonly one: readonly Pair[];
}

/** The coverage of a run. Only who asks for it loads what finds the sites. */
export async function coverageOf({ results }: Pick<Report, 'results'>): Promise<Coverage> {
  const { portCalls, suitePackages } = await import('@mmu-gather/mutants');
  const seen = results.flatMap(({ exercise }) => exercise ?? []);
  const both = unique(seen.flatMap((exercise) => exercise.both));
  const certain = new Set(both.map(keyOf));
  const one = unique(
    seen.flatMap((exercise) => exercise.one).filter((pair) => !certain.has(keyOf(pair))),
    ordered,
  );
  const sites = new Set(seen.flatMap((exercise) => exercise.sites));
  const packages = new Set([...sites].map(packageOf));
  const untaken = portCalls(suitePackages()).filter((site) => packages.has(packageOf(site)) && !sites.has(site));
  return { schema: 1, sites: [...sites].toSorted(), untaken, both, one, cells: results.flatMap(cellOf) };
}

/** `mm` of `mm/munmap.ts:12` */
function packageOf(site: string): string {
  return site.slice(0, site.indexOf('/'));
}

function cellOf(result: CellResult): CellCoverage[] {
  const { scenario, arch, profile, memoryModel, exercise, vacuous, twinOf } = result;
  if (exercise === undefined || twinOf !== undefined) return [];
  const { sites, both, one } = exercise;
  const why = vacuous === undefined ? {} : { vacuous };
  return [{ scenario, arch, profile, memoryModel, ...why, sites: sites.length, both, one }];
}

/** Pairs, each once. */
function unique(pairs: readonly Pair[], key: (pair: Pair) => string = keyOf): Pair[] {
  const found = new Map(pairs.map((pair) => [key(pair), pair]));
  return [...found.values()].toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** A pair, whatever comes first in it. */
export function keyOf(pair: Pair): string {
  return pair.toSorted().join(' ');
}

function ordered(pair: Pair): string {
  return pair.join(' ');
}
