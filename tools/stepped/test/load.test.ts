// The two ways a stepped source is loaded in its direct form, on a workspace package `ours` that uses an installed
// package `theirs` with both builds.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createServer } from 'vite';
import { direct } from '../src/vite.ts';

let dir = '';
const files = {
  'package.json': '{ "name": "ours", "type": "module", "exports": { "./stepped": "./src/index.ts" } }',
  'src/index.ts': `import { build } from 'theirs/stepped';
type Steps<T> = Generator<unknown, T>;
function* f(): Steps<number> { return 1; }
export const found: string = typeof f() + ' ' + build;
`,
  'src/main.ts': "import { found } from 'ours/stepped'; console.log(found);",
  'src/thread.ts': `import { Worker } from 'node:worker_threads';
new Worker(new URL('./main.ts', import.meta.url));`,
  'node_modules/theirs/package.json':
    '{ "name": "theirs", "type": "module", "exports": { ".": "./direct.js", "./stepped": "./stepped.js" } }',
  'node_modules/theirs/direct.js': "export const build = 'direct';",
  'node_modules/theirs/stepped.js': "export const build = 'stepped';",
};

beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'stepped-')));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

const node = (...args: string[]): string => execFileSync(process.execPath, args, { cwd: dir, encoding: 'utf8' }).trim();
const register = new URL('../src/register.ts', import.meta.url).href;

test('node as it is runs what is written', () => {
  expect(node('src/main.ts')).toBe('object stepped');
});

test('the register hook', () => {
  expect(node('--import', register, 'src/main.ts')).toBe('number direct');
});

test('the register hook reaches the threads', () => {
  expect(node('--import', register, 'src/thread.ts')).toBe('number direct');
});

test.each([
  ['with the plugin', [direct()], 'number direct'],
  ['without', [], 'object stepped'],
])('vite %s', async (_, plugins, found) => {
  const server = await createServer({
    root: dir,
    configFile: false,
    logLevel: 'silent',
    server: { middlewareMode: true, ws: false, watch: null },
    plugins,
  });
  try {
    expect(await server.ssrLoadModule('/src/index.ts')).toMatchObject({ found });
  } finally {
    await server.close();
  }
});
