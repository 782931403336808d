/**
 * `conformance --compare`: what profiles cost on the same scenarios, as a table or as JSON.
 */
import { comparisonText } from '../human/comparison.ts';
import { Status } from '../human/status.ts';
import { terminal } from '../human/terminal.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import type { Request } from '../suite/request.ts';
import { Stop } from '../suite/stop.ts';
import { comparison } from '../suite/suite.ts';

/** Runs the comparison. Returns the exit code. */
export async function runCompare(request: Request, json: boolean): Promise<number> {
  const stop = new Stop();
  const deaf = onInterrupt(() => stop.ask());
  const status = new Status();
  try {
    const found = await comparison(request, stop, ({ executions }) => status.update(0, `${executions} executions`));
    if (found === undefined) return exitCode.stopped;
    status.end();
    process.stdout.write(`${json ? JSON.stringify(found, null, 2) : comparisonText(found, terminal())}\n`);
    return exitCode.expected;
  } finally {
    status.end();
    deaf();
  }
}
