/**
 * Reports: the JSON of a replay (schema 1), and its summary for people.
 */
import type { Assumed } from './facts.ts';
import type { Costs } from './model/host.ts';
import type { Flush } from './model/flush.ts';
import type { Difference, Ledger, Tally } from './model/ledger.ts';
import type { Adjustments } from './model/model.ts';
import type { Operation } from './schedule/action.ts';
import { causeOf, flushDiffers } from './cause.ts';

/** Flushes of one kind, and how many of them agree one to one. */
export interface Score {
  /** Flushes that the kernel recorded. */
  readonly recorded: number;
  /** Flushes that the running code made. */
  readonly predicted: number;
  /** Pairs of equal CPU, reason and pages in one operation. */
  readonly matched: number;
  /** Recorded ones that are another member of the set that a prediction stands in: the recording leaves open which it is. */
  readonly allowed: number;
  /** Recorded ones that nothing explains. */
  readonly missed: number;
  /** Predicted ones that did not come, and no set says that they may not. */
  readonly spurious: number;
  /** Members of the sets that were used, the prediction included, on average; 1 if none was. */
  readonly width: number;
  /** matched / predicted; 1 if nothing was predicted. */
  readonly precision: number;
  /** matched / recorded; 1 if nothing was recorded. */
  readonly recall: number;
  /** The same with what need not have come. */
  readonly allowedPrecision: number;
  /** (matched + allowed) / recorded. */
  readonly allowedRecall: number;
}

/** Reason and pages of a tlb_flush event. */
export interface FlushValues {
  /** Number of the reason. */
  readonly reason: number;
  /** -1: everything. */
  readonly pages: number;
  /** Addresses and operands, on architectures whose recordings have them. */
  readonly where?: string;
}

/** One difference. */
export interface Mismatch {
  /** Seconds of the trace's clock. */
  readonly time: number;
  /** The CPU. */
  readonly cpu: number;
  /** What was recorded, if anything. */
  readonly recorded?: FlushValues;
  /** What was predicted, if anything. */
  readonly predicted?: FlushValues;
  /** Why, as far as is known. */
  readonly cause: string;
  /** What the flush belongs to: a system call, `fault`, `switch` or `exit`. */
  readonly operation: string;
  /** The task. */
  readonly pid: number;
  /** The line of the recording at which the operation begins. */
  readonly line: number;
}

/** A request to flush that was recorded and not predicted, or predicted and not recorded, or sent to another CPU. */
export interface InterruptMismatch {
  /** Seconds of the trace's clock. */
  readonly time: number;
  /** The CPU that asks. */
  readonly cpu: number;
  /** The CPU that was asked, if one was. */
  readonly recorded?: number;
  /** The CPU that was predicted to be asked, if one was. */
  readonly predicted?: number;
  /** Why, as far as is known. */
  readonly cause: string;
  /** What asks: a system call, `fault`, `switch` or `exit`. */
  readonly operation: string;
  /** The task. */
  readonly pid: number;
  /** The line of the recording at which the operation begins. */
  readonly line: number;
}

/** Requests to flush, and how many of them agree one to one. */
export interface InterruptScore extends Score {
  /** All differences. */
  readonly mismatches: readonly InterruptMismatch[];
}

/** Where a recording ends too early. */
export interface Cut {
  /** Line at which it ends. */
  readonly line: number;
  /** What is missing, in words. */
  readonly what: string;
}

/** Events that the recorder lost. */
export interface Gap {
  /** Line, or record, before which they are missing. */
  readonly line: number;
  /** The CPU. */
  readonly cpu: number;
  /** How many; null: unknown. */
  readonly count: number | null;
}

/** What a replay found. */
export interface ReplayReport extends Score {
  /** Version of this form. */
  readonly schema: 1;
  /** The recording. */
  readonly file: string;
  /** The architecture whose recording it is. */
  readonly arch: string;
  /** What is compared, by number of the reason: on x86 the reasons of tlb_flush, elsewhere what recordings have in its place. */
  readonly reasons: Readonly<Record<number, string>>;
  /** Events of the whole recording. */
  readonly events: number;
  /** By number of the reason. */
  readonly byReason: Readonly<Record<string, Score>>;
  /** All differences. */
  readonly mismatches: readonly Mismatch[];
  /** Time that the replay took. */
  readonly seconds: number;
  /** Speed of the replay. */
  readonly eventsPerSecond: number;
  /** What came before the workload proper (its first mark); not in the numbers above. Null if there is no mark. */
  readonly before: Score | null;
  /** Requests to flush sent to other CPUs (csd_queue_cpu), compared as flushes are; null if the recording has none. */
  readonly interrupts: InterruptScore | null;
  /** What the running code's flushes cost, over the same part of the recording as the score. */
  readonly costs: Costs;
  /** What the reader of the recording had to assume. If it says anything, nothing was recorded to compare with. */
  readonly assumes: readonly string[];
  /** Facts of the machine that were not given. */
  readonly assumed: readonly Assumed[];
  /** How often the model was brought to where events other than flushes show the machine to be. */
  readonly adjustments: Adjustments;
  /** Gaps that the recorder reported. */
  readonly lost: number;
  /** The first of them: where, and how many events. */
  readonly gaps: readonly Gap[];
  /** Where and how the recording ends too early; null if it does not. */
  readonly truncated: Cut | null;
}

