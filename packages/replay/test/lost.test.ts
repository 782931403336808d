/**
 * Recordings with holes: what the recorder says of them, and how little a replay suffers if it listens.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../src/replay.ts';
import { type ReplayReport, summary } from '../src/report.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmu-gather-lost-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A recording of which a CPU's events are missing between two parts of it. @param said the recorder says so */
async function holed(name: string, cpu: number, from: number, to: number, said: boolean): Promise<ReplayReport> {
  const packed = await readFile(join(import.meta.dirname, 'fixtures', `${name}.trace.txt.gz`));
  const lines = gunzipSync(packed).toString('latin1').split('\n');
  const [first, last] = [Math.floor(lines.length * from), Math.floor(lines.length * to)];
  const missing = (line: string, at: number): boolean => at >= first && at < last && line.includes(`[00${cpu}]`);
  const count = lines.filter(missing).length;
  const kept = lines.flatMap((line, at) => {
    if (missing(line, at) || line.startsWith('# entries')) return [];
    return at === last && said ? [`CPU:${cpu} [LOST ${count} EVENTS]`, line] : [line];
  });
  const path = join(folder, `${name}.txt`);
  await writeFile(path, kept.join('\n'), 'latin1');
  return replay(path);
}

describe.each([
  // What a child did and how it ended is missing, then what happens on the other CPU, then a thread that changes CPUs.
  ['m04-forkcow', 0, 0.3, 0.4],
  ['m04-forkcow', 1, 0.3, 0.4],
  ['m12-migrate', 1, 0.6, 0.8],
] as const)('%s without CPU %i from %f to %f', (name, cpu, from, to) => {
  test('what cannot be known is not predicted, and the rest still is', async () => {
    const said = await holed(name, cpu, from, to, true);
    expect(said.lost).toBe(1);
    expect(said.gaps).toEqual([{ line: expect.any(Number), cpu, count: expect.any(Number) }]);
    expect(said.gaps[0]!.count).toBeGreaterThan(50);
    expect(summary(said)).toMatch(new RegExp(`lost events 1 times.*\\n +\\d+ of CPU ${cpu} before line \\d+`));
    expect(said.spurious).toBeLessThan(0.01 * said.predicted);
    expect(said.allowedRecall).toBeGreaterThan(0.96);
    const silent = await holed(name, cpu, from, to, false);
    expect(silent.lost).toBe(0);
    expect(silent.spurious).toBeGreaterThan(2 * said.spurious);
  });
});
