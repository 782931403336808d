/**
 * A process that answers many questions (driver.ts): plain Node loads users' files there as the command does, and command lines run in it.
 *
 *     asked     { file } a scenario file    { backend } a file with a backend    { args } a command line
 *     answers   what became of it, as one message
 */
import { runCell, SCENARIOS } from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../src/misuse.ts';
import { main } from '../src/program.ts';
import { hookUsersModules } from '../src/suite/hooks.ts';
import { withBackends } from '../src/suite/load-backends.ts';
import { loadScenarios } from '../src/suite/load.ts';
import { plan } from '../src/suite/plan.ts';

/** What is asked. */
export type Asked = { readonly file: string } | { readonly backend: string } | { readonly args: readonly string[] };

/** What became of it. */
export type Answer =
  | { readonly refused: string }
  | { readonly crashed: string }
  | { readonly ran: number }
  | { readonly code: number; readonly out: string; readonly err: string };

/** One small cell of a file. */
const SMALL = { archs: ['x86'], profiles: ['linux-6.18'] };
const FEW = { maxStates: 40, timeLimit: 1000 };

async function answer(asked: Asked): Promise<Answer> {
  if ('args' in asked) return commandLine(asked.args);
  try {
    if ('file' in asked) {
      const scenarios = await loadScenarios([asked.file]);
      const { archs } = await withBackends([], scenarios, {});
      return { ran: explored(plan(scenarios, archs, SMALL)) };
    }
    const { archs, selection } = await withBackends([asked.backend], SCENARIOS, {});
    return { ran: explored(plan(SCENARIOS, archs, { ...selection, scenarios: ['munmap/own-entries'] })) };
  } catch (error) {
    if (error instanceof Misuse) return { refused: error.message };
    return { crashed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Runs a few states of a few cells; what a cell's own code throws is one line of the command, as in suite/serve.ts. */
function explored(found: ReturnType<typeof plan>): number {
  const few = found.slice(0, 2);
  for (const cell of few) {
    try {
      runCell(cell, FEW);
    } catch (error) {
      throw new Misuse(firstLine(error), { cause: error });
    }
  }
  return few.length;
}

async function commandLine(args: readonly string[]): Promise<Answer> {
  const said = { out: '', err: '' };
  const [out, err] = [process.stdout.write.bind(process.stdout), process.stderr.write.bind(process.stderr)];
  process.stdout.write = (text: unknown) => ((said.out += String(text)), true);
  process.stderr.write = (text: unknown) => ((said.err += String(text)), true);
  try {
    return { code: await main(args), ...said };
  } catch (error) {
    return { crashed: String(error) };
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
  }
}

hookUsersModules();
process.on('message', (asked: Asked) => void answer(asked).then((reply) => process.send!(reply)));
