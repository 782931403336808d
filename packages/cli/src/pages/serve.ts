/**
 * Serve: the side of the thread. Each result is led back to its cell and execution, filmed, and written.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { decodeId, draw, explain, film, neighbour } from '@mmu-gather/checker';
import { type Cell, cellKey, type CellResult, machineOf, SCENARIOS } from '@mmu-gather/conformance';
import { counterexamplePage, type IndexEntry, indexPage } from '@mmu-gather/explorer';
import { Misuse } from '../misuse.ts';
import { ORACLES } from '../oracles.ts';
import { withBackends } from '../suite/load-backends.ts';
import { loadScenarios } from '../suite/load.ts';
import { plan } from '../suite/plan.ts';
import type { PagesOrder, PagesReply } from './order.ts';

/** Columns of the race as text: a page scrolls. */
const COLUMNS = 140;

/** Writes what was ordered. */
export async function serve(): Promise<void> {
  const order = workerData as PagesOrder;
  const port = parentPort!;
  const say = (reply: PagesReply): void => port.postMessage(reply);
  try {
    const cells = await cellsOf(order);
    const names = new Set<string>();
    const entries = order.results.map((result) => {
      const cell = cells.get(keyOf(result))!;
      const file = fileOf(result, names);
      writeFileSync(join(order.folder, file), pageOf(cell, result, order.command));
      return entryOf(file, cell, result);
    });
    writeFileSync(join(order.folder, 'index.html'), indexPage(entries));
    say({ kind: 'written', pages: entries.length });
  } catch (error) {
    if (!(error instanceof Misuse) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    say({ kind: 'misuse', message: `--html: ${(error as Error).message}` });
  }
}

/** The cells of the results, by key. A rerun may be of another memory model than the selection says. */
async function cellsOf({ request, results }: PagesOrder): Promise<Map<string, Cell>> {
  if (request.files.length + request.backends.length > 0) (await import('../suite/hooks.ts')).hookUsersModules();
  const scenarios = request.files.length > 0 ? await loadScenarios(request.files) : SCENARIOS;
  const { archs, selection } = await withBackends(request.backends, scenarios, request.selection);
  const models = new Set(results.map(({ memoryModel }) => memoryModel));
  const found = new Map<string, Cell>();
  for (const memoryModel of models)
    for (const cell of plan(scenarios, archs, { ...selection, memoryModel })) found.set(cellKey(cell), cell);
  return found;
}

function keyOf({ scenario, arch, profile, memoryModel }: CellResult): string {
  return `${scenario}@${arch}@${profile}@${memoryModel}`;
}

/** A name of its own for each page. */
function fileOf({ scenario, arch, profile, memoryModel }: CellResult, taken: Set<string>): string {
  const name = `${scenario} ${arch} ${profile} ${memoryModel}`.replaceAll(/[^\w.]+/g, '-');
  let file = `${name}.html`;
  for (let n = 2; taken.has(file); n++) file = `${name}-${n}.html`;
  taken.add(file);
  return file;
}

function pageOf(cell: Cell, result: CellResult, command: string): string {
  const { id } = result.counterexample!;
  const machine = machineOf(cell);
  const path = decodeId(id, cellKey(cell));
  const beside = neighbour(machine, path);
  const { file: _, ...about } = entryOf('', cell, result);
  return counterexamplePage({
    ...about,
    says: ORACLES.find((oracle) => oracle.id === result.oracle)?.says ?? 'it holds',
    diagram: draw(explain(machine, path), { width: COLUMNS }),
    command: `${command} --rerun ${id} --full`,
    film: film(machine, path),
    ...(beside === undefined ? {} : { neighbour: { film: film(machine, beside.path), common: beside.common } }),
  });
}

function entryOf(file: string, { title, memoryModel }: Cell, result: CellResult): IndexEntry {
  const { scenario, arch, profile, oracle = '', message = '', ok } = result;
  return { file, scenario, title, arch, profile, memoryModel, oracle, message, expected: ok };
}
