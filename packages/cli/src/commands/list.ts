/**
 * `list`: what there is to choose from.
 */
import {
  type AnyScenario,
  ARCHITECTURES,
  DEFAULT_PROFILES,
  KERNELS,
  PROFILES,
  type ProfileSpec,
  SCENARIOS,
} from '@mmu-gather/conformance';
import { AXES, type Axis } from '@mmu-gather/core/stepped';
import { tableOf } from '../human/table.ts';
import { terminal } from '../human/terminal.ts';
import { ORACLES } from '../oracles.ts';

/** A list: the columns that people see, and the rows, which JSON gives whole. */
interface List {
  readonly head: readonly string[];
  readonly rows: readonly Readonly<Record<string, string | boolean | readonly (string | boolean)[]>>[];
}

/** What can be listed. */
export type ListName = 'archs' | 'profiles' | 'axes' | 'scenarios' | 'oracles' | 'bugs';

const LISTS: Readonly<Record<ListName, () => List>> = { archs, profiles, axes, scenarios, oracles, bugs };

/** Lists something on standard output. */
export function list(name: ListName, json: boolean): void {
  const { head, rows } = LISTS[name]();
  if (json) {
    process.stdout.write(`${JSON.stringify({ schema: 1, [name]: rows }, null, 2)}\n`);
    return;
  }
  const cells = rows.map((row) => head.map((key) => text(row[key])));
  process.stdout.write(`${tableOf(head, cells, terminal())}\n`);
}

function text(value: string | boolean | readonly (string | boolean)[] | undefined): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'not yet';
  return typeof value === 'string' ? value : (value ?? []).join(', ');
}

function archs(): List {
  const rows = ARCHITECTURES.map((arch) => {
    const models = [...new Set(Object.values(arch.kernels).map((switches) => arch.backend(switches).isa.memoryModel))];
    return { arch: arch.id, model: models.join(', '), kernels: Object.keys(arch.kernels) };
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
    breaks: Object.keys(spec.breaks ?? {}),
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

function axes(): List {
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
    ...ARCHITECTURES.flatMap((arch) =>
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

function scenarios(): List {
  const rows = SCENARIOS.flatMap((scenario) => [
    {
      scenario: scenario.id,
      expected: 'holds',
      what: scenario.title,
      archs: archsOf(scenario),
      source: scenario.source ?? '',
    },
    ...scenario.twins.map((twin) => ({
      scenario: twin.id,
      twinOf: scenario.id,
      expected: 'violated',
      oracles: [twin.oracle].flat(),
      what: twin.why,
      archs: archsOf(scenario),
    })),
  ]);
  return { head: ['scenario', 'expected', 'what'], rows };
}

function oracles(): List {
  const rows = ORACLES.map(({ id, name, says }) => ({ oracle: id, name, says }));
  return { head: ['oracle', 'says'], rows };
}

function bugs(): List {
  const rows = SCENARIOS.filter((scenario) => scenario.id.startsWith('bug:')).map((scenario) => ({
    bug: scenario.id.replace(/^bug:/, '').replace(/\/.*$/, ''),
    property: [...new Set(scenario.twins.flatMap((twin) => twin.property ?? []))],
    source: scenario.source ?? '',
    title: scenario.title,
    archs: archsOf(scenario),
    fixed: scenario.id,
    buggy: scenario.twins.map((twin) => twin.id),
  }));
  return { head: ['bug', 'property', 'source', 'title'], rows };
}

function archsOf(scenario: AnyScenario): readonly string[] {
  return scenario.archs ?? ARCHITECTURES.map((arch) => arch.id);
}
