/**
 * The profiles: every batching system that the suite can run, by id.
 */
import type { Architecture } from '../architecture.ts';
import { DESIGNS } from './designs.ts';
import { LINUX } from './linux.ts';
import { RFC_2021, RFC_PATCHES, type RfcForm, rfcProfile } from './rfc-2021.ts';
import type { ProfileSpec } from './spec.ts';
import { ProfileError, withSettings } from './with.ts';

export { type Broken, type KernelId, KERNELS, profileOf, type ProfileSpec } from './spec.ts';
export { RFC_PATCHES, type PatchChange, type RfcForm, type RfcPatch, rfcProfile } from './rfc-2021.ts';
export { ProfileError } from './with.ts';

/** All profiles, in the order of tables. */
export const PROFILES: readonly ProfileSpec[] = [...LINUX, ...RFC_2021, ...DESIGNS];

/** The profiles of a run that names none. */
export const DEFAULT_PROFILES: readonly string[] = ['linux-5.11', 'linux-6.18'];

/**
 * The profiles with these ids, with settings (`switch=value`) on top of each.
 * @throws ProfileError if one does not exist
 */
export function profiles(
  ids: readonly string[],
  settings: readonly string[],
  archs: readonly Architecture[],
): ProfileSpec[] {
  return ids.map((id) => withSettings(profile(id), settings, archs));
}

/** The profile with an id; `rfc-2021-corrected@7` are the first seven patches. */
function profile(id: string): ProfileSpec {
  const found = PROFILES.find((spec) => spec.id === id);
  if (found !== undefined) return found;
  const [, form, count] = /^rfc-2021-(as-posted|corrected)@(\d+)$/.exec(id) ?? [];
  if (count !== undefined && Number(count) <= RFC_PATCHES.length) return rfcProfile(form as RfcForm, Number(count));
  const names = PROFILES.map((spec) => spec.id);
  throw new ProfileError(
    id,
    names,
    count === undefined ? `there is no '${id}'` : `there is no '${id}', for the RFC has ${RFC_PATCHES.length} patches`,
  );
}
