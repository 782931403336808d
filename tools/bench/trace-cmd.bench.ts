/**
 * `mmu-gather replay FILE --json` beside `trace-cmd report FILE > /dev/null`: CPU time and time on the clock of whole processes, start
 * included, and their most memory, for a recording and one that is ten times as long.
 *
 * The recordings are the shipped one over and over: its pages with later time stamps.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { print, type Value } from './table.ts';

const PAGE = 4096;
const RECORDING = new URL('../../packages/replay/test/fixtures/f01-ceiling.v6.dat.gz', import.meta.url);
const [SPENT, READING, COMMAND] = ['spent.mjs', 'reading.ts', '../../packages/cli/dist/main.js'].map((file) =>
  fileURLToPath(new URL(file, import.meta.url)),
) as [string, string, string];
const RUNS = 3;
const NONE: Run = { cpu: Infinity, wall: Infinity };
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

/** What one run took. */
interface Run {
  /** CPU seconds, with all threads. */
  readonly cpu: number;
  /** Seconds on the clock. */
  readonly wall: number;
}

interface Ours extends Run {
  readonly events: number;
  readonly mebibytes: number;
}

/** The best of some runs of each, in turn: whatever else the machine does makes all of them slower. */
function best<T extends readonly Run[]>(runs: () => T): T {
  const tries = Array.from({ length: RUNS }, runs);
  return tries[0]!.map((_, i) => tries.map((each) => each[i]!).reduce((a, b) => (b.cpu < a.cpu ? b : a))) as never;
}

/** `trace-cmd report`, if there is such a program. */
function report(file: string): Run {
  const began = performance.now();
  const { stdout, status } = spawnSync('sh', ['-c', 'trace-cmd report "$0" > /dev/null 2>&1 && times', file], {
    encoding: 'utf8',
  });
  const wall = (performance.now() - began) / 1000;
  if (status !== 0) return NONE;
  // The second line is of the shell's children: user and system, as 0m1.5s.
  const [, user = 0, , system = 0] = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s/.exec(stdout)!.slice(1).map(Number);
  return { cpu: user + system, wall };
}

/** A program of ours that prints a JSON object with its number of events. */
function ours(program: string, ...args: readonly string[]): Ours {
  const began = performance.now();
  const { output, status } = spawnSync(process.execPath, ['--import', SPENT, program, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    maxBuffer: 2 ** 30,
  });
  const wall = (performance.now() - began) / 1000;
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  const { events } = JSON.parse(output[1]!) as { events: number };
  const { cpu, mebibytes } = JSON.parse(output[3]!) as { cpu: number; mebibytes: number };
  return { events, mebibytes, cpu, wall };
}

const folder = mkdtempSync(join(tmpdir(), 'mmu-gather-bench-'));
const rows: Value[][] = [];
try {
  for (const times of [160, 1600]) {
    const file = join(folder, `${times}.dat`);
    writeFileSync(file, repeated(times));
    const [theirs, read, replay] = best(
      () => [report(file), ours(READING, file), ours(COMMAND, 'replay', '--json', file)] as const,
    );
    for (const [what, { events, mebibytes, cpu, wall }] of Object.entries({ 'reading alone': read, replay })) {
      const ratios = [cpu / theirs.cpu, wall / theirs.wall].map((ratio) => (theirs === NONE ? '' : ratio.toFixed(2)));
      rows.push([what, events, cpu, ratios[0]!, wall, ratios[1]!, Math.round(events / wall), mebibytes]);
    }
    if (theirs !== NONE) rows.push(['trace-cmd report', replay.events, theirs.cpu, '', theirs.wall, '', '', '']);
  }
} finally {
  rmSync(folder, { recursive: true });
}
print(['', 'events', 'CPU s', 'times trace-cmd', 'seconds', 'times trace-cmd', 'events/s', 'MiB at most'], rows);
