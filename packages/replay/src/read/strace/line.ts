/**
 * A line of strace, taken apart.
 *
 *     10323 1795231874.125446 munmap(0x7fef63281000, 42619) = 0 <0.000014>
 *     10323 1795231874.126006 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
 *     10323 1795231874.126187 <... clone resumed>, child_tidptr=0x7fef6309ca10) = 10325 <0.000172>
 *     10323 1795231874.126213 +++ exited with 0 +++
 */
import { CONSTANTS } from './constants.ts';

/** What a line says. */
export interface StraceLine {
  /** The task; 0 where strace followed only one, and did not say. */
  readonly pid: number;
  /** Microseconds. */
  readonly time: number;
  /** A call, its first or its second half, an end of the task, or something else. */
  readonly kind: 'call' | 'begin' | 'end' | 'exit' | 'other';
  /** The system call. */
  readonly name: string;
  /** Its arguments, as far as they are on this line. */
  readonly args: string;
  /** What it returned; null if it did not. */
  readonly ret: number | null;
}

const LINE = /^(?:\[pid +(\d+)\] |(\d+) +)?(\d+)\.(\d{6}) (.*)$/;
const RETURN = /^(.*)\) += (-?\d+|0x[0-9a-f]+|\?)(?: .*)?$/;
const UNFINISHED = ' <unfinished ...>';

/** Reads a line; null if it is none of strace -ttt. */
export function straceLine(text: string): StraceLine | null {
  const [, inBrackets, plain, seconds, micros, rest = ''] = LINE.exec(text) ?? [];
  if (seconds === undefined) return null;
  const head = { pid: Number(inBrackets ?? plain ?? 0), time: Number(seconds) * 1e6 + Number(micros) };
  if (rest.startsWith('+++ ')) return { ...head, kind: 'exit', name: '', args: '', ret: null };
  if (rest.startsWith('--- ')) return { ...head, kind: 'other', name: '', args: '', ret: null };
  const resumed = /^<\.\.\. (\w+) resumed>/.exec(rest);
  if (resumed !== null) return { ...head, kind: 'end', name: resumed[1]!, ...returned(rest.slice(resumed[0].length)) };
  const call = /^(\w+)\(/.exec(rest);
  if (call === null) return null;
  const name = call[1]!;
  const inside = rest.slice(call[0].length);
  if (inside.endsWith(UNFINISHED))
    return { ...head, kind: 'begin', name, args: inside.slice(0, -UNFINISHED.length), ret: null };
  const result = RETURN.exec(inside);
  return result === null ? null : { ...head, kind: 'call', name, ...returned(inside) };
}

function returned(text: string): { args: string; ret: number | null } {
  const [, args = text, ret = '?'] = RETURN.exec(text) ?? [];
  return { args, ret: ret === '?' ? null : Number(ret) };
}

/** Arguments one by one: commas in brackets and quotes do not part them. */
export function splitArgs(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (quoted) {
      if (letter === '\\') at++;
      else quoted = letter !== '"';
    } else if (letter === '"') quoted = true;
    else if ('([{'.includes(letter)) depth++;
    else if (')]}'.includes(letter)) depth--;
    else if (letter === ',' && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  const last = text.slice(from).trim();
  return last === '' ? parts : [...parts, last];
}

/** The value of an argument: a number, names of bits, or 0 for a text or a struct. */
export function valueOf(text: string): number {
  let value = 0;
  for (const part of text.split('|')) {
    const word = part.slice(part.lastIndexOf('=') + 1).trim();
    const bits = CONSTANTS[word] ?? (/^-?(0x[0-9a-f]+|\d+)$/.test(word) ? Number(word) : 0);
    // Bits are all below 2^31, addresses stand alone.
    value = value === 0 ? bits : value | bits;
  }
  return value;
}

/** The bits after `flags=`, in a struct or not; 0 if there are none. */
export function flagsIn(args: string): number {
  return valueOf(/flags=([^,}]*)/.exec(args)?.[1] ?? '');
}
