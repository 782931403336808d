/**
 * defineArchitecture: a third party's backend in the form that the suite takes, checked, with what is usual filled in.
 *
 *     export default defineArchitecture({ id: 'mine', backend: () => mine })
 *
 *     kernels    every version, without switches           axes      values by the kernels: no wrong ones
 *     explored   as in the kernels                         wrongs, skips, mends, breaks    none
 *
 * A mistake is one line that says what is wrong and how to mend it. The backend is linked once to see that every hook is there: what
 * runs a plain TypeScript file does not look at types.
 */
import { Layout } from '@mmu-gather/checker';
import { type Axis, type Backend, type BackendSpec, bootKernel, type Switches, TINY } from '@mmu-gather/core/stepped';
import type { Architecture, BackendSwitches, Skip } from './architecture.ts';
import { KERNELS, type KernelId } from './profiles/spec.ts';
import type { Broken } from './profiles/spec.ts';
import { type Wrong, WRONGS } from './wrongs.ts';

/** What a third party says of its backend. S: its switches. */
export interface ArchitectureForm<S extends object> {
  /** Its id, equal to the backend's; one of this repository's takes that one's place. */
  readonly id: string;
  /** The backend with these switches. */
  backend(switches: S): BackendSpec;
  /** Its switches in each kernel version that it knows; without switches, in every version. */
  readonly kernels?: Readonly<Partial<Record<KernelId, S>>>;
  /** Switches that are other where it is explored, constants made small; none if not given. */
  readonly explored?: Partial<S>;
  /** What it selects of core's and mm's switches, where that is other than on x86; nothing if not given. */
  readonly config?: Partial<Switches>;
  /** Values of each switch, right and wrong ones; those of the kernels if not given. */
  readonly axes?: Readonly<Record<keyof S, Axis>>;
  /** Switches that make each mistake, where it can make it; none if not given. */
  readonly wrongs?: Readonly<Partial<Record<Wrong, Partial<S>>>>;
  /** Scenarios that do not apply to it; none if not given. */
  readonly skips?: readonly Skip[];
  /** Twins that are right on it, and why; none if not given. */
  readonly mends?: Readonly<Record<string, string>>;
  /** Scenarios that do not hold on it, and why; none if not given. */
  readonly breaks?: Readonly<Record<string, Broken>>;
}

/** An architecture that cannot be used; the message is one line for people. */
export class ArchitectureError extends Error {
  /** Name in messages. */
  override readonly name = 'ArchitectureError';
}

/**
 * Checks a backend's form and fills in what is usual.
 * @throws ArchitectureError with the first mistake
 */
export function defineArchitecture<S extends object>(form: ArchitectureForm<S>): Architecture {
  const architecture = filledIn(form);
  const mistake = mistakeOf(architecture);
  if (mistake !== undefined) throw new ArchitectureError(`architecture ${JSON.stringify(form.id ?? '?')}: ${mistake}`);
  const { kernels, explored, axes, wrongs, skips, mends } = architecture;
  // What was checked stays as it was.
  return {
    ...architecture,
    kernels: { ...kernels },
    explored: { ...explored },
    axes: { ...axes },
    wrongs: { ...wrongs },
    skips: [...skips],
    mends: { ...mends },
  };
}

function filledIn<S extends object>(form: ArchitectureForm<S>): Architecture {
  const kernels = (form.kernels ?? Object.fromEntries(Object.keys(KERNELS).map((id) => [id, {}]))) as Record<string, S>;
  const defaults = { explored: {}, axes: axesOf(kernels), wrongs: {}, skips: [], mends: {} };
  return { ...defaults, ...form, kernels } as unknown as Architecture;
}

