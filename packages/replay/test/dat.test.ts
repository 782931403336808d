import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { assert, asyncProperty, integer, nat } from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TraceError } from '../src/read/error.ts';
import type { TraceEvent } from '../src/read/event.ts';
import { openTrace } from '../src/read/open.ts';
import { replay } from '../src/replay.ts';
import { Bytes, PAGE } from './dat-file.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const TEXT = join(fixtures, 'f01-ceiling.trace.txt.gz');
const V6 = join(fixtures, 'f01-ceiling.v6.dat.gz');
const V7 = join(fixtures, 'f01-ceiling.v7.dat');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-dat-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: Buffer, name = 'trace.dat'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function eventsOf(path: string): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for await (const batch of (await openTrace(path)).batches()) events.push(...batch);
  return events;
}

/** What is thrown when a file is read to its end; null if nothing is. */
async function failure(path: string): Promise<TraceError | null> {
  try {
    await eventsOf(path);
  } catch (error) {
    expect(error).toBeInstanceOf(TraceError);
    expect((error as TraceError).message).not.toContain('\n');
    return error as TraceError;
  }
  return null;
}

const little = new Bytes(true);
const big = new Bytes(false);

describe('one run in three formats', () => {
  // The root of the run: the recorder had not been told to trace the task that started it.
  const options = { traced: [8926] };
  const comparable = async (path: string): Promise<unknown> => {
    const { assumed, mismatches, ...report } = await replay(path, options);
    const facts = assumed.filter(({ fact }) => fact !== 'kernel');
    return {
      ...report,
      file: '',
      seconds: 0,
      eventsPerSecond: 0,
      facts,
      mismatches: mismatches.map((mismatch) => ({ ...mismatch, line: 0, time: mismatch.time.toFixed(5) })),
    };
  };

  test('gives the same replay', async () => {
    const text = await comparable(TEXT);
    expect(text).toMatchObject({ recorded: 342, matched: 340, allowed: 2, missed: 0, spurious: 0 });
    expect(await comparable(V6)).toEqual(text);
    expect(await comparable(V7)).toEqual(text);
  });

  test('gives the same events, but for what a trace.dat does not hold, and what was blotted out in it', async () => {
    const text = (await eventsOf(TEXT)) as unknown as Record<string, unknown>[];
    const dat = (await eventsOf(V7)) as unknown as Record<string, unknown>[];
    expect(dat).toHaveLength(text.length);
    const differ = new Set<string>();
    for (const [index, event] of text.entries()) {
      const other = dat[index]!;
      expect(Math.round((other['time'] as number) / 1000)).toBe(event['time']);
      for (const key of Object.keys(event))
        if (JSON.stringify(event[key]) !== JSON.stringify(other[key])) differ.add(key);
    }
    // The text has hashed pointers (mm), and its own name for what is left out.
    expect([...differ].toSorted()).toEqual(['comm', 'line', 'mm', 'nextComm', 'prevComm', 'tgid', 'time']);
  });

  test('version 6 and 7 are told, with clock, CPUs and kernel', async () => {
    for (const path of [V6, V7]) {
      const trace = await openTrace(path);
      expect(trace).toMatchObject({
        format: 'trace.dat',
        clock: { ticksPerSecond: 1e9 },
        header: { cpus: 2 },
        facts: { kernel: '6.18.44' },
      });
      for await (const _ of trace.batches()) break;
    }
  });

  test('packed with zstd, the same', async () => {
    const path = await fileOf(zstdCompressSync(await readFile(TEXT).then(gunzipSync)), 'text.zst');
    expect(await eventsOf(path)).toEqual(await eventsOf(TEXT));
    const dat = await fileOf(zstdCompressSync(await readFile(V7)), 'dat.zst');
    expect(await eventsOf(dat)).toEqual(await eventsOf(V7));
  });

  test('unpacks into a file that is gone afterwards', async () => {
    await eventsOf(V6);
    expect((await readdir(tmpdir())).filter((name) => name.startsWith('mmu-gather-unpack-'))).toEqual([]);
  });
});