function scoreOf({ recorded, predicted, matched, allowed, excused, members, sets }: Tally): Score {
  const share = (part: number, of: number): number => (of === 0 ? 1 : part / of);
  return {
    recorded,
    predicted,
    matched,
    allowed,
    missed: recorded - matched - allowed,
    spurious: predicted - matched - excused,
    width: sets === 0 ? 1 : members / sets,
    precision: share(matched, predicted),
    recall: share(matched, recorded),
    allowedPrecision: share(matched + excused, predicted),
    allowedRecall: share(matched + allowed, recorded),
  };
}

function total(tallies: ReadonlyMap<number, Tally>): Score {
  const sum: Tally = { recorded: 0, predicted: 0, matched: 0, allowed: 0, excused: 0, members: 0, sets: 0 };
  for (const tally of tallies.values()) for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
  return scoreOf(sum);
}

function values(flush: Flush): FlushValues {
  return { reason: flush.reason, pages: flush.pages, ...(flush.where === undefined ? {} : { where: flush.where }) };
}

function mismatchOf(difference: Difference, flushes: ReadonlySet<Operation>, ticksPerSecond: number): Mismatch {
  const { operation, recorded, predicted } = difference;
  const { time, cpu } = (recorded ?? predicted)!;
  return {
    time: time / ticksPerSecond,
    cpu,
    ...(recorded === null ? {} : { recorded: values(recorded) }),
    ...(predicted === null ? {} : { predicted: values(predicted) }),
    cause: causeOf(difference, flushes.has(operation)),
    operation: operation.name,
    pid: operation.pid,
    line: operation.line,
  };
}

/** What a ledger says. */
export function scores(
  ledger: Ledger,
  marked: boolean,
  ticksPerSecond: number,
): Pick<ReplayReport, keyof Score | 'byReason' | 'mismatches' | 'before'> {
  const proper = marked ? ledger.proper : ledger.early;
  const flushes = flushDiffers(ledger.differences);
  const reasons = [...proper].toSorted(([a], [b]) => a - b);
  return {
    ...total(proper),
    byReason: Object.fromEntries(reasons.map(([reason, tally]) => [reason, scoreOf(tally)])),
    mismatches: differencesOf(ledger, marked)
      .map((difference) => mismatchOf(difference, flushes, ticksPerSecond))
      .toSorted((a, b) => a.time - b.time),
    before: marked ? total(ledger.early) : null,
  };
}

/**
 * What a ledger of interrupts says; null if none was recorded: then they were not, for few recordings are without any.
 * @param flushed the ledger of flushes
 */
export function interruptScore(
  ledger: Ledger,
  flushed: Ledger,
  marked: boolean,
  ticksPerSecond: number,
): InterruptScore | null {
  const score = total(marked ? ledger.proper : ledger.early);
  if (score.recorded === 0) return null;
  const flushes = flushDiffers(flushed.differences);
  const mismatches = differencesOf(ledger, marked).map((difference) => {
    const { recorded, predicted, ...rest } = mismatchOf(difference, flushes, ticksPerSecond);
    return {
      ...rest,
      ...(recorded === undefined ? {} : { recorded: recorded.pages }),
      ...(predicted === undefined ? {} : { predicted: predicted.pages }),
    };
  });
  return { ...score, mismatches: mismatches.toSorted((a, b) => a.time - b.time) };
}

/** Those of the workload proper, or, without a mark, all. */
function differencesOf({ differences }: Ledger, marked: boolean): Difference[] {
  return differences.filter(({ recorded, predicted }) => (recorded ?? predicted)!.early !== marked);
}

/** A summary that fits into 80 columns. @param most mismatches to show; 0 for their number alone */
export function summary(report: ReplayReport, most = 10): string {
  const lines = [
    `replay of ${report.file}`,
    `  ${report.events} events in ${report.seconds.toFixed(2)} s, ${Math.round(report.eventsPerSecond)} a second`,
    '',
    ...(report.assumes.length > 0 ? predictions(report) : comparison(report)),
  ];
  const { flushes, full, pages, ipis } = report.costs;
  lines.push(
    '',
    `the code that ran flushed ${flushes} times: ${full} in full, ${pages} pages otherwise; ${ipis} interrupts`,
  );
  if (report.truncated !== null) lines.push('', `cut off at line ${report.truncated.line}: ${report.truncated.what}`);
  if (report.lost > 0) lines.push('', ...gapText(report));
  if (report.mismatches.length > 0) lines.push('', `${report.mismatches.length} mismatches${most > 0 ? ':' : ''}`);
  for (const mismatch of report.mismatches.slice(0, most)) {
    const { time, cpu, line, cause } = mismatch;
    lines.push(`  ${time.toFixed(6)} cpu ${cpu} line ${line}: ${flushText(mismatch, report.reasons)}`, `    ${cause}`);
  }
  if (most > 0 && report.mismatches.length > most) lines.push(`  and ${report.mismatches.length - most} more`);
  if (report.interrupts !== null) lines.push(...interruptText(report.interrupts, most));
  return lines.flatMap(fold).join('\n');
}

