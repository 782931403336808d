// The tables in README.md and docs/*.md that are made, not typed: what profiles cost, from `mmu-gather conformance --compare --json` and, on recordings of
// a real kernel, from `mmu-gather replay --profile P --json`.
//
//     <!-- generated: NAME -->  ...  <!-- /generated -->
//
//     <!-- generated: console ARGS -->   what `mmu-gather ARGS` prints; times stay as they are
//     <!-- generated: steps 4 38 of ARGS -->   of its race, these steps
//
// Without arguments: says which pages are not what they would be; the races in docs/bugs.md are not searched for then. With --write: writes
// them. With names of pages (bugs.md): these alone.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bugsPage } from './docs-bugs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const write = process.argv.includes('--write');
const named = process.argv.slice(2).filter((argument) => argument !== '--write');
/** Columns of what the command prints for people. */
const WIDTH = 98;
const COUNTS = { flushes: 'flushes', ipis: 'IPIs', entries: 'entries', redundant: 'redundant', stale: 'stale' };

/** Runs the command, and returns the JSON that it prints. */
function mmuGather(...args) {
  const command = [join(root, 'packages/cli/dist/main.js'), ...args, '--json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`mmu-gather ${args.join(' ')} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Runs the command, and returns what it prints. */
function printed(args) {
  const command = ['--enable-source-maps', join(root, 'packages/cli/dist/main.js'), ...args.split(' ')];
  const env = { ...process.env, COLUMNS: String(WIDTH) };
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`mmu-gather ${args} ended with ${status}: ${stderr}`);
  return stdout;
}

const TIME = / *\b[\d.]+ m?s\b/g;

/** What a command prints, with the times that the page has already: they differ each time. */
function consoleBlock(args, old) {
  const times = old.match(TIME) ?? [];
  const text = printed(args).replaceAll(TIME, (time) => times.shift() ?? time);
  return `\`\`\`console\n$ mmu-gather ${args}\n${text.trimEnd()}\n\`\`\``;
}

/** Steps of the race that a command draws, each with the lines that go on with it. */
function stepsBlock(numbers, args) {
  const lines = printed(args).split('\n');
  const heads = lines.filter((line) => /^ +CPU 0 /.test(line)).slice(0, 1);
  const steps = numbers.split(' ').flatMap((number) => {
    const first = lines.findIndex((line) => line.startsWith(`${number.padStart(3)}  `));
    if (first < 0) throw new Error(`mmu-gather ${args}: there is no step ${number}`);
    const rest = lines.slice(first + 1);
    return [
      lines[first],
      ...rest.slice(
        0,
        rest.findIndex((line) => !line.startsWith('      ')),
      ),
    ];
  });
  return `\`\`\`\n${[...heads, ...steps].join('\n')}\n\`\`\``;
}

const compare = (profiles) =>
  mmuGather('conformance', '--compare', ...profiles.flatMap((profile) => ['--profile', profile]));

/** Every profile of the registry that is not expected to break scenarios; linux-5.11 is the first. */
const HOLDING = () =>
  mmuGather('list', 'profiles')
    .profiles.filter(({ profile }) => !profile.includes('as-posted'))
    .map(({ profile }) => profile);

/** A Markdown table; columns but the first are numbers. */
function table(head, rows) {
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const counts = (of) => Object.keys(COUNTS).map((key) => String(of[key]));
const both = ({ fair, sequential }, key) => fair[key] + sequential[key];

/** `-12` or `+3`, in percent of a first value. */
function change(value, first) {
  const percent = Math.round((100 * (value - first)) / first);
  return percent === 0 ? '0 %' : `${percent > 0 ? '+' : '-'}${Math.abs(percent)} %`;
}

/** Totals of profiles over the scenarios that all of them hold. */
function totals({ common, profiles }) {
  const first = profiles[0].total;
  const rows = profiles.map(({ profile, total, loses }) => [
    `\`${profile}\``,
    ...counts(total),
    change(total.flushes, first.flushes),
    change(total.ipis, first.ipis),
    String(loses.length),
  ]);
  const head = ['profile', ...Object.values(COUNTS), 'flushes', 'IPIs', 'loses in'];
  return `Over the ${common} scenarios that all of these profiles run and hold:\n\n${table(head, rows)}`;
}

/** Flushes and IPIs of each scenario in which profiles differ. */
function scenarios({ profiles, cells }) {
  const ids = profiles.map(({ profile }) => profile);
  const names = [...new Set(cells.map(({ scenario }) => scenario))];
  const rows = names.flatMap((scenario) => {
    const own = ids.map((id) => cells.find((cell) => cell.scenario === scenario && cell.profile === id));
    const texts = own.map((cell) => (cell === undefined ? '' : `${both(cell, 'flushes')} / ${both(cell, 'ipis')}`));
    return new Set(texts.filter((text) => text !== '')).size > 1 ? [[`\`${scenario}\``, ...texts]] : [];
  });
  const same = names.length - rows.length;
  const head = ['flushes / IPIs', ...ids.map((id) => `\`${id}\``)];
  return `${table(head, rows)}\n\nIn the other ${same} scenarios all profiles that run them flush and interrupt alike.`;
}

/** Where a profile flushes or interrupts more than the first one. */
function losses({ profiles, cells }) {
  const [first, ...others] = profiles;
  const lines = others.map(({ profile, loses }) => {
    const each = loses.map((scenario) => {
      const [own, base] = [profile, first.profile].map((id) =>
        cells.find((cell) => cell.scenario === scenario && cell.profile === id),
      );
      return `\`${scenario}\` (${both(own, 'flushes')} / ${both(own, 'ipis')} for ${both(base, 'flushes')} / ${both(base, 'ipis')})`;
    });
    return `- \`${profile}\`: ${each.length === 0 ? 'nowhere' : each.join(', ')}`;
  });
  return `Flushes / IPIs, for those of \`${first.profile}\`:\n\n${lines.join('\n')}`;
}

/** Recordings of Linux 6.18 on a PC, and what is known of it. */
const RECORDINGS = join(root, 'packages/replay/test/fixtures');
const FACTS = join(RECORDINGS, 'x86-6.18-host.json');

/** What profiles cost on the recordings: flushes, pages that were flushed one by one, full flushes, interrupts. */
function replayed(profiles) {
  const names = readdirSync(RECORDINGS).filter((name) => name.endsWith('.trace.txt.gz'));
  const costs = profiles.map((profile) =>
    names.map((name) => mmuGather('replay', join(RECORDINGS, name), '--facts', FACTS, '--profile', profile).costs),
  );
  const sums = costs.map((each) => {
    const sum = (key) => each.reduce((total, of) => total + of[key], 0);
    return { flushes: sum('flushes'), full: sum('full'), pages: sum('pages'), ipis: sum('ipis') };
  });
  const rows = profiles.map((profile, p) => [
    `\`${profile}\``,
    ...costs[p].map(({ flushes, ipis }) => `${flushes} / ${ipis}`),
    ...Object.values(sums[p]).map(String),
    change(sums[p].flushes, sums[0].flushes),
    change(sums[p].ipis, sums[0].ipis),
  ]);
  const short = names.map((name) => name.replace('.trace.txt.gz', ''));
  return table(['flushes / IPIs', ...short, 'flushes', 'in full', 'pages', 'IPIs', 'flushes', 'IPIs'], rows);
}

/** What one workload asks of the hardware on each architecture, an operation at a time. */
function eventLogs() {
  const { ARCHITECTURES, eventLog } = suite;
  const logs = ARCHITECTURES.map((arch) => [arch.id, eventLog(arch)]);
  const lines = (of) => (of.length === 0 ? 'nothing' : of.join('<br>'));
  return logs[0][1]
    .map(({ operation }, i) => {
      const rows = logs.map(([id, log]) => `| ${id} | ${lines(log[i].asked)} | ${lines(log[i].traced)} |`);
      return `### ${operation}\n\n| architecture | CPUs are asked to | tracepoints |\n| --- | --- | --- |\n${rows.join('\n')}`;
    })
    .join('\n\n');
}

/** What the switches of the search save. */
async function reductionTable() {
  const { COLUMNS, reductions } = await import('./bench/reductions.ts');
  const rows = reductions().map(({ name, verdict, counts }) => [
    name.includes('/') ? `\`${name}\`` : name,
    ...COLUMNS.map((column) => counts[column]?.toLocaleString('en-US') ?? ''),
    verdict,
  ]);
  return table(['', ...COLUMNS, 'verdict'], rows);
}

let all;
let patches;
const holding = () => (all ??= compare(HOLDING()));
/** The RFC's patches that change anything at all, one after the other. */
const rfc = () =>
  (patches ??= compare([
    ...[0, 1, 2, 3, 4, 6, 8, 9, 13, 15, 16, 17, 19].map((n) => `rfc-2021-corrected@${n}`),
    'rfc-2021-corrected',
  ]));
// Diagrams name the sources.
process.setSourceMapsEnabled(true);
const suite = await import('../packages/conformance/dist/index.js');
const inDocs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const pages = named.length > 0 ? named : ['README.md', ...inDocs];
const pathOf = (page) => (page === 'README.md' ? page : join('docs', page));
const texts = new Map(pages.map((page) => [page, readFileSync(join(root, pathOf(page)), 'utf8')]));
const reduced = [...texts.values()].some((text) => text.includes('<!-- generated: reductions -->'))
  ? await reductionTable()
  : '';
const TABLES = {
  bugs: (old) => bugsPage(suite, write ? undefined : old),
  'event logs': eventLogs,
  reductions: () => reduced,
  'compare totals': () => totals(holding()),
  'compare scenarios': () => scenarios(holding()),
  'compare losses': () => losses(holding()),
  'compare rfc': () => totals(rfc()),
  'replay totals': () => replayed(HOLDING()),
  'replay rfc': () =>
    replayed(['linux-5.11', ...[2, 3, 4, 8, 15, 16].map((n) => `rfc-2021-corrected@${n}`), 'rfc-2021-corrected']),
};

/** What a block is filled with. */
function block(page, name, old) {
  const [, args] = /^console (.*)$/.exec(name) ?? [];
  if (args !== undefined) return consoleBlock(args, old);
  const [, steps, race] = /^steps ([\d ]+) of (.*)$/.exec(name) ?? [];
  if (race !== undefined) return stepsBlock(steps, race);
  if (!(name in TABLES)) throw new Error(`${page}: no table '${name}': there are ${Object.keys(TABLES).join(', ')}`);
  return TABLES[name](old);
}

/** A page with every block filled. */
function filled(page, text) {
  return text.replaceAll(
    /(<!-- generated: (.*?) -->\n)([^]*?)(<!-- \/generated -->)/g,
    (_, begin, name, old, end) => `${begin}\n${block(page, name, old)}\n\n${end}`,
  );
}

for (const [page, text] of texts) {
  const path = join(root, pathOf(page));
  const next = filled(page, text);
  if (next === text) continue;
  if (write) {
    writeFileSync(path, next);
    console.log(`written: ${pathOf(page)}`);
  } else {
    console.error(`${pathOf(page)}: tables are not what the code gives; mend with: npm run docs:tables`);
    process.exitCode = 1;
  }
}
