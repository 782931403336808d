/**
 * `replay`: a recording drives the running code, and its flushes are compared with those that were recorded.
 */
import { readFileSync } from 'node:fs';
import {
  ARCH_IDS,
  DEFAULT_FACTS,
  type MachineFacts,
  replay,
  type ReplayReport,
  summary,
  type WhatIf,
} from '@mmu-gather/replay/predict';
import { terminal } from '../human/terminal.ts';
import { number, wrap } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { firstLine, Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';
import { reading } from './reading.ts';
import type { WhatIfOptions } from './what-if.ts';

/** Architectures whose recordings can be replayed. */
const ARCHS: readonly string[] = ['x86'];
/** Mismatches that are shown if nobody asks for all. */
const MISMATCHES = 10;

/** Options of the command. */
export interface ReplayOptions extends WhatIfOptions {
  readonly arch?: string;
  readonly profile?: string;
  readonly with?: readonly string[];
  readonly traced?: readonly number[];
  readonly facts?: string;
  readonly failUnder?: number;
  readonly full?: boolean;
}

/** Runs the command. Returns its exit code. */
export async function runReplay(trace: string, options: ReplayOptions): Promise<number> {
  mustBe('--arch', options.arch, ARCHS);
  const facts = options.facts === undefined ? {} : readFacts(options.facts);
  const { kernel, whatIf } = await systemOf(options);
  const known = kernel === undefined ? facts : { ...facts, kernel };
  if (asksWhatIf(options)) {
    const { runWhatIf } = await import('./what-if.ts');
    const text = (report: ReplayReport): string => replayText(report, shown(options, whatIf));
    const { code, report } = await runWhatIf(trace, options, known, whatIf, text);
    return code === exitCode.expected ? scored(report.replay, options) : code;
  }
  const { traced } = options;
  const { result: report, stopped } = await reading((onProgress) =>
    replay(trace, { facts: known, whatIf, onProgress, ...(traced === undefined ? {} : { traced }) }),
  );
  if (options.failUnder !== undefined && report.assumes.length > 0)
    throw new Misuse(`--fail-under: ${trace} holds no flushes to compare with: leave it out`);
  if (options.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(`${replayText(report, shown(options, whatIf))}\n`);
  if (stopped) {
    process.stderr.write(`mmu-gather: stopped after ${number(report.events)} events of ${trace}\n`);
    return exitCode.stopped;
  }
  return scored(report, options);
}

/** Whether more is asked than how well it predicts. */
function asksWhatIf({ whatIf: asked, html, perfetto, csv, costs }: WhatIfOptions): boolean {
  return [asked, html, perfetto, csv, costs].some((option) => option !== undefined);
}

function scored({ recall, precision }: ReplayReport, { failUnder = 0 }: ReplayOptions): number {
  return Math.min(recall, precision) < failUnder ? exitCode.unexpected : exitCode.expected;
}

/** What shall run: the recorded kernel, or the profile and settings that were given. */
async function systemOf({ profile, with: settings = [] }: ReplayOptions): Promise<{ kernel?: string; whatIf: WhatIf }> {
  if (profile === undefined && settings.length === 0) return { whatIf: {} };
  const { oneProfile } = await import('../suite/plan.ts');
  const spec = oneProfile(profile ?? `linux-${DEFAULT_FACTS.kernel}`, settings);
  return {
    kernel: spec.kernel.replace('linux-', ''),
    whatIf: { profile: spec.switches, x86: spec.backend['x86'] ?? {} },
  };
}

/** How many mismatches to show. Where another system ran than was recorded, they are what was asked for, and no errors. */
function shown({ full }: ReplayOptions, { profile = {}, x86 = {} }: WhatIf): number {
  if (full === true) return Infinity;
  return Object.keys({ ...profile, ...x86 }).length > 0 ? 0 : MISMATCHES;
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

const HUGE_PAGES: readonly string[] = ['always', 'madvise', 'never'];

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
  mustBeOneOf(file, 'hugePages', facts.hugePages, HUGE_PAGES);
  mustBeOneOf(file, 'backend', facts.backend, ARCH_IDS);
  return facts;
}

function mustBeOneOf(
  file: string,
  fact: keyof MachineFacts,
  value: string | undefined,
  names: readonly string[],
): void {
  if (value === undefined || names.includes(value)) return;
  throw new Misuse(`${file}: '${fact}' is "${value}": give one of ${names.join(', ')}`);
}

function mustBe(option: string, typed: string | undefined, names: readonly string[]): void {
  if (typed === undefined || names.includes(typed)) return;
  throw new Misuse(`${option}: there is no '${typed}':${suggestion(typed, names)} there are: ${names.join(', ')}`);
}
