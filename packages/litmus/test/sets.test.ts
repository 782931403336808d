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
function supported(folder: string, column: string, model: 'sc' | 'weak-mca'): Map<string, string> {
  return new Map(
    [...runSuite(folder, column, { model, sets: true })].filter(([, result]) => !UNSUPPORTED.test(result)),
  );
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

/**
 * Forbidden, and observed under `weak`: the walk of a user access lags there unless a full fence or a completed broadcast holds it back, so
 * no other order of user code reaches its faults; a CPU does not know of an entry because a user access went through it; and what is no
 * full barrier, or a branch, orders no TLBI behind another CPU's change.
 */
const NOT_ORDERED: readonly RegExp[] = [
  // A fault behind a dependency, a release, a DMB, or with ETS2 behind any access.
  /mmufault/,
  /^(?:F3|F4|FO|Ja2-ind|Jna-rel)\.litmus$/,
  // The entry is known from a user access.
  /^(?:MP\+pterfi-addr\+dmb\.ld|coRR-pte6\+VMALL|walk-passes-on|walk-then-load|own-walk-order)\.litmus$/,
  // Another CPU's change is known from a flag, and what stands before the TLBI is no full barrier.
  /^(?:S\+dmb\.st\+dsb\.st-tlbi-dsb-isb|shootdown-on-behalf-ctrl)\.litmus$/,
];

/** Forbidden outcomes that have no reason. */
function unexplained(folder: string): string[] {
  const results = supported(folder, 'ets2', 'weak-mca');
  const observed = [...results].filter(([, result]) => result === 'forbidden-observed').map(([file]) => file);
  return observed.filter((file) => !NOT_ORDERED.some((known) => known.test(file)));
}

describe('under weak, what is observed and forbidden has its reason', () => {
  test('own files', () => {
    expect(unexplained(OWN)).toEqual([]);
  });
  test.skipIf(!existsSync(SHARED))('published files', { timeout: 60_000 }, () => {
    expect(unexplained(SHARED)).toEqual([]);
  });
});
