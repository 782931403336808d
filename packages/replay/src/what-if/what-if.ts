/**
 * What if: one recording, replayed once as it was recorded and once for each alternative, and what each cost.
 *
 * Operations stay those of the recording, in its order; a gain is the difference of two replays, never an estimate.
 */
import { DEFAULT_FACTS, type MachineFacts, type WhatIf } from '../facts.ts';
import { pricesOf } from '../costs/price.ts';
import { type ArchCosts, COSTS } from '../costs/table.ts';
import { type ReplayOptions, replayWatched } from '../replay.ts';
import type { Watching } from '../watching.ts';
import type { ReplayReport } from '../report.ts';
import { assumptionsOf } from './backends.ts';
import { CHANGES, changeOf, type ChangeId } from './change.ts';
import { foldCpus } from './fold.ts';
import { addBills, type Bill, KINDS, type Line, Meter, noBill, type Slice } from './meter.ts';

/** What runs instead of what was recorded. */
export interface Alternative {
  /** As it is shown: `flush-ring`, `arm64`, `ceiling=8`. */
  readonly name: string;
  /** Its architecture: whose costs count. */
  readonly arch: string;
  /** The system that runs. */
  readonly whatIf?: WhatIf;
  /** Facts of the machine that are other. */
  readonly facts?: Partial<MachineFacts>;
  /** Fewer CPUs than were recorded. */
  readonly cpus?: number;
  /** What is assumed, in a few words each. */
  readonly assumes?: readonly string[];
}

/** What something cost, as reports have it: a {@link Bill} with time in microseconds. */
export type Spent = Omit<Bill, 'ns'> & {
  /** Modelled CPU time in microseconds. */
  readonly microseconds: number;
};

/** A replay of one alternative. */
export interface Outcome extends Spent {
  /** Name of the alternative; `recorded` for what ran. */
  readonly name: string;
  /** Its architecture. */
  readonly arch: string;
  /** What is assumed. */
  readonly assumes: readonly string[];
  /** Whether redundant flushes and lost entries are known there. */
  readonly tellsRedundant: boolean;
}

/** An operation of a process. */
export interface SpentBy extends Spent {
  /** Id of the process. */
  readonly pid: number;
  /** Its name. */
  readonly process: string;
  /** The operation. */
  readonly operation: string;
  /** Why redundant flushes were redundant, and how many. */
  readonly causes: Readonly<Record<string, number>>;
}

/** An operation of a process, asked for at one place in it. */
export interface SpentAt extends SpentBy {
  /** The innermost frames of the call stack: of the program, or, where those were not recorded, of the kernel. */
  readonly site: string;
}

/** A change of a program, and what it gains. */
export interface Advice {
  /** Id of the process. */
  readonly pid: number;
  /** Its name. */
  readonly process: string;
  /** The operation that costs most there. */
  readonly operation: string;
  /** The change. */
  readonly change: ChangeId;
  /** What to do. */
  readonly title: string;
  /** What the process spends less, by a replay of the changed recording; negative: more. */
  readonly gain: Spent;
}

/** Flushes over time. */
export interface Over {
  /** Seconds of the recording's clock. */
  readonly start: number;
  /** Seconds of a bin. */
  readonly width: number;
  /** Kinds, and events of each in each bin. */
  readonly kinds: Readonly<Record<string, readonly number[]>>;
}

/** All that a recording costs, and what would be otherwise. Schema 1: names and meanings are stable, later versions only add. */
export interface WhatIfReport {
  /** Version of this form. */
  readonly schema: 1;
  /** The replay of what was recorded. */
  readonly replay: ReplayReport;
  /** What was recorded. */
  readonly recorded: Outcome;
  /** What else was run. */
  readonly alternatives: readonly Outcome[];
  /** By process and operation, the dearest first. */
  readonly operations: readonly SpentBy[];
  /** By process, operation and call site, the dearest first; none if the recording has no stacks. */
  readonly sites: readonly SpentAt[];
  /** Why flushes were redundant, over all processes. */
  readonly causes: Readonly<Record<string, number>>;
  /** What would help those who spend most, the most helpful first; none if it was not asked for. */
  readonly advice: readonly Advice[];
  /** Requests by number of pages: of everything, of 1, 2 ... pages, and last of more than that. */
  readonly histogram: readonly number[];
  /** tlb_single_page_flush_ceiling that ran. */
  readonly ceiling: number;
  /** Over time. */
  readonly over: Over;
}

/** How to ask. */
export interface WhatIfOptions extends Pick<ReplayOptions, 'facts' | 'whatIf' | 'traced' | 'onProgress'> {
  /** What else to run. */
  readonly alternatives?: readonly Alternative[];
  /** Whether to try changes of the programs that spend most. */
  readonly advise?: boolean;
  /** Figures. */
  readonly costs?: Readonly<Record<string, ArchCosts>>;
  /** Given each flush of the recorded machine, for pictures. */
  readonly onSlices?: (slices: readonly Slice[], ticksPerSecond: number) => void;
}

/** Operations that advice is sought for, at most. */
const OFFENDERS = 3;
/** Without a fact about it. */
const CEILING = 33;

