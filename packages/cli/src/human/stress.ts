/**
 * Stress runs for people: one line each, and for a violation what every CPU did last.
 */
import type { StressRun } from '../commands/stress.ts';
import { number } from './text.ts';

/** Events that are shown of each CPU. */
const SHOWN = 12;

/** A run in words. */
export function stressText(run: StressRun): string {
  const { arch, profile, breaks, cpus, seed, bug, outcome, message, oracle, cpu, seconds, operations, accesses } = run;
  const known = breaks ? ' (scenarios of the suite break in it)' : '';
  const what = `${arch} ${profile}${bug === undefined ? known : ` with ${bug}`}`;
  const done = `${number(operations)} operations and ${number(accesses)} accesses of ${cpus} CPUs in ${seconds.toFixed(1)} s, seed ${seed}`;
  if (outcome === 'clean') return `${what}: clean after ${done}`;
  if (outcome !== 'violation') return `${what}: ${outcome}: ${message} (${done})`;
  return [`${what}: ${oracle} on CPU ${cpu}: ${message}`, `after ${done}`, '', ...lastEvents(run)].join('\n');
}

/** What each CPU did last, all by time; milliseconds before the last of all. */
function lastEvents({ events, cpus }: StressRun): string[] {
  const shown = Array.from({ length: cpus }, (_, cpu) => events.filter((event) => event.cpu === cpu).slice(-SHOWN));
  const byTime = shown.flat().toSorted((a, b) => a.time - b.time);
  const end = byTime.at(-1)?.time ?? 0;
  return byTime.map(
    ({ cpu, time, text }) => `${((time - end) / 1000).toFixed(3).padStart(10)} ms  CPU ${cpu}  ${text}`,
  );
}
