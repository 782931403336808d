/**
 * Compare: what profiles cost on the same scenarios. Each scenario that is right is run twice, on the fixed schedules of schedule.ts,
 * and counted by the checker (measure.ts): nothing here is a time.
 *
 * The figures compare profiles. They are small because scenarios are: one race, a few pages. A scenario's own switches, which make its
 * race possible or small, stand in every profile.
 */
import { type Costs, measure } from '@mmu-gather/checker';
import type { Architecture } from './architecture.ts';
import { type Cell, cells, selected, type Selection } from './matrix.ts';
import { machineOf } from './run.ts';
import type { AnyScenario } from './scenario.ts';
import { type Schedule, scheduled } from './schedule.ts';

/** What is counted. */
export interface Counts {
  /** Calls of a flush function of the backend that invalidated or interrupted. */
  readonly flushes: number;
  /** Interrupts sent. */
  readonly ipis: number;
  /** Cached pages that invalidations dropped, on each CPU that may have held them. */
  readonly entries: number;
  /** Flushes that on no CPU removed an entry older than memory. */
  readonly redundant: number;
}

/** A scenario in a profile. */
export interface ComparedCell {
  /** Id of the scenario. */
  readonly scenario: string;
  /** Id of the architecture. */
  readonly arch: string;
  /** Id of the profile. */
  readonly profile: string;
  /** CPUs in turn, one step each. */
  readonly fair: Counts;
  /** One CPU after the other. */
  readonly sequential: Counts;
  /** Present if the scenario does not hold in the profile: its figures are not worth having. */
  readonly broken?: string;
}

/** A profile over the scenarios that apply and hold in all compared ones. */
export interface ComparedProfile {
  /** Id of the profile. */
  readonly profile: string;
  /** What it is. */
  readonly title: string;
  /** Sums of both schedules. */
  readonly total: Counts;
  /** Scenarios in which it flushes more, or interrupts more, than the first profile. */
  readonly loses: readonly string[];
}

/** A whole comparison: schema 1. Names and meanings are stable; later versions only add. */
export interface Comparison {
  /** Version of this form. */
  readonly schema: 1;
  /** Number of scenarios that {@link ComparedProfile.total} sums up. */
  readonly common: number;
  /** In the order in which they were asked for; the first is what others are compared with. */
  readonly profiles: readonly ComparedProfile[];
  /** In the order of scenarios. */
  readonly cells: readonly ComparedCell[];
}

/** Counts what a cell costs on one schedule. */
export function countCell(cell: Cell, schedule: Schedule): Counts {
  const machine = machineOf(cell);
  const { flushes, ipis, removed, redundant }: Costs = measure(machine, scheduled(machine, schedule));
  return { flushes, ipis, entries: removed, redundant };
}

/** Compares the profiles of a selection on its scenarios. */
export function compare(
  scenarios: readonly AnyScenario[],
  archs: readonly Architecture[],
  selection: Selection,
  onCell: (cell: Cell) => boolean = () => true,
): Comparison {
  const specs = selected(selection, archs);
  const compared: ComparedCell[] = [];
  for (const cell of cells(scenarios, archs, selection)) {
    if (cell.twin !== undefined) continue;
    if (!onCell(cell)) break;
    compared.push({
      scenario: cell.id,
      arch: cell.arch.id,
      profile: cell.profile.id,
      fair: countCell(cell, 'fair'),
      sequential: countCell(cell, 'sequential'),
      ...(cell.expected === 'violated' ? { broken: cell.oracles.join(' or ') } : {}),
    });
  }
  const common = new Set(
    compared.map(nameOf).filter((name, i, all) => {
      const same = compared.filter((cell) => nameOf(cell) === name && cell.broken === undefined);
      return all.indexOf(name) === i && same.length === specs.length;
    }),
  );
  const inCommon = compared.filter((cell) => common.has(nameOf(cell)));
  const profiles = specs.map(({ id, title }): ComparedProfile => {
    const own = inCommon.filter((cell) => cell.profile === id);
    const worse = own.filter((cell) => {
      const first = inCommon.find((other) => nameOf(other) === nameOf(cell) && other.profile === specs[0]!.id)!;
      const [a, b] = [sum([cell]), sum([first])];
      return a.flushes > b.flushes || a.ipis > b.ipis;
    });
    return { profile: id, title, total: sum(own), loses: worse.map((cell) => cell.scenario) };
  });
  return { schema: 1, common: common.size, profiles, cells: compared };
}

/** Both schedules of some cells together. */
export function sum(of: readonly Pick<ComparedCell, 'fair' | 'sequential'>[]): Counts {
  const add = (key: keyof Counts): number => of.reduce((n, { fair, sequential }) => n + fair[key] + sequential[key], 0);
  return { flushes: add('flushes'), ipis: add('ipis'), entries: add('entries'), redundant: add('redundant') };
}

function nameOf(cell: ComparedCell): string {
  return `${cell.scenario}@${cell.arch}`;
}
