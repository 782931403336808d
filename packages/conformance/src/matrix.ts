/**
 * The matrix: scenarios and their twins, times architectures, profiles and memory models. Each cell is one run.
 */
import type { MemoryModel, Profile } from '@mmu-gather/core/stepped';
import { type Architecture, ARCHITECTURES, type BackendSwitches, checkSwitches } from './architecture.ts';
import { DEFAULT_PROFILES, profileOf, profiles, type ProfileSpec } from './profiles/index.ts';
import type { AnyScenario, BackendOverrides, Property, Scenario, Twin, Where } from './scenario.ts';

/** What selects cells. */
export interface Selection {
  /** Architectures; all given ones if empty. */
  readonly archs?: readonly string[];
  /** Profile ids; the kernels 5.11 and 6.18 if empty. */
  readonly profiles?: readonly string[];
  /** Settings on top of each profile: `fullmm=F2`. */
  readonly settings?: readonly string[];
  /** Scenario or twin ids, `*` stands for anything; all if empty. */
  readonly scenarios?: readonly string[];
  /** Instead of the backends' own models. */
  readonly memoryModel?: MemoryModel;
}

/** One run of the suite. */
export interface Cell {
  /** Id of the scenario or twin. */
  readonly id: string;
  /** Of a twin: the scenario's id. */
  readonly twinOf: string | undefined;
  /** What it is, for tables. */
  readonly title: string;
  /** The scenario. */
  readonly scenario: AnyScenario;
  /** The twin, if it is one. */
  readonly twin: Twin<never> | undefined;
  /** The architecture. */
  readonly arch: Architecture;
  /** The profile, with all overrides. */
  readonly profile: Profile;
  /** The backend's switches, with all overrides. */
  readonly backendSwitches: BackendSwitches;
  /** The memory model. */
  readonly memoryModel: MemoryModel;
  /** What must come out. */
  readonly expected: 'holds' | 'violated';
  /** Oracles of which one must be violated. */
  readonly oracles: readonly string[];
  /** What a violation means. */
  readonly property: Property | undefined;
}

/**
 * All cells of a selection.
 * @throws ProfileError if a profile or setting does not exist
 */
export function cells(
  scenarios: readonly AnyScenario[],
  archs: readonly Architecture[],
  selection: Selection = {},
): Cell[] {
  const wanted = matcher(selection.scenarios);
  const specs = selected(selection, archs);
  const out: Cell[] = [];
  for (const scenario of scenarios as unknown as readonly Scenario[]) {
    for (const twin of [undefined, ...scenario.twins]) {
      if (!wanted(twin?.id ?? scenario.id)) continue;
      for (const arch of archs) {
        if (!has(selection.archs, arch.id) || !has(scenario.archs, arch.id)) continue;
        for (const spec of specs) {
          const cell = cellOf(scenario, twin, arch, spec, selection.memoryModel);
          if (cell !== undefined) out.push(cell);
        }
      }
    }
  }
  return out;
}

/** The profiles of a selection. */
export function selected(
  selection: Pick<Selection, 'profiles' | 'settings'>,
  archs: readonly Architecture[] = ARCHITECTURES,
): ProfileSpec[] {
  const ids = selection.profiles ?? [];
  return profiles(ids.length === 0 ? DEFAULT_PROFILES : ids, selection.settings ?? [], archs);
}

/** A scenario, or a twin of it, in a profile; undefined if it does not apply there. */
function cellOf(
  scenario: Scenario,
  twin: Twin | undefined,
  arch: Architecture,
  spec: ProfileSpec,
  model: MemoryModel | undefined,
): Cell | undefined {
  const kernel = arch.kernels[spec.kernel];
  if (kernel === undefined) return undefined;
  const profile = profileOf(spec);
  const own = { ...kernel, ...overridesFor(spec.backend, arch) };
  const applies = (to: Scenario | Twin): boolean =>
    (has(to.profiles, spec.id) || has(to.profiles, spec.kernel)) && isWhere(to.where, profile, own, arch);
  if (!applies(scenario)) return undefined;
  const broken = spec.breaks?.[scenario.id];
  if (twin !== undefined) {
    const changes = twin.profile ?? twin.threads ?? twin.backend?.[arch.id];
    if (!applies(twin) || changes === undefined || broken !== undefined) return undefined;
  }
  const switches = { ...own, ...overridesFor(scenario.backend, arch), ...overridesFor(twin?.backend, arch) };
  const memoryModel = model ?? arch.backend(switches).isa.memoryModel;
  if (!has(twin?.memoryModels, memoryModel)) return undefined;
  const mended = twin === undefined ? undefined : spec.mends?.[twin.id];
  const oracle = twin === undefined ? broken?.oracle : mended === undefined ? twin.oracle : undefined;
  const what = twin?.why ?? scenario.title;
  const why = mended ?? broken?.why;
  return {
    id: twin?.id ?? scenario.id,
    twinOf: twin === undefined ? undefined : scenario.id,
    title: why === undefined ? what : `${what} (${why})`,
    scenario: scenario as unknown as AnyScenario,
    twin: twin as Twin<never> | undefined,
    arch,
    profile: { ...profile, ...scenario.profile, ...twin?.profile },
    backendSwitches: switches,
    memoryModel,
    expected: oracle === undefined ? 'holds' : 'violated',
    oracles: oracle === undefined ? [] : [oracle].flat(),
    property: twin?.property,
  };
}

/** What is said of a backend's switches, if they exist. */
function overridesFor(overrides: BackendOverrides | undefined, arch: Architecture): BackendSwitches {
  const own = overrides?.[arch.id] ?? {};
  checkSwitches(arch, own);
  return own;
}

/** Does a profile have these values? */
function isWhere(where: Where | undefined, profile: Profile, own: BackendSwitches, arch: Architecture): boolean {
  const holds = (wanted: object, values: object): boolean =>
    Object.entries(wanted).every(([key, value]) => (values as BackendSwitches)[key] === value);
  return holds(where?.profile ?? {}, profile) && holds(overridesFor(where?.backend, arch), own);
}

function has<T>(list: readonly T[] | undefined, item: T): boolean {
  return list === undefined || list.length === 0 || list.includes(item);
}

function matcher(patterns: readonly string[] | undefined): (id: string) => boolean {
  if (patterns === undefined || patterns.length === 0) return () => true;
  const all = patterns.map(
    (p) =>
      new RegExp(
        `^${p
          .split('*')
          .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
          .join('.*')}$`,
      ),
  );
  return (id) => all.some((r) => r.test(id));
}
