/**
 * Threads: the same cells with one and with two jobs, as whole commands. The ratio says something on idle cores only, so the load of the
 * machine before each run stands beside it.
 */
import { spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Report } from '@mmu-gather/conformance';
import { print, type Value } from './table.ts';

const COMMAND = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));
/** A minute or more of one thread. */
const CELLS = ['conformance', '--arch', 'x86', '--arch', 'riscv', '--scenario', 'T*', '--profile', 'all', '--json'];

/** Wall time of a run in seconds, and what it reports, times aside. */
function run(jobs: number): { seconds: number; load: number; results: string; cells: number } {
  const [load = 0] = loadavg();
  const start = performance.now();
  const { stdout } = spawnSync(process.execPath, [COMMAND, ...CELLS, '--jobs', String(jobs)], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  const seconds = (performance.now() - start) / 1000;
  const { results } = JSON.parse(stdout) as Report;
  const timeless = results.map((result) => ({ ...result, milliseconds: 0 }));
  return { seconds, load, results: JSON.stringify(timeless), cells: results.length };
}

const one = run(1);
const two = run(2);
const row = (jobs: number, { seconds, load, cells }: typeof one): Value[] => [
  jobs,
  cells,
  seconds,
  one.seconds / seconds,
  load,
];
print(['jobs', 'cells', 'seconds', 'times as fast', 'load before'], [row(1, one), row(2, two)]);
if (one.results !== two.results) throw new Error('two jobs report something else than one');
