/**
 * Prices: figures in nanoseconds.
 */
import type { ArchCosts, CostName } from './table.ts';

/** Nanoseconds of each piece of a flush; `entries` stays a number of entries. */
export type Prices = Readonly<Record<CostName, number>>;

/** Prices on a machine. */
export function pricesOf({ ghz, costs }: ArchCosts): Prices {
  const names = Object.entries(costs).map(([name, { value, unit }]) => [name, unit === 'cycles' ? value / ghz : value]);
  return Object.fromEntries(names) as Prices;
}
