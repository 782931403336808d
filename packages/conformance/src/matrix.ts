/**
 * The matrix: scenarios and their twins, times architectures, profiles and memory models. Each cell is one run.
 */
import type { MemoryModel, Profile } from '@mmu-gather/core/stepped';
import { type Architecture, type BackendSwitches, checkSwitches } from './architecture.ts';
import { ARCHITECTURES } from './architectures/index.ts';
import { boundOf, brokenIn, brokenOn, goesWrong, mendedBy, mendedIn, whyNot } from './applies.ts';
import type { Whereabouts } from './keys.ts';
import { matches } from './pattern.ts';
import { type Broken, DEFAULT_PROFILES, profileOf, PROFILES, profiles, type ProfileSpec } from './profiles/index.ts';
import type { Property } from './property.ts';
import type { AnyScenario, BackendOverrides, Bound, Scenario, Twin, Where } from './scenario.ts';

/** What selects cells. */
export interface Selection {
  /** Ids of architectures; all given ones if empty, or if `all` is one of them. */
  readonly archs?: readonly string[];
  /** Profile ids, `all` for each; the kernels 5.11 and 6.18 if empty. */
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
  /** Number of states at which it may end incomplete, and why, if it may. */
  readonly bound: Bound | undefined;
}

/** What a selection names and an architecture does not have. */
export interface NotApplicable {
  /** Id of the scenario or twin. */
  readonly id: string;
  /** Of a twin: the scenario's id. */
  readonly twinOf?: string;
  /** Id of the architecture. */
  readonly arch: string;
  /** Why, in one line. */
  readonly why: string;
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
  return [...places(scenarios, archs, selection)].flatMap(({ place }) => (typeof place === 'object' ? [place] : []));
}

/**
 * What does not apply to the architectures of a selection, once for each reason; what only profiles leave out is not named. Of a
 * scenario that does not apply, twins are named where they alone were asked for.
 * @throws ProfileError if a profile or setting does not exist
 */
export function notApplicable(
  scenarios: readonly AnyScenario[],
  archs: readonly Architecture[],
  selection: Selection = {},
): NotApplicable[] {
  const found = new Map<string, NotApplicable>();
  for (const { scenario, twin, arch, place: why } of places(scenarios, archs, selection)) {
    if (typeof why !== 'string') continue;
    const id = twin?.id ?? scenario.id;
    if (twin !== undefined && found.has(`${scenario.id}@${arch.id}@${why}`)) continue;
    found.set(`${id}@${arch.id}@${why}`, { id, ...(twin && { twinOf: scenario.id }), arch: arch.id, why });
  }
  return [...found.values()];
}

/** A scenario or twin on an architecture, in a profile: the cell, or why it does not apply there; undefined if the profile does not ask. */
interface Place {
  readonly scenario: Scenario;
  readonly twin: Twin | undefined;
  readonly arch: Architecture;
  readonly place: Cell | string | undefined;
}

function* places(
  scenarios: readonly AnyScenario[],
  archs: readonly Architecture[],
  { archs: ids = [], scenarios: patterns = [], ...selection }: Selection,
): Iterable<Place> {
  const specs = selected(selection, archs);
  const wanted = (id: string): boolean => patterns.length === 0 || patterns.some((pattern) => matches(pattern, id));
  const selectedArchs = archs.filter((arch) => ids.includes('all') || has(ids, arch.id));
  for (const scenario of scenarios as unknown as readonly Scenario[]) {
    for (const twin of [undefined, ...scenario.twins]) {
      if (!wanted(twin?.id ?? scenario.id)) continue;
      for (const arch of selectedArchs) {
        for (const spec of specs)
          yield { scenario, twin, arch, place: placeOf(scenario, twin, arch, spec, selection.memoryModel) };
      }
    }
  }
}

/** The profiles of a selection; `all` stands for each of them. */
export function selected(
  selection: Pick<Selection, 'profiles' | 'settings'>,
  archs: readonly Architecture[] = ARCHITECTURES,
): ProfileSpec[] {
  const typed = selection.profiles ?? [];
  const ids = typed.flatMap((id) => (id === 'all' ? PROFILES.map((spec) => spec.id) : [id]));
  return profiles(ids.length === 0 ? DEFAULT_PROFILES : [...new Set(ids)], selection.settings ?? [], archs);
}

