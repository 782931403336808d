/**
 * What a view knows beyond another one decides how many states a program has under weak, and nothing else: no outcome shows it. So here states are
 * counted.
 *
 *     CPU 0    CPU 1                               CPU 0    CPU 1
 *     R x      swap x, full    tells of it         W y      swap y, full
 *              swap y, full    nobody looks at y   R x      swap x, full
 *                                                           dmb sy
 *
 * On the left the second swap has nothing to tell, and is taken at once. Before the first one x is not read yet, or 0 was; before the second the
 * same two, for CPU 0 need not go on there; at the end x is not read yet, or 0 was, or 1. On the right CPU 1 knows of y by its first swap, and
 * its second one adds x alone.
 */
import { afterEach, expect, test, vi } from 'vitest';
import { search } from '../src/search/index.ts';
import { EMPTY_VIEW, type View, Views } from '../src/weak/views.ts';
import { machineOf, MODELS, outcomes, type Straight } from './weak-programs.ts';

/** What `beyond` must not be. */
type Beyond = (this: Views, view: View, floor: View) => View;

/** Nothing is left out. */
const all: Beyond = (view) => view;

/** What both know alike stays, if they do not know the same. */
const alike: Beyond = function (view, floor) {
  if (view === EMPTY_VIEW || floor === EMPTY_VIEW) return view;
  if (view === floor) return EMPTY_VIEW;
  return this.lists.map(view, (index, cell) => (index < this.at(floor, cell) ? 0 : index));
};

/** A program, whether it is followed as bare instructions, how many states it has, and how many with a weaker `beyond`. */
const PROGRAMS: readonly {
  readonly name: string;
  readonly program: Straight;
  readonly exact: boolean;
  readonly states: number;
  readonly weaker: Beyond;
  readonly more: number;
}[] = [
  {
    name: 'a full barrier that has nothing to tell is taken at once',
    program: [
      [{ op: 'load', cell: 0 }],
      [
        { op: 'swap', cell: 0, value: 1, order: 'full' },
        { op: 'swap', cell: 1, value: 2, order: 'full' },
      ],
    ],
    exact: false,
    states: 2 + 2 + 3,
    weaker: all,
    more: 2 + 3 + 3,
  },
  {
    name: 'what all later accesses come after anyway is forgotten',
    program: [
      [
        { op: 'store', cell: 1, value: 1 },
        { op: 'load', cell: 0 },
      ],
      [
        { op: 'swap', cell: 1, value: 2, order: 'full' },
        { op: 'swap', cell: 0, value: 3, order: 'full' },
        { op: 'fence', kind: 'dmb sy' },
      ],
    ],
    exact: true,
    states: 22,
    weaker: alike,
    more: 23,
  },
];

afterEach(() => {
  vi.restoreAllMocks();
});

test.for(PROGRAMS)('$name', ({ program, exact, states, weaker, more }) => {
  const count = (): number | undefined => search(machineOf(program, MODELS.mca, exact).machine).states;
  expect(count()).toBe(states);
  const right = outcomes(program, MODELS.mca, 'states', exact);
  vi.spyOn(Views.prototype, 'beyond').mockImplementation(weaker);
  expect(outcomes(program, MODELS.mca, 'states', exact)).toEqual(right);
  expect(count()).toBe(more);
});