describe.each([
  ['little-endian', little],
  ['big-endian', big],
])('%s ring buffers', (_, bytes) => {
  const read = async (cpus: readonly (readonly Buffer[])[], clock?: string): Promise<TraceEvent[]> =>
    eventsOf(await fileOf(bytes.file(cpus, clock)));

  test('a flush', async () => {
    expect(await read([[bytes.page(1000, [bytes.record(-1, 5)])]])).toEqual([
      {
        line: 1,
        time: 1005,
        cpu: 0,
        pid: 7,
        tgid: null,
        comm: 'my task',
        flags: 'd..2.',
        kind: 'tlbFlush',
        reason: 3,
        pages: -1,
      },
    ]);
  });

  test('CPUs are merged by time, the first one first', async () => {
    const first = [bytes.page(1000, [bytes.record(1, 0), bytes.record(2, 20)]), bytes.page(1050, [bytes.record(3, 0)])];
    const second = [bytes.page(1000, [bytes.record(4, 0), bytes.record(5, 30)])];
    const third = [bytes.page(900, [bytes.record(6, 0)])];
    const events = await read([first, second, [], third]);
    expect(events.map((event) => 'pages' in event && [event.cpu, event.pages])).toEqual([
      [3, 6],
      [0, 1],
      [1, 4],
      [0, 2],
      [1, 5],
      [0, 3],
    ]);
  });

  test('lengths, padding, deltas and stamps that do not fit into a head', async () => {
    const data = bytes.flush(2);
    const long = Buffer.concat([bytes.head(0, 3), bytes.u32(data.length + 4), data]);
    const thrownAway = Buffer.concat([bytes.head(29, 4), bytes.u32(12), Buffer.alloc(8)]);
    const extend = Buffer.concat([bytes.head(30, 5), bytes.u32(2)]);
    const stamp = Buffer.concat([bytes.head(31, 6), bytes.u32(40)]);
    const end = bytes.head(29, 0);
    const page = bytes.page(1000, [long, thrownAway, extend, bytes.record(3, 1), stamp, bytes.record(4, 0), end]);
    const events = await read([[page]]);
    const times = events.map((event) => 'pages' in event && [event.pages, event.time]);
    expect(times).toEqual([
      [2, 1003],
      [3, 1003 + 4 + 2 * 2 ** 27 + 5 + 1],
      [4, 40 * 2 ** 27 + 6],
    ]);
  });

  test('lost events: counted, not counted, and not read as events', async () => {
    const pages = [
      bytes.page(1000, [bytes.record(1, 0)]),
      bytes.page(2000, [bytes.record(2, 0)], 15),
      bytes.page(3000, [bytes.record(3, 0)], null),
    ];
    expect(await read([[], pages])).toMatchObject([
      { kind: 'tlbFlush', pages: 1 },
      { kind: 'lost', cpu: 1, count: 15 },
      { kind: 'tlbFlush', pages: 2 },
      { kind: 'lost', cpu: 1, count: null },
      { kind: 'tlbFlush', pages: 3 },
    ]);
  });

  test('a clock that counts', async () => {
    const trace = await openTrace(await fileOf(bytes.file([[bytes.page(1000, [bytes.record(1, 0)])]], 'x86-tsc')));
    expect(trace.clock.ticksPerSecond).toBeNull();
    for await (const event of trace) expect(event).toMatchObject({ time: 1000 });
  });
});

