/**
 * CSV of what-if reports: a row for each alternative, for each operation of a process, and for each place that it was asked for at.
 */
import { stringify } from 'csv-stringify/sync';
import type { Spent, WhatIfReport } from '../what-if/what-if.ts';

const COLUMNS = ['table', 'name', 'pid', 'operation', 'site'] as const;
const COUNTS = ['flushes', 'redundant', 'ipis', 'pages', 'full', 'loads', 'lost', 'microseconds'] as const;

/** Rows of a report, with a head; what is not known is empty. */
export function csvOf({ recorded, alternatives, operations, sites }: WhatIfReport): string {
  const counts = (spent: Spent, known: boolean): Record<string, number | string> => ({
    ...Object.fromEntries(COUNTS.map((name) => [name, spent[name]])),
    ...(known ? {} : { redundant: '', lost: '' }),
  });
  const rows = [
    ...[recorded, ...alternatives].map((outcome) => ({
      table: 'alternative',
      name: outcome.name,
      ...counts(outcome, outcome.tellsRedundant),
    })),
    ...operations.map((each) => ({
      table: 'operation',
      name: each.process,
      pid: each.pid,
      operation: each.operation,
      ...counts(each, recorded.tellsRedundant),
    })),
    ...sites.map((each) => ({
      table: 'site',
      name: each.process,
      pid: each.pid,
      operation: each.operation,
      site: each.site,
      ...counts(each, recorded.tellsRedundant),
    })),
  ];
  return stringify(rows, { header: true, columns: [...COLUMNS, ...COUNTS] });
}
