// Recordings of a real kernel, replayed: how many of its flushes the running code makes, to the flush.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TraceError } from '../src/read/error.ts';
import { replay } from '../src/replay.ts';
import { type ReplayReport, summary } from '../src/report.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const fixture = (name: string): string => join(fixtures, `${name}.trace.txt.gz`);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-replay-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: string | Buffer): Promise<string> {
  const path = join(folder, 'trace.txt');
  await writeFile(path, content);
  return path;
}

/** The lines of a fixture. */
async function linesOf(name: string): Promise<string[]> {
  return gunzipSync(await readFile(fixture(name)))
    .toString()
    .split('\n');
}

function counts({ recorded, predicted, matched }: ReplayReport): [number, number, number] {
  return [recorded, predicted, matched];
}

describe('recordings', () => {
  test.each([
    // Exact counts, so that any change of the kernel code or of the driver shows.
    ['m01-ceiling', 1540, 1540, 1539],
    ['m02-lazy', 439, 439, 438],
    ['m04-forkcow', 1001, 994, 993],
    ['m10-pcid8', 859, 859, 859],
    ['m10b-pcid5-bg', 1016, 1015, 1015],
    ['m12-migrate', 639, 639, 638],
  ])('%s: %i recorded, %i predicted, %i matched', async (name, recorded, predicted, matched) => {
    const report = await replay(fixture(name));
    expect(counts(report)).toEqual([recorded, predicted, matched]);
    expect(report.recall).toBeGreaterThanOrEqual(0.95);
    expect(report.precision).toBeGreaterThanOrEqual(0.95);
    expect(report.truncated).toBeNull();
    // Programs are loaded in the same way each time: 12 flushes, all predicted.
    expect(report.before).toMatchObject({ recorded: 12, predicted: 12, matched: 12 });
  });

  test.each(['m01-ceiling', 'm02-lazy', 'm04-forkcow'])(
    '%s: what need not wait for its interrupts does the same as if it waited',
    async (name) => {
      const [direct, stepped] = [await replay(fixture(name)), await replay(fixture(name), { build: 'stepped' })];
      const { seconds: _, eventsPerSecond: __, ...told } = direct;
      expect(told.costs.ipis).toBeGreaterThan(0);
      expect(stepped).toMatchObject(told);
    },
  );

  test('costs are those of the predicted flushes', async () => {
    const report = await replay(fixture('m04-forkcow'));
    expect(report.costs).toEqual({ flushes: 638, full: 23, pages: 615, ipis: 278 });
    // Context loads that keep the TLB, requests of an interrupt, and CPUs that left the mask are events, and no flushes.
    const { byReason } = report;
    const flushing = ['1', '2', '3'].map((reason) => byReason[reason]?.predicted ?? 0);
    expect(report.costs.flushes).toBeGreaterThanOrEqual(Math.max(...flushing));
    expect(report.costs.flushes).toBeLessThan(report.predicted);
  });

  test('another system on the same recording: no flush when only rights are given', async () => {
    const [asRecorded, always, careful] = [
      await replay(fixture('m02-lazy')),
      await replay(fixture('m02-lazy'), { whatIf: { profile: { needsFlush: 'always' } } }),
      await replay(fixture('m02-lazy'), { whatIf: { x86: { needsFlushRule: 'rfc' } } }),
    ];
    expect(always.costs.flushes).toBeGreaterThanOrEqual(asRecorded.costs.flushes);
    expect(careful.costs.flushes).toBeLessThan(asRecorded.costs.flushes);
    // The recording is what it was; the code that runs is another one.
    expect(careful.recorded).toBe(asRecorded.recorded);
    expect(careful.matched).toBeLessThan(asRecorded.matched);
  });

  test('trace-cmd report, which shows no interrupt context: 342 recorded, 346 predicted, 340 matched', async () => {
    const report = await replay(join(fixtures, 'f01-ceiling.report.txt.gz'));
    expect(counts(report)).toEqual([342, 346, 340]);
  });

  test('the report adds up', async () => {
    const report = await replay(fixture('m12-migrate'));
    const sum = { recorded: 0, predicted: 0, matched: 0 };
    for (const score of Object.values(report.byReason)) {
      sum.recorded += score.recorded;
      sum.predicted += score.predicted;
      sum.matched += score.matched;
    }
    expect(sum).toEqual({ recorded: 639, predicted: 639, matched: 638 });
    expect(Object.keys(report.byReason)).toEqual(['0', '3', '4', '5']);
    expect(report.mismatches).toHaveLength(1);
    expect(report.mismatches[0]).toMatchObject({
      recorded: { reason: 0, pages: 0 },
      predicted: { reason: 0, pages: -1 },
      operation: 'munmap',
    });
    expect(report.mismatches[0]!.cause).toMatch(/init_mm had an ASID slot/);
    expect(report.schema).toBe(1);
    expect(report.events).toBe(4073);
    expect(report.seconds).toBeGreaterThan(0);
  });

  test('marks decide what counts, and nothing else', async () => {
    const lines = await linesOf('m10-pcid8');
    const unmarked = lines.filter((line) => !line.includes('tracing_mark_write'));
    const header = (line: string): string => line.replace(/^# entries-in-buffer.*/, '#');
    const report = await replay(await fileOf(unmarked.map(header).join('\n')));
    expect(counts(report)).toEqual([859 + 12, 859 + 12, 859 + 12]);
    expect(report.before).toBeNull();
  });

  test('recorded flushes are no input: without them the same ones are predicted', async () => {
    for (const name of ['m02-lazy', 'm04-forkcow', 'm10b-pcid5-bg', 'm12-migrate']) {
      const lines = await linesOf(name);
      const blind = lines.filter((line) => !line.includes(': tlb_flush: '));
      const header = (line: string): string => line.replace(/^# entries-in-buffer.*/, '#');
      const report = await replay(await fileOf(blind.map(header).join('\n')));
      const seeing = await replay(fixture(name));
      expect(report.recorded).toBe(0);
      expect(report.predicted).toBe(seeing.predicted);
      const predictions = ({ byReason }: ReplayReport): number[] => Object.values(byReason).map((s) => s.predicted);
      expect(predictions(report)).toEqual(predictions(seeing));
    }
  });

  test('interrupts are compared like flushes, where they were recorded', async () => {
    const { interrupts } = await replay(fixture('m02-lazy'), { exact: true });
    expect(interrupts).toMatchObject({ recorded: 49, predicted: 49, matched: 49 });
    expect((await replay(fixture('m10-pcid8'))).interrupts).toBeNull();
  });

  test('each interrupt that differs has its cause', async () => {
    const head = (at: number): string => `            task-10 (     10) [000] ...1. 1.00000${at}: `;
    const fault = `${head(1)}page_fault_user: address=0x1000 ip=0x0 error_code=0x7`;
    const asks = `${head(2)}csd_queue_cpu: cpu=1 callsite=on_each_cpu_cond_mask+0x0/0x1 func=flush_tlb_func csd=0`;
    const report = await replay(await fileOf(`# tracer: nop\n#\n${fault}\n${asks}\n`), { exact: true });
    const cause = 'a page was there, and nothing in the recording mapped it';
    expect(report.interrupts!.mismatches).toMatchObject([{ cpu: 0, recorded: 1, operation: 'fault', cause }]);
    expect(summary(report)).toContain('cpu 0 line 3: recorded to cpu 1');
  });

  test('without interrupts nothing that is compared is an input', async () => {
    const report = await replay(fixture('m02-lazy'), { withoutInterrupts: true });
    expect(report.interrupts).toBeNull();
    expect(report).toMatchObject({ recorded: 439, matched: 438 });
  });

  test('a summary fits into 80 columns', async () => {
    const text = summary(await replay(fixture('m02-lazy'), {}));
    expect(text).toMatch(/^all +439 +439 +438 +0 +1 +1$/m);
    expect(text).toContain('exactly:  99.77 % of the recorded ones, 99.77 % of the predicted ones');
    expect(text).toMatch(/1 mismatches/);
    const own = text.split('\n').filter((line) => !line.includes(folder) && !line.startsWith('replay of'));
    expect(Math.max(...own.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('progress can end a replay', async () => {
    let calls = 0;
    const report = await replay(fixture('m01-ceiling'), { onProgress: () => ++calls < 3 });
    expect(calls).toBe(3);
    expect(report.events).toBeLessThan(25758);
    expect(report.recorded).toBeGreaterThan(0);
    expect(report.precision).toBeGreaterThan(0.95);
  });
});

describe('facts', () => {
  test('another ceiling predicts other flushes', async () => {
    const report = await replay(fixture('m01-ceiling'), { facts: { ceiling: 10 } });
    expect(report.recall).toBeLessThan(0.9);
    expect(report.assumed.map(({ fact }) => fact)).not.toContain('ceiling');
  });

  test('fewer ASID slots predict more flushes on switches', async () => {
    const report = await replay(fixture('m12-migrate'), { facts: { pcid: false } });
    expect(report.byReason['0']!.matched).toBeLessThan(report.byReason['0']!.recorded);
  });

  test('an older kernel does not know reason 5', async () => {
    const report = await replay(fixture('m12-migrate'), { facts: { kernel: '6.1' } });
    expect(report.byReason['5']).toMatchObject({ recorded: 3, predicted: 0 });
  });

  test('what is not given is assumed, and said', async () => {
    const { assumed } = await replay(fixture('m02-lazy'), { facts: { kernel: '6.18.44', hz: 250 } });
    expect(assumed.map(({ fact }) => fact)).toEqual([
      'backend',
      'foldedLevels',
      'pcid',
      'dynAsids',
      'ceiling',
      'hugePages',
    ]);
  });
});

describe('bad input', () => {
  test('no file', async () => {
    await expect(replay(join(folder, 'nowhere'))).rejects.toThrow(TraceError);
  });

  test('no trace, and an empty file', async () => {
    await expect(replay(await fileOf('hello\nworld\n'))).rejects.toThrow(/^[^\n]*trace\.txt[^\n]*$/);
    await expect(replay(await fileOf(''))).rejects.toThrow(/an empty file/);
    await expect(replay(await fileOf(Buffer.from([0, 1, 2, 3, 255, 254, 10, 0])))).rejects.toThrow(TraceError);
  });

  test('a malformed line is named', async () => {
    const lines = await linesOf('m12-migrate');
    lines[500] = 'what is this?';
    await expect(replay(await fileOf(lines.join('\n')))).rejects.toThrow(/trace\.txt:501: /);
  });

  test('a trace that is cut off is reported as far as it goes', async () => {
    const text = (await linesOf('m12-migrate')).join('\n');
    const whole = await replay(fixture('m12-migrate'));
    const half = await replay(await fileOf(text.slice(0, text.length / 2)));
    expect(half.truncated).not.toBeNull();
    expect(half.recorded).toBeGreaterThan(200);
    expect(half.recorded).toBeLessThan(whole.recorded);
    expect(half.recall).toBeGreaterThan(0.95);
    expect(half.precision).toBeGreaterThan(0.95);
    expect(summary(half)).toMatch(/cut off at line \d+/);
    // Wherever it is cut, something is said and nothing breaks.
    for (const share of [0.02, 0.1, 0.35, 0.77, 0.99]) {
      const part = await replay(await fileOf(text.slice(0, Math.floor(text.length * share))));
      expect(part.truncated).not.toBeNull();
    }
  });

  test('a gzip file that is cut off', async () => {
    const bytes = await readFile(fixture('m02-lazy'));
    const path = join(folder, 'cut.gz');
    await writeFile(path, bytes.subarray(0, bytes.length >> 1));
    const report = await replay(path);
    expect(report.truncated).not.toBeNull();
    expect(report.recorded).toBeGreaterThan(50);
  });

  test('a recording that starts in the middle', async () => {
    const lines = await linesOf('m10-pcid8');
    const report = await replay(await fileOf(lines.slice(1200).join('\n')));
    expect(report.recorded).toBeGreaterThan(300);
    expect(report.recall).toBeGreaterThan(0.5);
  });

  test('lines that are missing at random do not break it', async () => {
    const lines = await linesOf('m12-migrate');
    for (let seed = 1; seed <= 5; seed++) {
      let state = seed;
      const keep = (): boolean => (state = (state * 1103515245 + 12345) % 2147483648) % 10 !== 0;
      const some = lines.filter((line) => line.startsWith('#') || keep());
      const report = await replay(await fileOf(some.join('\n')));
      expect(report.recorded).toBeGreaterThan(400);
    }
  });
});
