/**
 * Rerun: an id back to its cell, and the cell taken along that one execution.
 */
import {
  decodeId,
  draw,
  explain,
  IdError,
  type Machine,
  type Path,
  PathError,
  rerun,
  turnCost,
} from '@mmu-gather/checker';
import {
  type AnyScenario,
  type Cell,
  cellKey,
  type CellResult,
  machineOf,
  type RunOptions,
} from '@mmu-gather/conformance';
import { Misuse } from '../misuse.ts';
import type { Choice } from './load-backends.ts';
import { plan } from './plan.ts';

/** Memory models that a cell may have been run with. */
const MODELS = ['sc', 'tso', 'weak'] as const;

/** A cell with one of its executions. */
export interface Recorded {
  readonly cell: Cell;
  readonly path: Path;
}

/**
 * Finds the cell that an id belongs to. An id holds 16 bits of its cell's name, so that of many cells some may take it for
 * theirs: it belongs to the first that can take all its steps and is violated.
 */
export function findRecorded(id: string, scenarios: readonly AnyScenario[], { archs, selection }: Choice): Recorded {
  const models = selection.memoryModel === undefined ? [undefined, ...MODELS] : [selection.memoryModel];
  const seen = new Set<string>();
  const found: Recorded[] = [];
  for (const memoryModel of models) {
    for (const cell of plan(scenarios, archs, memoryModel === undefined ? selection : { ...selection, memoryModel })) {
      const key = cellKey(cell);
      if (seen.has(key)) continue;
      seen.add(key);
      const path = decode(id, key);
      if (path !== undefined) found.push({ cell, path });
    }
  }
  const [only] = found;
  if (only === undefined) {
    throw new Misuse(
      `--rerun: no scenario here has the id '${id}': give the options and files of the run that printed it`,
    );
  }
  return found.length === 1 ? only : (found.find(({ cell, path }) => isViolated(cell, path)) ?? only);
}

/** Takes a cell along one execution. */
export function runRecorded(
  id: string,
  { cell, path }: Recorded,
  options: Pick<RunOptions, 'width' | 'full'>,
): CellResult {
  const started = performance.now();
  const machine = machineOf(cell);
  try {
    const { verdict, violation, steps } = rerun(machine, path);
    const ok = verdict === 'violated' && cell.expected === 'violated' && cell.oracles.includes(violation!.oracle);
    return {
      scenario: cell.id,
      ...(cell.twinOf === undefined ? {} : { twinOf: cell.twinOf }),
      title: cell.title,
      arch: cell.arch.id,
      profile: cell.profile.id,
      memoryModel: cell.memoryModel,
      strategy: 'rerun',
      bounds: { cpus: cell.scenario.cpus, pages: machine.mmu.pages, maxExecutions: 1 },
      expected: cell.expected,
      oracles: cell.oracles,
      verdict,
      exhaustive: false,
      ok,
      ...(violation === undefined ? {} : { oracle: violation.oracle, message: violation.message }),
      ...(violation === undefined || cell.property === undefined ? {} : { property: cell.property }),
      executions: 1,
      steps,
      milliseconds: Math.round((performance.now() - started) * 10) / 10,
      counterexample: {
        id,
        preemptions: preemptions(machine, path),
        steps,
        diagram: draw(explain(machine, path), options),
      },
    };
  } catch (error) {
    if (!(error instanceof PathError)) throw error;
    throw new Misuse(`--rerun: '${id}' on ${cellKey(cell)}: ${error.message}`, { cause: error });
  }
}

/** The path, or undefined if the id belongs to another cell. Throws if it is no id at all. */
function decode(id: string, key: string): Path | undefined {
  try {
    return decodeId(id, key);
  } catch (error) {
    if (!(error instanceof IdError)) throw error;
    if (error.message.startsWith('bad id')) throw new Misuse(`--rerun: ${error.message}`, { cause: error });
    return undefined;
  }
}

function isViolated(cell: Cell, path: Path): boolean {
  try {
    return rerun(machineOf(cell), path).verdict === 'violated';
  } catch (error) {
    if (error instanceof PathError) return false;
    throw error;
  }
}

function preemptions(machine: Machine, path: Path): number {
  const start = machine.mark();
  let sum = 0;
  let last = -1;
  for (const [actor, choice] of path) {
    sum += turnCost(machine, last, actor);
    if (3 * actor < 2 * machine.actors) last = actor;
    machine.perform(actor, choice);
    if (machine.violation !== undefined) break;
  }
  machine.undo(start);
  return sum;
}
