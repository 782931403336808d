/**
 * The page of a what-if report: one HTML document that needs no network and no other file. Charts are uPlot's; without JavaScript the tables are
 * there all the same.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { document, escaped } from '@mmu-gather/explorer';
import { flushText } from '../report.ts';
import type { Advice, Outcome, Spent, SpentAt, SpentBy, WhatIfReport } from '../what-if/what-if.ts';
import { type ChartData, CHARTS } from './charts.ts';

/** Mismatches that are shown. */
const MISMATCHES = 200;

const STYLE = `
.report { max-width: 1200px; margin: 0 auto; padding: 0 1.5rem 3rem; }
.report td, .report th { padding: 0.25rem 0.8rem 0.25rem 0; border-bottom: 1px solid var(--edge); }
.report td.number, .report th.number { text-align: right; font-variant-numeric: tabular-nums; }
.chart { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 0.5rem; overflow: hidden; }
.u-legend { color: var(--ink); }
.scroll { overflow-x: auto; }
`;

/** A report as one HTML document. */
export function whatIfPage(report: WhatIfReport): string {
  const { replay, recorded, alternatives, operations } = report;
  const outcomes = [recorded, ...alternatives];
  const data: ChartData = {
    over: report.over,
    histogram: report.histogram,
    ceiling: report.ceiling,
    systems: outcomes.map(({ name, microseconds }) => ({ name, milliseconds: microseconds / 1000 })),
  };
  return document(
    `mmu-gather: ${replay.file}`,
    `<style>${uplot('uPlot.min.css')}${STYLE}</style>
<header><p class="kind">mmu-gather replay</p><h1><code>${escaped(replay.file)}</code></h1>
<p>${number(replay.events)} events; ${number(replay.recorded)} flushes recorded, ${percent(replay.allowedRecall)} of them predicted, and
${percent(replay.allowedPrecision)} of those that were predicted are in the recording.</p></header>
<div class="report">
${section('Flushes over time, by how they drop entries', chart('over'))}
${section('Modelled time: what ran, and what else could', `${chart('systems')}${outcomesTable(outcomes)}`)}
${section('Pages that flushes were asked for; the line is the ceiling', chart('histogram'))}
${section(
  'Who',
  spentTable(
    'process',
    groups(operations, ({ process, pid }) => `${process}-${pid}`),
  ),
)}
${section(
  'In which operation',
  spentTable(
    'operation',
    groups(operations, ({ operation }) => operation),
  ),
)}
${section('At which call site, the innermost frame first', sitesTable(report.sites))}
${section('Redundant flushes: on no CPU they removed an entry older than memory', causesTable(report.causes))}
${section('What would help, replayed with the change', adviceTable(report.advice))}
${section(`Mismatches of the prediction (${number(replay.mismatches.length)})`, mismatchTable(report))}
</div>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${uplot('uPlot.iife.min.js')}</script>
<script>${CHARTS}</script>`,
  );
}

