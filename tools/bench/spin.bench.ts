/**
 * SPIN on our own models of the three programs (models/*.pml), in the same run as our search, under sequential consistency: both with their
 * reductions, CPU time, the best of several runs each: of SPIN that of its verifier's process, of ours that of the search in this process. SPIN's
 * table is made as small as the models allow.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { search } from '@mmu-gather/checker';
import { PROGRAMS } from './programs.ts';
import { median, print, type Value } from './table.ts';

const RUNS = 9;
/** Slots of SPIN's table, as a power of two. */
const TABLE = 18;

function run(command: string, args: readonly string[], cwd: string): string {
  const { stdout, stderr, status, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error !== undefined || status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr + stdout}`);
  return stdout;
}

/** The least of several measurements. */
function least(measure: () => number): number {
  return Math.min(...Array.from({ length: RUNS }, measure));
}

/** States of a model, and the time of its verifier, which is a process of its own. */
function spin(
  folder: string,
  [file, ...parameters]: readonly string[],
): { states: number; errors: number; milliseconds: number } {
  const model = fileURLToPath(new URL(`models/${file}.pml`, import.meta.url));
  run('spin', [...parameters.map((parameter) => `-D${parameter}`), '-a', model], folder);
  run('gcc', ['-O2', '-DSAFETY', '-o', 'pan', 'pan.c'], folder);
  let output = '';
  // The shell tells the CPU time of what it ran, user and system, in seconds.
  const timed = `TIMEFORMAT='cpu %3U %3S'; time ./pan -m100000 -w${TABLE}`;
  const milliseconds = least(() => {
    const { stdout, stderr } = spawnSync('bash', ['-c', timed], { cwd: folder, encoding: 'utf8' });
    output = stdout;
    const [, user, system] = /cpu (\S+) (\S+)/.exec(stderr)!;
    return 1000 * (Number(user) + Number(system));
  });
  const number = (pattern: RegExp): number => Number(pattern.exec(output)![1]);
  return { states: number(/(\d+) states, stored/), errors: number(/errors: (\d+)/), milliseconds };
}

if (spawnSync('spin', ['-V']).error === undefined && spawnSync('gcc', ['--version']).error === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-spin-'));
  try {
    const rows: Value[][] = [];
    for (const { name, machine, model } of PROGRAMS) {
      if (model === undefined) continue;
      const theirs = spin(folder, model);
      if (theirs.errors !== 0) throw new Error(`SPIN refutes models/${model[0]}.pml`);
      const explored = machine('sc', true);
      const { states } = search(explored);
      const ours = least(() => median(() => search(explored), 0).milliseconds);
      rows.push([name, theirs.states, theirs.milliseconds, states!, ours, (ours / theirs.milliseconds).toFixed(2)]);
    }
    print(['program', 'SPIN: states', 'CPU ms', 'ours: states', 'CPU ms', 'ours / SPIN'], rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
} else {
  console.log("SPIN is not installed: 'apt-get install spin gcc' (Debian, Ubuntu) and run this again");
}
