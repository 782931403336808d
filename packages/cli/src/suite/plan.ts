/**
 * Plan: scenarios and a selection to the cells that are run. A selection that names what does not exist, or selects nothing,
 * is refused in one line that says what there is.
 */
import {
  type AnyScenario,
  type Architecture,
  type Cell,
  cells,
  notApplicable,
  ProfileError,
  PROFILES,
  type ProfileSpec,
  selected,
  type Selection,
} from '@mmu-gather/conformance';
import { firstLine, Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';

/** The cells of a selection, at least one. */
export function plan(scenarios: readonly AnyScenario[], archs: readonly Architecture[], selection: Selection): Cell[] {
  mustExist('--arch', selection.archs, [...ids(archs), 'all']);
  profilesMustExist(selection, archs);
  const found = cellsOf(scenarios, archs, selection);
  const wanted = selection.scenarios ?? [];
  const missed = wanted.find(
    (pattern) => cellsOf(scenarios, archs, { ...selection, scenarios: [pattern] }).length === 0,
  );
  if (missed === undefined && found.length > 0) return found;
  // Nothing there: does it not apply to these architectures, or to these profiles, or is it the name?
  const everywhere = { profiles: ids(PROFILES), scenarios: missed === undefined ? wanted : [missed] };
  const here = { ...selection, ...everywhere };
  const [left] = notApplicable(scenarios, archs, here);
  if (left !== undefined && cellsOf(scenarios, archs, here).length === 0)
    throw new Misuse(`nothing to run: '${left.id}' does not apply to ${left.arch}: ${left.why}`);
  const anywhere = cellsOf(scenarios, archs, everywhere);
  if (anywhere.length === 0 && missed !== undefined) {
    const names = scenarios.flatMap((scenario) => [scenario.id, ...scenario.twins.map((twin) => twin.id)]);
    const all = names.length <= 8 ? `there are: ${names.join(', ')}` : "'mmu-gather list scenarios' names all";
    throw new Misuse(`--scenario: no scenario '${missed}':${suggestion(missed, names)} ${all}`);
  }
  const where = [...new Set(anywhere.map((cell) => `${cell.arch.id}, ${cell.profile.id}, ${cell.memoryModel}`))];
  throw new Misuse(
    `nothing to run: ${missed === undefined ? 'the scenarios apply' : `'${missed}' applies`} to ${where.join('; ') || 'nothing'} only`,
  );
}

/** Refuses profiles and settings that do not exist, with what there is. */
export function profilesMustExist(
  selection: Pick<Selection, 'profiles' | 'settings'>,
  archs?: readonly Architecture[],
): void {
  try {
    selected({ profiles: selection.profiles ?? [] });
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    const { typed, names } = error;
    throw new Misuse(`--profile: ${error.message}:${suggestion(typed, names)} there are: ${names.join(', ')}, all`);
  }
  try {
    selected(selection, archs);
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    const { typed, names } = error;
    const all = names.length > 20 ? " 'mmu-gather list axes' names all" : '';
    const more = names.length === 0 ? '' : `${suggestion(typed, names).replace(/^ /, ': ')}${all}`;
    throw new Misuse(`--with: ${error.message}${more}`);
  }
}

/** The one profile that shall run. @throws Misuse if it does not exist, or if several are asked for */
export function oneProfile(profile: string, settings: readonly string[]): ProfileSpec {
  if (profile === 'all') throw new Misuse('--profile: one system can run at a time: name it');
  const selection = { profiles: [profile], settings };
  profilesMustExist(selection);
  return selected(selection)[0]!;
}

/** Cells, with whatever a scenario says wrongly of its backend reported as its mistake. */
function cellsOf(scenarios: readonly AnyScenario[], archs: readonly Architecture[], selection: Selection): Cell[] {
  return scenarios.flatMap((scenario) => {
    try {
      return cells([scenario], archs, selection);
    } catch (error) {
      throw new Misuse(`scenario '${scenario.id}': ${firstLine(error)}`, { cause: error });
    }
  });
}

function ids(items: readonly { readonly id: string }[]): string[] {
  return items.map((item) => item.id);
}

function mustExist(option: string, typed: readonly string[] | undefined, names: readonly string[]): void {
  const unknown = typed?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Misuse(
      `${option}: there is no '${unknown}':${suggestion(unknown, names)} there are: ${names.join(', ')}`,
    );
  }
}
