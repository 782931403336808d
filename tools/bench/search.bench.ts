/**
 * The search on three programs of bare accesses, beside its goals; a goal is a time in process, on one core.
 */
import { existsSync } from 'node:fs';
import { type Explorable, search, type Strategy } from '@mmu-gather/checker';
import { median, print, type Value } from './table.ts';

/** What `packages/checker/test/programs.ts` offers. */
interface Programs {
  readonly bare: (cpus: number, program: unknown, memoryModel?: 'sc' | 'tso') => Explorable;
  readonly handshake: (fence: boolean) => unknown;
  readonly ring: (queued: readonly number[], entries: number, recheck?: boolean) => unknown;
  readonly gather: (variant: 'buggy' | 'force' | 'sync', threads?: number) => unknown;
}

const PROGRAMS = new URL('../../packages/checker/test/programs.ts', import.meta.url);
if (existsSync(PROGRAMS)) {
  const { bare, handshake, ring, gather } = (await import(PROGRAMS.href)) as Programs;
  const machines: [name: string, cpus: number, program: unknown, goal: number, strategies: Strategy[]][] = [
    ['L1 handshake', 2, handshake(true), 5, ['states', 'dpor']],
    ['L2 ring (2+1)', 3, ring([2, 1], 2), 50, ['states', 'dpor']],
    ['L2 ring (2+2)', 3, ring([2, 2], 2), 100, ['states', 'dpor']],
    ['L3 gather x2 force', 2, gather('force'), 10, ['states', 'dpor']],
    ['L3 gather x2 sync', 2, gather('sync'), 10, ['states', 'dpor']],
    ['L3 gather x2 buggy', 2, gather('buggy'), 10, ['states', 'dpor', 'bounded']],
    ['L3 gather x3 force', 3, gather('force', 3), 100, ['states']],
    ['L3 gather x3 sync', 3, gather('sync', 3), 60, ['states', 'dpor']],
  ];
  const rows: Value[][] = [];
  for (const [name, cpus, program, goal, strategies] of machines) {
    for (const strategy of strategies) {
      for (const model of ['sc', 'tso'] as const) {
        if (model === 'tso' && strategy !== 'states') continue;
        // The machine is built once, as a scenario's is; a search leaves it as it found it.
        const machine = bare(cpus, program, model);
        const { milliseconds, result } = median(() => search(machine, { strategy }));
        const { verdict, steps, states, executions } = result;
        const rate = (count: number): number => Math.round((1000 * count) / milliseconds);
        const isGoal = strategy === 'states' && model === 'sc';
        rows.push([
          name,
          `${strategy}, ${model}`,
          verdict,
          (states ?? executions)!,
          milliseconds,
          isGoal ? `< ${goal} ms` : '',
          isGoal ? (milliseconds < goal ? 'yes' : 'no') : '',
          rate(steps),
          rate((states ?? executions)!),
        ]);
      }
    }
  }
  print(['program', 'search', 'verdict', 'states, executions', 'ms', 'goal', 'met', 'steps/s', 'of them/s'], rows);
} else {
  console.log('packages/checker/test/programs.ts is not there');
}
