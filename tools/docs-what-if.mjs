// docs/what-if.md: what other batching systems and architectures would have cost on recordings of real kernels.
//
//     npm run docs:what-if [-- --jobs N]
//
// An interrupt ends it after the recordings that are being replayed; the page then says how many were.
//
// Recordings are replayed in several processes, each one as it was recorded and once for each alternative. The page holds sums, and needs no recordings.
import { fork } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machines, SHARED } from './recordings.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { jobs: { type: 'string' } } });
const jobs = Number(values.jobs ?? availableParallelism());
const all = machines();
if (all.length === 0) {
  console.error(`docs:what-if: there are no recordings in ${SHARED}: set MMU_GATHER_RECORDINGS to their folder`);
  process.exit(2);
}

const PROFILES = ['linux-6.18', 'rfc-2021-corrected', 'flush-ring', 'sync-finish', 'aggressive'];
const ARCHS = ['arm64', 'powerpc-radix', 'powerpc-hash', 's390', 'sparc64', 'riscv'];

/** The machine whose recordings are replayed on other architectures, too: x86, current, and with the most recordings. */
const ELSEWHERE = 'x86-6.18-host';

/** What else to run on a machine's recordings. */
function alternatives({ name }) {
  const others = name === ELSEWHERE ? ARCHS.map((arch) => `arch=${arch}`) : [];
  return [...PROFILES.map((profile) => `profile=${profile}`), ...others];
}

/** A process that replays one recording after another. */
class Replayer {
  #child = fork(join(root, 'tools', 'what-if-worker.mjs'));

  /** The report of a recording; null if it cannot be replayed. */
  replay({ trace, machine, asked }) {
    this.#child.send({ trace, facts: machine.facts, asked });
    return new Promise((done) => {
      const ended = () => done(null);
      this.#child.once('exit', ended);
      this.#child.once('message', ({ report, error }) => {
        this.#child.off('exit', ended);
        if (error !== undefined) console.error(error);
        done(report ?? null);
      });
    });
  }

  end() {
    this.#child.disconnect();
  }
}

const work = all.flatMap((machine) =>
  machine.recordings.map(({ id, file }) => ({ machine, id, trace: file, asked: alternatives(machine) })),
);
const began = performance.now();
let finished = 0;
async function worker(queue) {
  const replayer = new Replayer();
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    job.report = await replayer.replay(job);
    console.error(`${++finished} of ${work.length}: ${job.machine.name}/${job.id}`);
  }
  replayer.end();
}
// Small ones first: an interrupt then costs few.
const queue = work.toSorted((a, b) => statSync(a.trace).size - statSync(b.trace).size);
process.once('SIGINT', () => queue.splice(0));
await Promise.all(Array.from({ length: jobs }, () => worker(queue)));

const KEYS = ['flushes', 'redundant', 'ipis', 'lost', 'microseconds'];
function sum(outcomes) {
  const total = Object.fromEntries(KEYS.map((key) => [key, 0]));
  for (const outcome of outcomes) for (const key of KEYS) total[key] += outcome[key];
  return { ...total, tellsRedundant: outcomes.every(({ tellsRedundant }) => tellsRedundant) };
}

/** A Markdown table; columns but the first are numbers. */
function table(head, rows) {
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
const number = (value) => value.toLocaleString('en-US');
const milliseconds = (microseconds) => (microseconds / 1000).toFixed(1);
/** `-12 %`: what it costs less. */
function change(value, first) {
  if (first === 0) return value === 0 ? '0 %' : 'new';
  const percent = Math.round((100 * (value - first)) / first);
  return `${percent > 0 ? '+' : ''}${percent} %`;
}

function row(name, outcome, first) {
  const known = (value) => (outcome.tellsRedundant ? number(value) : '-');
  return [
    name,
    number(outcome.flushes),
    change(outcome.flushes, first.flushes),
    known(outcome.redundant),
    number(outcome.ipis),
    change(outcome.ipis, first.ipis),
    known(outcome.lost),
    milliseconds(outcome.microseconds),
    change(outcome.microseconds, first.microseconds),
  ];
}
const HEAD = ['', 'flushes', '', 'redundant', 'IPIs', '', 'entries lost', 'time (ms)', ''];

function section(machine) {
  const done = work.filter((job) => job.machine === machine && job.report);
  const recorded = sum(done.map(({ report }) => report.recorded));
  const names = done[0].report.alternatives.map(({ name }) => name);
  const at = (i) => sum(done.map(({ report }) => report.alternatives[i]));
  const rows = names.map((name, i) => row(`\`${name}\``, at(i), recorded));
  const causes = {};
  for (const { report } of done)
    for (const [cause, count] of Object.entries(report.causes)) causes[cause] = (causes[cause] ?? 0) + count;
  const why = Object.entries(causes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([cause, count]) => `- ${number(count)}: ${cause}`);
  const single = done.map(({ id, report }) => [
    `\`${id}\``,
    number(report.recorded.flushes),
    number(report.recorded.ipis),
    milliseconds(report.recorded.microseconds),
    ...PROFILES.map((_, i) => change(report.alternatives[i].microseconds, report.recorded.microseconds)),
  ]);
  return [
    `## ${machine.name}`,
    `${done.length} of ${machine.recordings.length} recordings.`,
    table(HEAD, [row('as recorded', recorded, recorded), ...rows]),
    why.length === 0 ? '' : `Redundant as recorded, because:\n\n${why.join('\n')}`,
    'Modelled time of each recording, and what other systems change of it:',
    table(['', 'flushes', 'IPIs', 'time (ms)', ...PROFILES.map((profile) => `\`${profile}\``)], single),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const page = `# What would other systems have cost?

<!-- generated by: npm run docs:what-if -->

Recordings of real kernels, replayed with other batching systems and on other architectures. The operations are those of the recording, in its
order; only what flushes is another. A figure is a sum over all recordings that were replayed; the percentage beside it compares it with the replay of
what was recorded.

- **flushes**: calls of a flush function that invalidated or interrupted; **redundant**: those that on no CPU removed an entry older than memory, as
  the checker counts them. What TLBs hold is the worst case, so a flush that counts as redundant is so on any hardware.
- **IPIs**: interrupts sent to flush. **entries lost**: TLB entries that were dropped, at most as many as a TLB has.
- **time**: modelled CPU time of all CPUs that took part, by the figures of \`mmu-gather list costs\`. Most of them are orders of magnitude, and those of
  architectures other than x86 are mostly assumed: compare rows of one architecture, not architectures.
- \`rfc-2021-corrected\`, \`flush-ring\` and \`sync-finish\` start from Linux 5.11: what differs from a newer recorded kernel is not theirs alone.
- Other architectures, tried with the recordings of ${ELSEWHERE}, run the recorded kernel's version with page tables as recorded; sparc64 and the hash MMU walk tables of translations,
  of which a recording says nothing: what would be redundant there, or lost, is not known.

${all
  .filter((machine) => work.some((job) => job.machine === machine && job.report))
  .map(section)
  .join('\n\n')}
`;
writeFileSync(join(root, 'docs', 'what-if.md'), page);
console.error(`docs/what-if.md: ${work.length} recordings in ${((performance.now() - began) / 60_000).toFixed(1)} min`);
