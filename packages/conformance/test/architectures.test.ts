// Many architectures: what each says of twins and scenarios, what does not apply, bounds, and that cells are their own.
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type AnyScenario,
  type Architecture,
  ARCHITECTURES,
  cells,
  conformanceTests,
  defineScenario,
  goesWrong,
  notApplicable,
  summaryOf,
  runCell,
  SCENARIOS,
  type Selection,
  setStage,
  Sharing,
  type Stage,
  thread,
  unmatched,
  unusedWrongs,
  WRONGS,
  X86,
} from '../src/index.ts';
import { PAPER } from './paper.ts';

const BOTH = [X86, PAPER];
/** The kernel that there is of both. */
const NEW: Selection = { profiles: ['linux-6.18'] };
const idsOf = (of: readonly { readonly id: string }[]): string[] => of.map(({ id }) => id);

/** A twin's id and why it, or its scenario, does not apply to paper. */
function why(id: string): string | undefined {
  return notApplicable(SCENARIOS, [PAPER], { ...NEW, scenarios: [id] }).find((each) => each.id === id)?.why;
}

const of = (id: string): AnyScenario => SCENARIOS.find((scenario) => scenario.id === id)!;

describe('the registered architectures', () => {
  test.each(ARCHITECTURES)('$id has its file of tests, and its ways to be wrong are switches of it', (arch) => {
    expect(existsSync(new URL(`suite-${arch.id}.test.ts`, import.meta.url))).toBe(true);
    for (const [key, value] of Object.values(arch.wrongs).flatMap((switches) => Object.entries(switches))) {
      expect(Object.keys(arch.axes)).toContain(key);
      const { right, wrong } = arch.axes[key]!;
      // Numbers have no list.
      if (right.length + wrong.length > 0) expect(wrong).toContain(value);
    }
  });

  test.each(ARCHITECTURES)('$id skips and mends what is there', (arch) =>
    expect(unmatched(arch, SCENARIOS)).toEqual([]),
  );

  test.each(ARCHITECTURES)('every wrong value of a switch of $id is that of a twin', (arch) =>
    expect(unusedWrongs(arch, SCENARIOS)).toEqual([]),
  );

  test('every wrong is that of a twin', () => {
    const used = SCENARIOS.flatMap((scenario) => scenario.twins.flatMap((twin) => twin.wrong ?? []));
    expect([...new Set(used)].toSorted()).toEqual(Object.keys(WRONGS).toSorted());
  });

  test('no scenario is larger than can be explored', () => {
    // A scenario that gets a bound is named here, so that nobody takes it for one that holds.
    expect(idsOf(SCENARIOS.filter((scenario) => scenario.bound !== undefined))).toEqual([]);
  });
});

describe('another architecture', () => {
  const some = ['munmap/*', 'bug:B02/*', 'bug:B33/*', 'T18/fixed', 'T3/*', 'exit/*'];

  test('has cells of its own, and changes none of x86', () => {
    const both = cells(SCENARIOS, BOTH);
    expect(both.filter(({ arch }) => arch === X86)).toEqual(cells(SCENARIOS, [X86]));
    expect(both.filter(({ arch }) => arch === PAPER)).toEqual(cells(SCENARIOS, [PAPER]));
    expect(cells(SCENARIOS, BOTH, { archs: ['all'] })).toEqual(both);
    expect(cells(SCENARIOS, BOTH, { archs: ['paper'] })).toEqual(cells(SCENARIOS, [PAPER]));
  });

  test('passes by its own mechanism, and its twins are refuted', () => {
    const results = cells(SCENARIOS, [PAPER], { ...NEW, scenarios: some }).map((cell) => runCell(cell));
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    const refuted = results.filter(({ verdict }) => verdict === 'violated').map(({ scenario }) => scenario);
    expect(refuted).toEqual(
      expect.arrayContaining([
        'munmap/running-thread/no-ipi-wait',
        'munmap/own-entries/others-only',
        'munmap/three-cpus/self-only',
      ]),
    );
  });

  test('shares no result with x86', () => {
    const sharing = new Sharing({});
    const all = cells(SCENARIOS, BOTH, { ...NEW, scenarios: ['munmap/running-thread'] });
    const results = [...all, ...all].map((cell) => sharing.run(cell));
    expect(results.map(({ arch }) => arch)).toEqual(['x86', 'paper', 'x86', 'paper']);
    expect(results.map(({ sharedWith }) => sharedWith)).toEqual([undefined, undefined, 'linux-6.18', 'linux-6.18']);
    expect(results[2]!.states).toBe(results[0]!.states);
    expect(results[3]!.states).toBe(results[1]!.states);
    expect(results[0]!.states).not.toBe(results[1]!.states);
  });
});

