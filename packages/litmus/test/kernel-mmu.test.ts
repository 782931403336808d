/**
 * The MMU of kernel scenarios on tests with page tables: it is stronger than the architecture in places, and must never be weaker, for then
 * it would report races that hardware does not have.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runSuite, tally } from './suites.ts';

const OWN = join(import.meta.dirname, 'files', 'aarch64-vmsa');
const SHARED = join(import.meta.dirname, '../../../../shared/litmus/aarch64-vmsa');

/** What cannot be run there: atomics through translations, TTHM, EL0, arrays, kinds of faults. */
const UNSUPPORTED = /on the MMU of kernel scenarios$/;

/** Results without those that are not supported. */
function supported(folder: string, column: string, model: 'sc' | 'weak-mca'): Map<string, string> {
  return new Map([...runSuite(folder, column, { model })].filter(([, result]) => !UNSUPPORTED.test(result)));
}

describe.each(['base', 'ets2'])('under SC, %s', (column) => {
  test('own files: nothing forbidden is observed', () => {
    const { agree = 0, 'allowed-not-observed': _missed, ...others } = tally(supported(OWN, column, 'sc'));
    expect(others).toEqual({});
    expect(agree).toBeGreaterThanOrEqual(35);
  });

  test.skipIf(!existsSync(SHARED))('published files: nothing forbidden is observed', { timeout: 60_000 }, () => {
    const { agree = 0, 'allowed-not-observed': _missed, ...others } = tally(supported(SHARED, column, 'sc'));
    expect(others).toEqual({});
    expect(agree).toBeGreaterThanOrEqual(column === 'base' ? 192 : 254);
  });
});

/**
 * Forbidden, and observed under `weak`: a flag that is a user page passes nothing on, for user data is not ordered with what the kernel
 * does to entries; a CPU does not know of an entry because a user access went through it; and a branch orders no TLBI.
 */
const NOT_ORDERED: readonly string[] = [
  // The flag is user data.
  'Artem3+UCx-TLBIy+dsb.ish-isb+dmb.ld.litmus',
  'D15347-MP+shoot+DSB-ISB+VMALL.litmus',
  'D15347-MP+shoot+DSB-ISB-RO.litmus',
  'D15347-MP+shoot+DSB-ISB.litmus',
  'MP+dmb.st+ctrl-isb-tlbi-dsb-isb.litmus',
  'S+dmb.st+dsb.st-tlbi-dsb-isb.litmus',
  'TA1.litmus',
  // The entry is known from a user access.
  'MP+pterfi-addr+dmb.ld.litmus',
  'coRR-pte6+VMALL.litmus',
  'walk-passes-on.litmus',
  'walk-then-load.litmus',
  // A branch before the TLBI.
  'shootdown-on-behalf-ctrl.litmus',
];

/** Forbidden outcomes that have no reason. */
function unexplained(folder: string): string[] {
  const results = supported(folder, 'ets2', 'weak-mca');
  const observed = [...results].filter(([, result]) => result === 'forbidden-observed').map(([file]) => file);
  return observed.filter((file) => !NOT_ORDERED.includes(file));
}

describe('under weak, what is observed and forbidden has its reason', () => {
  test('own files', () => {
    expect(unexplained(OWN)).toEqual([]);
  });
  test.skipIf(!existsSync(SHARED))('published files', { timeout: 60_000 }, () => {
    expect(unexplained(SHARED)).toEqual([]);
  });
});
