/**
 * `record`: this machine is recorded, for `replay`.
 */
import { resolve } from 'node:path';
import { statSync } from 'node:fs';
import { record, type Recorded, RecordError, type Subject } from '@mmu-gather/replay';
import { number } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import { Misuse } from '../misuse.ts';

/** Options of the command. */
export interface RecordingOptions {
  readonly output: string;
  readonly pid?: number;
  readonly all?: boolean;
  /** In milliseconds, as all durations are given. */
  readonly seconds?: number;
  readonly buffer?: number;
  readonly stacks?: boolean;
}

/** Runs the command. Returns its exit code. */
export async function runRecord(command: readonly string[], options: RecordingOptions): Promise<number> {
  const subject = subjectOf(command, options);
  const { output, buffer, seconds, stacks = false } = options;
  const stop = new AbortController();
  const deaf = onInterrupt(() => stop.abort());
  try {
    const recorded = await record({
      output: resolve(output),
      subject,
      signal: stop.signal,
      stacks,
      ...(buffer === undefined ? {} : { bufferMiB: buffer }),
    });
    process.stderr.write(`${said(recorded, output).join('\n')}\n`);
    // A process without a time is recorded until somebody says that it is enough.
    const early = stop.signal.aborted && !('pid' in subject && seconds === undefined);
    return early ? exitCode.stopped : exitCode.expected;
  } catch (error) {
    if (error instanceof RecordError) throw new Misuse(`record: ${error.message}`, { cause: error });
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOSPC')
      throw new Misuse(`record: ${path ?? output} cannot be written (${code}): give another file with -o`, {
        cause: error,
      });
    throw error;
  } finally {
    deaf();
  }
}

function subjectOf([program, ...args]: readonly string[], { pid, all, seconds }: RecordingOptions): Subject {
  const wanted = [program !== undefined, pid !== undefined, all === true].filter(Boolean).length;
  if (wanted !== 1) throw new Misuse('record: give one of: -- COMMAND, --pid N, --all --seconds N');
  if (program !== undefined) {
    if (seconds !== undefined) throw new Misuse('record: a command is recorded until it ends: leave --seconds out');
    return { command: [program, ...args] };
  }
  const time = seconds === undefined ? {} : { seconds: seconds / 1000 };
  if (pid !== undefined) return { pid, ...time };
  if (seconds === undefined) throw new Misuse('record: --all needs --seconds N');
  return { seconds: seconds / 1000 };
}

/** What is said of a recording. */
function said({ seconds, events, lost, missing, exitCode: code }: Recorded, output: string): string[] {
  const size = number(Math.ceil(statSync(output).size / 1024));
  const lines = [`recorded ${number(events)} events in ${seconds.toFixed(1)} s: ${output}, ${size} KiB`];
  if (code !== null && code !== 0) lines.push(`the command ended with ${code}`);
  if (lost > 0) lines.push(`${number(lost)} events were lost: the ring buffers were full; give a larger --buffer`);
  if (missing.length > 0) lines.push(`this kernel has no ${missing.join(', ')}: a replay will say little`);
  return lines;
}
