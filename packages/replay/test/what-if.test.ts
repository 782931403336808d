// What if: flushes are billed as the checker counts them, alternatives are replays of their own, and a gain is their difference.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { measure } from '@mmu-gather/checker';
import {
  type AnyScenario,
  ARCHITECTURES,
  cells,
  machineOf,
  profileOf,
  PROFILES,
  SCENARIOS,
  scheduled,
} from '@mmu-gather/conformance';
import { type BootOptions, finish, TINY } from '@mmu-gather/core/stepped';
import { CountingMachine } from '@mmu-gather/counting/stepped';
import { afterAll, describe, expect, test } from 'vitest';
import {
  backendsOf,
  COSTS,
  CostsError,
  csvOf,
  type Outcome,
  pricesOf,
  readCosts,
  WHAT_IF_ARCHS,
  whatIf,
} from '../src/index.ts';
import { replayWatched } from '../src/replay.ts';
import { changeOf } from '../src/what-if/change.ts';
import { addBills, type Bill, Meter } from '../src/what-if/meter.ts';

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', `${name}.trace.txt.gz`);

const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-what-if-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A scenario's threads, one after the other, billed. */
function billed(id: string, arch: string): Bill {
  const architecture = ARCHITECTURES.find((each) => each.id === arch)!;
  const [cell] = cells(SCENARIOS, [architecture], { scenarios: [id], profiles: ['linux-6.18'] });
  const scenario = cell!.scenario as AnyScenario & {
    setup(run: unknown, kernel: unknown): never;
    threads(env: never, kernel: unknown): readonly (((cpu: unknown) => never) | undefined)[];
  };
  const options: BootOptions = {
    cpus: scenario.cpus,
    geometry: scenario.geometry ?? TINY,
    backend: architecture.backend(cell!.backendSwitches),
    profile: cell!.profile,
  };
  const machine = new CountingMachine(options);
  const meter = new Meter({ prices: { ...pricesOf(COSTS[arch]!), entries: Infinity } });
  const host = {
    direct: new CountingMachine(options, machine.arena),
    stepped: machine,
    cpus: scenario.cpus,
    operation: null as unknown,
    time: 0,
    pageSize: 4096,
  };
  meter.begin(host as never, 1);
  const env = scenario.setup(
    (cpu: number, body: (cpu: unknown) => never) => finish(body(machine.cpus[cpu]!)),
    machine.kernel,
  );
  host.operation = {
    name: 'scenario',
    args: [],
    pid: 1,
    cpu: 0,
    kind: 'syscall',
    line: 1,
    site: '',
    time: 0,
    id: 1,
    until: 0,
    assumed: null,
    space: 0,
  };
  scenario.threads(env, machine.kernel).forEach((thread, cpu) => {
    if (thread !== undefined) finish(thread(machine.cpus[cpu]!));
  });
  return addBills(meter.lines.map(({ bill }) => bill));
}

/** The same on the checker. */
function measured(id: string, arch: string): ReturnType<typeof measure> {
  const architecture = ARCHITECTURES.find((each) => each.id === arch)!;
  const [cell] = cells(SCENARIOS, [architecture], { scenarios: [id], profiles: ['linux-6.18'] });
  const machine = machineOf(cell!);
  return measure(machine, scheduled(machine, 'sequential'));
}

describe('flushes are billed as the checker counts them', () => {
  const ids = ['munmap/running-thread', 'munmap/own-entries', 'munmap/tables', 'cow/running-thread'];
  const archs = ['x86', 'arm64', 'powerpc-radix', 's390', 'riscv'];
  test.each(ids.flatMap((id) => archs.map((arch) => [id, arch] as const)))('%s on %s', (id, arch) => {
    const [bill, costs] = [billed(id, arch), measured(id, arch)];
    const { flushes, redundant, ipis, removed } = costs;
    expect(bill).toMatchObject({ flushes, redundant, ipis });
    // riscv's TLBs hold entries that are not valid, too: the checker counts these among what they lose.
    expect(bill.lost).toBeGreaterThan(0);
    if (arch !== 'riscv') expect(bill.lost).toBe(removed);
  });
});

