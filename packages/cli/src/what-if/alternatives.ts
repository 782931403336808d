/**
 * Alternatives of `replay --what-if`: what people type, as systems that can run.
 *
 *     profile=flush-ring            another batching system, on the recorded architecture unless arch= says another
 *     arch=arm64                    another architecture, with the recorded kernel's version unless profile= says another
 *     ceiling=8, thp=always         facts of the machine (x86)
 *     cpus=1                        fewer CPUs
 *     fullmm=F2, x86.hz=100         any switch that `list axes` names
 */
import { ARCHITECTURES, type Architecture, profileOf, type ProfileSpec } from '@mmu-gather/conformance';
import {
  type Alternative,
  assumptionsOf,
  backendsOf,
  DEFAULT_FACTS,
  type HugePages,
  type MachineFacts,
  WHAT_IF_ARCHS,
  type WhatIf,
} from '@mmu-gather/replay';
import { Misuse } from '../misuse.ts';
import { suggestion } from '../nearest.ts';
import { oneProfile } from '../suite/plan.ts';

/** Architectures of which a recording with pages of 4 KiB can be replayed on others; those of powerpc have 64 KiB. */
const SMALL_PAGES: readonly string[] = ['x86', 'arm64'];

/** Batching systems that are asked about if nobody says what. */
const USUAL: readonly string[] = [
  'profile=linux-6.18',
  'profile=rfc-2021-corrected',
  'profile=flush-ring',
  'profile=sync-finish',
  'profile=aggressive',
];

const HUGE_PAGES: readonly HugePages[] = ['always', 'madvise', 'never'];

/** The kernel versions that profiles start from, newest first. */
const VERSIONS = ['6.18', '6.12', '6.1', '5.11'] as const;

/** Alternatives as they were typed; an empty one stands for the usual ones. @throws Misuse if one cannot be */
export function alternativesOf(typed: readonly string[], facts: MachineFacts): Alternative[] {
  const all = typed.flatMap((one) => (one.trim() === '' ? usual(facts) : [one]));
  return all.map((one) => alternativeOf(one, facts));
}

function recordedArch({ backend = DEFAULT_FACTS.backend }: MachineFacts): string {
  return backend;
}

/** Other batching systems, other machines of its kind than the one that recorded, and other architectures. */
function usual(facts: MachineFacts): readonly string[] {
  const recorded = recordedArch(facts);
  const own = facts.kernel === undefined ? '' : `profile=linux-${versionOf(facts.kernel)}`;
  const others = SMALL_PAGES.includes(recorded) ? WHAT_IF_ARCHS.filter((arch) => arch !== recorded) : [];
  return [
    ...USUAL.filter((system) => system !== own),
    ...(recorded === 'x86' ? otherMachines(facts) : []),
    ...others.map((arch) => `arch=${arch}`),
  ];
}

/** What else an x86 machine could be: what is not known of it is taken to be as usual. */
function otherMachines({
  ceiling = DEFAULT_FACTS.ceiling,
  hugePages,
  invlpgb,
  cpus = DEFAULT_FACTS.cpus,
}: MachineFacts): readonly string[] {
  return [
    ceiling > LOW_CEILING ? `ceiling=${LOW_CEILING}` : `ceiling=${DEFAULT_FACTS.ceiling}`,
    hugePages === 'always' ? 'thp=never' : 'thp=always',
    ...(invlpgb === true || cpus === 1 ? [] : ['x86.shootdown=broadcast']),
    ...(cpus === 1 ? [] : ['cpus=1']),
  ];
}

/** A tlb_single_page_flush_ceiling that is asked about. */
const LOW_CEILING = 8;

