import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { main } from '../src/cli.ts';

let dir = '';
const at = (path: string): string => join(dir, path);
const read = (path: string): string => readFileSync(at(path), 'utf8');
const write = (path: string, text: string): void => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'stepped-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
  vi.restoreAllMocks();
});

test('gen writes the direct form, keeps what is as it should be, and drops what has no source any more', () => {
  write('src/a.ts', 'export function* f(): Steps<number> { return yield* g(); }\n');
  write('src/deep/data.json', '{}');
  write('.gen/direct/gone.ts', '');
  expect(main(['gen'], dir)).toBe(0);
  expect(read('.gen/direct/a.ts')).toMatch(/^export function\s+f\(\):\s+number\s+{ return\s+g\(\); }\n$/);
  expect(read('.gen/direct/deep/data.json')).toBe('{}');
  expect(statSync(at('.gen/direct/gone.ts'), { throwIfNoEntry: false })).toBeUndefined();

  utimesSync(at('.gen/direct/a.ts'), 1, 1);
  expect(main(['gen'], dir)).toBe(0);
  expect(statSync(at('.gen/direct/a.ts')).mtimeMs).toBe(1000);
});

test('a source without a direct form is refused in one line, with its place', () => {
  write('src/a.ts', 'export function* f(): Steps<void> {\n  const a = yield 1;\n}\n');
  const said = vi.spyOn(console, 'error').mockReturnValue();
  expect(main(['gen'], dir)).toBe(1);
  expect(said.mock.calls).toEqual([['src/a.ts:2:13: the value of a plain yield does not exist in direct code']]);
});

test('finish points direct maps at the sources, and the URLs of workers at what is built', () => {
  const map = (source: string): string => JSON.stringify({ version: 3, sources: [source], mappings: '' });
  write('dist/direct/a.js.map', map('../../.gen/direct/a.ts'));
  write('dist/stepped/a.js.map', map('../../src/a.ts'));
  write('dist/stepped/a.js', "new Worker(new URL('./worker.ts', import.meta.url)); new URL('./b.ts', base);");
  expect(main(['finish'], dir)).toBe(0);
  expect(JSON.parse(read('dist/direct/a.js.map'))).toMatchObject({ sources: ['../../src/a.ts'] });
  expect(JSON.parse(read('dist/stepped/a.js.map'))).toMatchObject({ sources: ['../../src/a.ts'] });
  expect(read('dist/stepped/a.js')).toBe(
    "new Worker(new URL('./worker.js', import.meta.url)); new URL('./b.ts', base);",
  );
});

test.each([[[]], [['build']], [['gen', 'src']]])('usage: %j', (args) => {
  const said = vi.spyOn(console, 'error').mockReturnValue();
  expect(main(args, dir)).toBe(2);
  expect(said.mock.calls).toEqual([['usage: stepped gen|finish']]);
});
