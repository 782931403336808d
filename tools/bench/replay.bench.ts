/**
 * Replay of the recordings that the replay package ships, end to end: reading, running, comparing.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { replay, type ReplayReport } from '@mmu-gather/replay';
import { print, type Value } from './table.ts';

const folder = new URL('../../packages/replay/test/fixtures/', import.meta.url);
const rows: Value[][] = [];
for (const name of readdirSync(folder).filter((file) => file.endsWith('.gz'))) {
  const path = fileURLToPath(new URL(name, folder));
  let best: ReplayReport = await replay(path);
  for (let i = 0; i < 5; i++) {
    const report = await replay(path);
    if (report.seconds < best.seconds) best = report;
  }
  rows.push([
    name,
    best.events,
    best.recorded,
    best.recall.toFixed(4),
    best.precision.toFixed(4),
    1000 * best.seconds,
    Math.round(best.events / best.seconds),
  ]);
}
print(['recording', 'events', 'flushes', 'recall', 'precision', 'ms (best of 6)', 'events/s'], rows);