/** Each switch with the values that the kernels give it: a number has no list. */
function axesOf(kernels: Readonly<Record<string, object>>): Record<string, Axis> {
  const values = new Map<string, Set<string | boolean>>();
  for (const [name, value] of Object.values(kernels).flatMap((switches) => Object.entries(switches ?? {}))) {
    if (!values.has(name)) values.set(name, new Set());
    if (typeof value === 'string' || typeof value === 'boolean') values.get(name)!.add(value);
  }
  return Object.fromEntries([...values].map(([name, right]) => [name, { right: [...right], wrong: [] }]));
}

/** What is wrong with an architecture and how to mend it; undefined if nothing is. */
function mistakeOf(arch: Architecture): string | undefined {
  if (typeof arch.id !== 'string' || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(arch.id))
    return "'id' must be lower-case letters and digits, for instance 'loongarch64'";
  if (typeof arch.backend !== 'function') return "'backend' is missing: give a function (switches) => BackendSpec";
  return kernelsMistake(arch) ?? switchesMistake(arch) ?? listsMistake(arch) ?? backendMistake(arch);
}

function kernelsMistake({ kernels }: Architecture): string | undefined {
  const ids = Object.keys(KERNELS).join(', ');
  if (!isRecord(kernels) || Object.keys(kernels).length === 0)
    return `'kernels' is empty: give the switches of at least one of ${ids}`;
  const unknown = Object.keys(kernels).find((id) => !(id in KERNELS));
  if (unknown !== undefined) return `'kernels' has '${unknown}', which the suite does not know: there are ${ids}`;
  const bad = Object.keys(kernels).find((id) => !isRecord(kernels[id]));
  return bad === undefined ? undefined : `'kernels' gives no switches for ${bad}: give an object, {} if there are none`;
}

/** Every switch that is set must be one that the backend has. */
function switchesMistake({ kernels, explored, axes, wrongs }: Architecture): string | undefined {
  if (!isRecord(axes)) return "'axes' must give the values of each switch: { mySwitch: axis([true], [false]) }";
  const shapeless = Object.keys(axes).find(
    (name) => !Array.isArray(axes[name]?.right) || !Array.isArray(axes[name].wrong),
  );
  if (shapeless !== undefined)
    return `'axes' has no values of '${shapeless}': give axis([right values], [wrong values])`;
  if (!isRecord(wrongs)) return "'wrongs' must give the switches of each mistake: { 'no-wait': { mySwitch: false } }";
  const mistake = Object.keys(wrongs).find((name) => !(name in WRONGS));
  if (mistake !== undefined)
    return `'wrongs' has '${mistake}', which is no mistake that twins make: there are ${Object.keys(WRONGS).join(', ')}`;
  const sets: [where: string, switches: unknown][] = [
    ...Object.entries(kernels).map(([id, switches]): [string, unknown] => [`kernel ${id}`, switches]),
    ['explored', explored],
    ...Object.entries(wrongs).map(([name, switches]): [string, unknown] => [`wrong '${name}'`, switches]),
  ];
  const names = Object.keys(axes);
  for (const [where, switches] of sets) {
    if (!isRecord(switches)) return `${where} gives no switches: give an object`;
    const unknown = Object.keys(switches).find((name) => !names.includes(name));
    if (unknown !== undefined) return `${where} sets '${unknown}', which is no switch of 'axes': ${listed(names)}`;
  }
  return undefined;
}

function listsMistake({ skips, mends, breaks = {} }: Architecture): string | undefined {
  const isSkip = (skip: unknown): boolean => isRecord(skip) && isText(skip['scenario']) && isText(skip['why']);
  if (!Array.isArray(skips) || !skips.every(isSkip))
    return "'skips' must be a list of { scenario, why }: which scenarios do not apply, and why not";
  if (!isRecord(mends) || !Object.values(mends).every(isText))
    return "'mends' must give a reason for each twin that is right: { 'T5/naive': 'why' }";
  const isBroken = (broken: unknown): boolean => isRecord(broken) && isText(broken['why']) && 'oracle' in broken;
  return isRecord(breaks) && Object.values(breaks).every(isBroken)
    ? undefined
    : "'breaks' must give { oracle, why } for each scenario that does not hold";
}

