import { expect, test } from 'vitest';
import { conformanceTests, POWERPC_RADIX, SCENARIOS } from '../src/index.ts';

// Every scenario that applies holds exhaustively on powerpc radix in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [POWERPC_RADIX], memoryModel: 'tso' });

test('every wrong value of a switch is what some twin has', () => {
  const twins = SCENARIOS.flatMap((scenario) =>
    scenario.twins.map((twin) => ({
      ...scenario.backend?.['powerpc-radix'],
      ...(twin.wrong === undefined ? {} : POWERPC_RADIX.wrongs[twin.wrong]),
      ...twin.backend?.['powerpc-radix'],
    })),
  );
  const missing = Object.entries(POWERPC_RADIX.axes).flatMap(([key, { wrong }]) =>
    wrong.filter((value) => !twins.some((twin) => twin[key] === value)).map((value) => `${key}=${value}`),
  );
  expect(missing).toEqual([]);
});
