/**
 * Reads herd's C syntax.
 *
 *     C NAME
 *     (* comments *)
 *     { x=1; 0:r1=2; }
 *     P0(int *x) { ... }
 *     P1(int *x, spinlock_t *l) { ... }
 *     exists (1:r0=1 /\ x=2)
 */
import { parseThreads } from './c-syntax.ts';
import { parseQuestion } from './condition-syntax.ts';
import { LitmusError } from './errors.ts';
import { parseInit } from './init-syntax.ts';
import { Tokens, withoutComments } from './scan.ts';
import { beginning, closing, readHeader } from './table.ts';
import type { LitmusTest } from './test.ts';
import type { Value } from './values.ts';

/** Reads a test in C. */
export function readC(file: string, source: string): LitmusTest {
  const head = headLength(file, source);
  const header = withoutComments(file, source.slice(0, head), 1);
  const { name } = readHeader(file, header);
  const close = closing(file, source, head);
  const initial = parseInit(
    new Tokens(file, withoutComments(file, source.slice(head, close + 1), line(source, head)), line(source, head)),
    same,
  );
  // In C, `(*x)` begins no comment; those of C are taken out, line ends stay.
  const rest = withoutCComments(source.slice(close + 1));
  const end = beginning(rest, lastBrace(rest));
  if (end < 0)
    throw new LitmusError(
      file,
      line(source, source.length - 1),
      "there is no condition: 'exists', '~exists' or 'forall'",
    );
  const at = line(source, close + 1);
  const threads = parseThreads(new Tokens(file, withoutHerdComments(rest.slice(0, end)), at));
  const from = at + rest.slice(0, end).split('\n').length - 1;
  const question = parseQuestion(new Tokens(file, withoutComments(file, rest.slice(end), from), from), same);
  const memory = new Map<string, Value>(initial.memory);
  for (const { parameters } of threads) for (const p of parameters) if (!memory.has(p)) memory.set(p, 0n);
  return {
    file,
    name,
    language: 'C',
    vmsa: false,
    memory,
    registers: initial.registers,
    arrays: initial.arrays,
    threads: threads.map(({ body, parameters }) => ({
      code: [],
      statements: body,
      parameters,
      handler: undefined,
      user: false,
      accessFlag: false,
      dirty: false,
    })),
    ets2: false,
    faults: 'fatal',
    ...question,
  };
}

const same = (name: string): string => name;

function line(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}

/** Where the first values begin: the first brace that is in no comment. */
function headLength(file: string, source: string): number {
  let depth = 0;
  for (let i = 0; i < source.length; i++) {
    const two = source.slice(i, i + 2);
    if (two === '(*') depth++;
    else if (two === '*)') depth--;
    else if (depth === 0 && source[i] === '{') return i;
  }
  throw new LitmusError(file, 1, "there is no '{' that begins the first values");
}

function withoutCComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (comment) => comment.replaceAll(/[^\n]/g, ''));
}

/** Herd's comments between threads: those that hold a blank or a word of text, unlike `(*x)`. */
function withoutHerdComments(text: string): string {
  return text.replaceAll(/\(\*\s[\s\S]*?\*\)/g, (comment) => comment.replaceAll(/[^\n]/g, ''));
}

/** Behind the last thread. */
function lastBrace(text: string): number {
  return text.lastIndexOf('}') + 1;
}