/** Makes the backend of the newest kernel and links it. */
function backendMistake(arch: Architecture): string | undefined {
  const { id, kernels, explored } = arch;
  const [kernel, own] = Object.entries(kernels).at(-1)!;
  const profile = KERNELS[kernel as KernelId];
  try {
    const spec = arch.backend({ ...own, ...explored });
    if (!isRecord(spec) || typeof spec.link !== 'function')
      return "'backend' returns no BackendSpec: give { id, isa, mmContextFields, link }";
    if (spec.id !== id) return `its backend has the id '${spec.id}': both must be equal`;
    const mistake = isaMistake(spec.isa);
    if (mistake !== undefined) return mistake;
    if (!Array.isArray(spec.mmContextFields) || !spec.mmContextFields.every(isText))
      return "its 'mmContextFields' must be a list of names: words of an mm that are the backend's own";
    const linked = bootKernel(new Layout(), { cpus: 2, geometry: TINY, backend: spec, profile }).backend;
    return hooksMistake(linked as unknown as BackendSwitches);
  } catch (error) {
    return `its backend cannot be linked: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

function isaMistake(isa: Partial<BackendSpec['isa']> | undefined): string | undefined {
  if (!isRecord(isa)) return "its backend has no 'isa': give the hardware as data";
  if (!['sc', 'tso', 'weak'].includes(isa.memoryModel as string))
    return `its 'isa.memoryModel' is '${isa.memoryModel}': give sc, tso or weak`;
  if (!Number.isInteger(isa.asids) || isa.asids! < 1) return "its 'isa.asids' must be a whole number from 1 on";
  const missing = (['multiCopyAtomic', 'broadcasts', 'cleanWalks', 'accessed', 'dirty', 'instructions'] as const).find(
    (field) => isa[field] === undefined,
  );
  return missing === undefined ? undefined : `its 'isa' does not say '${missing}'`;
}

function hooksMistake(linked: BackendSwitches): string | undefined {
  const fits = (name: string, kind: HookKind): boolean => {
    const hook = linked[name];
    if (kind === 'data') return hook !== undefined;
    return typeof hook === 'function' || (kind === 'nullable' && hook === null);
  };
  const missing = Object.entries(HOOKS).flatMap(([name, kind]) => (fits(name, kind) ? [] : [name]));
  if (missing.length === 0) return undefined;
  return `its backend lacks ${missing.join(', ')}: see Backend in @mmu-gather/core; ASM_GENERIC has what most leave empty`;
}

type HookKind = 'function' | 'nullable' | 'data';

/** What a linked backend must have. */
const HOOKS: Readonly<Record<keyof Backend, HookKind>> = {
  id: 'data',
  isa: 'data',
  handlers: 'data',
  lazyMmu: 'data',
  pte: 'data',
  translationTable: 'data',
  gathersPages: 'data',
  movesTables: 'data',
  gatherPageSize: 'data',
  processTable: 'data',
  initNewContext: 'function',
  switchMm: 'function',
  activateMm: 'nullable',
  enterLazyTlb: 'function',
  switchTo: 'nullable',
  finishArchPostLockSwitch: 'nullable',
  archExitMmap: 'nullable',
  destroyContext: 'nullable',
  cleanupLazyTlbs: 'nullable',
  tlbMiss: 'nullable',
  tableFreed: 'nullable',
  leaveMmEverywhere: 'function',
  tlbFlush: 'function',
  flushTlbMm: 'function',
  flushTlbRange: 'function',
  flushTlbKernelRange: 'function',
  flushTlbPage: 'function',
  flushTlbGen: 'function',
  tlbbatchShouldDefer: 'function',
  tlbbatchAddPending: 'function',
  tlbbatchFlush: 'function',
  flushTlbBatchedPending: 'nullable',
  pteNeedsFlush: 'function',
  hugePmdNeedsFlush: 'function',
  pteAccessible: 'function',
};

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
}
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
