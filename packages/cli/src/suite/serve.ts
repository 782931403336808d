/**
 * Serve: a worker's side. Searches hold their thread until they are done, so they run here, and the command stays able to
 * show progress and to be interrupted.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { TeamMemory } from '@mmu-gather/checker';
import {
  type AnyScenario,
  assist,
  type Cell,
  compare,
  type NotApplicable,
  notApplicable,
  type Ran,
  SCENARIOS,
  Sharing,
} from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import { loadScenarios } from './load.ts';
import { type Choice, withBackends } from './load-backends.ts';
import { plan } from './plan.ts';
import type { CellProgress, HelpOrder, Order, PlannedCell, Reply, Request, WorkerData } from './request.ts';
import { findRecorded, runRecorded } from './rerun.ts';
import { siteOf } from './site.ts';

/** Of who helps with another's cell. */
const NO_PROGRESS: CellProgress = { states: 0, executions: 0 };

/** A cell, and how it is run. */
interface Job {
  readonly cell: Cell;
  run(): Ran;
}

/** Plans the request, then runs cells as ordered. */
export async function serve(): Promise<void> {
  const { request, stop, wanted, members, again } = workerData as WorkerData;
  const port = parentPort!;
  const say = (reply: Reply): void => port.postMessage(reply);
  const refuse = (error: unknown): void => {
    if (!(error instanceof Misuse)) throw error;
    say({ kind: 'misuse', message: error.message });
  };
  const report = (progress: CellProgress): boolean => {
    say({ kind: 'progress', progress });
    return Atomics.load(stop, 0) === 0;
  };
  let left: readonly NotApplicable[] = [];
  let jobs: readonly Job[];
  let sharing: Sharing;
  let running = -1;
  try {
    const { scenarios, choice } = await (again ? quietly(() => load(request)) : load(request));
    const { archs, selection } = choice;
    if (request.compare === true) {
      plan(scenarios, archs, selection);
      let executions = 0;
      const more = (): boolean => report({ states: 0, executions: (executions += 2) });
      say({ kind: 'compared', comparison: compare(scenarios, archs, selection, more) });
      return;
    }
    const onProgress = ({ states, executions }: CellProgress): boolean => report({ states, executions });
    const team = {
      members,
      wanted: () => Atomics.load(wanted, 0) === running + 1,
      open: (memory: TeamMemory) => say({ kind: 'opened', memory }),
    };
    sharing = new Sharing({ ...request.run, onProgress, ...(members > 1 && { team }) });
    if (request.rerun === undefined) {
      jobs = plan(scenarios, archs, selection).map((cell) => ({ cell, run: () => sharing.make(cell) }));
      left = notApplicable(scenarios, archs, selection);
    } else {
      const id = request.rerun;
      const recorded = findRecorded(id, scenarios, choice);
      jobs = [{ cell: recorded.cell, run: () => ({ result: runRecorded(id, recorded, request.run) }) }];
    }
  } catch (error) {
    return refuse(error);
  }
  const help = ({ help: cell, memory }: HelpOrder): void => {
    try {
      assist(jobs[cell]!.cell, { ...request.run, onProgress: () => report(NO_PROGRESS) }, memory);
    } catch {
      // Whoever runs the cell goes on alone, and meets the same, or nothing.
    }
    say({ kind: 'helped' });
  };
  port.on('message', (order: Order) => {
    if ('help' in order) return help(order);
    const { run, known = [] } = order;
    const job = jobs[run]!;
    running = run;
    try {
      for (const [cell, made] of known) sharing.know(jobs[cell]!.cell, made);
      say({ kind: 'finished', ran: job.run() });
    } catch (error) {
      refuse(error instanceof Misuse ? error : new Misuse(failed(job.cell, error), { cause: error }));
    }
  });
  say({ kind: 'planned', cells: jobs.map(({ cell }) => planned(cell)), notApplicable: left });
}

/** What there is to run, and to choose from. */
async function load(request: Request): Promise<{ scenarios: readonly AnyScenario[]; choice: Choice }> {
  const { files, backends, selection } = request;
  if (files.length + backends.length > 0) (await import('./hooks.ts')).hookUsersModules();
  const scenarios = files.length > 0 ? await loadScenarios(files) : SCENARIOS;
  return { scenarios, choice: await withBackends(backends, scenarios, selection) };
}

/** What files print while they are loaded was printed when the first thread loaded them. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const streams = [process.stdout, process.stderr];
  for (const stream of streams) stream.write = () => true;
  try {
    return await work();
  } finally {
    // What it inherits is there again.
    for (const stream of streams) Reflect.deleteProperty(stream, 'write');
  }
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
