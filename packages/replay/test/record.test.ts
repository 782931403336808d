/**
 * Recording this machine: for real where tracefs can be used, which needs root.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TraceEvent } from '../src/read/event.ts';
import { openTrace } from '../src/read/open.ts';
import { RANGES_EVENT } from '../src/read/made-events.ts';
import { MADE, MADE_SYSTEM } from '../src/record/events.ts';
import { record, type RecordOptions, type Recorded } from '../src/record/record.ts';
import { stableRelease } from '../src/record/machine.ts';
import { findTracefs, Instance } from '../src/record/tracefs.ts';
import { replay } from '../src/replay.ts';
import { whatIf } from '../src/what-if/what-if.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-record-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Why this machine cannot be recorded; null if it can. */
function obstacle(): string | null {
  try {
    const tracefs = findTracefs();
    new Instance(tracefs).remove();
    return existsSync(join(tracefs, 'events/tlb/tlb_flush')) ? null : 'this kernel has no event tlb_flush';
  } catch (error) {
    return (error as Error).message;
  }
}

const why = obstacle();
if (why !== null) console.log(`nothing is recorded here: ${why}`);

/** Why this kernel makes no events of others; null if it does. */
function withoutProbes(): string | null {
  if (why !== null) return why;
  const instance = new Instance(findTracefs());
  try {
    const [name, definition] = [...MADE][0]!;
    instance.make(`${MADE_SYSTEM}/${name}`, definition);
    return existsSync(instance.path(`events/${MADE_SYSTEM}/${name}`)) ? null : 'this kernel has no event probes';
  } finally {
    instance.remove();
  }
}

const noProbes = withoutProbes();
if (why === null && noProbes !== null) console.log(`ranges of process_madvise are not recorded here: ${noProbes}`);

const output = (): string => join(folder, 'recording.dat');
const made = (options: Partial<RecordOptions> & Pick<RecordOptions, 'subject'>): Promise<Recorded> =>
  record({ output: output(), bufferMiB: 4, ...options });

async function eventsOf(path: string): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for await (const batch of (await openTrace(path)).batches()) events.push(...batch);
  return events;
}

test('which stable release a kernel of Debian is', () => {
  const text = '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-05-01)';
  expect(stableRelease('6.1.0-50-amd64', text)).toBe('6.1.0-50-amd64 (6.1.176)');
  expect(stableRelease('6.12.95+deb12-amd64', '#1 SMP Debian 6.12.95-1~bpo12+1')).toBe('6.12.95+deb12-amd64');
  expect(stableRelease('6.18.44', '#2 SMP')).toBe('6.18.44');
});

