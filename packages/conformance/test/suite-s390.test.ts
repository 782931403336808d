import { expect, test } from 'vitest';
import { conformanceTests, S390, SCENARIOS } from '../src/index.ts';

// Every scenario that applies holds exhaustively on s390 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [S390] });

test('every wrong value of a switch is what some twin has', () => {
  const twins = SCENARIOS.flatMap((scenario) =>
    scenario.twins.map((twin) => ({
      ...scenario.backend?.['s390'],
      ...(twin.wrong === undefined ? {} : S390.wrongs[twin.wrong]),
      ...twin.backend?.['s390'],
    })),
  );
  const missing = Object.entries(S390.axes).flatMap(([key, { wrong }]) =>
    wrong.filter((value) => !twins.some((twin) => twin[key] === value)).map((value) => `${key}=${value}`),
  );
  expect(missing).toEqual([]);
});
