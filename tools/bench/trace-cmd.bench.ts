/**
 * Reading and replaying a trace.dat beside `trace-cmd report FILE > /dev/null`: CPU time of whole processes, start included, and their most
 * memory, for a recording and one that is ten times as long.
 *
 * The recordings are the shipped one over and over: its pages with later time stamps.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { print, type Value } from './table.ts';

const PAGE = 4096;
const RECORDING = new URL('../../packages/replay/test/fixtures/f01-ceiling.v6.dat.gz', import.meta.url);
const PROGRAM = fileURLToPath(new URL('replaying.ts', import.meta.url));
/** Longer than the recording, in nanoseconds. */
const LATER = 1_000_000_000n;

/** A trace.dat of version 6 that holds the recording so many times. */
function repeated(times: number): Buffer {
  const file = gunzipSync(readFileSync(RECORDING));
  const table = file.lastIndexOf('flyrecord\0', file.indexOf(Buffer.alloc(PAGE / 4)) + PAGE, 'latin1') + 10;
  const cpus = [0, 1].map((cpu) => {
    const [offset, size] = [0, 8].map((at) => Number(file.readBigUInt64LE(table + 16 * cpu + at)));
    return file.subarray(offset, offset! + size!);
  });
  const first = Number(file.readBigUInt64LE(table));
  const head = Buffer.from(file.subarray(0, first));
  let at = first;
  const copies = cpus.map((pages, cpu) => {
    const all = Buffer.concat(Array.from({ length: times }, () => pages));
    for (let page = 0; page < all.length; page += PAGE) {
      const time = all.readBigUInt64LE(page) + LATER * BigInt(Math.floor(page / pages.length));
      all.writeBigUInt64LE(time, page);
    }
    head.writeBigUInt64LE(BigInt(at), table + 16 * cpu);
    head.writeBigUInt64LE(BigInt(all.length), table + 16 * cpu + 8);
    at += all.length;
    return all;
  });
  return Buffer.concat([head, ...copies]);
}

/** CPU seconds of `trace-cmd report`; null if there is no such program. */
function report(file: string): number | null {
  const { stdout, status } = spawnSync('sh', ['-c', 'trace-cmd report "$0" > /dev/null 2>&1 && times', file], {
    encoding: 'utf8',
  });
  if (status !== 0) return null;
  // The second line is of the shell's children: user and system, as 0m1.5s.
  const [, user = 0, , system = 0] = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s/.exec(stdout)!.slice(1).map(Number);
  return user + system;
}

interface Ours {
  readonly events: number;
  readonly seconds: number;
  readonly mebibytes: number;
}

function ours(file: string, what: 'read' | 'replay'): Ours {
  return JSON.parse(execFileSync(process.execPath, [PROGRAM, file, what], { encoding: 'utf8' })) as Ours;
}

const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-bench-'));
const rows: Value[][] = [];
try {
  for (const times of [160, 1600]) {
    const file = join(folder, `${times}.dat`);
    writeFileSync(file, repeated(times));
    const theirs = report(file);
    for (const what of ['read', 'replay'] as const) {
      const { events, seconds, mebibytes } = ours(file, what);
      const ratio = theirs === null ? 'no trace-cmd' : (seconds / theirs).toFixed(2);
      rows.push([what, events, seconds, Math.round(events / seconds), mebibytes, theirs ?? 0, ratio]);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
print(['what', 'events', 'CPU s', 'events/s', 'MiB at most', 'trace-cmd report: CPU s', 'times its CPU time'], rows);
