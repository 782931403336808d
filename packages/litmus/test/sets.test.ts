/**
 * The MMU's sets, from which accesses of kernel scenarios pick, on tests with page tables: they are stronger than the architecture in places,
 * and must never be weaker, for then they would report races that hardware does not have.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runSuite, tally } from './suites.ts';

const OWN = join(import.meta.dirname, 'files', 'aarch64-vmsa');
const SHARED = join(import.meta.dirname, '../../../../shared/litmus/aarch64-vmsa');

/** What cannot be run there: atomics through translations, TTHM, EL0, arrays, kinds of faults. */
const UNSUPPORTED = /on the sets of the MMU$/;

/** Results without those that are not supported. */
function supported(folder: string, column: string, model: 'sc'): Map<string, string> {
  return new Map([...runSuite(folder, column, { model })].filter(([, result]) => !UNSUPPORTED.test(result)));
}

describe.each(['base', 'ets2'])('under SC, %s', (column) => {
  test('own files: nothing forbidden is observed', () => {
    const { agree = 0, 'allowed-not-observed': _missed, ...others } = tally(supported(OWN, column, 'sc'));
    expect(others).toEqual({});
    expect(agree).toBeGreaterThanOrEqual(50);
  });

  test.skipIf(!existsSync(SHARED))('published files: nothing forbidden is observed', { timeout: 60_000 }, () => {
    const { agree = 0, 'allowed-not-observed': _missed, ...others } = tally(supported(SHARED, column, 'sc'));
    expect(others).toEqual({});
    expect(agree).toBeGreaterThanOrEqual(column === 'base' ? 195 : 257);
  });
});
