/**
 * Worker: a thread with instrumented code. The hooks come first; only then is loaded what they change.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadInstrumented } from './load.ts';
import type { Answer, Assignment, Costs, Order, Tried } from './orders.ts';
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

function costsOf(mutant: number, cells: readonly number[]): Costs {
  const found = cells.map((cell) => campaign.cost(cell, [mutant]));
  const count = (what: string): number => found.filter((each) => each === what).length;
  return { more: count('more'), less: count('less'), of: cells.length };
}

port.on('message', (order: Order) => {
  if (order.kind === 'baseline') say({ kind: 'baseline', cells: campaign.baseline(order.group) });
  else if (order.kind === 'cost') say({ kind: 'costed', costs: costsOf(order.mutant, order.cells) });
  else say({ kind: 'tried', tried: attempt(order) });
});
say({ kind: 'ready', groups: campaign.groups.length, weak: campaign.weak });
