/**
 * Readers on what nobody wrote: rows of words of each language, halves of tests, and any bytes at all. They are read, or refused in one line with the file's name.
 * MMU_GATHER_FUZZ: number of runs, and another seed each time.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explore, LitmusError, readLitmus } from '../src/index.ts';

const { MMU_GATHER_FUZZ: wanted } = process.env;
const HOW = wanted === undefined ? { numRuns: 400, seed: 0x5eed } : { numRuns: Number(wanted) };

/** Words that mean something, by language. */
const COMMON = [
  '{',
  '}',
  '(',
  ')',
  ';',
  '\n',
  '|',
  '=',
  ':',
  '/\\',
  '\\/',
  '~',
  'exists',
  'forall',
  '~exists',
  'P0',
  'P1',
  '0:',
  'x',
  'y',
  '0',
  '1',
  '-1',
  '"',
  '(*',
  '*)',
];
const LANGUAGES: Readonly<Record<string, readonly string[]>> = {
  'C garbage\n': [
    'P0(int *x, int *y)',
    '{',
    '}',
    'int r0 =',
    'READ_ONCE(*x);',
    'WRITE_ONCE(*x, 1);',
    'smp_mb();',
    'if (r0)',
    'else',
    'spin_lock(&l);',
    '->',
    '&',
    '*',
    ',',
    'while',
    '0:r0=1',
  ],
  'X86_64 garbage\n': ['movl $1,(x)', 'movl (x),%eax', 'MFENCE', 'xchgl', '%rax', '$', ',', '1:rax=1', 'lock', '[x]'],
  'AArch64 garbage\n': [
    'LDR W0,[X1]',
    'STR W0,[X1]',
    'DSB SY',
    'TLBI VAAE1IS,X0',
    'PTE(x)',
    'oa:PA(x)',
    'valid:0',
    'CBNZ',
    'L0:',
    'MOV W0,#1',
    'fault(P0,x)',
    'TTHM=HA',
    '0:X1=x',
    ',',
    '#',
  ],
  'arch = "AArch64"\nname = "garbage"\n': [
    '[thread.0]',
    'init = { }',
    'code = """',
    '"""',
    'assertion =',
    'symbolic = ["x"]',
    'page_table_setup = """',
    'x |-> pa1;',
    'physical pa1;',
    '[final]',
    'expect = "sat"',
    'LDR X0,[X1]',
    '[',
    ']',
    ',',
  ],
};

const FILES = join(import.meta.dirname, 'files');
/** The texts of our own tests. */
const TESTS = readdirSync(FILES, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(litmus|toml)$/.test(file))
  .map((file) => readFileSync(join(FILES, file), 'utf8'));

/** Reads, and explores what can be read. */
function readsOrRefuses(source: string): void {
  try {
    explore(readLitmus('garbage.litmus', source), { maxStates: 200 });
  } catch (error) {
    expect(error).toBeInstanceOf(LitmusError);
    expect((error as LitmusError).message).toMatch(/^garbage\.litmus[^\n]*$/);
  }
}

describe('no crash, no hang, one line', { timeout: 600_000 }, () => {
  test.each(Object.keys(LANGUAGES))('words after %j', (head) => {
    const word = fc.constantFrom(...COMMON, ...LANGUAGES[head]!);
    const words = fc.tuple(fc.array(word, { maxLength: 40 }), fc.constantFrom('', ' ', '\n'));
    fc.assert(
      fc.property(words, ([list, between]) => readsOrRefuses(head + list.join(between))),
      HOW,
    );
  });

  test('the head of one test with the tail of another', () => {
    const cut = fc.tuple(fc.constantFrom(...TESTS), fc.double({ min: 0, max: 1, noNaN: true }));
    const at = (text: string, where: number): number => Math.round(where * text.length);
    fc.assert(
      fc.property(cut, cut, ([head, end], [tail, begin]) =>
        readsOrRefuses(head.slice(0, at(head, end)) + tail.slice(at(tail, begin))),
      ),
      HOW,
    );
  });

  test('any bytes', () => {
    const text = fc.uint8Array({ maxLength: 200 }).map((bytes) => new TextDecoder().decode(bytes));
    fc.assert(fc.property(text, readsOrRefuses), HOW);
  });
});
