/**
 * replay, list, demo and help.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIXTURES, folder, mmuGather } from './command.ts';
import { type Driver, startDriver } from './driver.ts';

const SLOW = { timeout: 120_000 };
const TRACE = join(FIXTURES, 'm10-pcid8.trace.txt.gz');
const FACTS = join(FIXTURES, 'x86-6.18-host.json');

describe('replay', () => {
  test('prints the score as a table of 80 columns', SLOW, async () => {
    const { code, out, err } = await mmuGather(['replay', TRACE.slice(FIXTURES.length), '--facts', FACTS], {
      cwd: FIXTURES,
    });
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).toMatch(/^flushes +recorded +predicted +exact +allowed +missed +spurious$/m);
    expect(out).toContain('Assumed of the machine: ');
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('prints JSON of schema 1', SLOW, async () => {
    const { code, out } = await mmuGather(['replay', TRACE, '--facts', FACTS, '--json']);
    const report = JSON.parse(out) as Record<string, unknown>;
    const counts = ['events', 'recorded', 'predicted', 'matched', 'precision', 'recall', 'seconds'];
    expect(report).toMatchObject({ schema: 1, byReason: expect.any(Object), mismatches: expect.any(Array) });
    expect(report).toMatchObject(Object.fromEntries(counts.map((key) => [key, expect.any(Number)])));
    expect(report['recall']).toBeGreaterThanOrEqual(0.95);
    expect(report['precision']).toBeGreaterThanOrEqual(0.95);
    expect(code).toBe(0);
  });

  test('makes a gate of the score if asked to', SLOW, async () => {
    const text = gunzipSync(readFileSync(TRACE)).toString('utf8');
    const cwd = folder({ 'forged.txt': text.replaceAll(/pages:\d+ (reason:local MM shootdown)/g, 'pages:30 $1') });
    const [enough, missed] = await Promise.all([
      mmuGather(['replay', TRACE, '--facts', FACTS, '--fail-under', '0.95']),
      mmuGather(['replay', 'forged.txt', '--facts', FACTS, '--fail-under', '0.95'], { cwd }),
    ]);
    expect(enough.code).toBe(0);
    expect(missed.out).toMatch(/^\d+ mismatches:$/m);
    expect(missed.code).toBe(1);
  });

  test('runs another system on the recording, and says what that costs', SLOW, async () => {
    const lazy = join(FIXTURES, 'm02-lazy.trace.txt.gz');
    const [recorded, other] = await Promise.all([
      mmuGather(['replay', lazy, '--facts', FACTS]),
      mmuGather(['replay', lazy, '--facts', FACTS, '--profile', 'aggressive', '--with', 'mprotectWritable=false']),
    ]);
    const flushes = (out: string): number => Number(/flushed (\d+) times/.exec(out)?.[1]);
    expect(flushes(other.out)).toBeLessThan(flushes(recorded.out));
    expect(other.out).toMatch(/^\d+ mismatches$/m);
    expect(other.code).toBe(0);
  });

  test('what if: within 80 columns, as JSON and as CSV', SLOW, async () => {
    const cwd = folder({});
    const asked = [
      'replay',
      TRACE,
      '--facts',
      FACTS,
      '--what-if',
      'profile=linux-5.11',
      '--what-if',
      'arch=riscv',
      '--no-advice',
    ];
    const [text, json] = await Promise.all([
      mmuGather(asked),
      mmuGather([...asked, '--json', '--csv', 'a.csv'], { cwd }),
    ]);
    expect(text.code).toBe(0);
    for (const line of text.out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(text.out).toMatch(/^what if +flushes +redundant +IPIs +lost +time\nrecorded .*\nlinux-5\.11 .*\nriscv /m);
    const report = JSON.parse(json.out) as { schema: number; alternatives: { name: string; assumes: string[] }[] };
    expect(report).toMatchObject({ schema: 1, advice: [], alternatives: [{ name: 'linux-5.11' }, { name: 'riscv' }] });
    expect(report.alternatives[1]!.assumes).toContain('pages and page tables as recorded');
    expect(readFileSync(join(cwd, 'a.csv'), 'utf8')).toMatch(
      /^table,name,.*\nalternative,recorded,.*\nalternative,linux-5\.11,/,
    );
  });

  test('the usual questions go by what is known of the machine', SLOW, async () => {
    const cwd = folder({
      'small.json': '{"kernel":"6.18.44","cpus":1,"ceiling":4,"hugePages":"always"}',
      'large.json': '{"kernel":"6.12","cpus":8,"invlpgb":true}',
    });
    const names = async (facts: string): Promise<string[]> => {
      const { out } = await mmuGather(['replay', TRACE, '--facts', facts, '--what-if', '--no-advice', '--json'], {
        cwd,
      });
      return (JSON.parse(out) as { alternatives: { name: string }[] }).alternatives.map(({ name }) => name);
    };
    const [small, large] = await Promise.all([names('small.json'), names('large.json')]);
    const asks = [
      'linux-6.18',
      'ceiling=33',
      'ceiling=8',
      'thp=never',
      'thp=always',
      'x86.shootdown=broadcast',
      'cpus=1',
    ];
    expect(asks.filter((name) => small.includes(name))).toEqual(['ceiling=33', 'thp=never']);
    expect(asks.filter((name) => large.includes(name))).toEqual(['linux-6.18', 'ceiling=8', 'thp=always', 'cpus=1']);
  });

  test('reports what it could read of a cut recording', SLOW, async () => {
    const cwd = folder({});
    writeFileSync(join(cwd, 'cut.gz'), readFileSync(TRACE).subarray(0, 9_000));
    const { code, out } = await mmuGather(['replay', 'cut.gz', '--json'], { cwd });
    const report = JSON.parse(out) as { events: number; truncated: unknown };
    expect(report.events).toBeGreaterThan(100);
    expect(report.truncated).not.toBeNull();
    expect(code).toBe(0);
  });
});

describe('list', () => {
  let driver: Driver;
  beforeAll(() => {
    driver = startDriver(folder({}));
  });
  afterAll(() => driver.end());
  const list = async (...args: string[]): Promise<string> => {
    const answer = await driver.ask({ args: ['list', ...args] });
    expect(answer).toMatchObject({ code: 0, err: '' });
    return (answer as { out: string }).out;
  };

  test.each(['archs', 'profiles', 'axes', 'scenarios', 'oracles', 'bugs', 'costs'])(
    '%s, as a table and as JSON',
    SLOW,
    async (what) => {
      const table = await list(what);
      const parsed = JSON.parse(await list(what, '--json')) as Record<string, Record<string, unknown>[]>;
      const rows = parsed[what]!;
      expect(parsed).toMatchObject({ schema: 1 });
      expect(table.split('\n\n')[0]!.trimEnd().split('\n')).toHaveLength(1 + rows.length);
      for (const row of rows) expect(table).toContain(String(Object.values(row)[0]));
    },
  );

  test('scenarios as one architecture sees them', SLOW, async () => {
    const { out, code } = await mmuGather(['list', 'scenarios', '--arch', 'x86']);
    expect(out).toMatch(/^munmap\/running-thread +holds +munmap of a page/m);
    expect(out).toMatch(/^munmap\/three-cpus\/self-only +not applicable +x86 has no 'self-only'/m);
    expect(code).toBe(0);
    const { out: json } = await mmuGather(['list', 'scenarios', '--json']);
    const { scenarios } = JSON.parse(json) as { scenarios: { scenario: string; archs: string[] }[] };
    const archsOf = (id: string) => scenarios.find(({ scenario }) => scenario === id)!.archs;
    expect(archsOf('munmap/three-cpus')).toContain('x86');
    expect(archsOf('munmap/three-cpus/self-only')).not.toContain('x86');
    expect(await mmuGather(['list', 'scenarios', '--arch', 'x68'])).toMatchObject({ code: 2, out: '' });
    expect(await mmuGather(['list', 'axes', '--arch', 'x86'])).toMatchObject({ code: 2, out: '' });
  });
});

describe('help', () => {
  test.each([[], ['conformance'], ['check'], ['replay'], ['list'], ['demo']])(
    '%s ends with an example',
    async (...command) => {
      const { code, out, err } = await mmuGather([...command, '--help']);
      expect(out).toMatch(/\nExample: mmu-gather \w+/);
      expect({ code, err }).toEqual({ code: 0, err: '' });
    },
  );

  test('the version', async () => {
    expect(await mmuGather(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

test('demo shows the suite, a race and a recording', SLOW, async () => {
  const { code, out, err } = await mmuGather(['demo']);
  expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect(out).toMatch(/^T8\/fixed +holds +[\d,]+ +holds +[\d,]+ /m);
  expect(out).toMatch(/all \d+ as expected/);
  expect(out).toContain('O1: CPU 1 is in user mode and can access page0');
  expect(out).toMatch(/^exactly: +(99\.\d+|100\.00) %/m);
  expect({ code, err }).toEqual({ code: 0, err: '' });
});
