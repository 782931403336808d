/**
 * The project's own litmus files: each rule of the models, with what it forbids and with what it leaves open.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runSuite } from './suites.ts';

const FILES = join(import.meta.dirname, 'files');

describe.each([
  ['x86_64', 'expected'],
  ['aarch64', 'expected'],
  ['c', 'expected'],
  ['aarch64-vmsa', 'base'],
  ['aarch64-vmsa', 'ets2'],
  ['isla', 'base'],
  ['isla', 'ets2'],
])('%s, %s', (folder, column) => {
  test('every file has the verdict of the table', () => {
    const results = runSuite(join(FILES, folder), column);
    expect([...results].filter(([, result]) => result !== 'agree')).toEqual([]);
    const files = readdirSync(join(FILES, folder)).filter((file) => !file.endsWith('.tsv'));
    expect([...results.keys()].toSorted()).toEqual(files.toSorted());
  });
});