function alternativeOf(typed: string, facts: MachineFacts): Alternative {
  const fields = new Map<string, string>();
  const settings: string[] = [];
  for (const part of typed.split(',').map((text) => text.trim())) {
    const [, key = '', value = ''] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    if (key === '')
      throw new Misuse(`--what-if: '${part}' asks nothing: write what=value, for instance profile=flush-ring`);
    if (['arch', 'profile', 'cpus', 'ceiling', 'thp'].includes(key)) fields.set(key, value);
    else settings.push(part);
  }
  const recorded = recordedArch(facts);
  const arch = oneOf('arch', fields.get('arch') ?? recorded, WHAT_IF_ARCHS);
  if (arch !== recorded && !SMALL_PAGES.includes(recorded))
    throw new Misuse(
      `--what-if: arch=${arch}: pages of 64 KiB were recorded: ask with recordings of ${SMALL_PAGES.join(' or ')}`,
    );
  const system = systemOf(arch, fields.get('profile'), settings, facts);
  const [cpus, ceiling] = [numberOf('cpus', fields.get('cpus'), 1), numberOf('ceiling', fields.get('ceiling'), 0)];
  const thp = fields.get('thp');
  const changed: MachineFacts = {
    ...system.facts,
    ...(ceiling !== undefined && { ceiling }),
    ...(thp !== undefined && { hugePages: oneOf('thp', thp, HUGE_PAGES) }),
    ...(cpus !== undefined && { cpus }),
  };
  const assumes = [
    ...assumptionsOf(arch, arch !== recorded),
    ...(cpus === undefined ? [] : ['CPU c does what CPU c mod n did, in the recorded order']),
  ];
  const { whatIf } = system;
  return { name: nameOf(fields, settings), arch, whatIf, facts: changed, assumes, ...(cpus !== undefined && { cpus }) };
}

/** `flush-ring`, `arm64`, `arm64, flush-ring`, `ceiling=8`. */
function nameOf(fields: ReadonlyMap<string, string>, settings: readonly string[]): string {
  const parts = [...fields].map(([key, value]) => (key === 'arch' || key === 'profile' ? value : `${key}=${value}`));
  return [...parts, ...settings].join(', ');
}

/** What runs: a batching system on an architecture. */
function systemOf(
  arch: string,
  profile: string | undefined,
  settings: readonly string[],
  facts: MachineFacts,
): Required<Pick<Alternative, 'whatIf' | 'facts'>> {
  if (arch === recordedArch(facts) && profile === undefined && settings.length === 0) return { whatIf: {}, facts: {} };
  const spec = oneProfile(profile ?? `linux-${versionOf(facts.kernel)}`, settings);
  const architecture = ARCHITECTURES.find(({ id }) => id === arch)!;
  if (arch === 'x86' && recordedArch(facts) === arch)
    return {
      facts: { kernel: spec.kernel.replace('linux-', '') },
      whatIf: { profile: spec.switches, x86: spec.backend['x86'] ?? {} },
    };
  return { facts: {}, whatIf: otherArch(architecture, spec) };
}

function otherArch(arch: Architecture, spec: ProfileSpec): WhatIf {
  const kernel = arch.kernels[spec.kernel];
  if (kernel === undefined)
    throw new Misuse(`--what-if: there is no ${spec.kernel} of ${arch.id}, which ${spec.id} starts from`);
  // VMAs merge, as in the replay of what was recorded.
  const profile = { ...profileOf(spec, arch.config), vmaMerge: true };
  return { profile, backends: backendsOf(arch.id, { ...kernel, ...spec.backend[arch.id] }) };
}

/** The newest kernel version with a profile that is not newer than the recorded one. */
function versionOf(kernel: string = DEFAULT_FACTS.kernel): string {
  const order = (version: string): number => {
    const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
    return major * 1000 + minor;
  };
  return VERSIONS.find((version) => order(version) <= order(kernel)) ?? VERSIONS.at(-1)!;
}

function oneOf<T extends string>(what: string, typed: string, names: readonly T[]): T {
  const found = names.find((name) => name === typed);
  if (found !== undefined) return found;
  throw new Misuse(
    `--what-if: there is no ${what} '${typed}':${suggestion(typed, names)} there are: ${names.join(', ')}`,
  );
}

function numberOf(what: string, typed: string | undefined, least: number): number | undefined {
  if (typed === undefined) return undefined;
  const value = Number(typed);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Misuse(`--what-if: ${what} is '${typed}': give a whole number from ${least} on`);
}
