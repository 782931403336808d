/**
 * Numbers and `name=value` fields of an event's text.
 *
 * Lines are read as latin1, a character a byte; `utf8` makes names and marks of it again.
 */

const ZERO = 48;
const NINE = 57;
/** 13 hexadecimal digits are 52 bits: exact in a number without more ado. */
const EXACT_DIGITS = 13;

/** The value of a hexadecimal digit, or -1. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Where the hexadecimal digits end that start at `at`. */
export function hexEnd(text: string, at: number): number {
  while (at < text.length && hexDigit(text.charCodeAt(at)) >= 0) at++;
  return at;
}

/** Where the decimal digits end that start at `at`. */
export function digitsEnd(text: string, at: number): number {
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE) break;
    at++;
  }
  return at;
}

/** Where the spaces end that start at `at`. */
export function spacesEnd(text: string, at: number): number {
  while (text.charCodeAt(at) === 32) at++;
  return at;
}

/** The decimal number at `at`, with a minus perhaps; NaN if there is none. */
export function decimal(text: string, at: number): number {
  const negative = text.charCodeAt(at) === 45;
  if (negative) at++;
  const end = digitsEnd(text, at);
  if (end === at) return NaN;
  let value = 0;
  for (; at < end; at++) value = value * 10 + text.charCodeAt(at) - ZERO;
  return negative ? -value : value;
}

/** Where a hexadecimal number's digits begin: kernels before 6.13 print system call arguments without the 0x. */
export function hexStart(text: string, at: number): number {
  return text.charCodeAt(at) === ZERO && text.charCodeAt(at + 1) === 120 ? at + 2 : at;
}

/** The hexadecimal number at `at`, with or without 0x, as a signed 64-bit value; NaN if there is none. */
export function hex(text: string, at: number): number {
  const start = hexStart(text, at);
  const end = hexEnd(text, start);
  if (end === start) return NaN;
  if (end - start > EXACT_DIGITS) return Number(BigInt.asIntN(64, BigInt(`0x${text.slice(start, end)}`)));
  let value = 0;
  for (let i = start; i < end; i++) value = value * 16 + hexDigit(text.charCodeAt(i));
  return value;
}

/** Where the value of ` name=` or a leading `name=` begins, or -1. `key` has its equals sign. */
export function valueAt(text: string, key: string): number {
  if (text.startsWith(key)) return key.length;
  const at = text.indexOf(` ${key}`);
  return at < 0 ? -1 : at + key.length + 1;
}

/** The value of a field up to the next space, or '' if the event has no such field. */
export function word(text: string, key: string): string {
  const at = valueAt(text, key);
  if (at < 0) return '';
  const end = text.indexOf(' ', at);
  const value = text.slice(at, end < 0 ? text.length : end);
  return value.endsWith(',') ? value.slice(0, -1) : value;
}

/** The decimal value of a field; NaN if the event has no such field. */
export function number(text: string, key: string): number {
  const at = valueAt(text, key);
  return at < 0 ? NaN : decimal(text, at);
}

/** From this length on V8 may make a slice share the memory of what it was cut from: a whole chunk of the file. */
const SHARED_LENGTH = 13;

/** Text that was read as latin1, as the UTF-8 that it is, and on its own. */
export function utf8(text: string): string {
  if (text.length >= SHARED_LENGTH) return Buffer.from(text, 'latin1').toString('utf8');
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 127) return Buffer.from(text, 'latin1').toString('utf8');
  }
  return text;
}

/** All `name=value` and `name:value` fields of an event that has no kind of its own, values as text. */
export function fieldsOf(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const match of text.matchAll(/(\w+)(?:=|: ?)([^\s,]+)/g)) fields[match[1]!] = match[2]!;
  return fields;
}
