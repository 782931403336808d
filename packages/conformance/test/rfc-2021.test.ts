// The RFC of 2021: what it breaks as posted is broken by the defects that are named for it, each by itself.
import type { Switches } from '@mmu-gather/core/stepped';
import { search } from '@mmu-gather/checker';
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES, type Cell, cells, machineOf, RFC_PATCHES, rfcProfile, SCENARIOS } from '../src/index.ts';
import { RFC_BREAKS } from '../src/profiles/rfc-2021-breaks.ts';

/** The switch that holds each defect. */
const SWITCHES: Readonly<Record<string, keyof Switches>> = {
  D1: 'genPending',
  D2: 'accessibleEntry',
  D3: 'newGeneration',
  'D4/D5': 'untrackedGen',
  D6: 'batchedAck',
  D7: 'batchedOrder',
  D9: 'batchedAck',
  D10: 'madviseRelock',
  D11: 'clearRefs',
  D12: 'notifierEnd',
  D13: 'defaultFlushVma',
  D16: 'forkVmaGen',
};

/** A scenario on the corrected patches, with one defect as it was posted. */
function withDefect(scenario: string, patches: number, key: keyof Switches): Cell {
  const posted = rfcProfile('as-posted', patches).switches[key] as string;
  const [cell] = cells(SCENARIOS, ARCHITECTURES, {
    profiles: [`rfc-2021-corrected@${patches}`],
    settings: [`${key}=${posted}`],
    scenarios: [scenario],
  });
  return cell!;
}

/** Patches with which a defect is there, of those with which a scenario breaks. */
function firstWith(key: keyof Switches, from: number): number {
  const first = RFC_PATCHES.find(({ posted, corrected }) => posted.switches?.[key] !== corrected.switches?.[key])!;
  return Math.max(first.number, from);
}

const CASES = RFC_BREAKS.flatMap(({ from, why, scenarios }) =>
  Object.keys(scenarios).flatMap((id) =>
    why.split('; ').map((part) => {
      const defect = part.slice(0, part.indexOf(':'));
      const key = SWITCHES[defect]!;
      return { id, defect, key, patches: firstWith(key, from) };
    }),
  ),
);

describe('a defect alone breaks what it is said to', () => {
  test.each(CASES)('$defect: $id', ({ id, key, patches }) => {
    expect(search(machineOf(withDefect(id, patches, key))).verdict).toBe('violated');
  });
});

test('the patches are numbered, and where the two forms differ a defect is named', () => {
  expect(RFC_PATCHES.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  const unnamed = RFC_PATCHES.filter(({ posted, corrected, defects }) => {
    const differ = JSON.stringify(posted) !== JSON.stringify(corrected);
    return differ && Object.keys(defects).length === 0;
  });
  expect(unnamed).toEqual([]);
});

test('twins of defects exist', () => {
  const ids = SCENARIOS.flatMap((scenario) => [scenario.id, ...scenario.twins.map((twin) => twin.id)]);
  const named = RFC_PATCHES.flatMap(({ defects }) => Object.values(defects).flatMap((names) => names.split(', ')));
  expect(named.filter((id) => id !== 'text only' && !ids.includes(id))).toEqual([]);
});