/** A file of uPlot's; it names its own home, which is no part of the page. */
function uplot(name: string): string {
  const path = fileURLToPath(import.meta.resolve(`uplot/dist/${name}`));
  return readFileSync(path, 'utf8')
    .replace(/^\/\*!.*?\*\//, '')
    .replaceAll('</script', '<\\/script');
}

function section(heading: string, body: string): string {
  return body === '' ? '' : `<section><h2>${escaped(heading)}</h2>${body}</section>`;
}

function chart(id: string): string {
  return `<div class="chart" id="${id}"></div>`;
}

const SPENT: readonly (readonly [head: string, of: (spent: Spent) => string])[] = [
  ['flushes', ({ flushes }) => number(flushes)],
  ['redundant', ({ redundant }) => number(redundant)],
  ['IPIs', ({ ipis }) => number(ipis)],
  ['pages', ({ pages }) => number(pages)],
  ['in full', ({ full }) => number(full)],
  ['context loads', ({ loads }) => number(loads)],
  ['entries lost', ({ lost }) => number(lost)],
  ['time (us)', ({ microseconds }) => number(Math.round(microseconds))],
];

/** A table; cells of columns from `numbers` on are numbers. */
function table(head: readonly string[], rows: readonly (readonly string[])[], numbers = Infinity): string {
  const cells = (tag: string, texts: readonly string[]): string =>
    texts.map((text, i) => `<${tag}${i >= numbers ? ' class="number"' : ''}>${escaped(text)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<div class="scroll"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function outcomesTable(outcomes: readonly Outcome[]): string {
  const unknown = new Set(['redundant', 'entries lost']);
  const row = (outcome: Outcome): string[] => [
    outcome.name,
    ...SPENT.map(([head, of]) => (!outcome.tellsRedundant && unknown.has(head) ? '-' : of(outcome))),
  ];
  const assumed = outcomes.filter(({ assumes }) => assumes.length > 0);
  const notes = assumed.map(({ name, assumes }) => `<li>${escaped(name)}: ${escaped(assumes.join('; '))}</li>`);
  const list = notes.length === 0 ? '' : `<p>Assumed:</p><ul>${notes.join('')}</ul>`;
  return table(['system', ...SPENT.map(([head]) => head)], outcomes.map(row), 1) + list;
}

/** Sums by some name, the dearest first. */
function groups(operations: readonly SpentBy[], by: (each: SpentBy) => string): [string, Spent][] {
  const sums = new Map<string, Record<keyof Spent, number>>();
  const none = { flushes: 0, redundant: 0, ipis: 0, pages: 0, full: 0, loads: 0, lost: 0, microseconds: 0 };
  for (const each of operations) {
    const sum = sums.get(by(each)) ?? { ...none };
    for (const key of Object.keys(none) as (keyof Spent)[]) sum[key] += each[key];
    sums.set(by(each), sum);
  }
  return [...sums].toSorted(([, a], [, b]) => b.microseconds - a.microseconds);
}

function spentTable(what: string, rows: readonly (readonly [string, Spent])[]): string {
  const cells = rows.map(([name, spent]) => [name, ...SPENT.map(([, of]) => of(spent))]);
  return table([what, ...SPENT.map(([head]) => head)], cells, 1);
}

/** Call sites that are shown. */
const SITES = 100;

function sitesTable(sites: readonly SpentAt[]): string {
  if (sites.length === 0) return '';
  const more = sites.length - SITES;
  return (
    spentTable(
      'call site',
      sites.slice(0, SITES).map((each) => [`${each.process}-${each.pid} ${each.operation}: ${each.site}`, each]),
    ) + (more > 0 ? `<p>and ${number(more)} more</p>` : '')
  );
}

function causesTable(causes: Readonly<Record<string, number>>): string {
  const rows = Object.entries(causes).toSorted(([, a], [, b]) => b - a);
  return rows.length === 0
    ? ''
    : table(
        ['because', 'flushes'],
        rows.map(([cause, count]) => [cause, number(count)]),
        1,
      );
}

function adviceTable(advice: readonly Advice[]): string {
  if (advice.length === 0) return '';
  const rows = advice.map(({ process, pid, operation, title, gain }) => [
    `${process}-${pid} ${operation}`,
    title,
    number(gain.flushes),
    number(gain.ipis),
    number(Math.round(gain.microseconds)),
  ]);
  return table(['who', 'change', 'flushes saved', 'IPIs saved', 'time saved (us)'], rows, 2);
}

function mismatchTable({ replay }: WhatIfReport): string {
  if (replay.mismatches.length === 0) return '';
  const rows = replay.mismatches
    .slice(0, MISMATCHES)
    .map((each) => [
      each.time.toFixed(6),
      `${each.cpu}`,
      `${each.line}`,
      each.operation,
      flushText(each, replay.reasons),
      each.cause,
    ]);
  const more = replay.mismatches.length - rows.length;
  return (
    table(['time', 'CPU', 'line', 'operation', 'flush', 'cause'], rows) +
    (more > 0 ? `<p>and ${number(more)} more</p>` : '')
  );
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
