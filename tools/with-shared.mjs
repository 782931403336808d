// What can only be checked where the shared folder of recordings lies beside the checkout: replays some of each machine, and fails if a score
// is below the machine's bar. Plain JavaScript without dependencies; `node tools/run.mjs shared` builds before.
//
//     node tools/run.mjs shared [ID ...]     these recordings (m01, q02, ...) instead of all that have a bar
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { machines, SHARED } from './recordings.mjs';

const BAR = 0.95;
const HOST = ['m01', 'm01b', 'm02', 'm03', 'm04', 'm07', 'm09', 'm10', 'm10a', 'm10b', 'm11', 'm12', 'm19'];
const IDS = {
  'x86-6.18-host': HOST,
  'x86-6.1-qemu-4cpu': ['q01', 'q02', 'q10', 'q12'],
  'x86-6.12-qemu-8cpu': ['q01', 'q02', 'q10', 'q12'],
  'arm64-6.1-qemu-4cpu': ['q01', 'q03', 'q04', 'q09', 'q10', 'q16', 'q19', 'q34'],
  'ppc64le-radix-6.1-qemu-4cpu': ['q01', 'q02', 'q03', 'q05', 'q09', 'q10', 'q20', 'q31', 'q39'],
  'ppc64le-hash-6.1-qemu-4cpu': ['q01', 'q05', 'q09', 'q20', 'q31', 'q35'],
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const library = join(root, 'packages', 'replay', 'dist', 'index.js');
const asked = process.argv.slice(2);
const all = machines();

if (all.length === 0) {
  console.log(`no recordings in ${SHARED}: nothing to replay`);
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
const failed = [];
let events = 0;
let seconds = 0;
for (const { name, facts, recordings } of all) {
  const wanted = asked.length > 0 ? asked : (IDS[name] ?? []);
  console.log(name);
  for (const { id, file } of recordings.filter(({ id: each }) => wanted.includes(each.split('-')[0]))) {
    const report = await replay(file, { facts });
    const { recorded, predicted, matched, allowedRecall, allowedPrecision } = report;
    events += report.events;
    seconds += report.seconds;
    const shares = [allowedRecall, allowedPrecision].map((share) => share.toFixed(4));
    console.log(row([id, ...[recorded, predicted, matched].map(String), ...shares, report.seconds.toFixed(2)]));
    if (Math.min(allowedRecall, allowedPrecision) < BAR)
      failed.push(`${name}/${id}: recall ${shares[0]}, precision ${shares[1]}`);
  }
}
console.log(`${events} events in ${seconds.toFixed(2)} s: ${Math.round(events / seconds)} a second`);
for (const line of failed) console.error(`below ${BAR}: ${line}`);
process.exit(failed.length > 0 ? 1 : 0);