/** Replays a recording as it is and in each other way. @throws TraceError if it cannot be read */
export async function whatIf(path: string, options: WhatIfOptions = {}): Promise<WhatIfReport> {
  const { alternatives = [], advise = false, facts = {}, onSlices } = options;
  const own: Alternative = {
    name: 'recorded',
    arch: facts.backend ?? DEFAULT_FACTS.backend,
    ...(options.whatIf && { whatIf: options.whatIf }),
  };
  const { meter, report } = await run(path, own, options, { slices: onSlices !== undefined });
  onSlices?.(meter.slices, meter.ticksPerSecond);
  const outcomes: Outcome[] = [];
  for (const alternative of alternatives) {
    outcomes.push(outcomeOf(alternative, (await run(path, alternative, options)).meter));
  }
  const operations = dearest(summed(meter.lines).map((line) => spentBy(line, meter)));
  const sited = meter.lines.filter(({ site }) => site !== '');
  const { start, width, counts } = meter.timeline;
  return {
    schema: 1,
    replay: report,
    recorded: outcomeOf(own, meter),
    alternatives: outcomes,
    operations,
    sites: dearest(sited.map((line) => ({ ...spentBy(line, meter), site: line.site }))),
    causes: allCauses(operations),
    advice: advise ? await adviceFor(path, own, options, meter, operations) : [],
    histogram: meter.histogram,
    ceiling: facts.ceiling ?? CEILING,
    over: {
      start: Number.isNaN(start) ? 0 : start / meter.ticksPerSecond,
      width: width / meter.ticksPerSecond,
      kinds: Object.fromEntries(KINDS.map((kind, i) => [kind, counts[i]!])),
    },
  };
}

/** Replays once. */
async function run(
  path: string,
  { arch, whatIf: system, facts, cpus }: Alternative,
  options: WhatIfOptions,
  { slices = false, ...input }: { slices?: boolean } & Pick<Watching, 'change'> = {},
): Promise<{ meter: Meter; report: ReplayReport }> {
  const table = options.costs ?? COSTS;
  const meter = new Meter({ prices: pricesOf(table[arch]!), slices });
  const report = await replayWatched(path, {
    facts: { ...options.facts, ...facts },
    ...(system && { whatIf: system }),
    ...(cpus !== undefined && { filter: foldCpus(cpus) }),
    ...(options.traced && { traced: options.traced }),
    ...(options.onProgress && { onProgress: options.onProgress }),
    ...input,
    observer: meter,
  });
  return { meter, report };
}

/** Tries what may help the processes whose operations cost most. */
async function adviceFor(
  path: string,
  own: Alternative,
  options: WhatIfOptions,
  base: Meter,
  operations: readonly SpentBy[],
): Promise<Advice[]> {
  const found: Advice[] = [];
  for (const { pid, process, operation } of operations.slice(0, OFFENDERS)) {
    for (const { id, title } of CHANGES.filter(({ operations: of }) => of.includes(operation))) {
      if (found.some((other) => other.pid === pid && other.change === id)) continue;
      const change = changeOf(
        id,
        (task) => base.processOf(task) === pid,
        (task) => base.hasExecuted(task),
      );
      const system = id === 'one-cpu' ? { ...own, cpus: 1 } : own;
      const { meter } = await run(path, system, options, { change });
      const gain = difference(billOf(base, pid), billOf(meter, pid));
      found.push({ pid, process, operation, change: id, title, gain: spent(gain) });
    }
  }
  return found.toSorted((a, b) => b.gain.microseconds - a.gain.microseconds);
}

/** What a process spent. */
function billOf(meter: Meter, pid: number): Bill {
  return addBills(meter.lines.filter((line) => line.pid === pid).map(({ bill }) => bill));
}

function difference(before: Bill, after: Bill): Bill {
  const gain = noBill();
  for (const key of Object.keys(gain) as (keyof Bill)[]) gain[key] = before[key] - after[key];
  return gain;
}

function outcomeOf({ name, arch, assumes = assumptionsOf(arch, false) }: Alternative, meter: Meter): Outcome {
  const { tellsRedundant } = meter;
  return { name, arch, assumes, tellsRedundant, ...spent(addBills(meter.lines.map(({ bill }) => bill))) };
}

/** One line for each operation of each process, wherever it was asked for. */
function summed(lines: readonly Line[]): Line[] {
  const by = new Map<string, Line[]>();
  for (const line of lines) {
    const key = `${line.pid} ${line.operation}`;
    by.set(key, [...(by.get(key) ?? []), line]);
  }
  return [...by.values()].map((each) => {
    const causes = new Map<string, number>();
    for (const line of each)
      for (const [cause, count] of line.causes) causes.set(cause, (causes.get(cause) ?? 0) + count);
    return { ...each[0]!, site: '', bill: addBills(each.map(({ bill }) => bill)), causes };
  });
}

function dearest<T extends Spent>(each: readonly T[]): T[] {
  return each.toSorted((a, b) => b.microseconds - a.microseconds);
}

function spentBy({ pid, operation, bill, causes }: Line, meter: Meter): SpentBy {
  return { pid, process: meter.nameOf(pid), operation, ...spent(bill), causes: Object.fromEntries(causes) };
}

function spent({ ns, ...counts }: Bill): Spent {
  return { ...counts, microseconds: Math.round(ns) / 1000 };
}

function allCauses(operations: readonly SpentBy[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { causes } of operations)
    for (const [cause, count] of Object.entries(causes)) sum[cause] = (sum[cause] ?? 0) + count;
  return sum;
}
