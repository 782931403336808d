/**
 * The search beside its peers: executions or states, CPU time, and peak memory of a process that does nothing else. The figures of peers are
 * from programs.ts; those of SPIN on this machine are in `spin`.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PROGRAMS } from './programs.ts';
import { print, type Value } from './table.ts';

/** What peak.ts prints. */
interface Peak {
  readonly count: number;
  readonly search: number;
  readonly process: number;
  readonly mebibytes: number;
}

function peak(program: string, options: object): Peak {
  const script = fileURLToPath(new URL('peak.ts', import.meta.url));
  const args = [script, program, JSON.stringify(options), 'forgets'];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Peak;
}

const rows: Value[][] = [];
for (const { name, traces, commuting, peers } of PROGRAMS) {
  const states = peak(name, {});
  rows.push([name, 'ours: states', `${states.count} st`, states.process, states.search, states.mebibytes]);
  for (const [commute, wanted] of [
    [false, traces],
    [true, commuting],
  ] as const) {
    const { count, process, search, mebibytes } = peak(name, { strategy: 'dpor', commute });
    if (count !== wanted) throw new Error(`${name} has ${count} traces where ${wanted} were counted`);
    rows.push(['', commute ? 'ours: traces, commuting' : 'ours: traces', `${count} e`, process, search, mebibytes]);
  }
  for (const peer of peers)
    rows.push(['', peer.name, peer.count, Number.isNaN(peer.milliseconds) ? '' : peer.milliseconds, '', '']);
}
print(['program', 'checker', 'executions, states', 'process, CPU ms', 'search, CPU ms', 'peak MiB'], rows);
console.log(
  'Peak memory of peers on these programs, as measured then: loom 14-20 MiB, Nidhugg 56, GenMC 93, TLC 97-214, SPIN 135 (its default table).',
);
