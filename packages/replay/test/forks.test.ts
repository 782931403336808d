import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { TraceEvent } from '../src/read/event.ts';
import { replay } from '../src/replay.ts';
import { Forks } from '../src/schedule/forks.ts';

const head = { line: 1, time: 1, cpu: 0, pid: 7, tgid: 7, comm: 'a', flags: '' };
const call = (name: string, ...args: number[]): TraceEvent => ({ ...head, kind: 'sysEnter', name, args });
const fork: TraceEvent = {
  ...head,
  kind: 'schedProcessFork',
  parentComm: 'a',
  parentPid: 7,
  childComm: 'b',
  childPid: 8,
};
const told = (cloneFlags: number): TraceEvent => ({
  ...head,
  kind: 'taskNewtask',
  childPid: 8,
  childComm: 'b',
  cloneFlags,
});

test.each([
  ['clone', 0x1200011, 0x1200011],
  ['clone3', 0x7000, 0x10500],
  ['fork', 0, 0],
  ['vfork', 0, 0x4100],
])('%s tells what its child shares', (name, arg, flags) => {
  const events = new Forks().complete([call(name, arg), fork]);
  expect(events).toEqual([call(name, arg), told(flags), fork]);
});

test('what the recording says itself stays', () => {
  const events = [call('clone3', 0x7000), told(0x3d0f00), fork];
  expect(new Forks().complete(events)).toEqual(events);
});

test('without its task_newtask a recording is replayed alike', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mmu-gather-forks-'));
  try {
    const packed = await readFile(join(import.meta.dirname, 'fixtures', 'f01-ceiling.trace.txt.gz'));
    const whole = gunzipSync(packed).toString('latin1');
    const scores = async (text: string): Promise<unknown> => {
      const path = join(folder, 'trace.txt');
      await writeFile(path, text, 'latin1');
      const { recorded, predicted, matched, allowed, interrupts } = await replay(path);
      return { recorded, predicted, matched, allowed, interrupts };
    };
    const without = whole.replace(/^.* task_newtask: .*\n/gm, '').replace(/^# entries.*\n/m, '');
    expect(without.length).toBeLessThan(whole.length - 100);
    expect(await scores(without)).toEqual(await scores(whole));
  } finally {
    await rm(folder, { recursive: true });
  }
});
