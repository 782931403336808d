// One source, two builds: the same random sequence of operations leaves the same memory, page tables and flush log, on every architecture.
import { arm64 } from '@mmu-gather/arm64';
import { type Architecture, ARCHITECTURES, PROFILES, profileOf, X86 } from '@mmu-gather/conformance';
import { type Counts, CountingMachine as DirectMachine } from '@mmu-gather/counting';
import { CountingMachine as SteppedMachine } from '@mmu-gather/counting/stepped';
import { type BackendSpec, putPage } from '@mmu-gather/core';
import * as stepped from '@mmu-gather/core/stepped';
import * as directMm from '@mmu-gather/mm';
import * as steppedMm from '@mmu-gather/mm/stepped';
import { powerpcHash, powerpcRadix } from '@mmu-gather/powerpc';
import { riscv } from '@mmu-gather/riscv';
import { s390 } from '@mmu-gather/s390';
import { sparc64 } from '@mmu-gather/sparc';
import { x86 } from '@mmu-gather/x86';
import { expect, test } from 'vitest';
import { type Build, CPUS, GEOMETRY, newWorld, OPERATIONS, PAGES, resume } from './operations.ts';

/** Sequences of each architecture and profile, and operations of a sequence. */
const SEQUENCES = 6;
const LENGTH = 250;

type Switches = Readonly<Record<string, unknown>>;

/** The direct build of each backend. What the architectures of the suite have is the stepped one. */
const DIRECT: Readonly<Record<string, (switches: never) => BackendSpec>> = {
  x86,
  arm64,
  'powerpc-hash': powerpcHash,
  'powerpc-radix': powerpcRadix,
  s390,
  sparc64,
  riscv,
};

/** Address-space tags, one for each mm where they are never taken away, and TSBs, which are not given back. */
const TAGS: Readonly<Record<string, Switches>> = {
  'powerpc-hash': { contexts: 16 },
  'powerpc-radix': { pids: 16 },
  s390: { asces: 16 },
  sparc64: { contexts: 8, tsbs: 200 },
};

/** One operation: its name, its CPU, and two random numbers. */
type Call = readonly [name: string, cpu: number, a: number, b: number];

/** Numbers from a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let s = seed;
  return (below) => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Names to draw from: what makes something to work on comes up more often. */
const NAMES = [
  ...Object.keys(OPERATIONS),
  'switch',
  ...['mmap', 'mmapFile', 'store', 'storeSame', 'load', 'hugeStore'].flatMap((n) => [n, n, n]),
];
/** What the hash MMU, which has no huge pages with pages of 4 KiB, does instead of operations on them. */
const SMALL: Readonly<Record<string, string>> = { hugepage: 'mmap', hugeStore: 'storeRow', collapse: 'shrink' };

/** Names to draw from on an architecture. */
function namesOn({ id }: Architecture): readonly string[] {
  return id === 'powerpc-hash' ? NAMES.map((name) => SMALL[name] ?? name) : NAMES;
}

/** What chance hardly ever finds: pages that are alike, and pages that nobody else uses. */
const OPENING: readonly Call[] = [
  ['storeRow', 0, 0, 8],
  ['gup', 0, 0, 1],
  ['ksm', 0, 0, 1],
  ['shrink', 0, 4, 4],
  ['storeRow', 0, 8, 8],
  ['migrate', 0, 12, 4],
  ['collapse', 0, 8, 1],
];

function sequence(seed: number, names: readonly string[]): Call[] {
  const r = random(seed);
  const rest = Array.from({ length: LENGTH }, () => [names[r(names.length)]!, r(CPUS), r(PAGES), 1 + r(8)] as const);
  return [...OPENING.filter(([name]) => names.includes(name)), ...rest];
}

/** Invalidations of a sequence by its log. */
function invalidations(log: readonly unknown[]): number {
  const [, , { fullFlushes, rangeFlushes }] = log.at(-2) as [string, unknown, Counts];
  return fullFlushes + rangeFlushes;
}

/** Runs a sequence. Returns everything that can be seen of it. */
function execute(build: Build, calls: readonly Call[]): unknown[] {
  const { machine } = build;
  const log: unknown[] = [];
  machine.onTrace = (cpu, event, values) => log.push([cpu, event, ...values]);
  machine.onMmu = (cpu, event) => log.push([cpu, event]);
  const world = newWorld(build);
  for (const [name, c, a, b] of calls) {
    const cpu = world.cpus[c]!;
    const own = world.current[c] ?? null;
    const result = name === 'switch' || own === null ? resume(world, cpu, a) : OPERATIONS[name]!(world, cpu, own, a, b);
    log.push([name, result, { ...machine.counts }]);
  }
  log.push([Array.from(machine.arena.words), machine.complaints]);
  return log;
}

/** x86 in every profile, with as many ASIDs as there are; the others in the oldest and the newest kernel, with few, so that they roll over. */
const CELLS = ARCHITECTURES.flatMap((arch) =>
  PROFILES.filter(({ id }) => arch === X86 || id === 'linux-5.11' || id === 'linux-6.18').map((spec) => ({
    id: arch.id,
    profile: spec.id,
    arch,
    spec,
  })),
);

/** The switches of an architecture in a profile. */
function switchesOf(arch: Architecture, spec: (typeof PROFILES)[number]): Switches {
  const explored = arch === X86 ? {} : { ...arch.explored, ...TAGS[arch.id] };
  return { ...arch.kernels[spec.kernel], ...explored, ...spec.backend[arch.id] };
}

test.each(CELLS)('$id, $profile: stepped and direct builds do the same', { timeout: 60_000 }, ({ arch, spec }) => {
  const profile = profileOf(spec, arch.config);
  const switches = switchesOf(arch, spec);
  const done = new Map<string, number>();
  let flushes = 0;
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    const calls = sequence(seed, namesOn(arch));
    const options = { cpus: CPUS, geometry: GEOMETRY, profile };
    const a = execute(
      {
        machine: new DirectMachine({ ...options, backend: DIRECT[arch.id]!(switches as never) }),
        mm: directMm,
        putPage,
        run: (value) => value,
      },
      calls,
    );
    const b = execute(
      {
        machine: new SteppedMachine({ ...options, backend: arch.backend(switches) }),
        mm: steppedMm as unknown as typeof directMm,
        putPage: stepped.putPage as unknown as typeof putPage,
        run: (steps) => stepped.finish(steps as never),
      },
      calls,
    );
    expect(b).toEqual(a);
    // The finish without a gather of RFC 06 as posted (D11) is complained about in both.
    if (profile.clearRefs !== 'gather-unpaired') expect((a.at(-1) as unknown[])[1]).toEqual([]);
    flushes += invalidations(a);
    for (const entry of a as unknown[][]) {
      const [name, result] = entry;
      const worked = typeof result === 'number' ? result > 0 : result === true;
      if (typeof name === 'string' && worked) done.set(name, (done.get(name) ?? 0) + 1);
    }
  }
  // The sequences are worth comparing.
  expect(flushes).toBeGreaterThan(100);
  const worth = ['mremap', 'gup', 'migrate', 'shrink', 'ksm', 'collapse', 'writeback', 'wpMapping', 'vmap', 'numa'];
  for (const name of worth.filter((each) => namesOn(arch).includes(each)))
    expect(done.get(name) ?? 0, `${name} did something`).toBeGreaterThan(0);
});
