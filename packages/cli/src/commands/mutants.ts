/**
 * `conformance --mutants`: the suite's own test. Each mutant of the algorithms' essential steps, and what notices it.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ARCHITECTURES } from '@mmu-gather/conformance';
import {
  CheckpointError,
  CLAIMS,
  codeOf,
  type Fate,
  FateFile,
  Instrumented,
  Lead,
  type Mutation,
  saved,
  suitePackages,
  VERDICTS,
  verdictOf,
} from '@mmu-gather/mutants';
import { Status } from '../human/status.ts';
import { tableOf } from '../human/table.ts';
import { type Terminal, terminal } from '../human/terminal.ts';
import { number, plural, time, wrap } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import { Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';

/** Options that this command has of those of `conformance`. */
export interface MutantOptions {
  /** Files whose mutants are tried, `*` stands for anything; `@FILE` lists keys; true: all. */
  readonly mutants: string | true;
  /** Worker threads. */
  readonly jobs?: number;
  /** Architectures. */
  readonly arch?: readonly string[];
  /** Profiles. */
  readonly profile?: readonly string[];
  /** Scenarios. */
  readonly scenario?: readonly string[];
  /** JSON instead of a table. */
  readonly json?: boolean;
  /** File that keeps what has become of mutants. */
  readonly checkpoint?: string;
}

/** Options of `conformance` that go with `--mutants`. */
const FITTING = new Set(['mutants', 'jobs', 'arch', 'profile', 'scenario', 'json', 'checkpoint']);

/** A campaign on one architecture. */
interface Campaign {
  readonly arch: string;
  /** Cells that were run without mutants. */
  readonly cells: number;
  readonly fates: readonly Fate[];
  readonly stopped: boolean;
}

