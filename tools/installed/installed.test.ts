/**
 * Third parties: the tarballs of all packages are installed with npm in a folder outside the workspace, and the files of docs/third-parties.md
 * run there, green as they stand and red with what is taken away. Part of `npm run check`, after the packages were packed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'mmu-gather-installed-'));

/** The tarball of each package, by name. */
const tarballs = Object.fromEntries(
  readdirSync(join(root, 'packages')).map((folder) => {
    const at = join(root, 'packages', folder);
    const { name } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { name: string };
    const packed = readdirSync(join(at, '.pack')).filter((file) => file.endsWith('.tgz'));
    return [name, `file:${join(at, '.pack', packed[0]!)}`];
  }),
);

/** The files of the page. */
const page = readFileSync(join(root, 'docs/third-parties.md'), 'utf8');
const examples = Object.fromEntries(
  [...page.matchAll(/^<!-- file: (\S+) -->\n```ts\n(.*?)^```/gms)].map(([, name, text]) => [name!, text!]),
);
/** What each is without what makes it right. */
const broken = {
  'silent.ts': examples['bell.ts']!.replace("'linux-6.18': { wait: true }", "'linux-6.18': { wait: false }"),
  'unflushed.ts': examples['zap.ts']!.split('\n')
    .filter((text) => !text.includes('flushTlbRange'))
    .join('\n'),
};
/** The suite under node:test, which needs nothing installed. */
const suite = (backend: string): string =>
  examples['bell.test.ts']!.replace("'vitest'", "'node:test'")
    .replace('./bell.ts', `./${backend}.ts`)
    .replace('munmap/*', 'munmap/running-thread*');

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a program in the folder, with none of what this process was started with. */
function run(command: string, ...args: string[]): Ran {
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, FORCE_COLOR: _force, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: home,
    encoding: 'utf8',
    env: { ...env, NO_COLOR: '1' },
  });
  return { code: status, out: stdout + stderr };
}
const mmuGather = (...args: string[]): Ran =>
  run(process.execPath, 'node_modules/@mmu-gather/cli/dist/main.js', ...args);

beforeAll(() => {
  const files = {
    ...examples,
    ...broken,
    'bell.test.ts': suite('bell'),
    'silent.test.ts': suite('silent'),
    'package.json': JSON.stringify({ private: true, type: 'module', dependencies: tarballs }),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  const installed = run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts');
  if (installed.code !== 0) throw new Error(installed.out);
});
afterAll(() => rmSync(home, { recursive: true }));

test('every package of the workspace is there, and none of its sources', () => {
  const names = readdirSync(join(home, 'node_modules/@mmu-gather')).map((name) => `@mmu-gather/${name}`);
  expect(names.toSorted()).toEqual(Object.keys(tarballs).toSorted());
  expect(Object.values(broken)).not.toContain(examples['bell.ts']);
  expect(Object.values(broken)).not.toContain(examples['zap.ts']);
});

describe('a scenario', () => {
  test.each(['zap.ts', 'tlbi.ts', 'frozen.ts'])('%s is green', (file) => {
    const { code, out } = mmuGather('check', file, '--profile', 'linux-6.18');
    expect(out).toMatch(/\nall \d+ as expected/);
    expect(code).toBe(0);
  });

  test('without its flush it is red, with the race and a page', () => {
    const { code, out } = mmuGather(
      'check',
      'unflushed.ts',
      '--arch',
      'x86',
      '--profile',
      'linux-6.18',
      '--html',
      'pages',
    );
    expect(out).toContain('mine/zap on x86, linux-6.18, tso: violated O1, but it should hold');
    expect(out).toMatch(/xchg table1\[0\] := none -> page0 RW dirty +ptepGetAndClear core\/pte-ops\.ts:\d+\n/);
    expect(code).toBe(1);
    expect(readdirSync(join(home, 'pages'))).toEqual(['index.html', 'mine-zap-x86-linux-6.18-tso.html']);
  });
});

describe('a backend', () => {
  test('is green', () => {
    const { code, out } = mmuGather('conformance', '--backend', 'bell.ts', '--scenario', 'munmap/*');
    expect(out).toMatch(/\nall \d+ as expected/);
    expect(code).toBe(0);
  });

  test('without its barrier it is red, with the race', () => {
    const { code, out } = mmuGather('conformance', '--backend', 'silent.ts', '--scenario', 'munmap/running-thread');
    expect(out).toContain('munmap/running-thread on bell, linux-6.18, tso: violated O1, but it should hold');
    expect(code).toBe(1);
  });

  test('runs the suite in its own tests: green, and red with the race', () => {
    const green = run(process.execPath, '--test', 'bell.test.ts');
    expect(green.out).toMatch(/^ℹ fail 0$/m);
    expect(green.code).toBe(0);
    const red = run(process.execPath, '--test', 'silent.test.ts');
    expect(red.out).toContain(
      'expected: holds, found: violated (O1: page0 is freed, CPU 1 can still access it at page 0)',
    );
    expect(red.code).toBe(1);
  });
});

test('the types that packages bring fit the examples', () => {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023'],
    types: [],
    allowImportingTsExtensions: true,
  };
  const include = ['bell.ts', 'zap.ts', 'tlbi.ts', 'frozen.ts'];
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, include }));
  const { code, out } = run(join(root, 'node_modules/.bin/tsc'), '-p', 'tsconfig.json');
  expect(out).toBe('');
  expect(code).toBe(0);
});
