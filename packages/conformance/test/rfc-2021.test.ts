// The RFC of 2021: what it breaks as posted is broken by the defects that are named for it, each by itself, on every architecture on which
// they do harm, and on no other.
import type { Switches } from '@mmu-gather/core/stepped';
import { search, SetupError } from '@mmu-gather/checker';
import { describe, expect, test } from 'vitest';
import {
  type Architecture,
  ARCHITECTURES,
  type Cell,
  cells,
  machineOf,
  RFC_PATCHES,
  rfcProfile,
  runCell,
  SCENARIOS,
} from '../src/index.ts';
import { breaksOn, defectsOf, HARMLESS, RFC_BREAKS } from '../src/profiles/rfc-2021-breaks.ts';

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
function withDefect(arch: Architecture, scenario: string, patches: number, key: keyof Switches): Cell {
  const posted = rfcProfile('as-posted', patches).switches[key] as string;
  const [cell] = cells(SCENARIOS, [arch], {
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

/** Where a defect is tried: on x86, where most can be seen, or on the first architecture that has the scenario. */
function archOf(id: string, archs: readonly string[]): Architecture {
  const able = ARCHITECTURES.filter((arch) => archs.includes(arch.id));
  return able.find((arch) => cells(SCENARIOS, [arch], { profiles: ['linux-5.11'], scenarios: [id] }).length > 0)!;
}

const CASES = RFC_BREAKS.flatMap((group) =>
  Object.keys(group.scenarios).flatMap((id) => {
    const arch = archOf(id, breaksOn(group));
    const harmful = defectsOf(group.why).filter((defect) => HARMLESS[defect]?.[arch.id] === undefined);
    return harmful.map((defect) => {
      const key = SWITCHES[defect]!;
      return { id, arch, on: arch.id, defect, key, patches: firstWith(key, group.from) };
    });
  }),
);

/** The setup may violate something by itself. */
function verdictOf(cell: Cell): string {
  try {
    return search(machineOf(cell)).verdict;
  } catch (error) {
    if (error instanceof SetupError) return 'violated';
    throw error;
  }
}

describe('a defect alone breaks what it is said to', () => {
  test.each(CASES)('$defect: $id on $on', ({ id, arch, key, patches }) => {
    expect(verdictOf(withDefect(arch, id, patches, key))).toBe('violated');
  });
});

/** What is larger is run by `mmu-gather conformance --arch A --profile rfc-2021-as-posted`. */
const MAX_STATES = 800;
const NAMED = [...new Set(RFC_BREAKS.flatMap(({ scenarios }) => Object.keys(scenarios)))];

test.each(ARCHITECTURES.slice(1))(
  'on $id all defects together break what they are said to, and nothing else that breaks somewhere',
  { timeout: 120_000 },
  (arch) => {
    const all = cells(SCENARIOS, [arch], { profiles: ['rfc-2021-as-posted'], scenarios: NAMED });
    const results = all.map((cell) => runCell(cell, { maxStates: MAX_STATES }));
    const decided = results.filter(({ verdict }) => verdict !== 'incomplete');
    expect(
      decided.filter(({ ok }) => !ok).map(({ scenario, verdict, oracle }) => ({ scenario, verdict, oracle })),
    ).toEqual([]);
    expect(decided.length).toBeGreaterThan(results.length / 2);
  },
);

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
