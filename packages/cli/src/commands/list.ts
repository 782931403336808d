/**
 * `list`: what there is to choose from.
 */
import { type AnyScenario, ARCHITECTURES, PROFILES, SCENARIOS } from '@mmu-gather/conformance';
import { tableOf } from '../human/table.ts';
import { terminal } from '../human/terminal.ts';
import { ORACLES } from '../oracles.ts';

/** A list: the columns that people see, and the rows, which JSON gives whole. */
interface List {
  readonly head: readonly string[];
  readonly rows: readonly Readonly<Record<string, string | boolean | readonly string[]>>[];
}

/** What can be listed. */
export type ListName = 'archs' | 'profiles' | 'scenarios' | 'oracles' | 'bugs';

const LISTS: Readonly<Record<ListName, () => List>> = { archs, profiles, scenarios, oracles, bugs };

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

function text(value: string | boolean | readonly string[] | undefined): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'not yet';
  return typeof value === 'string' ? value : (value ?? []).join(', ');
}

function archs(): List {
  const rows = ARCHITECTURES.map((arch) => {
    const known = arch.profiles.filter((profile) => profile in PROFILES);
    const models = [...new Set(known.map((profile) => arch.backend(profile, {}).isa.memoryModel))];
    return { arch: arch.id, model: models.join(', '), profiles: known };
  });
  return { head: ['arch', 'model', 'profiles'], rows };
}

function profiles(): List {
  const rows = Object.keys(PROFILES).map((id) => ({
    profile: id,
    archs: ARCHITECTURES.filter((arch) => arch.profiles.includes(id)).map((arch) => arch.id),
  }));
  return { head: ['profile', 'archs'], rows };
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
  const rows = ORACLES.map(({ id, name, says, asked }) => ({ oracle: id, asked, name, says }));
  return { head: ['oracle', 'asked', 'says'], rows };
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
