/**
 * What-if for people: what a recording costs, who spends it, and what would spend less, in 80 columns.
 */
import type { Advice, Outcome, Spent, SpentAt, SpentBy, WhatIfReport } from '@mmu-gather/replay';
import { type Column, Table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { number, wrap } from './text.ts';

/** Operations that are shown. */
const OPERATIONS = 10;
/** Call sites that are shown. */
const SITES = 5;

const COUNTS: readonly Column[] = [
  { head: 'flushes', width: 8, align: 'right' },
  { head: 'redundant', width: 9, align: 'right' },
  { head: 'IPIs', width: 7, align: 'right' },
  { head: 'lost', width: 9, align: 'right' },
  { head: 'time', width: 9, align: 'right' },
];

const LEGEND =
  'flushes: calls of a flush function that invalidated or interrupted; redundant: those that removed nothing older than memory on any CPU; ' +
  'lost: TLB entries dropped, at most; time: modelled CPU time of all CPUs, by the figures of `list costs` (--costs FILE for your own). ' +
  'Operations are those of the recording, in its order.';

/** All of it. */
export function whatIfText(report: WhatIfReport, terminal: Terminal): string {
  const parts = [
    alternativesText([report.recorded, ...report.alternatives], terminal),
    operationsText(report.operations.slice(0, OPERATIONS), terminal),
    sitesText(report.sites.slice(0, SITES), terminal),
    causesText(report, terminal),
    adviceText(report.advice, terminal),
    wrap(LEGEND, terminal.columns),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function alternativesText(outcomes: readonly Outcome[], { paint }: Terminal): string {
  const table = new Table([{ head: 'what if', width: 24 }, ...COUNTS], paint);
  const rows = outcomes.map((outcome) => table.row([outcome.name, ...counts(outcome, outcome.tellsRedundant)]));
  return [table.head(), ...rows].join('\n');
}

function operationsText(operations: readonly SpentBy[], { paint }: Terminal): string {
  if (operations.length === 0) return '';
  const table = new Table([{ head: 'who', width: 24 }, ...COUNTS], paint);
  return [
    table.head(),
    ...operations.map((each) => table.row([`${each.process}-${each.pid} ${each.operation}`, ...counts(each, true)])),
  ].join('\n');
}

/** Each in a line of its own: frames may be long. */
function sitesText(sites: readonly SpentAt[], { columns }: Terminal): string {
  if (sites.length === 0) return '';
  const rows = sites.map(({ process, pid, operation, site, flushes, ipis, microseconds }) =>
    wrap(
      `${process}-${pid} ${operation}: ${number(flushes)} flushes, ${number(ipis)} IPIs, ${duration(microseconds)} at ${site}`,
      columns,
      '  ',
    ),
  );
  return ['call sites, the innermost frame first', ...rows].join('\n');
}

function counts({ flushes, redundant, ipis, lost, microseconds }: Spent, known: boolean): string[] {
  return [
    number(flushes),
    known ? number(redundant) : '-',
    number(ipis),
    known ? number(lost) : '-',
    duration(microseconds),
  ];
}

/** `12 us`, `3.4 ms`, `1.2 s`; gains may be negative. */
export function duration(microseconds: number): string {
  const size = Math.abs(microseconds);
  if (size < 999.5) return `${microseconds.toFixed(0)} us`;
  return size < 999_500 ? `${(microseconds / 1000).toFixed(1)} ms` : `${(microseconds / 1e6).toFixed(1)} s`;
}

function causesText({ causes }: WhatIfReport, { columns }: Terminal): string {
  const rows = Object.entries(causes).toSorted(([, a], [, b]) => b - a);
  if (rows.length === 0) return '';
  return ['redundant because', ...rows.map(([cause, count]) => wrap(`${number(count)}  ${cause}`, columns, '  '))].join(
    '\n',
  );
}

function adviceText(advice: readonly Advice[], { columns }: Terminal): string {
  const helpful = advice.filter(({ gain }) => gain.microseconds > 0);
  if (advice.length === 0) return '';
  if (helpful.length === 0) return `what would help: none of the ${number(advice.length)} changes that were tried`;
  return [
    'what would help (replayed with the change)',
    ...helpful.map(({ process, pid, title, gain }) =>
      wrap(
        `${process}-${pid}: ${title}: saves ${duration(gain.microseconds)}, ${number(gain.flushes)} flushes, ${number(gain.ipis)} IPIs`,
        columns,
        '  ',
      ),
    ),
  ].join('\n');
}
