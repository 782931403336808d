/**
 * The module of a stress run's threads: one CPU each.
 */
import { Machine, parent, Stopped } from '@mmu-gather/threads';
import type { StressConfig } from './config.ts';
import { runCpu } from './run-cpu.ts';
import { machineOptions } from './space.ts';

/** What a thread is given. */
export interface Assignment {
  /** The run. */
  readonly config: StressConfig;
  /** The machine's memory. */
  readonly buffer: SharedArrayBuffer;
  /** Which CPU it is. */
  readonly id: number;
}

/** What it tells. */
export type Told = 'started' | 'done';

const { data, post } = await parent();
const { config, buffer, id } = data as Assignment;
const machine = new Machine(machineOptions(config), buffer);
tell('started');
try {
  runCpu(machine, config, machine.cpu(id));
} catch (error) {
  if (!(error instanceof Stopped)) machine.crash(id, whatFailed(error));
}
tell('done');

function tell(what: Told): void {
  post(what);
}

/** What went wrong and where, in a line. */
function whatFailed(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const where =
    error.stack
      ?.split('\n')[1]
      ?.trim()
      .replace(/\(.*\/(?=[^/]+\))/, '(') ?? '';
  return `${error.name}: ${error.message} ${where}`.trim();
}