/** Runs campaigns, one architecture after the other. Returns the exit code. */
export async function runMutants(options: MutantOptions): Promise<number> {
  const archs = archsOf(options);
  const screen = terminal();
  const packages = suitePackages();
  const { mutations } = new Instrumented(packages);
  const wanted = filterOf(options.mutants, mutations);
  const file = opened(options, packages);
  const campaigns: Campaign[] = [];
  try {
    for (const arch of archs) {
      const done = await campaign(arch, options, mutations, wanted, file);
      campaigns.push(done);
      if (options.json !== true) process.stdout.write(`${textOf(done, screen)}\n`);
      if (done.stopped) break;
    }
  } finally {
    file?.close();
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(report(campaigns), null, 2)}\n`);
  if (campaigns.some(({ stopped }) => stopped)) return exitCode.stopped;
  const unexplained = campaigns.flatMap(({ fates }) => fates).some((fate) => verdictOf(fate) === 'unexplained');
  return unexplained ? exitCode.unexpected : exitCode.expected;
}

/** What the fates in a file belong to: the code, and which cells are run. */
function opened(
  { checkpoint, profile, scenario }: MutantOptions,
  packages: Parameters<typeof codeOf>[0],
): FateFile | undefined {
  if (checkpoint === undefined) return undefined;
  try {
    return FateFile.open(checkpoint, [codeOf(packages), profile ?? [], scenario ?? []].join(' '));
  } catch (error) {
    if (error instanceof CheckpointError) throw new Misuse(`--checkpoint: ${error.message}`, { cause: error });
    throw error;
  }
}

function archsOf({ arch = [], ...options }: MutantOptions): readonly string[] {
  const unfit = Object.keys(options).find((name) => !FITTING.has(name));
  if (unfit !== undefined)
    throw new Misuse(`--mutants goes with --arch, --profile, --scenario, --jobs, --checkpoint and --json only`);
  const names = ARCHITECTURES.map(({ id }) => id);
  const unknown = arch.find((name) => !names.includes(name) && name !== 'all');
  if (unknown !== undefined)
    throw new Misuse(`--arch: there is no '${unknown}':${suggestion(unknown, names)} there are: ${names.join(', ')}`);
  return arch.length === 0 || arch.includes('all') ? names : arch;
}

/** Which mutants a pattern of files selects, or the list in a file. */
function filterOf(pattern: string | true, mutations: readonly Mutation[]): (mutation: Mutation) => boolean {
  if (pattern === true) return () => true;
  if (pattern.startsWith('@')) return listedIn(pattern.slice(1), mutations);
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const shape = new RegExp(`^${parts.join('.*')}$`);
  const wanted = ({ site }: Mutation): boolean => shape.test(site.file);
  if (mutations.some(wanted)) return wanted;
  const files = [...new Set(mutations.map(({ site }) => site.file))];
  throw new Misuse(
    `--mutants: no file with mutants matches '${pattern}':${suggestion(pattern, files)} give one such as 'x86/*'`,
  );
}

/** The mutants of a file that has the key of one in each line. */
function listedIn(file: string, mutations: readonly Mutation[]): (mutation: Mutation) => boolean {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Misuse(`--mutants: cannot read '${file}': ${(error as Error).message}`, { cause: error });
  }
  const keys = new Set(text.split('\n').filter((line) => line !== ''));
  const known = new Set(mutations.map(({ key }) => key));
  const [unknown] = [...keys].filter((key) => !known.has(key));
  if (unknown !== undefined)
    throw new Misuse(`--mutants: ${file}: there is no mutant '${unknown}': a line is a key, as --json prints it`);
  if (keys.size === 0) throw new Misuse(`--mutants: ${file} lists none: give the key of a mutant in each line`);
  return ({ key }) => keys.has(key);
}

async function campaign(
  arch: string,
  { jobs = availableParallelism(), profile, scenario }: MutantOptions,
  mutations: readonly Mutation[],
  wanted: (mutation: Mutation) => boolean,
  file: FateFile | undefined,
): Promise<Campaign> {
  let lead: Lead | undefined;
  let stopped = false;
  const deaf = onInterrupt(() => {
    stopped = true;
    lead?.stop();
  });
  const status = new Status();
  let began = performance.now();
  const progress = (what: 'cells' | 'mutants' | 'survivors', done: number, of: number): void => {
    if (done === 1) began = performance.now();
    // The first one has no time of its own; how long the rest takes is known only once some are done.
    const left = done < 10 ? undefined : ((performance.now() - began) / (done - 1)) * (of - done);
    const rest = left === undefined ? '' : `, about ${time(Math.max(1_000, left))} left`;
    status.update(0, `${arch}: ${number(done)} of ${number(of)} ${what === 'cells' ? 'scenarios' : what}${rest}`);
  };
  try {
    const selection = { ...(profile && { profiles: profile }), ...(scenario && { scenarios: scenario }) };
    const before = file === undefined ? {} : { known: file.known(arch), hints: file.hints(arch) };
    lead = await Lead.start({ arch, ...selection, jobs, wanted, claims: CLAIMS, ...before }, mutations, { progress });
    if (lead.cells === 0) throw new Misuse(`--mutants: nothing to run: no scenario of these holds on ${arch}`);
    const fates = stopped ? [] : await lead.run({ progress, fate: (fate) => file?.add(arch, fate) });
    return { arch, cells: lead.cells, fates, stopped };
  } finally {
    status.end();
    deaf();
    await lead?.close();
  }
}

function textOf({ arch, cells, fates, stopped }: Campaign, screen: Terminal): string {
  const shown = fates.filter(({ verdict }) => verdict !== 'unreached');
  const rows = shown.map((fate) => {
    const { site, what } = fate.mutation;
    return [`${site.file}:${site.line}`, `${cut(site.text)}: ${cut(what)}`, outcomeOf(fate)];
  });
  const counts = VERDICTS.map((verdict) => {
    const count = fates.filter((fate) => verdictOf(fate) === verdict).length;
    return `${number(count)} ${verdict}`;
  });
  const sum = `${arch}: ${plural(fates.length, 'mutant')} in ${plural(cells, 'cell')}: ${counts.join(', ')}${stopped ? ' (stopped)' : ''}.`;
  return `${tableOf(['site', 'mutant', 'killed by'], rows, screen)}\n\n${wrap(sum, screen.columns)}\n`;
}

/** Longest text of a site in a table. */
const LONGEST = 48;

function cut(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}

/** `munmap/running-thread O1`; what else became of it, if it was not killed. */
function outcomeOf(fate: Fate): string {
  const { kill, covered, costs, either, twin, ran, cells } = fate;
  if (kill !== undefined) return `${kill.scenario} ${kill.oracle}`;
  const verdict = verdictOf(fate);
  if (verdict === 'covered') return `survived: ${covered!.why ?? covered!.by}; the pair: ${covered!.kill!.scenario}`;
  if (verdict === 'either') return `survived: the same ends in ${plural(either!, 'cell')}`;
  if (verdict === 'costs') return `survived: without it more ${saved(costs!)} in some cells, less in none`;
  if (verdict === 'ordered') return 'no mutant: the memory model gives the order';
  if (verdict === 'twin') return `no right form gets there: ${twin}`;
  return `survived ${number(ran)} of ${plural(cells, 'cell')}, unexplained`;
}

/** Schema 1. Names and meanings are stable; later versions only add. */
function report(campaigns: readonly Campaign[]): object {
  return {
    schema: 1,
    campaigns: campaigns.map(({ arch, cells, stopped, fates }) => ({
      arch,
      cells,
      stopped,
      mutants: fates.map((fate) => {
        const { mutation, kill, covered, costs, either, twin, cells: reaching, ran, tooLarge, same } = fate;
        const { site, what, operator, key } = mutation;
        return {
          key,
          ...site,
          operator,
          what,
          verdict: verdictOf(fate),
          kill,
          covered,
          costs: costs && { ...costs, saved: saved(costs) },
          either,
          twin,
          reaching,
          ran,
          tooLarge,
          same,
        };
      }),
    })),
  };
}
