/**
 * How fast the search goes, beside its floors: steps of every interleaving, traces' steps, states, and random executions a second of CPU time.
 */
import { type Machine, type Search, search } from '@mmu-gather/checker';
import { type BenchProgram, PROGRAMS } from './programs.ts';
import { met, once, print, type Value } from './table.ts';

const machineOf = (name: string): Machine => PROGRAMS.find((one: BenchProgram) => one.name === name)!.machine();

/** Something a second, on a program. */
type Rate = readonly [
  what: string,
  program: string,
  options: Search,
  of: 'steps' | 'states' | 'executions',
  floor: number,
];
const RATES: readonly Rate[] = [
  [
    'steps, every interleaving',
    'L3 gather x2 force',
    { strategy: 'brute', maxExecutions: 200_000 },
    'steps',
    2_000_000,
  ],
  ['steps of traces (dpor)', 'L3 gather x3 sync', { strategy: 'dpor' }, 'steps', 500_000],
  ['states, every order', 'L3 gather x3 force', { reduce: false }, 'states', 300_000],
  ['random executions', 'L3 gather x3 sync', { strategy: 'random', maxExecutions: 50_000 }, 'executions', 50_000],
  ['random executions', 'L2 ring (2+1)', { strategy: 'random', maxExecutions: 50_000 }, 'executions', 50_000],
];

const rows: Value[][] = [];
for (const [what, program, options, of, floor] of RATES) {
  const machine = machineOf(program);
  search(machine, { ...options, maxExecutions: 1000, maxStates: 1000 });
  const { milliseconds, result } = once(() => search(machine, options));
  const rate = Math.round((1000 * result[of]!) / milliseconds);
  const words = machine.state.quiet;
  rows.push([what, program, words, result[of]!, milliseconds, rate, floor, met(rate >= floor)]);
}
print(['what', 'program', 'words of a state', 'how many', 'CPU ms', 'a second', 'floor', 'met'], rows);
