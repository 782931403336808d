/**
 * With: switches that are set on top of a profile, as people type them: `fullmm=F2`, `x86.ceiling=2`, `gatherBatch.bundle=2`.
 *
 * Core's switches go by their name, a backend's by its id and name; the id may be left out where core has no switch of that name. Wrong
 * values are allowed: whoever sets one wants to see what breaks. Right ones that do not go together are refused.
 */
import { AXES, type Axis, conflictOf, type Switches } from '@mmu-gather/core/stepped';
import type { Architecture, BackendSwitches } from '../architecture.ts';
import { KERNELS, type ProfileSpec } from './spec.ts';

/** A profile or setting that does not exist. The message is one line for people that lists what there is. */
export class ProfileError extends Error {
  /** Name in messages. */
  override readonly name = 'ProfileError';
  /** What was typed, */
  readonly typed: string;
  /** and the names that would have been right. */
  readonly names: readonly string[];

  constructor(typed: string, names: readonly string[], message: string) {
    super(message);
    this.typed = typed;
    this.names = names;
  }
}

/** Where a switch lives, and what it is now. */
interface Found {
  /** Backend id, or undefined for core's. */
  readonly arch: string | undefined;
  readonly key: string;
  readonly axis: Axis;
  readonly value: unknown;
}

/** A profile with settings on top. Its id says them. */
export function withSettings(
  spec: ProfileSpec,
  settings: readonly string[],
  archs: readonly Architecture[],
): ProfileSpec {
  let switches: Partial<Switches> = spec.switches;
  let backend = spec.backend;
  for (const setting of settings) {
    const [, name, typed] = /^([^=]+)=(.*)$/.exec(setting) ?? [];
    if (name === undefined || typed === undefined)
      throw new ProfileError(setting, [], `'${setting}' sets nothing: write switch=value, for instance fullmm=F2`);
    const [path, field] = fieldOf(name, archs);
    const found = find(path, { ...spec, switches, backend }, archs);
    const value = field === undefined ? parse(path, typed, found) : parseField(name, field, typed, found.value);
    if (found.arch === undefined) switches = { ...switches, [found.key]: value };
    else backend = { ...backend, [found.arch]: { ...backend[found.arch], [found.key]: value } };
  }
  const conflict = conflictIn({ ...spec, switches, backend }, archs);
  if (conflict !== undefined && conflict !== conflictIn(spec, archs))
    throw new ProfileError(settings.join(','), [], `in ${spec.id} these do not go together: ${conflict}`);
  return settings.length === 0 ? spec : { ...spec, id: `${spec.id}+${settings.join(',')}`, switches, backend };
}

function conflictIn(spec: ProfileSpec, archs: readonly Architecture[]): string | undefined {
  const published = archs.every((arch) => {
    const now: BackendSwitches = { ...arch.kernels[spec.kernel], ...arch.explored, ...spec.backend[arch.id] };
    return now['completedGen'] !== 'none';
  });
  return conflictOf({ ...KERNELS[spec.kernel], ...spec.switches }, published);
}

/** `gatherBatch.bundle` is a field of a switch; `x86.ceiling` is none. */
function fieldOf(name: string, archs: readonly Architecture[]): [path: string, field: string | undefined] {
  const parts = name.split('.');
  const own = archs.some((arch) => arch.id === parts[0]) ? 2 : 1;
  return [parts.slice(0, own).join('.'), parts[own]];
}

function find(path: string, spec: ProfileSpec, archs: readonly Architecture[]): Found {
  const [last, id] = path.split('.').toReversed() as [string, string | undefined];
  const axes: Readonly<Record<string, Axis>> = AXES;
  if (id === undefined && axes[last] !== undefined) {
    const now: BackendSwitches = { ...KERNELS[spec.kernel], ...spec.switches };
    return { arch: undefined, key: last, axis: axes[last], value: now[last] };
  }
  const arch = archs.find((each) => (id ?? each.id) === each.id && each.axes[last] !== undefined);
  if (arch !== undefined) {
    const now: BackendSwitches = { ...arch.kernels[spec.kernel], ...arch.explored, ...spec.backend[arch.id] };
    return { arch: arch.id, key: last, axis: arch.axes[last]!, value: now[last] };
  }
  const names = [
    ...Object.keys(axes),
    ...archs.flatMap((each) => Object.keys(each.axes).map((key) => (id === undefined ? key : `${each.id}.${key}`))),
  ];
  throw new ProfileError(path, names, `there is no switch '${path}'`);
}

/** A value of the axis, or a number where there is no list. */
function parse(path: string, typed: string, { axis, value }: Found): unknown {
  const values = [...axis.right, ...axis.wrong];
  if (values.length === 0) {
    if (typeof value === 'number') return count(path, typed);
    const fields = Object.keys(value as object);
    throw new ProfileError(
      typed,
      [],
      `'${path}' is a group of numbers: set one of ${fields.map((field) => `${path}.${field}`).join(', ')}`,
    );
  }
  const found = values.find((each) => String(each) === typed);
  if (found === undefined) {
    const wrong = axis.wrong.length === 0 ? '' : `, and wrong: ${axis.wrong.join(', ')}`;
    throw new ProfileError(
      typed,
      values.map(String),
      `'${path}' has no value '${typed}': it has ${axis.right.join(', ') || 'no right one'}${wrong}`,
    );
  }
  return found;
}

function parseField(name: string, field: string, typed: string, group: unknown): unknown {
  if (typeof group !== 'object' || group === null || !(field in group))
    throw new ProfileError(name, [], `'${name}' is no group of numbers with a '${field}'`);
  return { ...group, [field]: count(name, typed) };
}

function count(name: string, typed: string): number {
  const value = Number(typed.replaceAll('_', ''));
  if (typed.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new ProfileError(typed, [], `'${name}' is a number: give a whole one from 0 on`);
  return value;
}