describe('a recording', () => {
  test('is billed by process and operation: what ran is the sum of them', async () => {
    const report = await whatIf(fixture('m04-forkcow'));
    expect(report.recorded).toMatchObject({ flushes: 359, ipis: 278, redundant: 5, tellsRedundant: true });
    expect(report.recorded.ipis).toBe(report.replay.costs.ipis);
    const sum = (key: 'flushes' | 'ipis' | 'lost' | 'redundant'): number =>
      report.operations.reduce((total, each) => total + each[key], 0);
    for (const key of ['flushes', 'ipis', 'lost', 'redundant'] as const) expect(sum(key)).toBe(report.recorded[key]);
    expect(report.operations[0]).toMatchObject({ process: 'mmw', operation: 'fault', flushes: 267, ipis: 267 });
    expect(Object.values(report.causes).reduce((a, b) => a + b)).toBe(5);
    expect(report.histogram[1]).toBeGreaterThan(300);
    const drawn = Object.values(report.over.kinds).flat();
    const { pages, full, loads } = report.recorded;
    expect(drawn.reduce((a, b) => a + b)).toBe(pages + full + loads);
  });

  test('munmap of what is PROT_NONE flushes for nothing; emptied first, it does not', async () => {
    const lines = gunzipSync(readFileSync(fixture('m01-ceiling')))
      .toString()
      .split('\n');
    const path = join(folder, 'ceiling.txt');
    writeFileSync(path, `${lines.slice(0, 6000).join('\n')}\n`);
    const report = await whatIf(path);
    const munmap = report.operations.find(({ operation }) => operation === 'munmap')!;
    expect(munmap.redundant).toBeGreaterThan(15);
    expect(munmap.flushes).toBeGreaterThan(2 * munmap.redundant);
    expect(munmap.causes).toEqual({ 'what was taken away was not usable (PROT_NONE, say)': munmap.redundant });
    const changed = new Meter({ prices: pricesOf(COSTS['x86']!) });
    const everybody = (): boolean => true;
    await replayWatched(path, { observer: changed, change: changeOf('order', everybody, everybody) });
    const after = addBills(changed.lines.map(({ bill }) => bill));
    expect(report.recorded.redundant - after.redundant).toBe(munmap.redundant);
    expect(report.recorded.flushes - after.flushes).toBe(munmap.redundant);
  });

  test('advice is tried, for those who spend most', async () => {
    const { advice, operations } = await whatIf(fixture('m02-lazy'), { advise: true });
    const [first] = operations;
    expect(advice.some(({ pid, operation }) => pid === first!.pid && operation === first!.operation)).toBe(true);
    // With everybody on one CPU nobody is interrupted.
    const alone = advice.find(({ change }) => change === 'one-cpu')!;
    const ipis = operations.reduce((sum, each) => sum + (each.pid === alone.pid ? each.ipis : 0), 0);
    expect(alone.gain.ipis).toBe(ipis);
    expect(ipis).toBeGreaterThan(30);
    expect(advice.map(({ gain }) => gain.microseconds)).toEqual(
      advice.map(({ gain }) => gain.microseconds).toSorted((a, b) => b - a),
    );
  });

  test('alternatives are replays: fewer CPUs, a lower ceiling, another architecture', async () => {
    const arm64 = ARCHITECTURES.find(({ id }) => id === 'arm64')!;
    const spec = PROFILES.find(({ id }) => id === 'linux-6.18')!;
    const profile = { ...profileOf(spec, arm64.config), vmaMerge: true };
    const whatIfArm64 = { profile, backends: backendsOf('arm64', arm64.kernels['linux-6.18']!) };
    const report = await whatIf(fixture('m02-lazy'), {
      alternatives: [
        { name: 'one CPU', arch: 'x86', cpus: 1, facts: { cpus: 1 } },
        { name: 'low', arch: 'x86', facts: { ceiling: 1 } },
        { name: 'arm64', arch: 'arm64', whatIf: whatIfArm64 },
      ],
    });
    const [alone, low, other] = report.alternatives as [Outcome, Outcome, Outcome];
    expect(alone.ipis).toBe(0);
    expect(report.recorded.ipis).toBeGreaterThan(30);
    expect(low.full).toBeGreaterThan(report.recorded.full);
    expect(low.pages).toBeLessThan(report.recorded.pages);
    expect(other).toMatchObject({ name: 'arm64', ipis: 0, tellsRedundant: true });
    expect(other.flushes).toBeGreaterThan(100);
  });
});

describe('costs', () => {
  test('every figure has a source, and lies in its range', () => {
    for (const { costs, ghz } of Object.values(COSTS)) {
      expect(ghz).toBeGreaterThan(0);
      for (const { value, low, high, source } of Object.values(costs)) {
        expect(value).toBeGreaterThanOrEqual(low);
        expect(value).toBeLessThanOrEqual(high);
        expect(source.length).toBeGreaterThan(10);
      }
    }
    expect(Object.keys(COSTS)).toEqual(WHAT_IF_ARCHS);
  });

  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test('a file of TOML or JSON has its own; cycles count at its frequency', () => {
    const toml = readCosts(file('a.toml', '[x86]\nghz = 2\nipi = 6000\npage = "35 ns"\n'));
    expect(pricesOf(toml['x86']!)).toMatchObject({ ipi: 3000, page: 35 });
    expect(toml['arm64']).toBe(COSTS['arm64']);
    const json = readCosts(file('a.json', '{"riscv": {"wait": 7}}'));
    expect(pricesOf(json['riscv']!)).toMatchObject({ wait: 7 });
  });

  test.each([
    ['no-such.toml', null, /no such file$/],
    ['b.toml', '[x86', /no TOML: .*/],
    ['b.json', '[]', /give a table for each architecture/],
    ['c.toml', '[vax]\nipi = 1', /there is no architecture 'vax': there are x86, arm64/],
    ['d.toml', 'x86 = 3', /'x86' is no table/],
    ['e.toml', '[x86]\nipis = 1', /there is no cost 'x86.ipis': there are ghz, page/],
    ['f.toml', '[x86]\nipi = -1', /'x86.ipi' is -1: give a number from 0 on/],
    ['g.toml', '[x86]\nipi = "3 s"', /'x86.ipi' is .*give a number/],
    ['h.toml', '[x86]\nentries = "3 ns"', /'x86.entries' is a number of entries/],
  ])('%s: one line', (name, text, message) => {
    const path = text === null ? join(folder, name) : file(name, text);
    expect(() => readCosts(path)).toThrow(CostsError);
    expect(() => readCosts(path)).toThrow(message);
    expect(() => readCosts(path)).toThrow(/^[^\n]*$/);
  });
});

test('CSV has a row for each alternative and operation; what is not known is empty', async () => {
  const report = await whatIf(fixture('m02-lazy'));
  const unknown = { ...report.recorded, name: 'a, b', tellsRedundant: false };
  const lines = csvOf({ ...report, alternatives: [unknown] })
    .trimEnd()
    .split('\n');
  expect(lines[0]).toBe('table,name,pid,operation,site,flushes,redundant,ipis,pages,full,loads,lost,microseconds');
  expect(lines).toHaveLength(1 + 2 + report.operations.length);
  expect(lines[2]).toMatch(/^alternative,"a, b",,,,\d+,,\d+,\d+,\d+,\d+,,[\d.]+$/);
});
