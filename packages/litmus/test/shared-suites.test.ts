/**
 * Published suites with known verdicts, where they lie beside the checkout: what must never be observed is not, and of the rest as
 * much is as this machine can show. It cannot let a store take effect before an earlier access of its own thread.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MODELS } from '../src/index.ts';
import { runSuite, tally } from './suites.ts';
import { translated } from './translated.ts';

const SHARED = join(import.meta.dirname, '../../../../shared/litmus');
const present = existsSync(SHARED);
if (!present) console.log(`no litmus suites in ${SHARED}: nothing to compare with`);

describe.skipIf(!present)('published verdicts', () => {
  test.each([
    { suite: 'x86_64', column: 'expected', agree: 16, missed: 0 },
    { suite: 'aarch64', column: 'expected', agree: 30, missed: 11 },
    { suite: 'lkmm', column: 'expected', agree: 21, missed: 1 },
    { suite: 'aarch64-vmsa', column: 'base', agree: 505, missed: 8 },
    { suite: 'aarch64-vmsa', column: 'ets2', agree: 507, missed: 6 },
  ])('$suite, $column', { timeout: 120_000 }, ({ suite, column, agree, missed }) => {
    const results = tally(runSuite(join(SHARED, suite), column));
    const { agree: agreed = 0, 'allowed-not-observed': notObserved = 0, ...others } = results;
    // Nothing forbidden observed, nothing required broken, nothing undecided or unsupported.
    expect(others).toEqual({});
    expect(agreed).toBeGreaterThanOrEqual(agree);
    expect(notObserved).toBeLessThanOrEqual(missed);
  });

  test.each(MODELS)('lkmm under %s: what the kernel forbids is never observed', { timeout: 60_000 }, (model) => {
    const results = tally(runSuite(join(SHARED, 'lkmm'), 'expected', { model }));
    const { agree: _agree, 'allowed-not-observed': _missed, ...others } = results;
    expect(others).toEqual({});
  });

  test('aarch64 with a walk before every access: the same verdicts', { timeout: 60_000 }, () => {
    const folder = join(SHARED, 'aarch64');
    const walked = runSuite(folder, 'expected', { change: translated });
    expect([...walked]).toEqual([...runSuite(folder, 'expected')]);
  });
});