describe('a wrong', () => {
  const twinOf = (id: string, archs: readonly Architecture[]) => cells(SCENARIOS, archs, { ...NEW, scenarios: [id] });

  test('is what each architecture makes of it', () => {
    const [x86, paper] = twinOf('munmap/running-thread/no-ipi-wait', BOTH);
    expect(x86!.backendSwitches).toMatchObject({ waitForIpis: false });
    expect(paper!.backendSwitches).toEqual({ reach: 'all', wait: false });
  });

  test('goes with what else a twin changes', () => {
    const [first] = of('munmap/own-entries').twins;
    const twin = { ...first!, profile: { freePages: 'before-flush' as const } };
    const [cell] = cells([{ ...of('munmap/own-entries'), twins: [twin] }], [PAPER], {
      ...NEW,
      scenarios: ['*/others-only'],
    });
    expect(cell!.backendSwitches).toEqual({ reach: 'others', wait: true });
    expect(cell!.profile.freePages).toBe('before-flush');
  });

  test('that an architecture cannot do leaves the twin out, and says so', () => {
    expect(idsOf(twinOf('munmap/lazy-returns/no-check', BOTH).map(({ arch }) => arch))).toEqual(['x86']);
    expect(why('munmap/lazy-returns/no-check')).toBe(`paper has no 'lazy-unchecked': ${WRONGS['lazy-unchecked']}`);
    expect(why('generations/gap/ranged')).toBe('wrong by a switch of x86');
  });

  test('of a strong memory model is one of weaker ones', () => {
    const at = (memoryModels?: ('sc' | 'tso' | 'weak')[]): boolean[] =>
      (['sc', 'tso', 'weak'] as const).map((model) =>
        goesWrong(memoryModels === undefined ? {} : { memoryModels }, model),
      );
    expect(at()).toEqual([true, true, true]);
    expect(at(['tso'])).toEqual([false, true, true]);
    expect(at(['weak'])).toEqual([false, false, true]);
    const sc: Selection = { memoryModel: 'sc', scenarios: ['bug:B31/*'] };
    expect(cells(SCENARIOS, [X86], sc).filter(({ twinOf: scenario }) => scenario !== undefined)).toEqual([]);
    expect(notApplicable(SCENARIOS, [X86], sc).map((each) => each.why)).toContain(
      'wrong under tso and weaker memory models',
    );
  });
});

describe('what does not apply', () => {
  test('is named with its reason: whom it is about, what is skipped, which kernel there is', () => {
    expect(why('bug:B13/fixed')).toMatch(/^on x86 only: it is about loaded_mm/);
    expect(why('fullmm/F2')).toBe('nobody is made to leave an mm');
    const old = notApplicable(SCENARIOS, [PAPER], { scenarios: ['T3/fixed'], profiles: ['linux-5.11', 'linux-6.18'] });
    expect(old).toEqual([{ id: 'T3/fixed', arch: 'paper', why: 'there is no linux-5.11 of paper' }]);
    expect(notApplicable(SCENARIOS, [PAPER], { ...NEW, archs: ['x86'] })).toEqual([]);
  });

  test('is a scenario once, or the twin that alone was asked for', () => {
    expect(idsOf(notApplicable(SCENARIOS, [PAPER], { ...NEW, scenarios: ['bug:B13/*'] }))).toEqual(['bug:B13/fixed']);
    expect(notApplicable(SCENARIOS, [PAPER], { ...NEW, scenarios: ['bug:B13/buggy'] })).toMatchObject([
      { id: 'bug:B13/buggy', twinOf: 'bug:B13/fixed' },
    ]);
  });

  test('and what does make up the whole suite', () => {
    const run = new Set(idsOf(cells(SCENARIOS, [PAPER], { profiles: ['linux-6.18'] })));
    const left = new Set(idsOf(notApplicable(SCENARIOS, [PAPER], NEW)));
    const onX86 = new Set(idsOf(cells(SCENARIOS, [X86], NEW)));
    const lost = SCENARIOS.filter(({ id }) => onX86.has(id) && !run.has(id) && !left.has(id));
    expect(idsOf(lost)).toEqual([]);
    expect([...run].filter((id) => left.has(id))).toEqual([]);
  });
});

