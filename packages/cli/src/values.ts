/**
 * Values of options: each parser returns the value, or throws what commander prints as one line.
 */
import { InvalidArgumentError } from 'commander';
import { suggestion } from './nearest.ts';
import type { Shard } from './suite/shard.ts';

/** One of a few words. */
export function oneOf<T extends string>(names: readonly T[]): (typed: string) => T {
  return (typed) => {
    const found = names.find((name) => name === typed);
    if (found === undefined) {
      const meant = suggestion(typed, names).replace(' d', 'D');
      throw new InvalidArgumentError(`${meant} There are: ${names.join(', ')}.`.trim());
    }
    return found;
  };
}

/** A whole number from 1 on; `2e6` and `2_000_000` are ones. */
export function count(typed: string): number {
  const value = Number(typed.replaceAll('_', ''));
  if (typed.trim() === '' || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('Give a whole number from 1 on.');
  }
  return value;
}

/** A whole number within bounds. */
export function between(least: number, most: number): (typed: string) => number {
  return (typed) => {
    const value = Number(typed);
    if (typed.trim() === '' || !Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** A part of a run: `2/4`. */
export function shard(typed: string): Shard {
  const m = /^(\d+)\/(\d+)$/.exec(typed.trim());
  const [index, parts] = [Number(m?.[1]), Number(m?.[2])];
  if (!(index >= 1 && index <= parts && Number.isSafeInteger(parts)))
    throw new InvalidArgumentError('Give a part and the number of parts: 1/4 to 4/4.');
  return { index, count: parts };
}

/** A number from 0 to 1. */
export function share(typed: string): number {
  const value = Number(typed);
  if (typed.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('Give a number from 0 to 1.');
  return value;
}

/** A seed: 32 bits. */
export function seed(typed: string): number {
  const value = Number(typed);
  if (typed.trim() === '' || !Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new InvalidArgumentError('Give a whole number from 0 to 4294967295.');
  }
  return value;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, '': 1000, m: 60_000, h: 3_600_000 };

/** A duration in milliseconds: `500ms`, `30s` (or just `30`), `5m`, `1h`. */
export function duration(typed: string): number {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(typed.trim());
  const value = m === null ? 0 : Number(m[1]) * UNITS[m[2]!]!;
  if (!(value > 0) || value > Number.MAX_SAFE_INTEGER)
    throw new InvalidArgumentError('Give a time such as 500ms, 30s, 5m or 1h.');
  return value;
}

/** Collects an option that may be given several times. */
export function several(typed: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), typed];
}

/** Collects lists with commas, of an option that may be given several times. */
export function list(typed: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...typed.split(',').map((part) => part.trim())];
}

/** Ids of tasks, with commas between them. */
export function pids(typed: string): readonly number[] {
  const ids = typed.split(',').map((part) => Number(part.trim() === '' ? NaN : part));
  if (!ids.every((id) => Number.isSafeInteger(id) && id > 0))
    throw new InvalidArgumentError('Give ids of tasks such as 8926 or 8926,8930.');
  return ids;
}
