/**
 * record: what it says, and what is left of it. For real where tracefs can be used, which needs root.
 */
import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const INSTANCES = '/sys/kernel/tracing/instances';

const why = existsSync('/sys/kernel/tracing/events/tlb/tlb_flush')
  ? null
  : 'no event tlb_flush, no root, or no tracefs in /sys/kernel/tracing';
if (why !== null) console.log(`nothing is recorded here: ${why}`);

/** Instances of the processes that are still there do not count. */
function leftOver(): string[] {
  return readdirSync(INSTANCES).filter(
    (name) => /^mmu-gather-\d+$/.test(name) && !existsSync(`/proc/${name.slice(11)}`),
  );
}

describe.skipIf(why !== null)(`record${why === null ? '' : ` (skipped: ${why})`}`, () => {
  test('a command, and its replay', { timeout: 120_000 }, async () => {
    const cwd = folder({});
    const { code, out, err } = await mmuGather(['record', '-o', 'ls.dat', '--', 'sh', '-c', 'ls; ls /; ls /usr'], {
      cwd,
    });
    expect([code, out.includes('usr')]).toEqual([0, true]);
    expect(err).toMatch(/^recorded [\d,]+ events in \d+\.\d s: ls\.dat, [\d,]+ KiB\n$/);
    const replayed = await mmuGather(['replay', 'ls.dat'], { cwd });
    expect(replayed).toMatchObject({ code: 0, err: '' });
    expect(replayed.out).toMatch(/local MM shootdown +\d{2,}/);
    // Facts of the machine are in the recording.
    expect(replayed.out).not.toContain('pcid');
  });

  test('interrupted: the recording is written, and nothing else is left', { timeout: 120_000 }, async () => {
    const cwd = folder({});
    const args = ['record', '-o', 'x.dat', '--', 'sh', '-c', 'echo begun; exec sleep 1000'];
    const { code, err } = await mmuGather(args, { cwd, interruptAt: 'begun' });
    expect(err).toMatch(/^recorded /);
    expect(code).toBe(3);
    expect(readdirSync(cwd)).toEqual(['x.dat']);
    expect(leftOver()).toEqual([]);
  });
});
