// What can only be checked where the shared folder of recordings lies beside the checkout: replays the micro workloads and
// fails if a score is below the bar. Plain JavaScript without dependencies; needs the build (`npm test` makes it).
//
//   with-shared [ID ...]     these recordings (m01, m02, ...) instead of all that have a bar
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const BAR = 0.95;
const IDS = ['m01', 'm01b', 'm02', 'm03', 'm04', 'm07', 'm09', 'm10', 'm10a', 'm10b', 'm11', 'm12', 'm19'];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, '..', 'shared', 'traces', 'x86-6.18-host', 'micro');
const library = join(root, 'packages', 'replay', 'dist', 'index.js');
const wanted = process.argv.length > 2 ? process.argv.slice(2) : IDS;

if (!existsSync(folder)) {
  console.log(`no recordings in ${folder}: nothing to replay`);
  process.exit(0);
}
if (!existsSync(library)) {
  console.error(`${library} is not built: run npm test first`);
  process.exit(1);
}
const { replay } = await import(pathToFileURL(library).href);

const COLUMNS = [
  ['recording', 20],
  ['recorded', 9],
  ['predicted', 10],
  ['matched', 8],
  ['recall', 7],
  ['precision', 10],
  ['seconds', 8],
];
const row = (cells) =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(COLUMNS[i][1]) : cell.padStart(COLUMNS[i][1]))).join(' ');

console.log(row(COLUMNS.map(([name]) => name)));
const files = readdirSync(folder).sort();
const failed = [];
let events = 0;
let seconds = 0;
for (const id of wanted) {
  const file = files.find((name) => name.startsWith(`${id}-`) && name.endsWith('.trace.txt.gz'));
  if (file === undefined) {
    failed.push(`${id}: no such recording`);
    continue;
  }
  const report = await replay(join(folder, file));
  const { recorded, predicted, matched, recall, precision } = report;
  events += report.events;
  seconds += report.seconds;
  const name = file.slice(0, -'.trace.txt.gz'.length);
  const shares = [recall, precision].map((share) => share.toFixed(4));
  console.log(row([name, ...[recorded, predicted, matched].map(String), ...shares, report.seconds.toFixed(2)]));
  if (Math.min(recall, precision) < BAR)
    failed.push(`${name}: recall ${recall.toFixed(4)}, precision ${precision.toFixed(4)}`);
}
console.log(`${events} events in ${seconds.toFixed(2)} s: ${Math.round(events / seconds)} a second`);
for (const line of failed) console.error(`below ${BAR}: ${line}`);
process.exit(failed.length > 0 ? 1 : 0);
