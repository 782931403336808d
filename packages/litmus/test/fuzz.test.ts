/**
 * Readers on damaged files: whatever is cut, doubled or swapped, they read it, or say what is wrong in one line with the file's name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { explore, LitmusError, readLitmus } from '../src/index.ts';
import { numbers } from './numbers.ts';

const FILES = join(import.meta.dirname, 'files');
/** Damaged copies of each file. */
const COPIES = 40;

const SCRAPS = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  '(*',
  '*)',
  ';',
  '|',
  '=',
  ':',
  '0',
  '-1',
  '99999999999999999999',
  '#',
  '"',
  '\u0000',
  'é',
  'P9',
  'x',
  'LDR',
  'exists',
  '\n',
];

function damaged(text: string, next: (below: number) => number): string {
  let out = text;
  for (let n = 1 + next(3); n > 0; n--) {
    const at = next(out.length + 1);
    const end = Math.min(out.length, at + 1 + next(12));
    const way = next(4);
    if (way === 0) out = out.slice(0, at) + out.slice(end);
    else if (way === 1) out = out.slice(0, at) + SCRAPS[next(SCRAPS.length)]! + out.slice(at);
    else if (way === 2) out = out.slice(0, end) + out.slice(at);
    else out = out.slice(0, at);
  }
  return out;
}

describe.each(readdirSync(FILES))('%s', (folder) => {
  const files = readdirSync(join(FILES, folder)).filter((file) => !file.endsWith('.tsv'));

  test('a damaged file is read, or refused in one line', { timeout: 60_000 }, () => {
    const next = numbers(0x11a5);
    for (const file of files) {
      const text = readFileSync(join(FILES, folder, file), 'utf8');
      for (let copy = 0; copy < COPIES; copy++) {
        const source = damaged(text, next);
        try {
          explore(readLitmus(file, source), { maxStates: 2000 });
        } catch (error) {
          const refused =
            error instanceof LitmusError && error.message.startsWith(file) && !error.message.includes('\n');
          expect(refused ? undefined : { error, source }).toBeUndefined();
        }
      }
    }
  });
});

test('nesting has bounds', () => {
  const deep = (open: string, close: string): string => `${open.repeat(5000)}x=1${close.repeat(5000)}`;
  const head = 'AArch64 deep\n{ 0:X1=x; }\n P0 ;\n LDR W0,[X1] ;\nexists ';
  expect(() => readLitmus('deep.litmus', head + deep('(', ')'))).toThrow(
    /^deep\.litmus:5: this condition is nested too deeply/,
  );
  expect(() => readLitmus('deep.litmus', head + deep('~', ''))).toThrow(/nested too deeply/);
  const c = `C deep\n{}\nP0(int *x)\n{\n${'if (1) '.repeat(5000)} WRITE_ONCE(*x, 1);\n}\nexists (x=1)\n`;
  expect(() => readLitmus('deep.litmus', c)).toThrow(/^deep\.litmus:5: this is nested too deeply/);
});
