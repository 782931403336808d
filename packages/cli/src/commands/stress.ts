/**
 * `stress`: random mm operations and user accesses race on threads, one CPU each, while oracles look at every access.
 */
import {
  ARCHITECTURES,
  type Architecture,
  brokenIn,
  brokenOn,
  type ProfileSpec,
  profileOf,
  SCENARIOS,
  selected,
  whyNot,
} from '@mmu-gather/conformance';
import {
  mayShow,
  SEEDED_BUGS,
  type SeededBug,
  stress,
  type StressConfig,
  type StressResult,
  withBug,
  withoutRaces,
} from '@mmu-gather/stress';
import { stressSummary, StressTable, stressText } from '../human/stress.ts';
import { Status } from '../human/status.ts';
import { number } from '../human/text.ts';
import { exitCode } from '../index.ts';
import { onInterrupt } from '../interrupt.ts';
import { Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';
import { profilesMustExist } from '../suite/plan.ts';

const CPUS = 4;
const SECONDS = 10;
const PROFILE = 'linux-6.18';

/** Options of the command. */
export interface StressCommandOptions {
  readonly arch?: readonly string[];
  readonly profile?: readonly string[];
  readonly with?: readonly string[];
  readonly cpus?: number;
  readonly seconds?: number;
  readonly seed?: number;
  readonly bug?: string;
  readonly json?: boolean;
}

/** One run. */
interface Planned {
  readonly profile: string;
  readonly known: readonly KnownBreak[];
  readonly config: StressConfig;
}

/** A scenario of the suite that does not hold, and what it violates. */
interface KnownBreak {
  readonly id: string;
  readonly oracles: readonly string[];
}

/** What a run was and came to. */
export interface StressRun extends StressResult {
  readonly arch: string;
  readonly profile: string;
  readonly cpus: number;
  readonly seed: number;
  /** Whether there are scenarios of the suite that do not hold there, */
  readonly breaks: boolean;
  /** their ids: what a run meets may be what they are about; */
  readonly known: readonly string[];
  /** and the oracles that they violate: a run may find those, or what follows from them (mayShow). */
  readonly excused: readonly string[];
  /** The bug that is in it. */
  readonly bug?: string;
}

/** Runs the command. Returns its exit code. */
export async function runStress(options: StressCommandOptions): Promise<number> {
  const bug = options.bug === undefined ? undefined : bugOf(options);
  const runs: StressRun[] = [];
  const controller = new AbortController();
  const deaf = onInterrupt(() => controller.abort());
  const status = new Status();
  try {
    const planned = plan(options, bug);
    const table = planned.length > 1 && options.json !== true ? new StressTable(planned) : undefined;
    if (table !== undefined) status.write(`${table.head()}\n`);
    for (const each of planned) {
      const run = await runOne(each, options, bug, controller.signal, status);
      runs.push(run);
      if (table !== undefined) status.write(`${table.row(run)}\n`);
      else if (options.json !== true) status.write(`${stressText(run)}\n`);
      if (controller.signal.aborted) break;
    }
    if (table !== undefined) status.write(stressSummary(runs, asExpected));
  } finally {
    status.end();
    deaf();
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify({ schema: 1, runs }, null, 2)}\n`);
  if (controller.signal.aborted) {
    process.stderr.write('mmu-gather: stopped before the end\n');
    return exitCode.stopped;
  }
  return runs.every(asExpected) ? exitCode.expected : exitCode.unexpected;
}

/** A bug must be found, right code must be clean; where scenarios of the suite break, what they break may be found. */
function asExpected({ outcome, oracle = '', bug, excused }: StressRun): boolean {
  if (bug !== undefined) return outcome === 'violation';
  return outcome === 'clean' || outcome === 'stopped' || (outcome === 'violation' && mayShow(excused, oracle));
}

async function runOne(
  { profile, known, config }: Planned,
  { seconds = SECONDS }: StressCommandOptions,
  bug: SeededBug | undefined,
  signal: AbortSignal,
  status: Status,
): Promise<StressRun> {
  const { arch, cpus, seed } = config;
  const result = await stress(config, {
    time: seconds * 1000,
    signal,
    onProgress: (so) =>
      status.update(
        0,
        `${arch} ${profile}: ${so.seconds.toFixed(0)} of ${seconds} s, ${number(so.operations)} operations, ${number(so.accesses)} accesses`,
      ),
  });
  return {
    arch,
    profile,
    breaks: known.length > 0,
    known: known.map(({ id }) => id),
    excused: [...new Set(known.flatMap(({ oracles }) => oracles))],
    cpus,
    seed,
    ...(bug && { bug: bug.id }),
    ...result,
  };
}

/** Every architecture with every profile that it knows. */
function plan(options: StressCommandOptions, bug: SeededBug | undefined): Planned[] {
  const { profile = [PROFILE], with: settings = [], cpus = CPUS, seed = randomSeed() } = options;
  const selection = { profiles: profile, settings };
  profilesMustExist(selection);
  const specs = selected(selection, ARCHITECTURES);
  const runs = archsOf(options, bug).flatMap((arch) =>
    specs
      .filter(({ kernel }) => arch.kernels[kernel] !== undefined)
      .map((spec) => ({
        profile: spec.id,
        known: knownBreaks(arch, spec),
        config: configOf(arch, spec, cpus, seed),
      })),
  );
  if (runs.length === 0)
    throw new Misuse(
      `--profile: ${profile.join(', ')} starts from a kernel that the architecture does not know; see list profiles`,
    );
  return bug === undefined ? runs : runs.map((run) => ({ ...run, config: withBug(run.config, bug) }));
}

/** As the suite explores it: small constants, so that tags are used up, and what has scenarios of its own mended (MENDED_RACES, too). */
function configOf(arch: Architecture, spec: ProfileSpec, cpus: number, seed: number): StressConfig {
  const asked = { profile: spec.switches, switches: spec.backend[arch.id] ?? {} };
  const profile = profileOf(spec, arch.config);
  const switches = { ...arch.kernels[spec.kernel], ...arch.explored, ...asked.switches };
  return withoutRaces({ arch: arch.id, profile, switches, cpus, seed }, asked);
}

/** Scenarios of the suite that do not hold there, as strongly ordered as threads are. */
function knownBreaks(arch: Architecture, spec: ProfileSpec): KnownBreak[] {
  const where = { arch: arch.id, kernel: spec.kernel, model: 'sc', switches: profileOf(spec, arch.config) } as const;
  return SCENARIOS.filter((scenario) => whyNot(arch, scenario) === undefined).flatMap((scenario) => {
    const broken = brokenOn(arch, scenario, where) ?? brokenIn(spec, scenario, where);
    return broken === undefined ? [] : [{ id: scenario.id, oracles: [broken.oracle].flat() }];
  });
}

function archsOf({ arch }: StressCommandOptions, bug: SeededBug | undefined): Architecture[] {
  const names = ARCHITECTURES.map(({ id }) => id);
  const wanted = arch ?? [bug?.arch ?? 'x86'];
  if (wanted.length === 1 && wanted[0] === 'all') return [...ARCHITECTURES];
  return wanted.map((id) => {
    const found = ARCHITECTURES.find((each) => each.id === id);
    if (found === undefined)
      throw new Misuse(`--arch: there is no '${id}':${suggestion(id, names)} there are: all, ${names.join(', ')}`);
    if (bug !== undefined && bug.arch !== id)
      throw new Misuse(`--bug: '${bug.id}' is one of ${bug.arch}: leave --arch ${id} out`);
    return found;
  });
}

function bugOf({ bug }: StressCommandOptions): SeededBug {
  const names = SEEDED_BUGS.map(({ id }) => id);
  const found = SEEDED_BUGS.find(({ id }) => id === bug);
  if (found === undefined)
    throw new Misuse(`--bug: there is no '${bug}':${suggestion(bug!, names)} see list seeded-bugs`);
  return found;
}

function randomSeed(): number {
  return 1 + Math.floor(Math.random() * 1_000_000);
}
