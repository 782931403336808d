/**
 * Worker: a thread with instrumented code. The hooks come first; only then is loaded what they change.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadInstrumented } from './load.ts';
import type { Difference } from './economy.ts';
import type { Answer, Assignment, Order, Tried } from './orders.ts';
import { suitePackages } from './packages.ts';

const { selection, mostStates } = workerData as Assignment;
const { board } = loadInstrumented(suitePackages());
const { Campaign } = await import('./campaign.ts');
const campaign = new Campaign(board, selection, mostStates);
const port = parentPort!;

function say(answer: Answer): void {
  port.postMessage(answer);
}

function attempt({ mutants, trials, budget }: Extract<Order, { kind: 'try' }>): Tried {
  let [ran, tooLarge, states, same] = [0, 0, 0, true];
  for (const trial of trials) {
    if (states >= budget) break;
    const outcome = campaign.run(trial.cell, trial.states, mutants);
    say({ kind: 'alive' });
    ran++;
    states += outcome.states;
    if (outcome.kind === 'killed') return { kill: { ...outcome.kill, cell: trial.cell }, ran, tooLarge, states, same };
    if (outcome.kind === 'too large') tooLarge++;
    same &&= outcome.states === trial.states;
  }
  return { ran, tooLarge, states, same };
}

function compare({ mutants, cells }: Extract<Order, { kind: 'cost' }>): Difference[] {
  return cells.map((cell) => {
    say({ kind: 'alive' });
    return campaign.cost(cell, mutants);
  });
}

port.on('message', (order: Order) => {
  if (order.kind === 'baseline') say({ kind: 'baseline', cells: campaign.baseline(order.group) });
  else if (order.kind === 'cost') say({ kind: 'costed', differences: compare(order) });
  else say({ kind: 'tried', tried: attempt(order) });
});
say({ kind: 'ready', groups: campaign.groups.map(({ part }) => part), weak: campaign.weak });