describe('damage', () => {
  const whole = little.file([[little.page(1000, [little.record(1, 5)])]]);
  const damaged = async (change: (bytes: Buffer) => Buffer | void): Promise<string> => {
    const bytes = Buffer.from(whole);
    return (await failure(await fileOf(change(bytes) ?? bytes)))?.message ?? '';
  };
  const page = whole.length - PAGE;

  test.each<[string, (bytes: Buffer) => Buffer | void, RegExp]>([
    ['an unknown version', (bytes) => void bytes.write('9', 10), /byte 10: a trace.dat of version "9"; give version 6/],
    ['byte order', (bytes) => void bytes.writeUInt8(7, 12), /byte 12: byte order 7/],
    [
      'a machine of 32 bits',
      (bytes) => void bytes.writeUInt8(4, 13),
      /longs of 4 bytes; give a recording of a machine/,
    ],
    ['the size of a page', (bytes) => void bytes.writeUInt32LE(12345, 14), /byte 14: pages of 12345 bytes/],
    [
      'a huge size',
      (bytes) => void bytes.fill(0xff, 30, 38),
      /byte \d+: the size of header_page is 18446744073709552000: no file/,
    ],
    ['a large size', (bytes) => void bytes.writeUInt32LE(1 << 30, 30), /header_page should have 1073741824 bytes, and/],
    ['committed bytes', (bytes) => void bytes.writeUInt32LE(5000, page + 8), /CPU 0: 5000 bytes of records in a page/],
    [
      'a long record',
      (bytes) => void bytes.writeUInt32LE(28, page + 16),
      /CPU 0: a record that is longer than its page/,
    ],
    ['a record of an unknown event', (bytes) => void bytes.writeUInt16LE(9, page + 20), /record 1, of CPU 0, is of an/],
    ['cut off in its head', (bytes) => bytes.subarray(0, 50), /header_page should have \d+ bytes, and \d+ are left/],
    [
      'cut off in its pages',
      (bytes) => bytes.subarray(0, page + 99),
      /CPU 0 has pages up to byte \d+, and the file ends/,
    ],
    ['packed, and cut off', (bytes) => gzipSync(bytes).subarray(0, 400), /packed data that are cut off; copy the file/],
  ])('%s', async (_, change, message) => {
    expect(await damaged(change)).toMatch(message);
  });

  test('time that goes back', async () => {
    const file = little.file([[little.page(2000, [little.record(1, 0)]), little.page(1000, [little.record(2, 0)])]]);
    expect((await failure(await fileOf(file)))?.message).toMatch(/CPU 0: time goes back/);
  });

  test('a record that is too short for its event', async () => {
    const short = Buffer.concat([little.head(3, 0), little.flush(1).subarray(0, 12)]);
    const error = await failure(await fileOf(little.file([[little.page(1000, [short])]])));
    expect(error?.what).toBe('record 1, of CPU 0, is too short for tlb_flush');
  });

  /** One line or nothing, and soon: whatever bytes are changed, cut off or put in between. */
  async function refused(original: Buffer): Promise<number> {
    let count = 0;
    const property = asyncProperty(
      nat(original.length - 1),
      integer({ min: 1, max: 64 }),
      nat(3),
      integer(),
      async (at, length, way, seed) => {
        const noise = Buffer.from(Array.from({ length }, (_, i) => (seed >> (i & 15)) * (i + 1)));
        const bytes = Buffer.from(original);
        if (way === 0) noise.copy(bytes, at);
        else if (way === 1) bytes.fill(seed & 1 ? 0xff : 0, at, Math.min(at + length, bytes.length));
        const inserted = Buffer.concat([original.subarray(0, at), noise, original.subarray(at)]);
        const content = way === 2 ? original.subarray(0, at) : way === 3 ? inserted : bytes;
        if ((await failure(await fileOf(content, 'noise.dat'))) !== null) count++;
      },
    );
    await assert(property, { numRuns: RUNS, seed: 6 });
    return count;
  }

  const RUNS = 150;
  test.each(['6', '7'])('noise in version %s', async (version) => {
    const count = await refused(version === '6' ? whole : await readFile(V7));
    expect(count).toBeGreaterThan(RUNS / 4);
    expect(count).toBeLessThanOrEqual(RUNS);
  });
});
