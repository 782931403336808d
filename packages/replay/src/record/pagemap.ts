/**
 * /proc/PID/pagemap: which pages of a process are there, in runs of equal ones.
 *
 *     63 present    61 of a file, or of memory that is shared    56 mapped by nobody else
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Mapped } from '../read/maps.ts';
import type { Run } from '../read/recorder-notes.ts';

/** Bytes of an entry. */
const ENTRY = 8;
/** Bits in the upper half of an entry. */
const PRESENT = 2 ** 31;
const OF_FILE = 2 ** 29;
const EXCLUSIVE = 2 ** 24;
/** Entries that are read at a time. */
const BATCH = 65_536;
/** Pages that are looked at of one process; its other mappings count as empty. */
const MOST = 2 ** 22;

/** The pages of a process that are there, in order; none if this cannot be read. */
export function presentPages(pid: number, maps: readonly Mapped[], pageSize: number): Run[] {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/pagemap`, 'r');
  } catch {
    return [];
  }
  try {
    const runs: Run[] = [];
    let budget = MOST;
    for (const { start, end, read, write, execute } of maps) {
      // What is only reserved has no pages.
      if (!read && !write && !execute) continue;
      budget -= (end - start) / pageSize;
      if (budget < 0) break;
      readRuns(fd, start / pageSize, end / pageSize, pageSize, runs);
    }
    return runs;
  } finally {
    closeSync(fd);
  }
}

function readRuns(fd: number, first: number, end: number, pageSize: number, runs: Run[]): void {
  const bytes = Buffer.alloc(Math.min(end - first, BATCH) * ENTRY);
  for (let page = first; page < end; ) {
    const got = readSync(fd, bytes, 0, Math.min(bytes.length, (end - page) * ENTRY), page * ENTRY);
    if (got === 0) return;
    for (let at = 0; at + ENTRY <= got; at += ENTRY, page++)
      addPage(runs, page * pageSize, pageSize, bytes.readUInt32LE(at + 4));
  }
}

function addPage(runs: Run[], start: number, pageSize: number, bits: number): void {
  if (bits < PRESENT) return;
  const ofFile = Math.floor(bits / OF_FILE) % 2 === 1;
  const exclusive = Math.floor(bits / EXCLUSIVE) % 2 === 1;
  const last = runs.at(-1);
  const follows = last !== undefined && last.start + last.pages * pageSize === start;
  if (follows && last.ofFile === ofFile && last.exclusive === exclusive)
    runs[runs.length - 1] = { ...last, pages: last.pages + 1 };
  else runs.push({ start, pages: 1, ofFile, exclusive });
}
