// The tables in docs/*.md are what the code gives: counts are the same on every machine.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const TOOL = fileURLToPath(new URL('../../../tools/docs-tables.mjs', import.meta.url));

test('tables in the docs are up to date', { timeout: 120_000 }, () => {
  const { status, stderr } = spawnSync(process.execPath, [TOOL], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
