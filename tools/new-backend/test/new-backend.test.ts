// The tool, in a copy of the files that it reads and changes: what it makes compiles, its unit tests pass, and the suite has a list for it.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
const copy = mkdtempSync(join(tmpdir(), 'new-backend-'));
const read = (path: string): string => readFileSync(join(copy, path), 'utf8');

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, ...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: copy, encoding: 'utf8' });
  return { status, stdout, stderr };
}
function newBackend(...args: string[]): Ended {
  return run(bin('node'), join(root, 'tools/new-backend/main.mjs'), ...args, '--root', copy, '--files-only');
}

beforeAll(() => {
  for (const path of [
    'packages/x86/package.json',
    'packages/conformance/package.json',
    'packages/conformance/src',
    'tsconfig.base.json',
    '.changeset/config.json',
    '.dependency-cruiser.mjs',
  ]) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(root, path), join(copy, path), { recursive: true });
  }
  mkdirSync(join(copy, 'node_modules/@mmu-gather'), { recursive: true });
  for (const name of readdirSync(join(root, 'packages')))
    symlinkSync(join(root, 'packages', name), join(copy, 'node_modules/@mmu-gather', name));
  symlinkSync(join(copy, 'packages/loongarch64'), join(copy, 'node_modules/@mmu-gather/loongarch64'));
  for (const name of ['vitest', '@types'])
    symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
});
afterAll(() => rmSync(copy, { recursive: true }));

test('what is no id, or stands in the way, is refused in one line, and nothing is written', () => {
  expect(newBackend('Loong Arch')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^'Loong Arch' is no id .*\n$/),
  });
  expect(newBackend('x86')).toMatchObject({
    status: 2,
    stderr: 'packages/x86 exists: choose another id, or remove it first\n',
  });
  expect(readdirSync(join(copy, 'packages/x86'))).toEqual(['package.json']);
});

describe('a backend', () => {
  test('is made, and says what comes next', () => {
    const { status, stdout } = newBackend('loongarch64', 'LoongArch');
    expect(status).toBe(0);
    expect(stdout).toBe(
      'packages/loongarch64 is there. See what it does not do yet:\n' +
        '  npm run --silent mmu-gather -- conformance --arch loongarch64 --profile linux-6.18\n',
    );
    expect(newBackend('loongarch64').status).toBe(2);
  });

  test('is known to the suite, to releases and to the rules of imports', () => {
    const list = read('packages/conformance/src/architectures/index.ts');
    expect(list).toContain("import { LOONGARCH64 } from './loongarch64.ts';\n");
    expect(list).toContain("export * from './loongarch64.ts';\n");
    expect(list).toMatch(/ARCHITECTURES: readonly Architecture\[\] = \[[^\]]*LOONGARCH64,?\s*\];/);
    expect(JSON.parse(read('packages/conformance/package.json'))).toHaveProperty(
      ['dependencies', '@mmu-gather/loongarch64'],
      'workspace:^',
    );
    expect(JSON.parse(read('.changeset/config.json')).fixed[0]).toContain('@mmu-gather/loongarch64');
    expect(read('.dependency-cruiser.mjs')).toMatch(/const backends = '[^']*\|loongarch64'/);
    expect(read('packages/conformance/test/suite-loongarch64.test.ts')).toContain('archs: [LOONGARCH64]');
  });

  test('compiles, its tests and what the suite says of it, too', { timeout: 60_000 }, () => {
    const config = {
      extends: './tsconfig.base.json',
      compilerOptions: {
        noEmit: true,
        composite: false,
        incremental: false,
        rewriteRelativeImportExtensions: false,
        declarationMap: false,
        types: ['node'],
        customConditions: ['@mmu-gather/source'],
      },
      include: ['packages/loongarch64', 'packages/conformance/src/architectures/loongarch64.ts'],
    };
    writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config));
    expect(run(bin('tsc'), '-p', 'tsconfig.json')).toMatchObject({ status: 0, stdout: '' });
  });

  test('passes its unit tests', { timeout: 60_000 }, () => {
    const { status, stdout } = run(
      bin('vitest'),
      'run',
      '--root',
      join(copy, 'packages/loongarch64'),
      '--config',
      join(root, 'tools/new-backend/vitest.config.ts'),
    );
    expect(stdout).toContain('2 passed');
    expect(status).toBe(0);
  });

  test('fails the suite with a list: what violates what, setups included, and nothing that throws', {
    timeout: 60_000,
  }, () => {
    writeFileSync(
      join(copy, 'run.mts'),
      `import { cells, runCell, SCENARIOS } from '@mmu-gather/conformance';
      import { LOONGARCH64 } from './packages/conformance/src/architectures/loongarch64.ts';
      const selection = { profiles: ['linux-6.18'], scenarios: ['munmap/*', 'T3/*', 'switch/*'] };
      const results = cells(SCENARIOS, [LOONGARCH64], selection).map((cell) => runCell(cell));
      console.log(JSON.stringify(results.map(({ scenario, ok, oracle, message }) => ({ scenario, ok, oracle, message }))));`,
    );
    const { stdout, stderr } = run(bin('node'), '--conditions=@mmu-gather/source', 'run.mts');
    expect(stderr).toBe('');
    const results = JSON.parse(stdout) as { scenario: string; ok: boolean; oracle?: string; message?: string }[];
    const failed = Object.fromEntries(results.filter(({ ok }) => !ok).map(({ scenario, ...what }) => [scenario, what]));
    expect(failed).toMatchObject({
      'munmap/running-thread': { oracle: 'O1', message: 'page0 is freed, CPU 1 can still access it at page 0' },
      'T3/fixed': { oracle: 'setup', message: expect.stringMatching(/^the setup violates O1: page0 is freed/) },
    });
    // A backend that flushes its own CPU gets what concerns one CPU alone right.
    expect(failed).not.toHaveProperty(['munmap/own-entries']);
  });
});
