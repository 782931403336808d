/**
 * The search on the three programs, beside its goals: numbers of traces exactly, numbers of states as a budget, times as CPU time in
 * process, on one core.
 */
import { search } from '@mmu-gather/checker';
import { MANY, PROGRAMS } from './programs.ts';
import { median, met, once, print, type Value } from './table.ts';

const rows: Value[][] = [];
for (const { name, machine, traces, commuting, states, goal } of PROGRAMS) {
  for (const model of ['sc', 'tso', 'weak'] as const) {
    const [budget, most] = [states[model], goal[model]];
    if (model === 'weak' && budget === undefined) continue;
    // The machine is built once, as a scenario's is; a search leaves it as it found it.
    const explored = machine(model, true);
    const { milliseconds, result } = median(() => search(explored));
    const isMet = (budget === undefined || result.states! <= budget) && (most === undefined || milliseconds <= most);
    rows.push([
      name,
      `states, ${model}`,
      result.verdict,
      result.states!,
      budget === undefined ? '' : `<= ${budget.toLocaleString('en-US')}`,
      milliseconds,
      most === undefined ? '' : `<= ${most}`,
      budget === undefined && most === undefined ? '' : met(isMet),
      Math.round((1000 * result.steps) / milliseconds),
    ]);
  }
  for (const [commute, wanted] of [
    [false, traces],
    [true, commuting],
  ] as const) {
    const explored = machine();
    const { milliseconds, result } = (wanted > MANY ? once : median)(() =>
      search(explored, { strategy: 'dpor', commute }),
    );
    const most = wanted > MANY && commute ? 8_000 : undefined;
    rows.push([
      name,
      commute ? 'dpor, commuting' : 'dpor',
      result.verdict,
      result.executions!,
      `= ${wanted.toLocaleString('en-US')}`,
      milliseconds,
      most === undefined ? '' : `<= ${most}`,
      met(result.executions === wanted && (most === undefined || milliseconds <= most)),
      Math.round((1000 * result.steps) / milliseconds),
    ]);
  }
}
print(['program', 'search', 'verdict', 'states, traces', 'goal', 'CPU ms', 'goal', 'met', 'steps/s'], rows);
