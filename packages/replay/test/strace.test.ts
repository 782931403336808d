import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TraceError } from '../src/read/error.ts';
import type { TraceEvent } from '../src/read/event.ts';
import { openTrace } from '../src/read/open.ts';
import { flagsIn, splitArgs, straceLine, valueOf } from '../src/read/strace/line.ts';
import { replay } from '../src/replay.ts';
import { summary } from '../src/report.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-strace-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of these calls of task 7, a millisecond apart; those that name a task are as they are. */
async function fileOf(...calls: readonly string[]): Promise<string> {
  const path = join(folder, 'strace.txt');
  const lines = calls.map((call, i) => {
    const [, pid = '7', text = ''] = /^(\d+)?:? ?(.*)$/.exec(call)!;
    return `${pid} 1795231874.${String(100_000 + 1000 * i)} ${text}\n`;
  });
  await writeFile(path, lines.join(''));
  return path;
}

async function eventsOf(path: string): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for await (const batch of (await openTrace(path)).batches()) events.push(...batch);
  return events;
}

const MAP = 'mmap(NULL, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000 <0.000011>';

describe('lines', () => {
  test('a call, its halves, and what is none', () => {
    expect(straceLine('7 1.000002 munmap(0x7000, 4096) = 0 <0.000014>')).toEqual({
      pid: 7,
      time: 1_000_002,
      kind: 'call',
      name: 'munmap',
      args: '0x7000, 4096',
      ret: 0,
    });
    expect(straceLine('[pid    12] 1.000002 brk(NULL <unfinished ...>')).toMatchObject({
      pid: 12,
      kind: 'begin',
      ret: null,
    });
    expect(straceLine('1.000002 <... brk resumed>) = 0x55')).toMatchObject({ pid: 0, kind: 'end', ret: 0x55 });
    expect(straceLine('7 1.000002 mmap(NULL) = -1 ENOMEM (Cannot allocate memory)')).toMatchObject({ ret: -1 });
    expect(straceLine('7 1.000002 exit_group(0) = ?')).toMatchObject({ kind: 'call', ret: null });
    expect(straceLine('7 1.000002 +++ exited with 0 +++')).toMatchObject({ kind: 'exit' });
    expect(straceLine('7 1.000002 --- SIGCHLD {si_signo=SIGCHLD} ---')).toMatchObject({ kind: 'other' });
    expect(straceLine('munmap(0x7000, 4096) = 0')).toBeNull();
  });

  test('arguments', () => {
    expect(splitArgs('"a, \\"b", ["c", "d"], {x=1, y=2}, 3')).toEqual(['"a, \\"b"', '["c", "d"]', '{x=1, y=2}', '3']);
    expect(valueOf('MAP_PRIVATE|MAP_ANONYMOUS|MAP_UNHEARD_OF')).toBe(0x22);
    expect(valueOf('0x7fef6328c000')).toBe(0x7fef6328c000);
    expect(flagsIn('{flags=CLONE_VM|CLONE_THREAD, child_tid=0x7}, 88')).toBe(0x10100);
  });
});

describe('events', () => {
  test('pages of a mapping are touched at both ends, so that its whole range is flushed', async () => {
    const path = await fileOf(MAP, 'munmap(0x7f0000000000, 16384) = 0');
    expect((await eventsOf(path)).map((event) => ('address' in event ? event.address : event.kind))).toEqual([
      'sysEnter',
      'sysExit',
      0x7f0000000000,
      0x7f0000003000,
      'sysEnter',
      'sysExit',
    ]);
    const report = await replay(path);
    expect(report).toMatchObject({ predicted: 1, mismatches: [], byReason: { 3: { predicted: 1 } } });
    expect(report.costs).toMatchObject({ flushes: 1, full: 0, pages: 4 });
    expect(report.assumes).toHaveLength(3);
    expect(summary(report)).toContain('1 flushes predicted (1 local MM shootdown), as');
  });

  test('a child whose first line comes before its clone returns', async () => {
    const events = await eventsOf(
      await fileOf(
        MAP,
        'clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>',
        '8: brk(NULL) = 0x5500',
        '<... clone resumed>) = 8',
      ),
    );
    const kinds = events.map((event) => event.kind).slice(4);
    expect(kinds).toEqual(['sysEnter', 'taskNewtask', 'sysEnter', 'sysExit', 'sysExit']);
    expect(events[5]).toMatchObject({ pid: 7, childPid: 8, cloneFlags: 0 });
  });

  test('a copy of an address space flushes it, and its own pages are its own', async () => {
    const fork = 'clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f01) = 8 <0.0002>';
    const exits = ['8: exit_group(0) = ?', '8: +++ exited with 0 +++'];
    const report = await replay(await fileOf(MAP, fork, ...exits, 'munmap(0x7f0000000000, 16384) = 0'));
    // fork: everything; exit: everything; munmap: four pages.
    expect(report.costs).toMatchObject({ pages: 4 });
    expect(report.costs.full).toBeGreaterThanOrEqual(1);
  });

  test('a call that failed does nothing', async () => {
    const report = await replay(await fileOf(MAP, 'munmap(0x7f0000000001, 16384) = -1 EINVAL (Invalid argument)'));
    expect(report.predicted).toBe(0);
  });
});

describe('what is no strace -ttt', () => {
  test('in the middle', async () => {
    const path = await fileOf(MAP, 'what is this');
    const error = await eventsOf(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TraceError);
    expect((error as TraceError).message).toMatch(
      /strace\.txt:2: no line of strace -ttt: .*; record with strace -f -ttt/,
    );
  });

  test('without time stamps', async () => {
    const path = join(folder, 'plain.txt');
    await writeFile(path, '10323 brk(NULL) = 0x55e144295000\n');
    await expect(openTrace(path)).rejects.toThrow(/strace output without time stamps; record with strace -f -ttt/);
  });

  test('cut off', async () => {
    const path = join(folder, 'cut.txt');
    await writeFile(path, '7 1.000001 brk(NULL) = 0x5500\n7 1.000002 brk(0x66');
    expect((await eventsOf(path)).at(-1)).toMatchObject({ kind: 'truncated', line: 2 });
  });
});
