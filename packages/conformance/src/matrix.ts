/**
 * The matrix: scenarios and their twins, times architectures, profiles and memory models. Each cell is one run.
 */
import type { MemoryModel, Profile } from '@mmu-gather/core/stepped';
import { type Architecture, PROFILES } from './architecture.ts';
import type { AnyScenario, BackendOverrides, Property, Twin } from './scenario.ts';

/** What selects cells. */
export interface Selection {
  /** Architectures; all given ones if empty. */
  readonly archs?: readonly string[];
  /** Profile ids; all if empty. */
  readonly profiles?: readonly string[];
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
  /** Switches that the backend gets besides the profile's. */
  readonly backendSwitches: Readonly<Record<string, unknown>>;
  /** The memory model. */
  readonly memoryModel: MemoryModel;
  /** What must come out. */
  readonly expected: 'holds' | 'violated';
  /** Oracles of which one must be violated. */
  readonly oracles: readonly string[];
  /** What a violation means. */
  readonly property: Property | undefined;
}

/** All cells of a selection. */
export function cells(
  scenarios: readonly AnyScenario[],
  archs: readonly Architecture[],
  selection: Selection = {},
): Cell[] {
  const wanted = matcher(selection.scenarios);
  const out: Cell[] = [];
  for (const scenario of scenarios) {
    for (const twin of [undefined, ...scenario.twins]) {
      const id = twin?.id ?? scenario.id;
      if (!wanted(id)) continue;
      for (const arch of archs) {
        if (!has(selection.archs, arch.id) || !has(scenario.archs, arch.id)) continue;
        for (const [profileId, profile] of Object.entries(PROFILES)) {
          if (!arch.profiles.includes(profileId)) continue;
          if (
            !has(selection.profiles, profileId) ||
            !has(scenario.profiles, profileId) ||
            !has(twin?.profiles, profileId)
          )
            continue;
          const switches = { ...overridesFor(scenario.backend, arch.id), ...overridesFor(twin?.backend, arch.id) };
          if (
            twin !== undefined &&
            twin.profile === undefined &&
            twin.threads === undefined &&
            twin.backend?.[arch.id] === undefined
          )
            continue;
          const memoryModel = selection.memoryModel ?? arch.backend(profileId, switches).isa.memoryModel;
          if (!has(twin?.memoryModels, memoryModel)) continue;
          out.push({
            id,
            twinOf: twin === undefined ? undefined : scenario.id,
            title: twin?.why ?? scenario.title,
            scenario,
            twin,
            arch,
            profile: { ...profile, ...scenario.profile, ...twin?.profile },
            backendSwitches: switches,
            memoryModel,
            expected: twin === undefined ? 'holds' : 'violated',
            oracles: twin === undefined ? [] : typeof twin.oracle === 'string' ? [twin.oracle] : twin.oracle,
            property: twin?.property,
          });
        }
      }
    }
  }
  return out;
}

function overridesFor(overrides: BackendOverrides | undefined, arch: string): Readonly<Record<string, unknown>> {
  return overrides?.[arch] ?? {};
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
