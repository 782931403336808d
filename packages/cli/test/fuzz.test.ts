/**
 * Fuzzing: scenario files, backends and command lines that nobody would write. No crash, no hang; what is refused, in one line, with exit code 2.
 * MMU_GATHER_FUZZ: number of runs of each, and another seed each time.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Driver, startDriver } from './driver.ts';
import type { Answer, Asked } from './driver-process.ts';

const { MMU_GATHER_FUZZ: wanted } = process.env;
const how = (runs: number): { readonly numRuns: number; readonly seed?: number; readonly endOnFailure?: boolean } =>
  wanted === undefined ? { numRuns: runs, seed: 0x5eed } : { numRuns: Number(wanted), endOnFailure: true };
const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-fuzz-'));
let driver: Driver;
let files = 0;
beforeAll(() => {
  driver = startDriver(folder);
});
afterAll(async () => {
  await driver.end();
  rmSync(folder, { recursive: true });
});
const ask = (asked: Asked): Promise<Answer> => driver.ask(asked);

/** A text as a file of its own: what was imported once is not read again. */
function written(text: string): string {
  const path = join(folder, `f${files++}.ts`);
  writeFileSync(path, text);
  return path;
}

/** It ran, or was refused in one line that names the file. */
function expectRanOrRefused(answer: Answer): void {
  if ('ran' in answer) return;
  expect(answer).toHaveProperty('refused');
  const { refused } = answer as { refused: string };
  expect(refused).toMatch(/^[^\n]+$/);
}

const page = readFileSync(new URL('../../../docs/third-parties.md', import.meta.url), 'utf8');
const example = (name: string): string => page.split(`<!-- file: ${name} -->\n\`\`\`ts\n`)[1]!.split('```')[0]!;

/** What may stand in the place of anything. */
const ODD = [
  'undefined',
  'null',
  '0',
  '-1',
  '1e9',
  'NaN',
  '2.5',
  '1n',
  '""',
  '"x"',
  '"a\\nb"',
  'true',
  '[]',
  '{}',
  '[null]',
  '[1]',
  '["x"]',
  '[[]]',
  '() => {}',
  '() => null',
  '() => [null]',
  '() => { throw new Error("one\\ntwo"); }',
  '() => { throw null; }',
  '() => [() => 5]',
  'function* () {}',
  '() => [function* () {}]',
  '() => [function* (cpu) { yield* cpu.smpMb(); }]',
  '() => [function* () { yield 1; }]',
  'Symbol("s")',
  'new Date(0)',
  'new Map()',
  'Object.create(null)',
  'new Proxy({}, { get() { throw new Error("proxy"); } })',
  '{ get id() { throw new Error("getter"); } }',
  '{ archs: 5 }',
  '{ archs: ["x86"], why: "w" }',
  '{ states: 1, why: "w" }',
  '{ pageShift: 12, bits: [1, 1] }',
  '{ bits: [] }',
  '{ pageShift: 12, bits: [30, 30] }',
  '{ mm: -1 }',
  '{ page: 1e9 }',
  '{ backend: { x86: 5 } }',
  '{ x86: { dynAsids: 0 } }',
  '{ profile: null }',
];
const TWIN = [
  'id',
  'why',
  'oracle',
  'property',
  'profile',
  'wrong',
  'backend',
  'threads',
  'where',
  'profiles',
  'memoryModels',
];
const SCENARIO = [
  'id',
  'title',
  'source',
  'cpus',
  'geometry',
  'pools',
  'only',
  'bound',
  'where',
  'profiles',
  'profile',
  'backend',
  'strict',
  'reserve',
  'setup',
  'threads',
  'final',
  'invariant',
  'twins',
];
const ARCHITECTURE = ['id', 'kernels', 'explored', 'config', 'axes', 'wrongs', 'skips', 'mends', 'breaks', 'backend'];

/** Fields with odd values, as the inside of an object. */
const odd = (fields: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.constantFrom(...fields), fc.constantFrom(...ODD)), { minLength: 1, maxLength: 3 })
    .map((pairs) => pairs.map(([field, value]) => `${field}: ${value}`).join(', '));

/** A text with pieces cut out, doubled, or put in. */
const damaged = (text: string): fc.Arbitrary<string> => {
  const place = fc.nat(text.length);
  const scrap = fc.constantFrom(
    '{',
    '}',
    '(',
    ')',
    '`',
    "'",
    '/*',
    '*/',
    ';',
    '=>',
    'yield*',
    'await ',
    'import ',
    '\u0000',
    'é',
    '...',
  );
  const change = fc.tuple(place, fc.nat(20), fc.constantFrom('cut', 'double', 'put', 'end'), scrap);
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) =>
    changes.reduce((now, [at, length, way, put]) => {
      if (way === 'cut') return now.slice(0, at) + now.slice(at + length);
      if (way === 'double') return now.slice(0, at + length) + now.slice(at);
      return way === 'put' ? now.slice(0, at) + put + now.slice(at) : now.slice(0, at);
    }, text),
  );
};

