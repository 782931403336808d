/**
 * Id: a path as a short text that can be pasted: `search --rerun 4k7m...`.
 *
 *     2 bytes hash of the scenario   runs of steps by one actor   outcomes other than the first   2 bytes checksum
 *
 * in base 32 without letters that look alike. The scenario is whatever text the caller chooses to name what the path
 * belongs to: its id and all parameters that change which paths there are.
 */
import type { Path } from './path.ts';

/** Crockford's digits: no i, l, o, u. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
/** Bytes of the scenario's hash and of the checksum. */
const HASH_BYTES = 2;
/** Longest path that is taken for one, so that a bad id cannot fill the memory. */
const MAX_STEPS = 1_000_000;

/** An id that cannot be used; the message is one line for people. */
export class IdError extends Error {
  /** Name in messages. */
  override readonly name = 'IdError';
}

/** Encodes a path. */
export function encodeId(path: Path, scenario: string): string {
  const bytes: number[] = [];
  const number = (value: number): void => {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  };
  bytes.push(...hashBytes(scenario));
  const actors = 1 + Math.max(0, ...path.map(([actor]) => actor));
  number(actors);
  const runs = [...runsOf(path)];
  number(runs.length);
  for (const [actor, length] of runs) number(actor + actors * (length - 1));
  let last = -1;
  for (const [i, [, choice]] of path.entries()) {
    if (choice === 0) continue;
    number(i - last - 1);
    number(choice);
    last = i;
  }
  bytes.push(...hashBytes(String.fromCharCode(...bytes)));
  return toDigits(bytes);
}

/**
 * Decodes an id. Upper case and spaces are taken, too.
 * @throws IdError if it is none, or belongs to another scenario
 */
export function decodeId(id: string, scenario: string): Path {
  const bytes = fromDigits(id.toLowerCase().replaceAll(/\s/g, ''));
  const body = bytes?.slice(0, -HASH_BYTES);
  if (
    body === undefined ||
    body.length < HASH_BYTES + 2 ||
    !equal(hashBytes(String.fromCharCode(...body)), bytes!.slice(-HASH_BYTES))
  ) {
    throw new IdError(`bad id '${id}': it is cut off or mistyped; paste all of it`);
  }
  if (!equal(hashBytes(scenario), body.slice(0, HASH_BYTES))) {
    throw new IdError(`the id '${id}' belongs to another scenario or other parameters than '${scenario}'`);
  }
  let at = HASH_BYTES;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = body[at++];
      if (byte === undefined || scale > 2 ** 42) throw new IdError(`bad id '${id}': it was made by another version`);
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  const actors = number();
  const path: [number, number][] = [];
  for (let runs = number(); runs > 0; runs--) {
    const run = number();
    const length = 1 + Math.floor(run / actors);
    if (!(path.length + length <= MAX_STEPS)) throw new IdError(`bad id '${id}': it was made by another version`);
    for (let i = 0; i < length; i++) path.push([run % actors, 0]);
  }
  for (let step = -1; at < body.length; ) {
    step += number() + 1;
    const choice = number();
    if (step >= path.length) throw new IdError(`bad id '${id}': it was made by another version`);
    path[step]![1] = choice;
  }
  return path;
}

/** Steps in a row by one actor. */
function* runsOf(path: Path): Generator<readonly [actor: number, length: number]> {
  let length = 0;
  for (const [i, [actor]] of path.entries()) {
    length++;
    if (path[i + 1]?.[0] === actor) continue;
    yield [actor, length];
    length = 0;
  }
}

/** FNV-1a, folded. */
function hashBytes(text: string): number[] {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 15;
  return Array.from({ length: HASH_BYTES }, (_, i) => (h >>> (8 * i)) & 255);
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}

function toDigits(bytes: readonly number[]): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; ) text += DIGITS[(held >> (bits -= 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + DIGITS[(held << (5 - bits)) & 31] : text;
}

/** The bytes, or undefined if the text cannot come from {@link toDigits}. */
function fromDigits(text: string): number[] | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    if (digit < 0) return undefined;
    held = (held << 5) | digit;
    bits += 5;
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255);
    held &= (1 << bits) - 1;
  }
  return bits >= 5 || held !== 0 ? undefined : bytes;
}
