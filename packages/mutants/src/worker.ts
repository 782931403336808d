/**
 * Worker: a thread with instrumented code. The hooks come first; only then is loaded what they change.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadInstrumented } from './load.ts';
import type { Difference } from './campaign.ts';
import type { Answer, Assignment, Cover, Order, Tried } from './orders.ts';
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

function cost({ mutant, cells }: Extract<Order, { kind: 'cost' }>): Difference[] {
  return cells.map((cell) => {
    say({ kind: 'alive' });
    return campaign.cost(cell, mutant);
  });
}

function cover({ mutant, trials, budget }: Extract<Order, { kind: 'cover' }>): Cover | undefined {
  for (const { cell, states, candidates } of trials) {
    const { found } = campaign.cover(cell, states, mutant, candidates, budget, () => say({ kind: 'alive' }));
    if (found !== undefined) return { mutant: found.mutant, kill: { ...found.kill, cell } };
  }
  return undefined;
}

function compare({ mutant, cells }: Extract<Order, { kind: 'ends' }>): Answer {
  let [same, differ] = [0, 0];
  for (const cell of cells) {
    const is = campaign.sameEnds(cell, mutant);
    say({ kind: 'alive' });
    if (is === true) same++;
    if (is === false) differ++;
  }
  return { kind: 'compared', same, differ };
}

port.on('message', (order: Order) => {
  if (order.kind === 'baseline') say({ kind: 'baseline', cells: campaign.baseline(order.group) });
  else if (order.kind === 'cost') say({ kind: 'costed', differences: cost(order) });
  else if (order.kind === 'cover') say({ kind: 'covered', cover: cover(order) });
  else if (order.kind === 'ends') say(compare(order));
  else say({ kind: 'tried', tried: attempt(order) });
});
say({ kind: 'ready', groups: campaign.groups.map(({ part }) => part), weak: campaign.weak });
