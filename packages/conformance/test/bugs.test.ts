// The catalogue of historical bugs: each is run or says why not, and what a buggy form violates is what the catalogue says.
import { describe, expect, test } from 'vitest';
import type { OracleId } from '@mmu-gather/core/stepped';
import { BUG_CATALOGUE, cells, countBugs, runCell, SCENARIOS, SHOWN_BY, shownBugs, X86 } from '../src/index.ts';

const shown = shownBugs(SCENARIOS);

test('46 bugs, each once', () => {
  const ids = BUG_CATALOGUE.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].toSorted());
  expect(ids).toHaveLength(46);
});

describe.each(shown)('$bug.id', ({ bug, kind, scenarios, buggy }) => {
  test('is run, or says why not', () => {
    expect(bug.notModelled === undefined).toBe(kind !== 'not modelled');
    expect(scenarios.map(({ id }) => id)).toEqual(
      kind === 'not modelled' ? [] : expect.arrayContaining([`bug:${bug.id}/fixed`]),
    );
    for (const { id } of scenarios) expect(id).toMatch(new RegExp(`^bug:${bug.id}/(.*/)?fixed$`));
  });

  test('violates what the catalogue says, by an oracle that shows it', () => {
    const [main] = scenarios;
    if (main === undefined) return;
    const first = buggy.find(({ id }) => id === `bug:${bug.id}/buggy`)!;
    expect(bug.properties).toContain(first.property);
    for (const { id, property, oracle } of buggy) {
      const wrong = [oracle].flat().filter((each) => each !== 'assert' && !SHOWN_BY[each]!.includes(property!));
      expect({ id, wrong }).toEqual({ id, wrong: [] });
    }
  });
});

test('every scenario of a bug says which, and none is abstract for nothing', () => {
  for (const { id, bug, abstract } of SCENARIOS) {
    expect({ id, bug: bug !== undefined }).toEqual({ id, bug: id.startsWith('bug:') });
    if (abstract === true) expect(id).toMatch(/^(bug|control):/);
  }
});

test('counts', () => {
  const { code, abstract, ...rest } = countBugs(shown);
  expect(code + abstract).toBeGreaterThanOrEqual(40);
  expect(rest['not modelled']).toBe(46 - code - abstract);
});

// Control N5: reclaim flushes before it frees, so these bugs lose permissions, and never a page.
test.each(['bug:B02/buggy', 'bug:B12/buggy'])('%s lets nobody use a page that is free', (id) => {
  const [cell] = cells(SCENARIOS, [X86], { profiles: ['linux-6.18'], scenarios: [id] });
  expect(runCell(cell!)).toMatchObject({ verdict: 'violated', property: 'SAC' });
  const others = Object.keys(SHOWN_BY).filter((each) => each.startsWith('O') && each !== 'O1') as OracleId[];
  expect(runCell(cell!, { oraclesOff: others })).toMatchObject({ verdict: 'holds', exhaustive: true });
});
