import type { Head } from './event.ts';
import { decimal, digitsEnd, spacesEnd, utf8 } from './fields.ts';

/**
 * The head of an event's line: everything before the event's name.
 *
 *     tracefs     mmw-10029   (  10029) [001] d..2.  2203.283345: tlb_flush: pages:1 reason:... (3)
 *     trace-cmd   rec:             mmw-8926  [001]  6917.734445: exit_mmap:            mt_mod ...
 *     perf        mmw 10362/10362 [000]  6951.624888739:                 tlb:tlb_flush: pages:1 ...
 *
 * A task's name may hold anything, so the anchor is the CPU in brackets with a time stamp after it: the name is what
 * is left of it once the ids are taken away from the right. tgid, flags and the fraction of the stamp may be missing.
 */
export interface HeadReader {
  /**
   * The head of a line whose CPU stands in or after column `from`, or null if there is none. Sets the fields below.
   * A name may look like a head: if no event follows, read again from behind `cpuAt`.
   */
  read(line: string, number: number, from?: number): Head | null;
  /** Where the CPU's bracket is in the line last read. */
  cpuAt: number;
  /** Where the event's name begins in the line last read. */
  bodyAt: number;
  /** Digits after the point of the stamp last read; -1 if there was no point. */
  fraction: number;
}

const SPACE = 32;
const CLOSE_PAREN = 41;
const DASH = 45;
const POINT = 46;
const SLASH = 47;
const COLON = 58;
const CLOSE_BRACKET = 93;
/** `%16s`: trace-cmd puts the name of a buffer instance in front of it. */
const COMM_COLUMNS = 16;
/** Names and flags repeat: keep one string of each, but not without end. */
const INTERNED = 4096;

export function headReader(): HeadReader {
  const names = new Map<string, string>();
  const flagSets = new Map<string, string>();
  let pid = 0;
  let tgid: number | null = null;
  let comm = '';

  /** Reads ids and name, which end before column `end`; false if there are none. */
  function readTask(line: string, end: number): boolean {
    let right = spacesStart(line, end);
    tgid = null;
    if (line.charCodeAt(right - 1) === CLOSE_PAREN) {
      const open = line.lastIndexOf('(', right);
      const id = decimal(line, spacesEnd(line, open + 1));
      if (!Number.isNaN(id)) tgid = id;
      right = spacesStart(line, open);
    }
    let left = digitsStart(line, right);
    if (left === right || left < 1) return false;
    pid = decimal(line, left);
    let separator = line.charCodeAt(left - 1);
    if (separator === SLASH) {
      // perf: `tgid/tid`
      const tgidEnd = left - 1;
      left = digitsStart(line, tgidEnd);
      if (left === tgidEnd || left < 1) return false;
      tgid = decimal(line, left);
      separator = line.charCodeAt(left - 1);
    }
    if (separator !== DASH && separator !== SPACE) return false;
    comm = intern(names, commOf(line.slice(0, left - 1)));
    return true;
  }

  const reader: HeadReader = {
    cpuAt: 0,
    bodyAt: 0,
    fraction: -1,
    read(line: string, number: number, from: number = 0): Head | null {
      for (let open = line.indexOf('[', from); open >= 0; open = line.indexOf('[', open + 1)) {
        const cpuEnd = digitsEnd(line, open + 1);
        if (cpuEnd === open + 1 || line.charCodeAt(cpuEnd) !== CLOSE_BRACKET) continue;
        let at = spacesEnd(line, cpuEnd + 1);
        let flags = '';
        let stampEnd = stampColon(line, at);
        if (stampEnd < 0) {
          const flagsEnd = line.indexOf(' ', at);
          if (flagsEnd < 0) continue;
          flags = intern(flagSets, line.slice(at, flagsEnd));
          at = spacesEnd(line, flagsEnd);
          stampEnd = stampColon(line, at);
          if (stampEnd < 0) continue;
        }
        if (!readTask(line, open)) continue;
        const point = digitsEnd(line, at);
        let time = decimal(line, at);
        reader.fraction = -1;
        if (point < stampEnd) {
          reader.fraction = stampEnd - point - 1;
          time = time * 10 ** reader.fraction + decimal(line, point + 1);
        }
        reader.cpuAt = open;
        reader.bodyAt = spacesEnd(line, stampEnd + 1);
        return { line: number, time, cpu: decimal(line, open + 1), pid, tgid, comm, flags };
      }
      return null;
    },
  };
  return reader;
}

/** `seconds.fraction:` or `count:` at `at`: where its colon is, else -1. */
function stampColon(line: string, at: number): number {
  let end = digitsEnd(line, at);
  if (end === at) return -1;
  if (line.charCodeAt(end) === POINT) {
    const fraction = digitsEnd(line, end + 1);
    if (fraction === end + 1) return -1;
    end = fraction;
  }
  return line.charCodeAt(end) === COLON ? end : -1;
}

/** Where the decimal digits begin that end at `end`. */
function digitsStart(line: string, end: number): number {
  while (end > 0) {
    const code = line.charCodeAt(end - 1);
    if (code < 48 || code > 57) break;
    end--;
  }
  return end;
}

/** Where the spaces begin that end at `end`. */
function spacesStart(line: string, end: number): number {
  while (end > 0 && line.charCodeAt(end - 1) === SPACE) end--;
  return end;
}

/** A task's name without the padding and without the buffer instance that trace-cmd prints in front (`rec: `). */
function commOf(text: string): string {
  const own =
    text.length > COMM_COLUMNS && text.charCodeAt(text.length - COMM_COLUMNS - 2) === COLON
      ? text.slice(-COMM_COLUMNS)
      : text;
  return own.trim();
}

/** One string of equal ones, copied out of the chunk of the file that it was found in. */
function intern(pool: Map<string, string>, text: string): string {
  let known = pool.get(text);
  if (known === undefined) {
    if (pool.size >= INTERNED) pool.clear();
    known = utf8(text);
    pool.set(known, known);
  }
  return known;
}