/** Interrupts that differ. */
function interruptText({ mismatches }: InterruptScore, most: number): string[] {
  if (mismatches.length === 0) return [];
  const lines = ['', `${mismatches.length} mismatches of interrupts${most > 0 ? ':' : ''}`];
  for (const { time, cpu, line, recorded, predicted, cause } of mismatches.slice(0, most)) {
    const asked = [
      ...(recorded === undefined ? [] : [`recorded to cpu ${recorded}`]),
      ...(predicted === undefined ? [] : [`predicted to cpu ${predicted}`]),
    ];
    lines.push(`  ${time.toFixed(6)} cpu ${cpu} line ${line}: ${asked.join(', ')}`, `    ${cause}`);
  }
  if (most > 0 && mismatches.length > most) lines.push(`  and ${mismatches.length - most} more`);
  return lines;
}

/** What was recorded beside what was predicted. */
function comparison(report: ReplayReport): string[] {
  const lines = [
    `${'flushes'.padEnd(19)}${['recorded', 'predicted', 'exact', 'allowed', 'missed', 'spurious'].map((name) => name.padStart(10)).join('')}`,
    row('all', report),
  ];
  for (const [reason, score] of Object.entries(report.byReason)) {
    lines.push(row(`  ${report.reasons[Number(reason)] ?? `reason ${reason}`}`, score));
  }
  if (report.interrupts !== null) lines.push(row('interrupts', report.interrupts));
  if (report.before !== null) lines.push(row('before the mark', report.before));
  return [...lines, ...shares(report)];
}

/** What was predicted, of a recording without flushes. */
function predictions({ predicted, byReason, reasons, assumes }: ReplayReport): string[] {
  const each = Object.entries(byReason).map(
    ([reason, score]) => `${score.predicted} ${reasons[Number(reason)] ?? reason}`,
  );
  return [`${predicted} flushes predicted (${each.join(', ')}), as`, ...assumes.map((text) => `  ${text}`)];
}

/** Gaps that are named. */
const NAMED = 3;

function gapText({ lost, gaps }: ReplayReport): string[] {
  const named = gaps
    .slice(0, NAMED)
    .map(({ line, cpu, count }) => `  ${count ?? 'some'} of CPU ${cpu} before line ${line}`);
  const more = lost > named.length ? [`  and ${lost - named.length} times more`] : [];
  return [`the recorder lost events ${lost} times; what happened meanwhile is not known:`, ...named, ...more];
}

function row(name: string, { recorded, predicted, matched, allowed, missed, spurious }: Score): string {
  const cells = [recorded, predicted, matched, allowed, missed, spurious].map((n) => String(n).padStart(10)).join('');
  return `${name.padEnd(19)}${cells}`;
}

/** Recall and precision: exact, and with what the recording leaves open. */
function shares({ recall, precision, allowedRecall, allowedPrecision, allowed, width }: Score): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const exact = `exactly:  ${percent(recall)} of the recorded ones, ${percent(precision)} of the predicted ones`;
  const open = `allowed:  ${percent(allowedRecall)} and ${percent(allowedPrecision)}, by sets of ${width.toFixed(1)} members on average`;
  return allowed === 0 && allowedPrecision === precision ? ['', exact] : ['', exact, open];
}

/** What was recorded and predicted, in a few words. */
export function flushText({ recorded, predicted }: Mismatch, reasons: Readonly<Record<number, string>>): string {
  const much = ({ pages, where = '' }: FlushValues): string => `${pages < 0 ? 'all' : pages} ${where}`.trimEnd();
  const text = (flush: FlushValues): string => `${reasons[flush.reason] ?? flush.reason} ${much(flush)}`;
  if (recorded === undefined) return `predicted only: ${text(predicted!)}`;
  if (predicted === undefined) return `recorded only: ${text(recorded)}`;
  return `recorded ${text(recorded)}, predicted ${much(predicted)}`;
}

const COLUMNS = 80;

/** Breaks a long line at spaces; what follows is indented. */
function fold(line: string): string[] {
  if (line.length <= COLUMNS) return [line];
  const at = line.lastIndexOf(' ', COLUMNS);
  const indent = line.length - line.trimStart().length;
  if (at <= indent) return [line];
  return [line.slice(0, at), ...fold(`${' '.repeat(indent + 2)}${line.slice(at + 1)}`)];
}
