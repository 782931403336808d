/**
 * What applies to an architecture, and why the rest does not, whatever the profile.
 */
import type { MemoryModel } from '@mmu-gather/core/stepped';
import type { Architecture } from './architecture.ts';
import { MEMORY_MODELS, parseKey, speaksOf, type Whereabouts } from './keys.ts';
import { matches } from './pattern.ts';
import type { Broken, ProfileSpec } from './profiles/spec.ts';
import type { AnyScenario, Bound, Scenario, Twin } from './scenario.ts';
import { WRONGS } from './wrongs.ts';

/**
 * Why a scenario does not apply to an architecture, in one line; undefined if it does.
 * @param twin of the scenario: about this wrong form of it
 */
export function whyNot(arch: Architecture, scenario: AnyScenario, twin?: Twin<never>): string | undefined {
  const { only } = scenario;
  if (only !== undefined && !only.archs.includes(arch.id)) return `on ${only.archs.join(' and ')} only: ${only.why}`;
  const skip = arch.skips.find((each) => matches(each.scenario, scenario.id));
  return skip?.why ?? (twin === undefined ? undefined : whyNotWrong(arch, twin));
}

function whyNotWrong(arch: Architecture, { profile, threads, backend, wrong }: Twin<never>): string | undefined {
  if ((profile ?? threads ?? backend?.[arch.id]) !== undefined) return undefined;
  if (wrong === undefined) return `wrong by a switch of ${Object.keys(backend ?? {}).join(' and ')}`;
  return arch.wrongs[wrong] === undefined ? `${arch.id} has no '${wrong}': ${WRONGS[wrong]}` : undefined;
}

/** Why a twin is right on an architecture, there; undefined if it is not. */
export function mendedBy(arch: Architecture, twin: Pick<Twin, 'id'>, where: Whereabouts = {}): string | undefined {
  return find(arch.mends, twin.id, { ...where, arch: arch.id });
}

/** Why a scenario does not hold on an architecture, there, and what says so; undefined if it does. */
export function brokenOn(arch: Architecture, scenario: Pick<Scenario, 'id'>, where: Whereabouts): Broken | undefined {
  return find(arch.breaks ?? {}, scenario.id, { ...where, arch: arch.id });
}

/** Why a twin is right in a profile, there; undefined if it is not. */
export function mendedIn(spec: ProfileSpec, twin: Pick<Twin, 'id'>, where: Whereabouts): string | undefined {
  return find(spec.mends ?? {}, twin.id, where);
}

/** Why a scenario does not hold in a profile, there, and what says so; undefined if it does. */
export function brokenIn(spec: ProfileSpec, scenario: Pick<Scenario, 'id'>, where: Whereabouts): Broken | undefined {
  return find(spec.breaks ?? {}, scenario.id, where);
}

function find<T>(keyed: Readonly<Record<string, T>>, id: string, where: Whereabouts): T | undefined {
  return Object.entries(keyed).find(([key]) => speaksOf(key, id, where))?.[1];
}

/** Does a twin go wrong under a memory model? What goes wrong under one does under all that are weaker. */
export function goesWrong(twin: Pick<Twin, 'memoryModels'>, model: MemoryModel): boolean {
  const at = MEMORY_MODELS.indexOf(model);
  return twin.memoryModels?.some((each) => MEMORY_MODELS.indexOf(each) <= at) ?? true;
}

/** The bound at which a scenario may end incomplete, if it may. */
export function boundOf({ bound }: Pick<Scenario, 'bound'>, arch: Architecture, model: MemoryModel): Bound | undefined {
  const applies = (bound?.archs?.includes(arch.id) ?? true) && (bound?.models?.includes(model) ?? true);
  return applies ? bound : undefined;
}

/** What an architecture says of scenarios and twins that are not there, or that do not apply to it: one line each. */
export function unmatched(arch: Architecture, scenarios: readonly AnyScenario[]): string[] {
  const twins = scenarios.flatMap((scenario) =>
    scenario.twins.filter((twin) => whyNot(arch, scenario, twin) === undefined).map((twin) => twin.id),
  );
  const skips = arch.skips.filter(({ scenario }) => !scenarios.some(({ id }) => matches(scenario, id)));
  const mends = Object.keys(arch.mends).filter((key) => !twins.some((id) => matches(parseKey(key).pattern, id)));
  const breaks = Object.keys(arch.breaks ?? {}).filter(
    (key) => !scenarios.some((each) => whyNot(arch, each) === undefined && matches(parseKey(key).pattern, each.id)),
  );
  return [
    ...skips.map(({ scenario }) => `${arch.id} skips '${scenario}', and there is no such scenario`),
    ...mends.map((pattern) => `${arch.id} mends '${pattern}', and no such twin applies to it`),
    ...breaks.map((pattern) => `${arch.id} breaks '${pattern}', and no such scenario applies to it`),
  ];
}
