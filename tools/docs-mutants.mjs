// The mutants' table: docs/mutants/ARCH.tsv has what became of each mutant, docs/mutants.md what that amounts to.
//
//     npm run docs:mutants                            all architectures: hours
//     npm run docs:mutants -- --arch x86              one
//     npm run docs:mutants -- --arch x86 'x86/*'      one, of its own files; the other rows stay, but for mutants that are gone
//     npm run docs:mutants -- --arch x86 --left       one, what is unexplained or unreached so far, or new
//     npm run docs:mutants -- --from report.json      what `mmu-gather conformance --mutants --json` has printed
//     npm run docs:mutants -- --checkpoint FILE       goes on with what this file knows; of other code it takes where mutants were killed
//     npm run docs:mutants -- --page                  the page alone
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'docs/mutants');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arch: { type: 'string' },
    from: { type: 'string' },
    left: { type: 'boolean' },
    page: { type: 'boolean' },
    jobs: { type: 'string' },
    checkpoint: { type: 'string' },
  },
});

const VERDICTS = ['killed', 'covered', 'costs', 'either', 'ordered', 'elsewhere', 'twin', 'unexplained', 'unreached'];
const COLUMNS = ['verdict', 'line', 'kind', 'operator', 'mutant', 'where', 'oracle', 'note'];

/** Runs the command: its JSON is too large for a pipe that is read at the end. */
async function campaigns(arch) {
  const scratch = mkdtempSync(join(tmpdir(), 'mutants-'));
  const file = join(scratch, 'report.json');
  let which = positionals;
  if (values.left) {
    const left = await leftOf(arch);
    // The rows of mutants that are gone go, too.
    if (left.length === 0) return [{ arch, mutants: [] }];
    const list = join(scratch, 'left');
    writeFileSync(list, left.map(({ key }) => `${key}\n`).join(''));
    which = [`@${list}`];
  }
  const args = ['conformance', '--mutants', ...which, '--json', ...(arch ? ['--arch', arch] : [])];
  for (const name of ['jobs', 'checkpoint']) if (values[name] !== undefined) args.push(`--${name}`, values[name]);
  const stdio = ['ignore', openSync(file, 'w'), 'inherit'];
  const { status } = spawnSync(process.execPath, [join(root, 'packages/cli/dist/main.js'), ...args], { stdio });
  if (status !== 0 && status !== 1) throw new Error(`mmu-gather ${args.join(' ')} ended with ${status}`);
  return JSON.parse(readFileSync(file, 'utf8')).campaigns;
}

/** What no table explains, and what has no row in any. */
async function leftOf(arch) {
  const all = tables();
  const row = new Map(all.get(arch)?.map((found) => [found.mutant, found]));
  const known = new Set([...all.values()].flat().map(({ mutant }) => mutant));
  const own = (key) => SHARED.test(key) || arch.startsWith(key.split('/')[0]);
  const isLeft = (key) => {
    const verdict = row.get(key)?.verdict;
    return verdict === undefined ? own(key) && !known.has(key) : verdict === 'unexplained' || verdict === 'unreached';
  };
  return (await mutations()).filter(({ key }) => isLeft(key));
}

/** All mutants of today's code. */
async function mutations() {
  const { Instrumented, suitePackages } = await import('../packages/mutants/dist/index.js');
  return new Instrumented(suitePackages()).mutations;
}

/** A row of the table. */
function rowOf({ verdict, line, kind, operator, key, kill, covered, costs, either, twin, ran, reaching, same }) {
  const by = kill ?? covered?.kill;
  return {
    verdict,
    line: String(line),
    kind,
    operator,
    mutant: key,
    where: twin ?? (by === undefined ? '' : `${by.scenario}@${by.profile}`),
    oracle: by?.oracle ?? '',
    note: noteOf({ verdict, covered, costs, either, ran, reaching, same }),
  };
}

/** What a step saves, by what there is more of without it. */
const SAVED = {
  removed: 'drops more than it must',
  ipis: 'interrupts more CPUs',
  told: 'broadcasts more often',
  flushes: 'invalidates more often',
  lookups: 'looks at more levels',
  traps: 'misses or faults more often',
  kept: 'keeps what it must free',
  steps: 'takes more steps',
};

function noteOf({ verdict, covered, costs, either, ran, reaching, same }) {
  if (verdict === 'covered') return covered.why === undefined ? covered.by : `${covered.why} (${covered.by})`;
  if (verdict === 'either') return `the same ends in ${either} cells`;
  if (verdict === 'costs') {
    const { saved, more, less, of } = costs;
    return `${SAVED[saved]} in ${more[saved]} of ${of} cells${less[saved] > 0 ? `, and less in ${less[saved]}` : ''}`;
  }
  if (verdict !== 'unexplained') return '';
  const none = same ? ', with as many states as without it' : '';
  return `survived ${ran} of ${reaching} cells${none}`;
}

const fileOf = (arch) => join(folder, `${arch}.tsv`);

function read(arch) {
  if (!existsSync(fileOf(arch))) return [];
  const [head, ...lines] = readFileSync(fileOf(arch), 'utf8').replace(/\n$/, '').split('\n');
  if (head.split('\t').join() !== COLUMNS.join()) return [];
  return lines.map((line) => Object.fromEntries(line.split('\t').map((cell, i) => [COLUMNS[i], cell])));
}

function write(arch, rows) {
  const lines = [COLUMNS, ...rows.map((row) => COLUMNS.map((column) => row[column].replaceAll('\t', ' ')))];
  writeFileSync(fileOf(arch), `${lines.map((cells) => cells.join('\t')).join('\n')}\n`);
}

