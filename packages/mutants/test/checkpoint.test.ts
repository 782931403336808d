// The file in which campaigns keep what has become of mutants.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { codeOf, type Fate, FateFile, Instrumented, suitePackages } from '../src/index.ts';

const mutation = new Instrumented(suitePackages()).mutations[0]!;
const kill = { by: 'oracle', oracle: 'O1', message: 'm', scenario: 's', profile: 'p' } as const;
const fate: Fate = { mutation, verdict: 'killed', kill, cells: 1, ran: 1, tooLarge: 0, same: false };

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mutants-'));
  file = join(folder, 'fates');
});
afterEach(() => rmSync(folder, { recursive: true }));

function keep(code: string): void {
  const open = FateFile.open(file, code);
  open.add('x86', fate);
  open.close();
}

test('of the same code, fates are known', () => {
  keep('a');
  const open = FateFile.open(file, 'a');
  expect(open.known('x86').get(mutation.key)).toEqual(fate);
  expect(open.known('arm64').size).toBe(0);
  open.close();
});

test('of other code, kills are hints, and the file begins anew', () => {
  keep('a');
  const open = FateFile.open(file, 'b');
  expect(open.known('x86').size).toBe(0);
  expect(open.hints('x86').get(mutation.key)).toBe('s@p');
  open.close();
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(2);
});

test('a last line that was cut short is dropped', () => {
  keep('a');
  appendFileSync(file, '{"arch":"x86","fa');
  const open = FateFile.open(file, 'a');
  expect(open.known('x86').size).toBe(1);
  open.close();
});

test('what is no checkpoint is left alone', () => {
  writeFileSync(file, 'my notes\n');
  expect(() => FateFile.open(file, 'a')).toThrow(/no checkpoint of mutants/);
  expect(readFileSync(file, 'utf8')).toBe('my notes\n');
  expect(() => FateFile.open(folder, 'a')).toThrow(/a folder/);
  keepDamaged();
  expect(() => FateFile.open(file, 'a')).toThrow(/:3: damaged/);
});

function keepDamaged(): void {
  rmSync(file);
  keep('a');
  appendFileSync(file, 'damaged\n');
}

test('the name of the code is that of its text', () => {
  expect(codeOf(suitePackages())).toMatch(/^[0-9a-f]{16}$/);
  expect(codeOf(suitePackages())).toBe(codeOf(suitePackages()));
  expect(codeOf(suitePackages().slice(1))).not.toBe(codeOf(suitePackages()));
});