describe.skipIf(why !== null)(`recording${why === null ? '' : ` (skipped: ${why})`}`, () => {
  /** What is there besides the recording itself, which should be nothing. */
  async function leftOver(): Promise<string[]> {
    const instances = readdirSync(join(findTracefs(), 'instances')).filter((name) => name.endsWith(`-${process.pid}`));
    return [...instances, ...(await readdir(folder)).filter((name) => name.includes('part'))];
  }

  test('a command, with what it makes', { timeout: 60_000 }, async () => {
    const script = 'for i in 1 2 3; do ls / > /dev/null; done; exit 3';
    const recorded = await made({ subject: { command: ['sh', '-c', script] } });
    expect(recorded).toMatchObject({ exitCode: 3, lost: 0, missing: [] });
    expect(await leftOver()).toEqual([]);
    const events = await eventsOf(output());
    expect(events).toHaveLength(recorded.events);
    const programs = events.flatMap((event) => (event.kind === 'schedProcessExec' ? [event.filename] : []));
    expect(programs.filter((program) => program.endsWith('/ls'))).toHaveLength(3);
    expect(events.some((event) => event.kind === 'tlbFlush' && event.comm === 'ls')).toBe(true);
    const ends = events.filter((event) => event.kind === 'schedProcessExit');
    expect(ends.length).toBeGreaterThanOrEqual(4);

    const trace = await openTrace(output());
    expect(trace).toMatchObject({ format: 'mmu-gather', facts: { backend: 'x86', pcid: expect.any(Boolean) } });
    expect(trace.traced).toContain(0);
    for await (const _ of trace.batches()) break;

    const report = await replay(output());
    expect(report.recorded).toBeGreaterThan(20);
    // Other tests run at the same time, and what they leave in the TLBs is not recorded.
    expect(report.allowedRecall).toBeGreaterThan(0.7);
    expect(report.allowedPrecision).toBeGreaterThan(0.7);
  });

  test.skipIf(noProbes !== null)(
    `ranges of process_madvise${noProbes === null ? '' : ` (skipped: ${noProbes})`}`,
    { timeout: 60_000 },
    async () => {
      // A page of its own, advised to be cold by two ranges of half of it.
      const script =
        'import ctypes,mmap,os;c=ctypes.CDLL(None);m=mmap.mmap(-1,8192);m[0]=1;a=ctypes.addressof(ctypes.c_char.from_buffer(m));' +
        'v=(ctypes.c_ulong*4)(a,4096,a+4096,4096);c.syscall(440,c.syscall(434,os.getpid(),0),v,2,20,0)';
      await made({ subject: { command: ['python3', '-c', script] } });
      const shown = (await eventsOf(output())).filter((event) => event.kind === 'other' && event.name === RANGES_EVENT);
      expect(shown).toHaveLength(1);
      expect(shown[0]).toMatchObject({
        text: expect.stringMatching(/s0=0x[0-9a-f]+000 l0=0x1000 s1=0x[0-9a-f]+000 l1=0x1000/),
      });
      expect(readFileSync(join(findTracefs(), 'dynamic_events'), 'utf8')).not.toContain(RANGES_EVENT);
    },
  );

  test('a process that runs, for a time', { timeout: 60_000 }, async () => {
    const loop = spawn('/bin/sh', ['-c', 'while :; do ls / > /dev/null; done']);
    try {
      const recorded = await made({ subject: { pid: loop.pid!, seconds: 1 } });
      expect(recorded.seconds).toBeGreaterThan(0.9);
      expect(recorded.exitCode).toBeNull();
      const events = await eventsOf(output());
      expect(events.some((event) => event.kind === 'schedProcessExec')).toBe(true);
      const own = events.find((event) => event.kind !== 'lost' && event.kind !== 'truncated' && event.pid === loop.pid);
      expect(own).toMatchObject({ tgid: loop.pid });
    } finally {
      loop.kill('SIGKILL');
    }
  });

  test('who asks: stacks, with places in the files of a process that was there', { timeout: 60_000 }, async () => {
    const loop = spawn('/bin/sh', ['-c', 'while :; do ls / > /dev/null; done']);
    try {
      // Once it is the shell, with its library.
      const isShell = (): boolean =>
        readFileSync(`/proc/${loop.pid}/comm`, 'utf8') === 'sh\n' &&
        readFileSync(`/proc/${loop.pid}/maps`, 'utf8').includes('/libc');
      await expect.poll(isShell, { timeout: 20_000 }).toBe(true);
      const recorded = await made({ subject: { pid: loop.pid!, seconds: 1 }, stacks: true });
      expect(recorded.events).toBeGreaterThan(0);
    } finally {
      loop.kill('SIGKILL');
    }
    const stacks = (await eventsOf(output())).filter((event) => event.kind === 'stack');
    expect(stacks.some(({ user, frames }) => user && frames[0]?.startsWith('0x') === true)).toBe(true);
    expect(stacks.some(({ user, frames }) => !user && frames.includes('flush_tlb_mm_range'))).toBe(true);
    const { sites, replay: report } = await whatIf(output());
    expect(sites.some(({ site, flushes }) => flushes > 0 && /^libc\S*\+0x/.test(site))).toBe(true);
    expect(report.allowedRecall).toBeGreaterThan(0.7);
    expect(await leftOver()).toEqual([]);
  });

  test('the whole machine', { timeout: 60_000 }, async () => {
    const recorded = await made({ subject: { seconds: 0.3 } });
    expect(recorded.events).toBeGreaterThan(0);
    expect((await openTrace(output())).traced).toBeNull();
  });

  test('an end before the end: what was recorded by then is written, and the command ends, too', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 500);
    const recorded = await made({ subject: { command: ['sleep', '1000'] }, signal: stop.signal });
    expect(recorded).toMatchObject({ exitCode: null });
    expect(recorded.seconds).toBeLessThan(60);
    expect(await leftOver()).toEqual([]);
    expect((await eventsOf(output())).length).toBeGreaterThan(0);
  });

  test('events that were lost are said', { timeout: 60_000 }, async () => {
    const script = 'i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done';
    const recorded = await record({ output: output(), bufferMiB: 1 / 64, subject: { command: ['sh', '-c', script] } });
    expect(recorded.lost).toBeGreaterThan(0);
    const counted = (await eventsOf(output())).flatMap((event) => (event.kind === 'lost' ? [event.count ?? 1] : []));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    expect((await replay(output())).lost).toBe(counted.length);
  });

  test('what a run that was killed left behind is removed', async () => {
    const dead = await new Promise<ChildProcess>((resolve) => {
      const child = spawn('/bin/true');
      child.once('exit', () => resolve(child));
    });
    const left = join(findTracefs(), 'instances', `mmu-gather-${dead.pid}`);
    mkdirSync(left);
    new Instance(findTracefs()).remove();
    expect(existsSync(left)).toBe(false);
  });

  test('a file that cannot be written', async () => {
    const wanted = { output: join(folder, 'nowhere', 'x.dat'), subject: { command: ['sleep', '1000'] as const } };
    await expect(record(wanted)).rejects.toThrow(/ENOENT/);
    expect(await leftOver()).toEqual([]);
  });

  test.each([
    [{ pid: 4_194_999 }, 'there is no process 4194999'],
    [{ command: ['no-such-program'] as const }, 'no-such-program: there is no such program: give its path'],
  ])('%j', async (subject, message) => {
    await expect(made({ subject })).rejects.toThrow(message);
    expect(await leftOver()).toEqual([]);
  });
});

test('where tracefs cannot be used: one line on what to do', () => {
  const message = /^(recording needs root: run it with sudo|tracefs is not mounted: mount -t tracefs nodev \S+)$/;
  expect(() => findTracefs([join(folder, 'nowhere')])).toThrow(message);
});
