// How well recordings of real kernels are predicted: docs/replay-scores.md, made by replaying every recording in the shared folder.
//
//     docs-scores            one process a CPU; writes the page
//     docs-scores MACHINE    replays one machine's, and prints the rows as JSON
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { machines, SHARED } from './recordings.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PAGE = join(root, 'docs', 'replay-scores.md');
/** What is wanted of both shares: by machine, and for host recordings that other tasks disturbed for a millisecond or more. */
const GOALS = { 'x86-6.18-host': 0.99, 'x86-6.1-qemu-4cpu': 0.97, 'x86-6.12-qemu-8cpu': 0.97 };
const DISTURBED = 0.97;
const OTHERS = 0.95;
/** Causes that are named for a recording. */
const CAUSES = 3;

const INDEX = join(SHARED, 'index.json');
const index = existsSync(INDEX) ? JSON.parse(readFileSync(INDEX, 'utf8')) : [];

/** The goal of a recording. */
function goalOf(machine, id) {
  if (machine !== 'x86-6.18-host') return GOALS[machine] ?? OTHERS;
  const entry = index.find(({ file }) => file.startsWith('x86-6.18-host') && file.includes(`/${id}.`));
  return (entry?.other_ms ?? 0) < 1 ? GOALS[machine] : DISTURBED;
}

/** What a recording would have to hold, by what a cause speaks of. */
const NEEDS = [['process_madvise', 'its ranges: `mmu-gather record` adds them where the kernel has event probes']];

/** What would tell more, as far as it can be recorded. */
const needsOf = (causes) =>
  NEEDS.filter(([word]) => causes.some((cause) => cause.includes(word))).map(([, what]) => `needed: ${what}`);

