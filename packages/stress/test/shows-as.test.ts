/** What a run may find where scenarios of the suite are known to break, and what nothing excuses. */
import { expect, test } from 'vitest';
import { mayShow } from '../src/index.ts';

test.each([
  [['O4'], 'O4', true],
  [['O4'], 'O1', false],
  [['O10'], 'O1', true],
  [['O10'], 'O16', false],
  [['O5'], 'crash', true],
  [['O15', 'O17'], 'O2', false],
  [['assert'], 'O2', false],
  [['setup'], 'O2', true],
  [['deadlock'], 'crash', false],
  [[], 'O1', false],
])('%j broken, %s found: %s', (broken, found, expected) => expect(mayShow(broken, found)).toBe(expected));
