/**
 * Stress runs: right code is clean, wrong code is caught, and a run ends whatever becomes of its threads.
 */
import { LINUX_6_18 } from '@mmu-gather/core';
import { X86_LINUX_6_18 } from '@mmu-gather/x86';
import { expect, test, vi } from 'vitest';
import { stress, type StressConfig, withoutRaces } from '../src/index.ts';

// Threads that share a busy machine are slow.
vi.setConfig({ testTimeout: 180_000 });

const CONFIG: StressConfig = {
  arch: 'x86',
  profile: LINUX_6_18,
  switches: { ...X86_LINUX_6_18, dynAsids: 2 },
  cpus: 2,
  seed: 1,
};

test('right code: every CPU works, nothing is found, nothing is left', async () => {
  const counts: number[] = [];
  const result = await stress(CONFIG, { time: 300, onProgress: ({ operations }) => counts.push(operations) });
  expect(result).toMatchObject({ outcome: 'clean', message: '' });
  expect(result.operations).toBeGreaterThanOrEqual(CONFIG.cpus);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
});

test('pages that are freed before the flush: found, with the last events of both CPUs', async () => {
  const wrong: StressConfig = { ...CONFIG, profile: { ...LINUX_6_18, freePages: 'before-flush' } };
  const result = await stress(wrong, { time: 60_000 });
  expect(result.outcome).toBe('violation');
  expect(result.oracle).toMatch(/^O[145]$/);
  expect(result.message).toMatch(/(freed|free)$/);
  expect(new Set(result.events.map(({ cpu }) => cpu))).toEqual(new Set([0, 1]));
});

test.each([
  ['throw new Error("gone")', 'gone'],
  ['process.exit(5)', 'it ended with code 5'],
  ['', 'it ended before its work was done'],
])('a thread that dies by `%s`: one line, at once', async (code, message) => {
  const result = await stress(CONFIG, { time: 60_000, module: new URL(`data:text/javascript,${code}`) });
  expect(result.outcome).toBe('failed');
  expect(result.message).toMatch(new RegExp(`^the thread of CPU \\d died: ${message}$`));
});

test('a CPU that comes to nothing: one line that says what each waits for', async () => {
  const starts =
    'import { parentPort } from "node:worker_threads"; parentPort.postMessage("started"); setInterval(() => {}, 1000)';
  const module = new URL(`data:text/javascript,${starts}`);
  const result = await stress(CONFIG, { time: 60_000, patience: 200, module });
  expect(result.outcome).toBe('failed');
  expect(result.message).toMatch(/^CPU 0 has finished no operation for .* CPU 0 waits for nothing, CPU 1 waits for/);
});

test('a run can be stopped from outside', async () => {
  const controller = new AbortController();
  const running = stress(CONFIG, { time: 60_000, signal: controller.signal });
  controller.abort();
  expect((await running).outcome).toBe('stopped');
});

test('an architecture that there is not is said to be none', async () => {
  await expect(stress({ ...CONFIG, arch: 'vax' }, { time: 1 })).rejects.toThrow("there is no architecture 'vax'");
});

test('races that every kernel of some versions has are mended, unless the run asks for them', () => {
  const s390: StressConfig = { ...CONFIG, arch: 's390', switches: { rdp: true, attachRepair: 'none' } };
  const old: StressConfig = { ...s390, profile: { ...LINUX_6_18, delayedRmap: false } };
  expect(withoutRaces(old, { profile: {}, switches: {} })).toEqual({
    ...s390,
    switches: { rdp: true, attachRepair: 'test-attach' },
  });
  expect(withoutRaces(old, { profile: { delayedRmap: false }, switches: { attachRepair: 'none' } })).toEqual(old);
  expect(withoutRaces(CONFIG, { profile: {}, switches: {} })).toEqual(CONFIG);
});
