import { describe, expect, test } from 'vitest';
import { chance } from '../src/search/chance.ts';
import { search, type Search, STRATEGIES } from '../src/search/index.ts';
import { collisionOdds, OnPath, Visited } from '../src/search/visited.ts';
import { Graph } from './search-graph.ts';
import { Toy, type ToyOp, type ToyProgram } from './toy.ts';

const toy = (code: readonly (readonly ToyOp[])[], more: Partial<ToyProgram> = {}): Toy =>
  new Toy({ memory: 'sc', code, ...more });

describe('visited', () => {
  test('says of each key once that it is new, also while it grows', () => {
    const next = chance(5);
    const word = (): number => (next() * 2 ** 32) | 0;
    const keys = Array.from({ length: 50_000 }, () => [word(), word()] as const);
    const visited = new Visited();
    for (const [low, high] of keys) expect(visited.add(low, high)).toBe(true);
    for (const [low, high] of keys) expect(visited.add(low, high) || !visited.has(low, high)).toBe(false);
    expect(visited.size).toBe(50_000);
    expect(visited.has(word(), word())).toBe(false);
  });

  test('takes both halves of a key, whichever differs', () => {
    const visited = new Visited();
    for (let i = 0; i < 3000; i++) expect([visited.add(7, i), visited.add(i + 1, -1)]).toEqual([true, true]);
  });

  test('the key of zeroes is a key', () => {
    const visited = new Visited();
    expect([visited.has(0, 0), visited.add(0, 0), visited.has(0, 0), visited.add(0, 0)]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test('the path forgets the last state first, also after growing', () => {
    const path = new OnPath();
    for (let d = 0; d < 20_000; d++) path.push(d % 97, d);
    for (let d = 19_999; d >= 0; d--) {
      expect(path.depthOf(d % 97, d)).toBe(d);
      path.pop(d % 97, d);
      expect(path.depthOf(d % 97, d)).toBe(-1);
      if (d > 0) expect(path.depthOf(0, 0)).toBe(0);
    }
  });

  test('collision odds', () => {
    expect(collisionOdds(10_000_000)).toBeCloseTo(2.7e-6, 7);
    expect(collisionOdds(1e12)).toBe(1);
  });
});

describe('livelock', () => {
  const spin: readonly ToyOp[] = [
    ['read', 0],
    ['again', 0, 0, 0],
  ];

  test('a loop that nothing ends is one', () => {
    expect(search(toy([spin])).violation).toEqual({
      oracle: 'livelock',
      message: 'the last 2 steps lead back to where they began, and can repeat for ever',
    });
  });

  test('a loop that ends as soon as somebody else gets a turn is none', () => {
    expect(search(toy([spin, [['write', 0, 1]]]))).toMatchObject({ verdict: 'holds', violations: 0 });
  });

  test('a loop is one once the others have nothing more to do', () => {
    const { violation, path } = search(toy([spin, [['write', 1, 1]]]));
    expect(violation?.oracle).toBe('livelock');
    expect(path).toContainEqual([1, 0]);
  });

  test('two CPUs that give way to each other for ever', () => {
    const give = (mine: number, other: number): readonly ToyOp[] => [
      ['write', mine, 1],
      ['read', other],
      ['write', mine, 0, 1],
      ['again', 0, 0, 1],
    ];
    expect(search(toy([give(0, 1), give(1, 0)])).violation?.oracle).toBe('livelock');
  });

  test('a longer way to a state that was left is none', () => {
    const twoWays = new Graph({
      s: [
        [0, 'a'],
        [0, 'b'],
      ],
      a: [[0, 'x']],
      x: [[0, 'end']],
      end: [],
      b: [[0, 'c']],
      c: [[0, 'd']],
      d: [[0, 'x']],
    });
    expect(search(twoWays)).toMatchObject({ verdict: 'holds', states: 7 });
  });

  test('a way back to the state that it began at is one, wherever the path began', () => {
    const { violation, path } = search(
      new Graph({
        s: [[0, 'a']],
        a: [[0, 'b']],
        b: [[1, 'c']],
        c: [
          [0, 'a'],
          [1, 'end'],
        ],
        end: [],
      }),
    );
    expect([violation?.oracle, path?.map(([actor]) => actor)]).toEqual(['livelock', [0, 0, 1, 0]]);
  });

  test('waiting is none', () => {
    expect(search(toy([[['await', 0, 1]], [['write', 0, 1]]])).verdict).toBe('holds');
  });
});

test('deadlock is a violation, and its path leads to it', () => {
  const abba = toy([
    [
      ['lock', 0],
      ['lock', 1],
      ['unlock', 1],
      ['unlock', 0],
    ],
    [
      ['lock', 1],
      ['lock', 0],
      ['unlock', 0],
      ['unlock', 1],
    ],
  ]);
  for (const strategy of ['states', 'dpor', 'bounded', 'random', 'brute'] as const) {
    const { violation, path } = search(abba, { strategy });
    expect([strategy, violation?.oracle, path?.map(([actor]) => actor).toSorted()]).toEqual([
      strategy,
      'deadlock',
      [0, 1],
    ]);
  }
});

test('paths of many thousand steps', () => {
  const counter = toy([
    [
      ['rmw', 0, 1],
      ['again', 0],
    ],
  ]);
  const { states, limit, verdict } = search(counter, { maxStates: 40_000 });
  expect({ states, limit, verdict }).toEqual({ states: 40_000, limit: 'states', verdict: 'incomplete' });
});

describe('limits', () => {
  const large = toy([0, 1, 2].map((cpu) => Array.from({ length: 8 }, (_, i): ToyOp => ['rmw', (i + cpu) % 3, 1])));
  const limits: readonly [Search, string][] = [
    [{ strategy: 'states', maxStates: 10 }, 'states'],
    [{ strategy: 'bounded', maxStates: 10 }, 'states'],
    [{ strategy: 'bounded', maxPreemptions: 0 }, 'preemptions'],
    [{ strategy: 'dpor', maxExecutions: 10 }, 'executions'],
    [{ strategy: 'brute', maxExecutions: 10 }, 'executions'],
    [{ strategy: 'random', maxExecutions: 10 }, 'executions'],
    ...STRATEGIES.filter((strategy) => strategy !== 'rerun').map((strategy): [Search, string] => [
      { strategy, timeLimit: 5 },
      'time',
    ]),
  ];

  test.for(limits)('%o: incomplete, never holds', ([options, limit]) => {
    const key = [large.keyLow, large.keyHigh];
    const result = search(large, options);
    expect(result).toMatchObject({ verdict: 'incomplete', exhaustive: false, limit });
    if (options.maxStates !== undefined) expect(result.states).toBe(options.maxStates);
    if (options.maxExecutions !== undefined) expect(result.executions).toBe(options.maxExecutions);
    expect([large.keyLow, large.keyHigh]).toEqual(key);
  });

  test('a limit that is just enough is none', () => {
    const small = toy([[['write', 0, 1]], [['write', 0, 2]]]);
    expect(search(small)).toMatchObject({ verdict: 'holds', states: 5 });
    expect(search(small, { maxStates: 5 })).toMatchObject({ verdict: 'holds', exhaustive: true });
    expect(search(small, { maxStates: 4 })).toMatchObject({ verdict: 'incomplete', exhaustive: false });
    for (const strategy of ['dpor', 'brute'] as const) {
      expect(search(small, { strategy, maxExecutions: 2 })).toMatchObject({ verdict: 'holds', exhaustive: true });
      expect(search(small, { strategy, maxExecutions: 1 })).toMatchObject({ verdict: 'incomplete', exhaustive: false });
    }
  });

  test('code that never ends stops the searches that run executions to their ends', () => {
    const endless = toy([[['again', 0]]]);
    for (const strategy of ['dpor', 'brute', 'random'] as const) {
      expect(search(endless, { strategy, maxExecutions: 2 })).toMatchObject({ verdict: 'incomplete', limit: 'depth' });
    }
  });

  test('progress is told, and can stop the search', () => {
    const told: number[] = [];
    const result = search(large, {
      strategy: 'brute',
      onProgress({ steps, milliseconds }) {
        expect(milliseconds).toBeGreaterThan(99 * (told.length + 1));
        told.push(steps);
        return told.length < 3;
      },
    });
    expect(told).toHaveLength(3);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(result).toMatchObject({ verdict: 'incomplete', limit: 'stopped' });
  });
});

test('without stopping at the first violation, all are counted and the first is shown', () => {
  const program = toy([
    [
      ['write', 0, 2],
      ['write', 0, 1],
    ],
    [['check', 0, 2]],
    [['check', 0, 1]],
  ]);
  const all = search(program, { stopAtFirst: false });
  expect(all).toMatchObject({ verdict: 'violated', exhaustive: true });
  expect(all.violations).toBeGreaterThan(2);
  expect(search(program)).toMatchObject({ verdict: 'violated', exhaustive: false, violations: 1, path: all.path });
});