/** The most frequent causes of mismatches: `12 process_madvise: ...`. */
function causesOf(mismatches) {
  const counts = new Map();
  for (const { operation, cause } of mismatches) {
    const key = `${operation}: ${cause.split('; ').at(-1)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.slice(0, CAUSES).map(([key, count]) => `${count} ${key}`);
}

/** Both shares of a recording whose interrupts are no input. */
async function withoutInterrupts(replay, file, facts) {
  const { recall, precision, allowedRecall, allowedPrecision } = await replay(file, { facts, withoutInterrupts: true });
  return { exact: Math.min(recall, precision), open: Math.min(allowedRecall, allowedPrecision) };
}

async function rowsOf(name) {
  const { replay } = await import(pathToFileURL(join(root, 'packages', 'replay', 'dist', 'index.js')).href);
  const { facts, recordings } = machines().find((machine) => machine.name === name);
  const rows = [];
  for (const { id, file } of recordings) {
    const report = await replay(file, { facts });
    const { recorded, predicted, matched, allowed, missed, spurious, width, interrupts } = report;
    const exact = Math.min(report.recall, report.precision);
    const open = Math.min(report.allowedRecall, report.allowedPrecision);
    const asked = interrupts === null ? null : Math.min(interrupts.allowedRecall, interrupts.allowedPrecision);
    const askedExact = interrupts === null ? null : Math.min(interrupts.recall, interrupts.precision);
    const causes = causesOf(report.mismatches);
    const askedCauses = causesOf(interrupts?.mismatches ?? []);
    const without = await withoutInterrupts(replay, file, facts);
    const shares = { exact, open, asked, askedExact, without };
    rows.push({ id, recorded, predicted, matched, allowed, missed, spurious, width, ...shares, causes, askedCauses });
  }
  return rows;
}

/** Runs this script for one machine. */
function inProcess(name) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`${name} ended with ${code}`)),
    );
  });
}

const percent = (share) => (share === null ? '' : `${(Math.floor(share * 10_000) / 100).toFixed(2)}`);

const listOf = (title, items) =>
  items.length === 0 ? '' : `\n\n${title}, with the most frequent causes:\n\n${items.join('\n')}`;

function section({ name }, rows) {
  const head =
    '| recording | recorded | predicted | exact | allowed | missed | spurious | width | exact % | with sets % | blind exact % | blind with sets % | interrupts exact % | interrupts with sets % | goal |';
  const lines = rows.map((row) => {
    const goal = goalOf(name, row.id);
    const cells = [
      row.recorded,
      row.predicted,
      row.matched,
      row.allowed,
      row.missed,
      row.spurious,
      row.width.toFixed(1),
    ];
    const blind = row.without;
    const shares = [row.exact, row.open, blind.exact, blind.open, row.askedExact, row.asked].map(percent);
    const met = row.exact >= goal ? 'exactly' : row.open >= goal ? 'with sets' : '**below**';
    return `| ${[row.id, ...cells, ...shares, `${met} (${goal * 100})`].join(' | ')} |`;
  });
  const below = rows
    .filter((row) => row.open < goalOf(name, row.id))
    .map((row) => `- ${row.id}, ${percent(row.open)} %: ${[...row.causes, ...needsOf(row.causes)].join('; ')}`);
  const asked = rows
    .filter((row) => row.asked !== null && row.asked < goalOf(name, row.id))
    .map((row) => `- ${row.id}, ${percent(row.asked)} %: ${row.askedCauses.join('; ')}`);
  const lists = listOf('Below the goal', below) + listOf('Interrupts below the goal', asked);
  return `## ${name}\n\n${head}\n|${' --- |'.repeat(15)}\n${lines.join('\n')}${lists}`;
}

function overview(each) {
  const rows = each.map(([{ name, facts }, rows]) => {
    const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
    const meets = (share) => rows.filter((row) => share(row) >= goalOf(name, row.id)).length;
    const recorded = sum('recorded');
    const cells = [facts.backend, facts.kernel, rows.length, recorded, percent(sum('matched') / recorded)];
    const shares = [
      percent((sum('matched') + sum('allowed')) / recorded),
      percent(1 - sum('spurious') / sum('predicted')),
    ];
    const met = [meets((row) => row.exact), meets((row) => row.open), meets((row) => row.without.open)];
    return `| ${[name, ...cells, ...shares, ...met].join(' | ')} |`;
  });
  const head =
    '| machine | backend | kernel | recordings | recorded | exact % | with sets % | of predicted % | goal met exactly | with sets | blind with sets |';
  return `${head}\n|${' --- |'.repeat(11)}\n${rows.join('\n')}`;
}

const INTRODUCTION = `# How well recordings are predicted

Made by \`npm run docs:scores\` from recordings of real kernels that lie beside the checkout (\`../shared/traces\`); facts of each machine come from
its description alone. [Replaying a recording](replay.md) says what is compared and what the words mean. "exact" counts pairs that agree
one to one; "with sets" also what the recording leaves open, in sets of at most four, whose mean size is the width. Both shares are the
smaller of recall and precision.

No score resynchronises on a flush: none that was recorded is an input of a prediction. Requests to flush other CPUs (csd and ipi events, or probes), where they were recorded,
tell when a call took effect, and that a CPU was not idle, though not whom a call asks; one that arrives and that no call is predicted to have sent
is run all the same, and counts as missed or allowed. The "blind" shares are those without them: nothing that
is compared, flush or interrupt, is an input there. Where none were recorded both are the same.`;

if (process.argv[2] !== undefined) {
  process.stdout.write(JSON.stringify(await rowsOf(process.argv[2])));
} else {
  const todo = machines();
  if (todo.length === 0) {
    console.log(`no recordings in ${SHARED}: nothing to replay`);
    process.exit(0);
  }
  const queue = [...todo.keys()];
  const done = [];
  const work = async () => {
    for (let at = queue.shift(); at !== undefined; at = queue.shift())
      done[at] = [todo[at], await inProcess(todo[at].name)];
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const sections = done.map(([machine, rows]) => section(machine, rows));
  writeFileSync(PAGE, `${[INTRODUCTION, overview(done), ...sections].join('\n\n')}\n`);
  console.log('written: docs/replay-scores.md');
}