/** Code that several architectures run: a step that survives on one may be what another one needs. */
const SHARED = /^(core|mm)\//;

/** What another architecture's table must say of such a step so that a row here is explained, the best first. */
const NEEDED = ['killed', 'costs'];
const EXPLAINS = { unexplained: NEEDED, unreached: [...NEEDED, 'covered', 'either', 'ordered', 'twin'] };

/**
 * Rows as the page counts them: what survives here, and another architecture's table has killed, or found to save work, is only not needed here; and what
 * is not reached here is what it is where it is reached.
 */
function explained(all) {
  const found = new Map(EXPLAINS.unreached.map((verdict) => [verdict, new Map()]));
  for (const [arch, rows] of all) {
    for (const row of rows) {
      const by = SHARED.test(row.mutant) ? found.get(row.verdict) : undefined;
      if (by !== undefined && !by.has(row.mutant)) by.set(row.mutant, { arch, ...row });
    }
  }
  const here = (row) => {
    const there = EXPLAINS[row.verdict]?.map((verdict) => found.get(verdict).get(row.mutant)).find(Boolean);
    if (there === undefined) return row;
    const { arch, verdict, where, oracle, note } = there;
    const what = NEEDED.includes(verdict) ? note : `${verdict}: ${note}`;
    return { ...row, verdict: 'elsewhere', where: where === '' ? arch : `${arch}: ${where}`, oracle, note: what };
  };
  return new Map([...all].map(([arch, rows]) => [arch, rows.map(here)]));
}

/** New rows, and the old ones of mutants that are still there, in the order of the sources. */
async function merge({ arch, mutants }) {
  const rows = new Map([...read(arch), ...mutants.map(rowOf)].map((row) => [row.mutant, row]));
  write(
    arch,
    (await mutations()).flatMap(({ key, site }) =>
      rows.has(key) ? [{ ...rows.get(key), line: String(site.line) }] : [],
    ),
  );
}

function table(head, rows) {
  return [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((r) => `| ${r.join(' | ')} |`).join('\n');
}

/** One line for each mutant, by function. */
function listed(rows, tail) {
  return rows
    .map((row) => {
      const [file] = row.mutant.split(' ');
      const rest = row.mutant
        .slice(file.length + 1)
        .replaceAll('|', '\\|')
        .replaceAll('`', "'");
      return `- \`${file}:${row.line}\` \`${rest}\`${tail(row)}`;
    })
    .join('\n');
}

/** All tables, by architecture, as the page counts their rows. */
function tables() {
  const archs = readdirSync(folder)
    .filter((name) => name.endsWith('.tsv'))
    .map((name) => name.replace('.tsv', ''))
    .toSorted();
  return explained(new Map(archs.map((arch) => [arch, read(arch)])));
}

function page() {
  const all = tables();
  const archs = [...all.keys()];
  const count = (rows, test) => String(rows.filter(test).length);
  const counts = archs.map((arch) => {
    const rows = all.get(arch);
    return [arch, String(rows.length), ...VERDICTS.map((verdict) => count(rows, (row) => row.verdict === verdict))];
  });
  const kinds = [...new Set([...all.values()].flat().map(({ kind }) => kind))].toSorted();
  const byKind = kinds.map((kind) => {
    const rows = [...all.values()].flat().filter((row) => row.kind === kind);
    return [kind, String(rows.length), ...VERDICTS.map((verdict) => count(rows, (row) => row.verdict === verdict))];
  });
  const sections = archs.map((arch) => {
    const of = (verdict) => all.get(arch).filter((row) => row.verdict === verdict);
    const part = (title, rows, tail) =>
      rows.length === 0
        ? []
        : [`<details><summary>${title}: ${rows.length}</summary>\n\n${listed(rows, tail)}\n\n</details>`];
    return [
      `## ${arch}`,
      ...part(
        'Redundant here: another step does the same',
        of('covered'),
        ({ note, where, oracle }) => `: ${note}; the pair is killed by \`${where}\` (${oracle})`,
      ),
      ...part('Explained elsewhere', of('elsewhere'), ({ where, oracle, note }) =>
        oracle === '' ? `: ${where}, ${note}` : `: ${where} (${oracle})`,
      ),
      ...part('Unexplained', of('unexplained'), ({ note }) => `: ${note}`),
      ...part('Not reached', of('unreached'), () => ''),
      ...part('Wrong forms alone get there', of('twin'), ({ where }) => `: ${where}`),
      ...part('It saves work, and nothing relies on it', of('costs'), ({ note }) => `: ${note}`),
    ].join('\n\n');
  });
  const head = (first) => [first, 'mutants', ...VERDICTS];
  const text = readFileSync(join(root, 'docs/mutants.md'), 'utf8');
  const generated = [
    table(head('architecture'), counts),
    'By what the site is for, all architectures together:',
    table(head('kind'), byKind),
    ...sections,
  ].join('\n\n');
  const [before] = text.split('<!-- generated -->');
  writeFileSync(join(root, 'docs/mutants.md'), `${before}<!-- generated -->\n\n${generated}\n`);
}

if (values.left && (values.arch === undefined || positionals.length > 0)) {
  console.error('docs:mutants: --left goes with --arch, and with no files: it says itself which mutants are left');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
if (values.page !== true) {
  const found =
    values.from === undefined ? await campaigns(values.arch) : JSON.parse(readFileSync(values.from, 'utf8')).campaigns;
  for (const campaign of found) await merge(campaign);
}
page();