/** See {@link Place}. */
function placeOf(
  scenario: Scenario,
  twin: Twin | undefined,
  arch: Architecture,
  spec: ProfileSpec,
  model: MemoryModel | undefined,
): Cell | string | undefined {
  const why = whyNot(arch, scenario as unknown as AnyScenario, twin);
  if (why !== undefined) return why;
  const kernel = arch.kernels[spec.kernel];
  if (kernel === undefined) return `there is no ${spec.kernel} of ${arch.id}`;
  const profile = profileOf(spec, arch.config);
  const own = { ...kernel, ...arch.explored, ...overridesFor(spec.backend, arch) };
  const applies = (to: Scenario | Twin): boolean =>
    (has(to.profiles, spec.id) || has(to.profiles, spec.kernel)) && isWhere(to.where, profile, own, arch);
  if (!applies(scenario)) return undefined;
  if (twin !== undefined && !applies(twin)) return undefined;
  const switches = { ...own, ...overridesFor(scenario.backend, arch), ...wrongOf(twin, arch) };
  const memoryModel = model ?? arch.backend(switches).isa.memoryModel;
  const broken = brokenAt(scenario, arch, spec, memoryModel);
  if (twin !== undefined && broken !== undefined) return undefined;
  if (twin !== undefined && !goesWrong(twin, memoryModel))
    return `wrong under ${twin.memoryModels!.join(' and ')} and weaker memory models`;
  return cellOf({ scenario, twin, arch, spec, memoryModel, switches });
}

function whereabouts(arch: Architecture, spec: ProfileSpec, model: MemoryModel): Whereabouts {
  return { arch: arch.id, kernel: spec.kernel, model, switches: profileOf(spec, arch.config) };
}

/** Why a scenario does not hold in a profile on an architecture, if it does not. */
function brokenAt(scenario: Scenario, arch: Architecture, spec: ProfileSpec, model: MemoryModel): Broken | undefined {
  const where = whereabouts(arch, spec, model);
  return brokenIn(spec, scenario, where) ?? brokenOn(arch, scenario, where);
}

/** Switches of a backend that make a twin wrong. */
function wrongOf(twin: Twin | undefined, arch: Architecture): BackendSwitches {
  const wrong = twin?.wrong === undefined ? {} : (arch.wrongs[twin.wrong] ?? {});
  checkSwitches(arch, wrong);
  return { ...wrong, ...overridesFor(twin?.backend, arch) };
}

/** What a cell is made of. */
interface Parts {
  readonly scenario: Scenario;
  readonly twin: Twin | undefined;
  readonly arch: Architecture;
  readonly spec: ProfileSpec;
  readonly memoryModel: MemoryModel;
  readonly switches: BackendSwitches;
}

function cellOf({ scenario, twin, arch, spec, memoryModel, switches }: Parts): Cell {
  const where = whereabouts(arch, spec, memoryModel);
  const broken = brokenAt(scenario, arch, spec, memoryModel);
  const mended = twin === undefined ? undefined : (mendedIn(spec, twin, where) ?? mendedBy(arch, twin, where));
  const oracle = twin === undefined ? broken?.oracle : mended === undefined ? twin.oracle : undefined;
  const bound = twin === undefined ? boundOf(scenario, arch, memoryModel) : undefined;
  const what = twin?.why ?? scenario.title;
  const why = mended ?? broken?.why;
  return {
    id: twin?.id ?? scenario.id,
    twinOf: twin === undefined ? undefined : scenario.id,
    title: why === undefined ? what : `${what} (${why})`,
    scenario: scenario as unknown as AnyScenario,
    twin,
    arch,
    profile: { ...profileOf(spec, arch.config), ...scenario.profile, ...twin?.profile },
    backendSwitches: switches,
    memoryModel,
    expected: oracle === undefined ? 'holds' : 'violated',
    oracles: oracle === undefined ? [] : [oracle].flat(),
    property: twin?.property,
    bound: oracle === undefined ? bound : undefined,
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