describe('no crash, no hang, one line', { timeout: 1_200_000 }, () => {
  test('scenarios of odd shapes', async () => {
    const good = "id: 'a', title: 'a', cpus: 1, setup() {}, threads: () => [function* (cpu) { yield* cpu.smpMb(); }]";
    const twin = "id: 'a/b', why: 'b', oracle: 'O1', threads: () => []";
    const shape = fc.tuple(fc.option(odd(TWIN), { nil: '' }), fc.option(odd(SCENARIO), { nil: '' }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(shape, async ([ofTwin, ofScenario, defined]) => {
        const object = `{ ${good}, twins: [{ ${twin}, ${ofTwin} }], ${ofScenario} }`;
        const head = "import { defineScenario } from '@mmu-gather/conformance';\n";
        const file = written(`${head}export default ${defined ? `defineScenario(${object})` : object};`);
        expectRanOrRefused(await ask({ file }));
      }),
      how(150),
    );
  });

  test('backends of odd shapes', async () => {
    const head = "import { defineArchitecture, X86 } from '@mmu-gather/conformance';\n";
    await fc.assert(
      fc.asyncProperty(odd(ARCHITECTURE), fc.boolean(), async (fields, defined) => {
        const object = `{ ...X86, ${fields} }`;
        const file = written(`${head}export default ${defined ? `defineArchitecture(${object})` : object};`);
        expectRanOrRefused(await ask({ backend: file }));
      }),
      how(80),
    );
  });

  test('modules that export anything', async () => {
    const item = fc.tuple(
      fc.constantFrom('default', 'a', 'b'),
      fc.constantFrom(...ODD, '{ id: "a", setup: 1 }', '[{ id: "a", threads: null }]'),
    );
    const items = fc.uniqueArray(item, { maxLength: 3, selector: ([name]) => name });
    await fc.assert(
      fc.asyncProperty(items, async (exported) => {
        const text = exported.map(([name, value]) =>
          name === 'default' ? `export default ${value};` : `export const ${name} = ${value};`,
        );
        expectRanOrRefused(await ask({ file: written(text.join('\n')) }));
        expectRanOrRefused(await ask({ backend: written(text.join('\n')) }));
      }),
      how(60),
    );
  });

  test.each(['zap.ts', 'frozen.ts'])('%s, damaged', async (name) => {
    await fc.assert(
      fc.asyncProperty(damaged(example(name)), async (text) => expectRanOrRefused(await ask({ file: written(text) }))),
      how(80),
    );
  });

  test('bell.ts, damaged', async () => {
    await fc.assert(
      fc.asyncProperty(damaged(example('bell.ts')), async (text) =>
        expectRanOrRefused(await ask({ backend: written(text) })),
      ),
      how(60),
    );
  });

  test('files of garbage', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 80 }), async (text) =>
        expectRanOrRefused(await ask({ file: written(text) })),
      ),
      how(60),
    );
  });

  test('command lines', async () => {
    const value = fc.constantFrom(
      'x86',
      'arm64',
      'all',
      'linux-6.18',
      '*',
      'T1/*',
      '',
      '0',
      '-1',
      '1',
      '2e6',
      'NaN',
      '1s',
      'sc',
      'weak',
      'states',
      'dpor',
      'fullmm=F2',
      'x86.ceiling=2',
      'a=b',
      '=',
      '--',
      '-',
      'é\n',
      '/',
      '.',
      'none.ts',
      'sc,tso',
    );
    const option = fc.constantFrom(
      '--arch',
      '--backend',
      '--profile',
      '--with',
      '--scenario',
      '--memory-model',
      '--strategy',
      '--max-states',
      '--max-executions',
      '--time-limit',
      '--seed',
      '--rerun',
      '--compare',
      '--full',
      '--verbose',
      '--json',
      '--html',
      '--twins',
      '--expect',
      '--column',
      '--variant',
      '--facts',
      '--fail-under',
      '--help',
      '--version',
      '-h',
      '--no',
      '--jobs',
      '--shard',
    );
    const command = fc.constantFrom('conformance', 'check', 'litmus', 'replay', 'list', 'conform', '', '--help');
    const words = fc.array(fc.oneof(option, value, fc.tuple(option, value)), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(command, words, async (name, list) => {
        // The last one counts nothing more than a cell or two.
        const limit = name === 'conformance' ? ['--scenario', 'munmap/own-entries', '--max-states', '9'] : [];
        const args = [name, ...list.flat(), ...limit];
        const answer = await ask({ args });
        expect(answer).toHaveProperty('code');
        const { code, out, err } = answer as { code: number; out: string; err: string };
        expect([0, 1, 2]).toContain(code);
        expect(err).not.toContain('internal error');
        if (code === 2) expect({ out, lines: err.split('\n').length }).toEqual({ out: '', lines: 2 });
      }),
      how(80),
    );
  });
});
