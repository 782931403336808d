/**
 * Reads herd's table syntax: a header, first values, a column of instructions for each thread, and a condition.
 *
 *     AArch64 NAME
 *     "a description"
 *     KEY=value ...
 *     { x=0; 0:X1=x; }
 *      P0          | P1           | P1.F  ;
 *      L0: STR ... | LDR ...      | ERET  ;
 *     exists (1:X0=1)
 *
 * `P1.F` holds what thread 1 does after a fault.
 */
import { parseQuestion, type Question, type RegisterName } from './condition-syntax.ts';
import { LitmusError, Unsupported } from './errors.ts';
import { type Initial, parseInit } from './init-syntax.ts';
import type { Action, Instruction } from './instruction.ts';
import { Tokens, withoutComments } from './scan.ts';

/** Reads the instructions of a language. */
export interface Decoder {
  register: RegisterName;
  /** Decodes one instruction without its labels. */
  decode(text: string, file: string, line: number): { readonly bits: number; readonly action: Action };
}

/** One column of the table. */
export interface Column {
  readonly thread: number;
  readonly handler: boolean;
  readonly code: readonly Instruction[];
}

/** A test in table syntax. */
export interface Table {
  readonly name: string;
  /** `KEY=value` of the header; keys in lower case. */
  readonly info: ReadonlyMap<string, string>;
  readonly initial: Initial;
  readonly columns: readonly Column[];
  readonly question: Question;
}

/** Reads a table. @param check looks at the header, before anything else is read */
export function readTable(
  file: string,
  source: string,
  decoder: Decoder,
  check: (info: ReadonlyMap<string, string>) => void,
): Table {
  const text = withoutComments(file, source, 1);
  const open = text.indexOf('{');
  if (open < 0) throw new LitmusError(file, 1, "there is no '{' that begins the first values");
  const { name, info } = readHeader(file, text.slice(0, open));
  check(info);
  const close = closing(file, text, open);
  const initial = parseInit(new Tokens(file, text.slice(open, close + 1), lineOf(text, open)), decoder.register);
  const end = beginning(text, close + 1);
  if (end < 0)
    throw new LitmusError(
      file,
      lineOf(text, text.length - 1),
      "there is no condition: 'exists', '~exists' or 'forall'",
    );
  const columns = readColumns(file, text.slice(close + 1, end), lineOf(text, close + 1), decoder);
  const question = parseQuestion(new Tokens(file, text.slice(end), lineOf(text, end)), decoder.register);
  return { name, info, initial, columns, question };
}

function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = 0; i < at; i++) if (text[i] === '\n') line++;
  return line;
}

/** Reads `AArch64 NAME`, a description, and `KEY=value` lines. */
export function readHeader(file: string, text: string): { readonly name: string; readonly info: Map<string, string> } {
  const lines = text.split('\n').map((line) => line.trim());
  const first = lines.find((line) => line !== '') ?? '';
  const name = /^\S+\s+(\S+)/.exec(first)?.[1];
  if (name === undefined)
    throw new LitmusError(file, 1, 'the first line must name the language and the test, as in AArch64 MP');
  const info = new Map<string, string>();
  for (const line of lines) {
    const pair = /^(\w+)\s*=\s*(.*)$/.exec(line);
    if (pair !== null) info.set(pair[1]!.toLowerCase(), pair[2]!);
  }
  return { name, info };
}

/** Where the brace that opens at `open` is closed. */
export function closing(file: string, text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth++;
    if (text[i] === '}' && --depth === 0) return i;
  }
  throw new LitmusError(file, lineOf(text, open), "this '{' is not closed");
}

/** Where the condition begins. */
export function beginning(text: string, from: number): number {
  const match = /(?<![\w.:])(?:locations\s*\[|filter\b|~\s*exists\b|exists\b|forall\b|observed\b|final\b)/g;
  match.lastIndex = from;
  return match.exec(text)?.index ?? -1;
}

function readColumns(file: string, text: string, line: number, decoder: Decoder): Column[] {
  const rows: { cells: string[]; line: number }[] = [];
  let now = line;
  // The `;` of x86's lock prefix ends no row.
  for (const part of text.replaceAll(/\block\s*;/gi, 'lock ').split(';')) {
    const lead = /^\s*/.exec(part)![0];
    const at = now + lead.split('\n').length - 1;
    if (part.trim() !== '') rows.push({ cells: part.split('|').map((cell) => cell.trim()), line: at });
    now += part.split('\n').length - 1;
  }
  const head = rows.shift();
  if (head === undefined) throw new LitmusError(file, line, 'there are no threads: expected a row such as P0 | P1 ;');
  const threads = head.cells.map((cell) => {
    const match = /^P(\d+)(\.F)?(?:\s*:.*)?$/.exec(cell);
    if (match === null) throw new LitmusError(file, head.line, `expected a thread such as P0, found '${cell}'`);
    return { thread: Number(match[1]), handler: match[2] !== undefined, cells: [] as { text: string; line: number }[] };
  });
  for (const row of rows) {
    if (row.cells.length > threads.length)
      throw new LitmusError(
        file,
        row.line,
        `a row of ${row.cells.length} columns, where there are ${threads.length} threads`,
      );
    row.cells.forEach((cell, i) => threads[i]!.cells.push({ text: cell, line: row.line }));
  }
  return threads.map(({ thread, handler, cells }) => ({ thread, handler, code: readCode(file, cells, decoder) }));
}

/** Reads lines of instructions, with their labels. */
export function readCode(
  file: string,
  cells: readonly { text: string; line: number }[],
  decoder: Decoder,
): Instruction[] {
  const code: Instruction[] = [];
  let labels: string[] = [];
  for (const cell of cells) {
    let rest = cell.text;
    for (let match = LABEL.exec(rest); match !== null; match = LABEL.exec(rest)) {
      labels.push(match[1]!);
      rest = rest.slice(match[0].length);
    }
    if (rest === '') continue;
    const { bits, action } = decoder.decode(rest.replaceAll(/\s+/g, ' '), file, cell.line);
    code.push({ line: cell.line, labels, bits, action });
    labels = [];
  }
  if (labels.length > 0) code.push({ line: cells.at(-1)!.line, labels, bits: 64, action: { kind: 'nop' } });
  return code;
}

const LABEL = /^([A-Za-z_]\w*)\s*:\s*/;

/** Checks that threads are numbered from 0 on, and that branches have their labels. */
export function checkColumns(file: string, columns: readonly Column[]): void {
  const threads = columns.filter(({ handler }) => !handler);
  threads.forEach(({ thread }, i) => {
    if (thread !== i) throw new LitmusError(file, 0, `the threads must be P0, P1, ... in this order: P${i} is missing`);
  });
  for (const { thread, handler, code } of columns) {
    if (threads[thread] === undefined) throw new LitmusError(file, 0, `P${thread}.F is a handler of no thread`);
    const labels = new Set(columns.filter((c) => c.thread === thread).flatMap((c) => c.code.flatMap((i) => i.labels)));
    for (const { action, line } of code) {
      const to =
        action.kind === 'jump' || action.kind === 'branch' || action.kind === 'branchOnZero' ? action.to : undefined;
      const target = action.kind === 'label' ? action.label : to;
      if (target !== undefined && !labels.has(target))
        throw new LitmusError(file, line, `there is no label '${target}' in P${thread}`);
      if (handler && to !== undefined) throw new Unsupported(file, line, 'a branch in a fault handler');
    }
  }
}
