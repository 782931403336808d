/**
 * docs/third-parties.md: its files do what it says, green as they stand and red with what it takes away.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '@mmu-gather/conformance';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(join(root, 'docs/third-parties.md'), 'utf8');
const files = Object.fromEntries(
  [...page.matchAll(/^<!-- file: (\S+) -->\n```ts\n(.*?)^```/gms)].map(([, name, text]) => [name!, text!]),
);
const silent = files['bell.ts']!.replace("'linux-6.18': { wait: true }", "'linux-6.18': { wait: false }");
const cwd = folder({ ...files, 'silent.ts': silent });

/** Verdicts by scenario or twin; every cell of one has the same. */
async function verdicts(...args: string[]): Promise<{ code: number | null; found: Record<string, string> }> {
  const { code, out, err } = await mmuGather([...args, '--json'], { cwd });
  expect(err).toBe('');
  const { results } = JSON.parse(out) as Report;
  const found = results.map(({ scenario, verdict, oracle = 'exhaustive' }) => [scenario, `${verdict} ${oracle}`]);
  return { code, found: Object.fromEntries(found) };
}

test('it has an example of each', () => {
  expect(Object.keys(files)).toEqual(['bell.ts', 'bell.test.ts', 'zap.ts', 'tlbi.ts', 'frozen.ts']);
  expect(silent).not.toBe(files['bell.ts']);
});

test.each(['zap.ts', 'tlbi.ts', 'frozen.ts'])('%s is a scenario of about 20 lines', (name) => {
  expect(files[name]!.trimEnd().split('\n').length).toBeLessThanOrEqual(28);
});

describe('scenarios', { timeout: 60_000 }, () => {
  test('zap.ts holds everywhere, and not without the wait', async () => {
    const { code, found } = await verdicts('check', 'zap.ts', '--profile', 'linux-6.18');
    expect(Object.keys(found)).toEqual(['mine/zap', 'mine/zap/no-wait']);
    expect(found['mine/zap']).toBe('holds exhaustive');
    expect(code).toBe(0);
  });

  test('tlbi.ts runs bare instructions', async () => {
    const { code, found } = await verdicts('check', 'tlbi.ts');
    expect(found).toEqual({ 'mine/tlbi': 'holds exhaustive', 'mine/tlbi/no-dsb': 'violated O1' });
    expect(code).toBe(0);
  });

  test('frozen.ts asks its own oracle, on every architecture', async () => {
    const { code, found } = await verdicts('check', 'frozen.ts', '--profile', 'linux-6.18');
    expect(found['mine/frozen']).toBe('holds exhaustive');
    expect(found['mine/frozen/no-wait']).toBe('violated assert');
    expect(code).toBe(0);
  });
});

describe('a backend', { timeout: 120_000 }, () => {
  const some = ['munmap/*', 'mprotect/*', 'fork/*', 'cow/*'].flatMap((pattern) => ['--scenario', pattern]);

  test('passes what the page says', async () => {
    const { code, found } = await verdicts('conformance', '--backend', 'bell.ts', ...some);
    expect(found['munmap/running-thread']).toBe('holds exhaustive');
    expect(found['munmap/running-thread/no-ipi-wait']).toBe('violated O1');
    expect(code).toBe(0);
  });

  test('without its barrier it fails, with the race that the page shows, which its id reruns', async () => {
    const args = ['conformance', '--backend', 'silent.ts', '--scenario', 'munmap/running-thread'];
    const { code, out } = await mmuGather(args, { cwd });
    expect(code).toBe(1);
    const [, race] = /as a failing test does:\n\n```\n([^]*?)```/.exec(page)!;
    expect(race).toContain('broadcast: invalidate all ASIDs,');
    expect(out.replaceAll('silent.ts', 'bell.ts')).toContain(race);
    const [, again] = /mmu-gather (.* --rerun \w+ --full)/.exec(out)!;
    const rerun = await mmuGather(again!.split(' '), { cwd });
    expect(rerun.out).toContain('free page0');
    expect(rerun.code).toBe(1);
  });

  test('is in the lists', async () => {
    const { out: archs } = await mmuGather(['list', 'archs', '--backend', 'bell.ts'], { cwd });
    expect(archs).toMatch(/^bell /m);
    const { out } = await mmuGather(['list', 'scenarios', '--backend', 'bell.ts', '--json'], { cwd });
    const rows = (JSON.parse(out) as { scenarios: { scenario: string; expected: string; archs: string[] }[] })
      .scenarios;
    const row = (id: string) => rows.find(({ scenario }) => scenario === id);
    expect(row('munmap/running-thread')).toMatchObject({ expected: 'holds', archs: expect.arrayContaining(['bell']) });
    expect(row('bug:B13/fixed')).toMatchObject({ expected: 'not applicable' });
    expect(await mmuGather(['list', 'bugs', '--backend', 'bell.ts'], { cwd })).toMatchObject({ code: 2, out: '' });
  });

  test('is one beside the others with --arch all, and runs the user’s scenarios', async () => {
    const { found, code } = await verdicts('check', 'zap.ts', '--backend', 'bell.ts');
    expect(found).toEqual({ 'mine/zap': 'holds exhaustive', 'mine/zap/no-wait': 'violated O1' });
    expect(code).toBe(0);
    const { out } = await mmuGather(
      [
        'check',
        'zap.ts',
        '--backend',
        'bell.ts',
        '--arch',
        'all',
        '--scenario',
        'mine/zap',
        '--profile',
        'linux-6.18',
        '--json',
      ],
      { cwd },
    );
    const archs = (JSON.parse(out) as Report).results.map(({ arch }) => arch);
    expect(archs).toEqual(['x86', 'arm64', 'powerpc-hash', 'powerpc-radix', 's390', 'sparc64', 'riscv', 'bell']);
  });

  test('runs in a vitest file: green, and red with the race', async () => {
    const suite = files['bell.test.ts']!.replace('munmap/*', 'munmap/running-thread*');
    const home = folder({
      ...files,
      'bell.test.ts': suite,
      'silent.ts': silent,
      'package.json': '{ "type": "module" }',
    });
    writeFileSync(join(home, 'silent.test.ts'), suite.replace('./bell.ts', './silent.ts'));
    mkdirSync(join(home, 'node_modules'));
    for (const name of ['@mmu-gather', 'vitest', 'vite'])
      symlinkSync(
        join(root, name === '@mmu-gather' ? 'packages' : `node_modules/${name}`),
        join(home, 'node_modules', name),
      );
    const { out, code } = await vitest(home);
    expect(code).toBe(1);
    expect(out).toMatch(/✓ bell\.test\.ts/);
    expect(out).toMatch(/FAIL +silent\.test\.ts > munmap\/running-thread bell linux-6\.18 tso: holds/);
    expect(out).toContain(
      'Error: expected: holds, found: violated (O1: page0 is freed, CPU 1 can still access it at page 0)',
    );
    expect(out).toMatch(/34 +broadcast: invalidate all ASIDs, everything/);
  });
});

function vitest(home: string): Promise<{ out: string; code: number | null }> {
  const { NODE_OPTIONS: _, VITEST: _own, FORCE_COLOR: _force, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', home], {
    cwd: home,
    env: { ...env, NO_COLOR: '1' },
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (out += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ out, code }));
  });
}
