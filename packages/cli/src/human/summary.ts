/**
 * Summary: what a run amounts to, and what `holds` means in it.
 */
import type { CellResult } from '@mmu-gather/conformance';
import type { Terminal } from './terminal.ts';
import { number, plural, range, time, wrap } from './text.ts';

/** What a run came to. */
export interface Sum {
  /** In the order of the cells. */
  readonly results: readonly CellResult[];
  /** Number of cells that were to be run. */
  readonly planned: number;
  readonly milliseconds: number;
  /** Somebody stopped it. */
  readonly stopped: boolean;
}

/** Two sentences: what was found, and whether it is what should be. */
export function summary({ results, planned, milliseconds, stopped }: Sum, { columns, paint }: Terminal): string {
  const holding = results.filter((result) => result.verdict === 'holds' && result.vacuous === undefined);
  const twins = results.filter((result) => result.expected === 'violated' && result.ok);
  const incomplete = results.filter((result) => result.verdict === 'incomplete' && result.bound === undefined);
  const facts = [
    ...(holding.length > 0
      ? [`${number(holding.length)} hold${holding.length === 1 ? 's' : ''}, exhaustive within ${within(holding)}`]
      : []),
    ...(twins.length > 0 ? [`${plural(twins.length, 'wrong twin')} refuted`] : []),
    ...(incomplete.length > 0
      ? [`${number(incomplete.length)} incomplete: nothing found${limits(incomplete)}, and not all explored`]
      : []),
    ...vacuous(results),
    ...bounded(results),
    ...shared(results),
  ];
  // What was under way when somebody stopped it is neither right nor wrong.
  const done = results.filter((result) => result.limit !== 'stopped');
  const wrong = done.filter((result) => !result.ok).length;
  const verdict =
    wrong > 0
      ? paint.red(`${number(wrong)} of ${number(done.length)} not as expected`)
      : paint.green(done.length === 1 ? 'as expected' : `all ${number(done.length)} as expected`);
  const end = stopped
    ? `${paint.yellow(`stopped after ${number(done.length)} of ${number(planned)}`)}${done.length > 0 ? `: ${verdict}` : ''}`
    : verdict;
  return [...(facts.length > 0 ? [wrap(`${facts.join('; ')}.`, columns)] : []), `${end} (${time(milliseconds)})`].join(
    '\n',
  );
}

/** What holds and proves nothing: one clause a scenario and reason. */
function vacuous(results: readonly CellResult[]): string[] {
  const clauses = results.flatMap(({ scenario, vacuous: why }) =>
    why === undefined ? [] : [`${scenario} holds and proves nothing: ${why}`],
  );
  return [...new Set(clauses)];
}

/** What ended where its scenario says that it may: one clause a bound. */
function bounded(results: readonly CellResult[]): string[] {
  const clauses = results.flatMap(({ scenario, bound }) =>
    bound === undefined
      ? []
      : [`${scenario} incomplete: nothing found in ${plural(bound.states, 'state')}, because ${bound.why}`],
  );
  return [...new Set(clauses)];
}

/** What it saved that cells which read the same switches ran once. */
function shared(results: readonly CellResult[]): string[] {
  const sharers = results.filter((result) => result.sharedWith !== undefined);
  if (sharers.length === 0) return [];
  const saved = sharers.reduce((sum, { scenario, arch, memoryModel, sharedWith }) => {
    const run = results.find(
      (r) => r.scenario === scenario && r.arch === arch && r.memoryModel === memoryModel && r.profile === sharedWith,
    );
    return sum + (run?.milliseconds ?? 0);
  }, 0);
  return [`${number(sharers.length)} shared with a profile whose switches they read alike, which saved ${time(saved)}`];
}

/** What the searches were limited to, if they were. */
function limits(results: readonly CellResult[]): string {
  const { maxStates, maxExecutions, timeLimit } = results[0]!.bounds;
  const limit = [
    ...(maxStates === undefined ? [] : [plural(maxStates, 'state')]),
    ...(maxExecutions === undefined ? [] : [plural(maxExecutions, 'execution')]),
    ...(timeLimit === undefined ? [] : [time(timeLimit)]),
  ];
  return limit.length === 0 ? '' : ` in ${limit.join(' or ')} each`;
}

function within(holding: readonly CellResult[]): string {
  const models = [...new Set(holding.map((result) => result.memoryModel.toUpperCase()))];
  const odds = holding.reduce((sum, result) => sum + (result.collisionOdds ?? 0), 0);
  const cpus = range(holding.map((result) => result.bounds.cpus));
  const pages = range(holding.map((result) => result.bounds.pages));
  const hashing = odds > 0 ? ` (odds that hashing hid a state: ${odds.toExponential(0)})` : '';
  return `${cpus} CPU${cpus === '1' ? '' : 's'}, ${pages} page${pages === '1' ? '' : 's'}, ${models.join(' and ')}${hashing}`;
}
