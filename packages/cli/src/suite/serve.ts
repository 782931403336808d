/**
 * Serve: the worker's side. Searches hold their thread until they are done, so they run here, and the command stays able to
 * show progress and to be interrupted.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type Cell,
  type CellResult,
  compare,
  type NotApplicable,
  notApplicable,
  SCENARIOS,
  Sharing,
} from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import { loadScenarios } from './load.ts';
import { withBackends } from './load-backends.ts';
import { plan } from './plan.ts';
import type { Order, PlannedCell, Reply, WorkerData } from './request.ts';
import { findRecorded, runRecorded } from './rerun.ts';
import { siteOf } from './site.ts';

/** Plans the request, then runs cells as ordered. */
export async function serve(): Promise<void> {
  const { request, stop } = workerData as WorkerData;
  const port = parentPort!;
  const say = (reply: Reply): void => port.postMessage(reply);
  const refuse = (error: unknown): void => {
    if (!(error instanceof Misuse)) throw error;
    say({ kind: 'misuse', message: error.message });
  };
  let left: readonly NotApplicable[] = [];
  const jobs: { readonly cell: Cell; run(): CellResult }[] = [];
  try {
    if (request.files.length + request.backends.length > 0) (await import('./hooks.ts')).hookUsersModules();
    const scenarios = request.files.length > 0 ? await loadScenarios(request.files) : SCENARIOS;
    const choice = await withBackends(request.backends, scenarios, request.selection);
    const { archs, selection } = choice;
    if (request.compare === true) {
      plan(scenarios, archs, selection);
      let executions = 0;
      const comparison = compare(scenarios, archs, selection, () => {
        say({ kind: 'progress', progress: { states: 0, executions: (executions += 2) } });
        return Atomics.load(stop, 0) === 0;
      });
      say({ kind: 'compared', comparison });
      return;
    }
    if (request.rerun !== undefined) {
      const id = request.rerun;
      const recorded = findRecorded(id, scenarios, choice);
      jobs.push({ cell: recorded.cell, run: () => runRecorded(id, recorded, request.run) });
    } else {
      const onProgress = ({ states, executions }: { states: number; executions: number }): boolean => {
        say({ kind: 'progress', progress: { states, executions } });
        return Atomics.load(stop, 0) === 0;
      };
      const sharing = new Sharing({ ...request.run, onProgress });
      for (const cell of plan(scenarios, archs, selection)) jobs.push({ cell, run: () => sharing.run(cell) });
      left = notApplicable(scenarios, archs, selection);
    }
  } catch (error) {
    return refuse(error);
  }
  port.on('message', ({ run }: Order) => {
    const job = jobs[run]!;
    try {
      say({ kind: 'finished', result: job.run() });
    } catch (error) {
      refuse(error instanceof Misuse ? error : new Misuse(failed(job.cell, error), { cause: error }));
    }
  });
  say({ kind: 'planned', cells: jobs.map(({ cell }) => planned(cell)), notApplicable: left });
}

function planned({ id, twinOf, title, arch, profile, memoryModel, expected, oracles }: Cell): PlannedCell {
  const what = { id, title, arch: arch.id, profile: profile.id, memoryModel, expected, oracles };
  return twinOf === undefined ? what : { ...what, twinOf };
}

/** A scenario whose code throws, or does not repeat itself. */
function failed(cell: Cell, error: unknown): string {
  const message = firstLine(error);
  const named = message.startsWith('scenario ')
    ? message
    : `scenario '${cell.id}' on ${cell.arch.id}, ${cell.profile.id}: ${message}`;
  const site = siteOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
  return site === undefined ? named : `${site}: ${named}`;
}
