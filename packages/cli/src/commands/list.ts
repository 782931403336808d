/**
 * `list`: what there is to choose from.
 */
import {
  type AnyScenario,
  ARCHITECTURES,
  type Architecture,
  countBugs,
  DEFAULT_PROFILES,
  KERNELS,
  mendedBy,
  parseKey,
  PROFILES,
  type ProfileSpec,
  SCENARIOS,
  shownBugs,
  type Twin,
  whyNot,
} from '@mmu-gather/conformance';
import { AXES, type Axis } from '@mmu-gather/core/stepped';
import { Instrumented, suitePackages } from '@mmu-gather/mutants';
import { COSTS } from '@mmu-gather/replay';
import { SEEDED_BUGS } from '@mmu-gather/stress';
import { tableOf } from '../human/table.ts';
import { terminal } from '../human/terminal.ts';
import { number } from '../human/text.ts';
import { Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';
import { ORACLES } from '../oracles.ts';
import { withBackends } from '../suite/load-backends.ts';
import { mustLoadUsersModules } from '../suite/users-module.ts';

/** A list: the columns that people see, and the rows, which JSON gives whole. */
interface List {
  readonly head: readonly string[];
  readonly rows: readonly Readonly<Record<string, string | boolean | readonly (string | boolean)[]>>[];
  /** Numbers of all rows by kind, for JSON. */
  readonly counts?: Readonly<Record<string, number>>;
  /** The same in a line, for people. */
  readonly summary?: string;
}

/** What can be listed. */
export type ListName =
  | 'archs'
  | 'profiles'
  | 'axes'
  | 'scenarios'
  | 'oracles'
  | 'bugs'
  | 'costs'
  | 'mutants'
  | 'seeded-bugs';

/** What is looked at. */
interface View {
  /** The architectures there are. */
  readonly archs: readonly Architecture[];
  /** The one whose view it is, if it is one's. */
  readonly of: Architecture | undefined;
}

/** Whose view is asked for. */
export interface ListOptions {
  /** Of scenarios, costs and mutants: id of an architecture. */
  readonly arch?: string;
  /** Of architectures, axes and scenarios: a file with a backend of the user's own. */
  readonly backend?: string;
  /** Print JSON. */
  readonly json?: boolean;
}

const LISTS: Readonly<Record<ListName, (view: View) => List>> = {
  archs,
  profiles,
  axes,
  scenarios,
  oracles,
  bugs,
  costs,
  mutants,
  'seeded-bugs': seededBugs,
};

/** Lists something on standard output. */
export async function list(name: ListName, options: ListOptions): Promise<void> {
  const { head, rows, counts, summary } = LISTS[name](await viewFor(name, options));
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ schema: 1, [name]: rows, ...(counts && { counts }) }, null, 2)}\n`);
    return;
  }
  const cells = rows.map((row) => head.map((key) => text(row[key])));
  process.stdout.write(`${tableOf(head, cells, terminal())}\n${summary === undefined ? '' : `\n${summary}\n`}`);
}

async function viewFor(name: ListName, { arch, backend }: ListOptions): Promise<View> {
  if (arch !== undefined && !['scenarios', 'costs', 'mutants'].includes(name))
    throw new Misuse('--arch is for list scenarios, list costs and list mutants');
  if (backend !== undefined && name !== 'scenarios' && name !== 'archs' && name !== 'axes')
    throw new Misuse('--backend is for list scenarios, list archs and list axes');
  if (backend !== undefined) {
    mustLoadUsersModules();
    (await import('../suite/hooks.ts')).hookUsersModules();
  }
  const { archs: all, selection } = await withBackends(backend === undefined ? [] : [backend], SCENARIOS, {});
  const id = arch ?? selection.archs?.[0];
  const of = all.find((each) => each.id === id);
  if (id === undefined || of !== undefined) return { archs: all, of };
  const names = all.map((each) => each.id);
  throw new Misuse(`--arch: there is no '${id}':${suggestion(id, names)} there are: ${names.join(', ')}`);
}

function text(value: string | boolean | readonly (string | boolean)[] | undefined): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'not yet';
  return typeof value === 'string' ? value : (value ?? []).join(', ');
}

/** Bugs that a stress run can be given. */
function seededBugs(): List {
  const rows = SEEDED_BUGS.map(({ id, arch, title, profile, switches }) => {
    const set = Object.entries({ ...profile, ...switches }).map(([key, value]) => `${key}=${valueText(value)}`);
    return { bug: id, arch, title, switches: set };
  });
  return { head: ['bug', 'arch', 'title', 'switches'], rows };
}

function archs(view: View): List {
  const rows = view.archs.map((arch) => {
    const models = [...new Set(Object.values(arch.kernels).map((switches) => arch.backend(switches).isa.memoryModel))];
    const [kernels, wrongs] = [Object.keys(arch.kernels), Object.keys(arch.wrongs)];
    return { arch: arch.id, model: models.join(', '), kernels, wrongs };
  });
  return { head: ['arch', 'model', 'kernels'], rows };
}

function profiles(): List {
  const rows = PROFILES.map((spec) => ({
    profile: spec.id,
    kernel: spec.kernel,
    title: spec.title,
    source: spec.source,
    what: `${spec.title} (${spec.source})`,
    default: DEFAULT_PROFILES.includes(spec.id),
    archs: ARCHITECTURES.filter((arch) => arch.kernels[spec.kernel] !== undefined).map((arch) => arch.id),
    switches: settingsOf(spec),
    breaks: [...new Set(Object.keys(spec.breaks ?? {}).map((key) => parseKey(key).pattern))],
  }));
  return { head: ['profile', 'kernel', 'what'], rows };
}

/** What a profile sets, as `--with` takes it. */
function settingsOf(spec: ProfileSpec): string[] {
  const own = Object.entries(spec.switches).map(([key, value]) => `${key}=${valueText(value)}`);
  const others = Object.entries(spec.backend).flatMap(([arch, switches]) =>
    Object.entries(switches).map(([key, value]) => `${arch}.${key}=${valueText(value)}`),
  );
  return [...own, ...others];
}

function axes({ archs: all }: View): List {
  const [oldest, newest] = ['linux-5.11', 'linux-6.18'] as const;
  const row = (name: string, axis: Axis, then: unknown, now: unknown) => ({
    switch: name,
    [oldest]: valueText(then),
    [newest]: valueText(now),
    values: valuesText(axis, then, now),
    right: axis.right,
    wrong: axis.wrong,
  });
  const rows = [
    ...Object.entries(AXES).map(([key, axis]) =>
      row(key, axis, KERNELS[oldest][key as keyof typeof AXES], KERNELS[newest][key as keyof typeof AXES]),
    ),
    ...all.flatMap((arch) =>
      Object.entries(arch.axes).map(([key, axis]) =>
        row(`${arch.id}.${key}`, axis, arch.kernels[oldest]?.[key], arch.kernels[newest]?.[key]),
      ),
    ),
  ];
  return { head: ['switch', 'values'], rows };
}

/** `true`, `after-flush`, `8, 510, 19`. */
function valueText(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.values(value).join(', ') : String(value);
}

/** `range [5.11], gather [6.18]; wrong: none`. */
function valuesText({ right, wrong }: Axis, then: unknown, now: unknown): string {
  const marked = (value: unknown): string => {
    const of = [...(value === then ? ['5.11'] : []), ...(value === now ? ['6.18'] : [])];
    return `${valueText(value)}${of.length === 0 ? '' : ` [${of.length === 2 ? 'both' : of.join()}]`}`;
  };
  const inWords = (values: readonly unknown[]): string => values.map(marked).join(', ');
  if (right.length + wrong.length === 0) return inWords([...new Set([then, now])]);
  return wrong.length === 0 ? inWords(right) : `${inWords(right)}; wrong: ${inWords(wrong)}`;
}

function scenarios({ archs: all, of }: View): List {
  const rows = SCENARIOS.flatMap((scenario) => [
    { scenario: scenario.id, ...viewOf(scenario, undefined, all, of), source: scenario.source ?? '' },
    ...scenario.twins.map((twin) => ({
      scenario: twin.id,
      twinOf: scenario.id,
      oracles: [twin.oracle].flat(),
      ...viewOf(scenario, twin, all, of),
    })),
  ]);
  return { head: ['scenario', 'expected', 'what'], rows };
}

/** What is expected of a scenario or twin, and what it is; on one architecture also why it does not apply, or is right, there. */
function viewOf(
  scenario: AnyScenario,
  twin: Twin<never> | undefined,
  all: readonly Architecture[],
  of: Architecture | undefined,
) {
  const what = twin?.why ?? scenario.title;
  const expected = twin === undefined ? 'holds' : 'violated';
  const view = {
    expected,
    what,
    archs: all.filter((arch) => whyNot(arch, scenario, twin) === undefined).map(({ id }) => id),
  };
  const not = of === undefined ? undefined : whyNot(of, scenario, twin);
  if (not !== undefined) return { ...view, expected: 'not applicable', what: not };
  const mended = of === undefined || twin === undefined ? undefined : mendedBy(of, twin);
  if (mended !== undefined) return { ...view, expected: 'holds', what: `${what} (${mended})` };
  const { bound } = scenario;
  const elsewhere = of !== undefined && bound?.archs?.includes(of.id) === false;
  if (bound === undefined || twin !== undefined || elsewhere) return view;
  return { ...view, what: `${what} (explored to ${number(bound.states)} states: ${bound.why})` };
}

function oracles(): List {
  const rows = ORACLES.map(({ id, name, says }) => ({ oracle: id, name, says }));
  return { head: ['oracle', 'says'], rows };
}

function bugs(): List {
  const shown = shownBugs(SCENARIOS);
  const rows = shown.map(({ bug, kind, scenarios: shownBy, buggy, rungs }) => ({
    bug: bug.id,
    year: bug.year === undefined ? '-' : String(bug.year),
    property: bug.properties,
    kind,
    title: bug.title,
    what: bug.notModelled === undefined ? bug.title : `${bug.title} (${bug.notModelled})`,
    archs: ARCHITECTURES.filter((arch) => shownBy.some((each) => whyNot(arch, each) === undefined)).map(({ id }) => id),
    source: bug.source,
    scope: bug.scope,
    fixed: shownBy.map(({ id }) => id),
    buggy: buggy.map(({ id }) => id),
    rungs: rungs.map(({ id }) => id),
    ...(bug.notModelled === undefined ? {} : { notModelled: bug.notModelled }),
  }));
  const counts = countBugs(shown);
  const summary = `${counts.code} run on code of this project, ${counts.abstract} at the level of the hardware; not modelled: ${counts['not modelled']}`;
  return { head: ['bug', 'year', 'property', 'kind', 'archs', 'what'], rows, counts, summary };
}

/** Figures of replay --what-if. */
function costs({ of }: View): List {
  const shown = Object.entries(COSTS).filter(([id]) => of === undefined || of.id === id);
  const rows = shown.flatMap(([id, { ghz, costs: figures }]) => [
    { arch: id, cost: 'ghz', figure: `${ghz}`, range: '', source: 'what figures in cycles count at' },
    ...Object.entries(figures).map(([cost, { value, unit, low, high, source }]) => ({
      arch: id,
      cost,
      figure: `${value} ${unit}`,
      range: `${low} to ${high}`,
      source,
    })),
  ]);
  return { head: ['arch', 'cost', 'figure', 'range', 'source'], rows };
}

/** Sites of mutants by package and kind. */
function mutants({ of }: View): List {
  const rows = new Map<string, { readonly sites: Set<string>; mutants: number }>();
  for (const { site } of new Instrumented(suitePackages()).mutations) {
    const [name] = site.file.split('/');
    if (of !== undefined && !['core', 'mm'].includes(name!) && !of.id.startsWith(name!)) continue;
    const key = `${name} ${site.kind}`;
    const row = rows.get(key) ?? { sites: new Set(), mutants: 0 };
    row.sites.add(`${site.file}:${site.line}: ${site.text}`);
    row.mutants++;
    rows.set(key, row);
  }
  return {
    head: ['package', 'kind', 'sites', 'mutants'],
    rows: [...rows].map(([key, { sites, mutants: count }]) => {
      const [name, kind] = key.split(' ');
      return { package: name!, kind: kind!, sites: number(sites.size), mutants: number(count) };
    }),
  };
}
