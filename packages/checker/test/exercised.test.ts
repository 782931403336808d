// What a search has exercised: whatever the strategy, the same sites and the same orders of racing pairs.
import type { Cell, Cpu, MemoryModel, Steps } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import {
  type Body,
  type Exercise,
  Exercised,
  PAGE_WALK,
  type Program,
  search,
  type SearchOptions,
} from '../src/index.ts';
import { onTree } from './page-tables.ts';
import { bare, handshake, ring } from './programs.ts';

/** What a search exercises; it must hold. */
function exercise(
  program: Program<unknown>,
  model: MemoryModel,
  options: SearchOptions & { strategy?: 'states' | 'dpor' | 'brute' | 'bounded' } = {},
): Exercise {
  const machine = bare(2, program, model, [], { noteSites: true });
  const plain = search(bare(2, program, model), options);
  const watched = new Exercised(machine);
  const result = search(watched, options);
  expect(result.verdict).toBe('holds');
  expect({ ...result, milliseconds: 0 }).toEqual({ ...plain, milliseconds: 0 });
  return watched.exercise;
}

/** A program of two words. */
function words(threads: (x: Cell, y: Cell) => readonly Body[]): Program<unknown> {
  let base = 0;
  return {
    reserve: (layout) => (base = layout.reserve('', ['x', 'y'])),
    setup: () => undefined,
    threads: () => threads(base, base + 1),
  };
}

const write = (x: Cell): Body =>
  function* writer(cpu: Cpu): Steps<void> {
    yield* cpu.writeOnce(x, 1);
  };
const read = (x: Cell): Body =>
  function* reader(cpu: Cpu): Steps<void> {
    yield* cpu.readOnce(x);
  };
const wait = (x: Cell): Body =>
  function* waiter(cpu: Cpu): Steps<void> {
    yield* cpu.waitFor(x, 'equal', 1);
  };
const SITE = /^checker\/exercised\.test\.ts:\d+$/;

describe.each(['sc', 'tso', 'weak'] as const)('under %s', (model) => {
  test('a write and a read race, in both orders', () => {
    const { sites, both, one } = exercise(
      words((x) => [write(x), read(x)]),
      model,
    );
    expect(sites).toEqual([expect.stringMatching(SITE), expect.stringMatching(SITE)]);
    expect(both).toEqual([sites]);
    expect(one).toEqual([]);
  });

  test('who waits for a write comes after it', () => {
    const { sites, both, one } = exercise(
      words((x) => [write(x), wait(x)]),
      model,
    );
    expect(both).toEqual([]);
    expect(one).toEqual([[sites[0], sites[1]]]);
  });

  test('reads do not race, nor do accesses of different words', () => {
    expect(
      exercise(
        words((x) => [read(x), read(x)]),
        model,
      ),
    ).toMatchObject({ both: [], one: [] });
    expect(
      exercise(
        words((x, y) => [write(x), write(y)]),
        model,
      ),
    ).toMatchObject({ both: [], one: [] });
  });

  test('one site races with itself', () => {
    const { sites, both } = exercise(
      words((x) => [write(x), write(x)]),
      model,
    );
    expect(both).toEqual([[sites[0], sites[0]]]);
  });
});

describe.each(['sc', 'tso'] as const)('all strategies agree under %s', (model) => {
  test.each([
    ['handshake', handshake(true)],
    ['ring', ring([1], 1)],
  ])('%s', (_, program) => {
    const wanted = exercise(program, model, { strategy: 'brute' });
    expect(wanted.both.length).toBeGreaterThan(0);
    for (const strategy of ['states', 'dpor', 'bounded'] as const)
      expect(exercise(program, model, { strategy })).toEqual(wanted);
    expect(exercise(program, model, { reduce: false })).toEqual(wanted);
  });
});

describe('a store to an entry', () => {
  const storing = (loaded: readonly number[], other: boolean): Exercise => {
    const stage = { loaded, noteSites: true };
    const machine = onTree(
      (tree) => [
        function* (cpu: Cpu): Steps<void> {
          yield* cpu.writeOnce(other ? tree.pages[3]! : tree.pte, 0);
        },
      ],
      stage,
    );
    const watched = new Exercised(machine);
    search(watched);
    return watched.exercise;
  };

  test('races with the walks of MMUs that may read it, in both orders', () => {
    expect(storing([1], false).both).toEqual([[expect.stringMatching(SITE), PAGE_WALK]]);
    expect(storing([0], false).both).toEqual([[expect.stringMatching(SITE), PAGE_WALK]]);
  });

  test('does not where none may, nor does a store to anything else', () => {
    expect(storing([], false)).toMatchObject({ both: [], one: [] });
    expect(storing([1], true)).toMatchObject({ both: [], one: [] });
  });
});
