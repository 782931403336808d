/**
 * The conformance suite, once, on one thread.
 */
import { ARCHITECTURES, type CellResult, cells, runCell, SCENARIOS } from '@mmu-gather/conformance';
import { print, type Value } from './table.ts';

const results: CellResult[] = cells(SCENARIOS, ARCHITECTURES).map((cell) => runCell(cell));
const line = (name: string, of: readonly CellResult[]): Value[] => {
  const sum = (value: (result: CellResult) => number): number => of.reduce((total, result) => total + value(result), 0);
  const seconds = sum((result) => result.milliseconds) / 1000;
  const states = sum((result) => result.states ?? 0);
  const steps = sum((result) => result.steps);
  return [
    name,
    of.length,
    of.filter((result) => result.ok).length,
    states,
    steps,
    seconds,
    Math.round(states / seconds),
    Math.round(steps / seconds),
  ];
};
const slowest = results.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, 5);
print(
  ['cells', 'number', 'as expected', 'states', 'steps', 'seconds', 'states/s', 'steps/s'],
  [
    line('all', results),
    line(
      'that must hold',
      results.filter((result) => result.expected === 'holds'),
    ),
    line(
      'wrong twins, with their counterexamples',
      results.filter((result) => result.expected === 'violated'),
    ),
    ...slowest.map((result) => line(`${result.scenario} ${result.profile}`, [result])),
  ],
);