describe('mends', () => {
  const buggy: Selection = { ...NEW, scenarios: ['bug:B02/buggy'] };

  test('make a twin one that holds, with the reason', () => {
    const [x86, paper] = cells(SCENARIOS, BOTH, buggy);
    expect(x86).toMatchObject({ expected: 'violated' });
    expect(paper).toMatchObject({ expected: 'holds', oracles: [] });
    expect(paper!.title).toMatch(/ \(reclaim defers nothing\)$/);
    expect(runCell(paper!)).toMatchObject({ verdict: 'holds', ok: true });
    const [unmended] = cells(SCENARIOS, [{ ...PAPER, mends: {} }], buggy);
    expect(runCell(unmended!)).toMatchObject({ expected: 'violated', verdict: 'holds', ok: false });
  });

  test('and skips that match nothing are errors', () => {
    expect(unmatched(PAPER, SCENARIOS)).toEqual([]);
    const wrong: Architecture = {
      ...PAPER,
      skips: [{ scenario: 'fulmm/*', why: 'a typo' }],
      // The second one is there, and does not apply.
      mends: { 'T3/naif': 'a typo', 'bug:B13/buggy': 'x86 only' },
    };
    expect(unmatched(wrong, SCENARIOS)).toEqual([
      "paper skips 'fulmm/*', and there is no such scenario",
      "paper mends 'T3/naif', and no such twin applies to it",
      "paper mends 'bug:B13/buggy', and no such twin applies to it",
    ]);
    const failing: string[] = [];
    const declare = (name: string, body: () => void): void => {
      if (!name.endsWith('skips and mends match')) return;
      try {
        body();
      } catch {
        failing.push(name);
      }
    };
    conformanceTests(declare, { archs: [wrong, PAPER], scenarios: ['T3/fixed'] });
    expect(failing).toEqual(['paper: its skips and mends match']);
  });
});

describe('what is said of some kernels or memory models', () => {
  const key = (where: string): Architecture => ({
    ...PAPER,
    mends: { [`munmap/running-thread/no-ipi-wait@${where}`]: 'for a test' },
    breaks: { [`munmap/own-entries@${where}`]: { oracle: 'O1', why: 'for a test' } },
  });
  const expected = (arch: Architecture): string[] =>
    cells(SCENARIOS, [arch], {
      ...NEW,
      memoryModel: 'tso',
      scenarios: ['munmap/running-thread/*', 'munmap/own-entries'],
    })
      .filter(({ id }) => id === 'munmap/own-entries' || id.endsWith('no-ipi-wait'))
      .map((cell) => cell.expected);

  test.each(['linux-6.18', 'tso', 'linux-5.11,linux-6.18', 'linux-6.18,tso'])('goes for %s', (where) => {
    expect(expected(key(where))).toEqual(['holds', 'violated']);
  });

  test.each(['linux-5.11', 'weak', 'linux-6.18,weak', 'linux-5.11,tso'])('does not go for %s', (where) => {
    expect(expected(key(where))).toEqual(['violated', 'holds']);
  });

  test('leaves out the twins of what does not hold', () => {
    const twins = cells(SCENARIOS, [key('tso')], { ...NEW, memoryModel: 'tso', scenarios: ['munmap/own-entries/*'] });
    expect(twins).toEqual([]);
  });
});

describe('a bound', () => {
  const large = defineScenario<Stage>({
    id: 'large/one',
    title: 'more than anybody wants to explore on paper',
    cpus: 2,
    bound: { archs: ['paper'], states: 6, why: 'the point of this test' },
    setup: (run) => setStage(run),
    threads: ({ mm }, kernel) => [thread((cpu) => kernel.backend.flushTlbMm(cpu, mm))],
    twins: [],
  });

  test('lets a scenario end incomplete where it says so, and never hold', () => {
    const [x86, paper] = cells([large], BOTH, NEW);
    expect(runCell(x86!)).toMatchObject({ verdict: 'holds', ok: true });
    expect(runCell(x86!)).not.toHaveProperty('bound');
    const result = runCell(paper!);
    expect(result).toMatchObject({
      expected: 'holds',
      verdict: 'incomplete',
      exhaustive: false,
      ok: true,
      bound: { states: 6, why: 'the point of this test' },
      bounds: { maxStates: 6 },
    });
    expect(summaryOf([result])).toMatchObject({ ok: 1, failed: 0, bounded: 1 });
  });

  test('is not reached by a run that is cut short before', () => {
    const [, paper] = cells([large], BOTH, NEW);
    expect(runCell(paper!, { maxStates: 3 })).toMatchObject({ verdict: 'incomplete', ok: false });
    const sampled = runCell(paper!, { strategy: 'random', maxExecutions: 2, seed: 1 });
    expect(sampled).toMatchObject({ verdict: 'incomplete', ok: false });
    expect(sampled).not.toHaveProperty('bound');
  });

  test.each([
    { states: 0, why: 'x' },
    { states: 5, why: '' },
  ])('needs states and a reason: %j', (bound) => {
    expect(() => defineScenario({ ...(large as never as Parameters<typeof defineScenario>[0]), bound })).toThrow(
      /bound/,
    );
  });
});
