// Recordings of other architectures and older kernels: what each of them shows of flushes, predicted to the instruction.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { MachineFacts } from '../src/facts.ts';
import { replay } from '../src/replay.ts';
import { type ReplayReport, summary } from '../src/report.ts';

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', 'guests', `${name}.trace.txt.gz`);

const GUEST = { kernel: '6.1.0-50', hz: 250, disk: false, hugePages: 'always' } as const;
const X86: MachineFacts = { ...GUEST, backend: 'x86', pcid: false, ceiling: 33, foldedLevels: true };
const ARM64: MachineFacts = { ...GUEST, backend: 'arm64' };
const RADIX: MachineFacts = { ...GUEST, backend: 'powerpc-radix', ceiling: 33 };
const HASH: MachineFacts = { ...GUEST, backend: 'powerpc-hash' };

/** A recording, what is known of its machine, and what comes of it: recorded, predicted, agreeing one to one. */
const RECORDINGS: readonly (readonly [name: string, facts: MachineFacts, counts: readonly number[]])[] = [
  ['x86-q02-lazy', X86, [160, 160, 160]],
  ['arm64-q02-lazy', ARM64, [76, 76, 76]],
  ['arm64-q04-forkcow', ARM64, [255, 255, 255]],
  ['radix-q02-lazy', RADIX, [335, 335, 335]],
  ['radix-q40-pcid3', RADIX, [1033, 1033, 1033]],
  ['hash-q04-forkcow', HASH, [605, 602, 602]],
  ['hash-q40-pcid3', HASH, [138, 138, 138]],
];

function counts({ recorded, predicted, matched }: ReplayReport): readonly number[] {
  return [recorded, predicted, matched];
}

test.each(RECORDINGS)('%s', async (name, facts, expected) => {
  const report = await replay(fixture(name), { facts });
  expect(counts(report)).toEqual(expected);
  expect(report.assumed.map(({ fact }) => fact)).toEqual(facts.backend === 'x86' ? ['dynAsids'] : []);
});

describe('what is compared', () => {
  test('arm64: hulls and levels of gathers, pages of single TLBIs, and context loads', async () => {
    const report = await replay(fixture('arm64-q04-forkcow'), { facts: ARM64 });
    const kinds = Object.keys(report.byReason).map((reason) => report.reasons[Number(reason)]);
    expect(kinds).toEqual(['context load', 'tlb_flush', 'TLBI of a page']);
  });

  test('a wrong page size is seen in every operand', async () => {
    const report = await replay(fixture('radix-q40-pcid3'), { facts: { ...RADIX, backend: 'arm64' } });
    expect(report.matched).toBe(0);
    expect(report.missed).toBe(report.recorded);
  });

  test('a ceiling that is not the machine’s flushes other pages', async () => {
    const report = await replay(fixture('radix-q02-lazy'), { facts: { ...RADIX, ceiling: 1 } });
    expect(report.recall).toBeLessThan(0.9);
    const texts = report.mismatches.map(({ recorded }) => recorded?.where).filter((where) => where !== undefined);
    expect(texts.length).toBeGreaterThan(0);
    expect(summary(report)).toContain(`tlbie 1 ${texts[0]}`);
  });
});

test.each(RECORDINGS)('%s: the stepped build makes the flushes of the direct one', async (name, facts) => {
  const [direct, stepped] = [
    await replay(fixture(name), { facts }),
    await replay(fixture(name), { facts, build: 'stepped' }),
  ];
  const { seconds: _, eventsPerSecond: __, ...told } = direct;
  expect(stepped).toMatchObject(told);
});
