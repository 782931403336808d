/**
 * `replay`: a recording drives the running code, and its flushes are compared with those that were recorded.
 */
import { readFileSync } from 'node:fs';
import { DEFAULT_FACTS, type MachineFacts, replay, type ReplayReport, summary, TraceError } from '@mmu-gather/replay';
import { Status } from '../human/status.ts';
import { terminal } from '../human/terminal.ts';
import { number, wrap } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import { firstLine, Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';

/** Architectures whose recordings can be replayed. */
const ARCHS: readonly string[] = ['x86'];
/** Kernels by profile. */
const KERNELS: Readonly<Record<string, string>> = {
  'linux-5.11': '5.11',
  'linux-6.1': '6.1',
  'linux-6.12': '6.12',
  'linux-6.18': '6.18',
};
/** Mismatches that are shown if nobody asks for all. */
const MISMATCHES = 10;

/** Options of the command. */
export interface ReplayOptions {
  readonly arch?: string;
  readonly profile?: string;
  readonly facts?: string;
  readonly failUnder?: number;
  readonly full?: boolean;
  readonly json?: boolean;
}

/** Runs the command. Returns its exit code. */
export async function runReplay(trace: string, options: ReplayOptions): Promise<number> {
  mustBe('--arch', options.arch, ARCHS);
  mustBe('--profile', options.profile, Object.keys(KERNELS));
  const facts = {
    ...(options.facts === undefined ? {} : readFacts(options.facts)),
    ...(options.profile === undefined ? {} : { kernel: KERNELS[options.profile]! }),
  };
  const { report, stopped } = await replayed(trace, facts);
  if (options.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(`${replayText(report, options.full === true ? Infinity : MISMATCHES)}\n`);
  if (stopped) {
    process.stderr.write(`mmu-gather: stopped after ${number(report.events)} events of ${trace}\n`);
    return exitCode.stopped;
  }
  const score = Math.min(report.recall, report.precision);
  return score < (options.failUnder ?? 0) ? exitCode.unexpected : exitCode.expected;
}

/** Replays a recording, with progress; ends early if the user interrupts. */
export async function replayed(
  trace: string,
  facts: MachineFacts,
): Promise<{ report: ReplayReport; stopped: boolean }> {
  let stopped = false;
  const deaf = onInterrupt(() => (stopped = true));
  const status = new Status();
  try {
    const report = await replay(trace, {
      facts,
      onProgress(events) {
        status.update(0, `${number(events)} events`);
        return !stopped;
      },
    });
    return { report, stopped };
  } catch (error) {
    if (error instanceof TraceError) throw new Misuse(error.message, { cause: error });
    throw error;
  } finally {
    status.end();
    deaf();
  }
}

/** The report for people. */
export function replayText(report: ReplayReport, mismatches: number): string {
  const assumed = report.assumed.map(({ fact, value }) => `${fact} ${value}`).join(', ');
  const note =
    assumed === ''
      ? ''
      : `\n\n${wrap(`Assumed of the machine: ${assumed}. Say otherwise with --facts FILE.`, terminal().columns)}`;
  return summary(report, mismatches) + note;
}

/** Reads what is known of a machine. Other keys than ours may be in the file. */
export function readFacts(file: string): MachineFacts {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Misuse(`${file}: ${absent ? 'no such file' : `no JSON: ${firstLine(error)}`}`, { cause: error });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Misuse(`${file}: give one JSON object such as {"kernel": "6.18", "pcid": true}`);
  }
  const facts: Partial<Record<string, unknown>> & MachineFacts = {};
  for (const [fact, usual] of Object.entries(DEFAULT_FACTS)) {
    const value = (json as Record<string, unknown>)[fact];
    if (value === undefined) continue;
    if (typeof value !== typeof usual) {
      throw new Misuse(
        `${file}: '${fact}' is ${JSON.stringify(value)}: give a ${typeof usual}, for instance ${JSON.stringify(usual)}`,
      );
    }
    facts[fact] = value;
  }
  return facts;
}

function mustBe(option: string, typed: string | undefined, names: readonly string[]): void {
  if (typed === undefined || names.includes(typed)) return;
  throw new Misuse(`${option}: there is no '${typed}':${suggestion(typed, names)} there are: ${names.join(', ')}`);
}
