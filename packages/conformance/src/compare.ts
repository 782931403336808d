/**
 * Compare: what profiles cost on the same scenarios. Each scenario that is right is run twice, on the fixed schedules of schedule.ts,
 * and counted by the checker (measure.ts): nothing here is a time.
 *
 * The figures compare profiles. They are small because scenarios are: one race, a few pages. Here a scenario is a workload: of the
 * switches that it sets to make its race possible only sizes are kept, and the profile decides the rest. Where the profile has a wrong
 * value of one of these, it saves what it must not, and is not counted.
 */
import { type Costs, measure } from '@mmu-gather/checker';
import { AXES, type Switches } from '@mmu-gather/core/stepped';
import type { Architecture } from './architecture.ts';
import { type Cell, cells, selected, type Selection } from './matrix.ts';
import { agree, Reads } from './reads.ts';
import { machineOf } from './run.ts';
import type { AnyScenario } from './scenario.ts';
import { type Schedule, scheduled } from './schedule.ts';
import { staleness } from './staleness.ts';

/** What is counted. */
export interface Counts {
  /** Calls of a flush function of the backend, changes of entries, and ends of lazy MMU sections that invalidated or interrupted. */
  readonly flushes: number;
  /** Interrupts sent; on sparc64 mondos, too. */
  readonly ipis: number;
  /** Cached pages that invalidations dropped, on each CPU that may have held them. */
  readonly entries: number;
  /** Flushes that on no CPU removed an entry older than memory. */
  readonly redundant: number;
  /** What deferring costs in time: steps for which a CPU could use an entry older than memory, summed over CPUs and pages. */
  readonly stale: number;
}

/** A scenario in a profile. */
export interface ComparedCell {
  /** Id of the scenario, run as a workload. */
  readonly scenario: string;
  /** Id of the architecture. */
  readonly arch: string;
  /** Id of the profile. */
  readonly profile: string;
  /** CPUs in turn, one step each. */
  readonly fair: Counts;
  /** One CPU after the other. */
  readonly sequential: Counts;
  /** Present if the profile is wrong in this scenario, and why: what it saves there is no saving. */
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

/** Counts what a cell costs on one schedule. @param reads notes which switches it looks at */
export function countCell(cell: Cell, schedule: Schedule, reads?: Reads): Counts {
  const machine = machineOf(cell, reads);
  const path = scheduled(machine, schedule);
  const { flushes, ipis, removed, redundant }: Costs = measure(machine, path);
  return { flushes, ipis, entries: removed, redundant, stale: staleness(machine, path) };
}

/** Is this switch a size, and not a way to do something? */
function isSize(key: string): boolean {
  const { right, wrong } = AXES[key as keyof Switches];
  return right.length + wrong.length === 0;
}

/** A scenario without the named switches that it sets. */
function workload(scenario: AnyScenario): AnyScenario {
  const sizes = Object.entries(scenario.profile ?? {}).filter(([key]) => isSize(key));
  return { ...scenario, profile: Object.fromEntries(sizes), twins: [] };
}

/** Why a profile's figures of a scenario are not worth having, if they are not. */
function brokenIn(scenario: AnyScenario, cell: Cell): string | undefined {
  if (cell.expected === 'violated') return `violates ${cell.oracles.join(' or ')}`;
  const values: Readonly<Record<string, unknown>> = { ...cell.profile };
  const wrong = Object.keys(scenario.profile ?? {}).find((key) =>
    (AXES[key as keyof Switches].wrong as readonly unknown[]).includes(values[key]),
  );
  return wrong === undefined ? undefined : `${wrong}=${JSON.stringify(values[wrong])} is wrong`;
}

/** A cell that was counted, and what that read: equal cells are counted once (reads.ts). */
interface Counted {
  readonly cell: Cell;
  readonly reads: Reads;
  readonly counts: Pick<ComparedCell, 'fair' | 'sequential'>;
}

/** Both schedules of a cell. */
function countsOf(cell: Cell, counted: Counted[]): Counted['counts'] {
  const switches = { profile: { ...cell.profile }, backend: cell.backendSwitches };
  const equal = counted.find(
    ({ cell: other, reads }) =>
      other.scenario === cell.scenario &&
      other.arch === cell.arch &&
      other.memoryModel === cell.memoryModel &&
      agree(reads.seen, switches),
  );
  if (equal !== undefined) return equal.counts;
  const reads = new Reads();
  const counts = { fair: countCell(cell, 'fair', reads), sequential: countCell(cell, 'sequential', reads) };
  counted.push({ cell, reads, counts });
  return counts;
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
  const counted: Counted[] = [];
  // Bare hardware runs no code of a profile.
  const workloads = scenarios.filter(({ abstract }) => abstract !== true);
  const originals = new Map(workloads.map((scenario) => [scenario.id, scenario]));
  for (const cell of cells(workloads.map(workload), archs, selection)) {
    if (!onCell(cell)) break;
    const broken = brokenIn(originals.get(cell.id)!, cell);
    compared.push({
      scenario: cell.id,
      arch: cell.arch.id,
      profile: cell.profile.id,
      ...countsOf(cell, counted),
      ...(broken === undefined ? {} : { broken }),
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
  const [flushes, ipis, entries] = [add('flushes'), add('ipis'), add('entries')];
  return { flushes, ipis, entries, redundant: add('redundant'), stale: add('stale') };
}

function nameOf(cell: ComparedCell): string {
  return `${cell.scenario}@${cell.arch}`;
}
