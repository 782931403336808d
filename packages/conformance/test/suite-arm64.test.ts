import { expect, test } from 'vitest';
import { ARM64, conformanceTests, SCENARIOS } from '../src/index.ts';

// Every scenario that applies holds exhaustively on arm64 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [ARM64], memoryModel: 'tso' });

// And with what was proposed, or is newer than the newest kernel here: flushes that stay on one CPU.
conformanceTests(test, {
  archs: [ARM64],
  memoryModel: 'tso',
  profiles: ['linux-6.18'],
  settings: ['arm64.localFlush=active-cpu', 'arm64.accessFlagsFlush=local'],
});

test('every wrong value of a switch is that of a twin', () => {
  const twins = SCENARIOS.flatMap(({ twins: of }) => of);
  const used = [
    ...twins.flatMap((twin) => Object.entries(twin.backend?.['arm64'] ?? {})),
    ...twins.flatMap((twin) => (twin.wrong === undefined ? [] : Object.entries(ARM64.wrongs[twin.wrong] ?? {}))),
  ].map(([key, value]) => `${key}=${String(value)}`);
  const wrong = Object.entries(ARM64.axes).flatMap(([key, axis]) =>
    axis.wrong.map((value) => `${key}=${String(value)}`),
  );
  expect(wrong.filter((each) => !used.includes(each))).toEqual([]);
});
