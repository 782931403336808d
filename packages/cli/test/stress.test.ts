/**
 * `stress`, as it was built: what it says, its exit codes, and bugs that it must find.
 */
import { expect, test, vi } from 'vitest';
import { mmuGather } from './command.ts';

// Threads that share a busy machine are slow.
vi.setConfig({ testTimeout: 180_000 });

const SHORT = ['stress', '--cpus', '2', '--seconds', '1', '--seed', '1'];

test('right code is clean, in a line that can be run again', async () => {
  const { code, out, err } = await mmuGather(SHORT);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(
    /^x86 linux-6\.18: clean after [\d,]+ operations and [\d,]+ accesses of 2 CPUs in [\d.]+ s, seed 1\n$/,
  );
});

test('a bug is found: which oracle, the seed, and the last events of every CPU', async () => {
  const { code, out } = await mmuGather([
    'stress',
    '--cpus',
    '2',
    '--seconds',
    '60',
    '--seed',
    '7',
    '--bug',
    'free-first',
  ]);
  expect(code).toBe(0);
  expect(out).toMatch(/^x86 linux-6\.18 with free-first: O[145] on CPU \d: .*(freed|free)\n/);
  expect(out).toContain('seed 7');
  for (const cpu of ['CPU 0', 'CPU 1']) expect(out).toContain(`ms  ${cpu}  `);
});

test('a switch that makes a bug is a violation: exit 1', async () => {
  const { code, out } = await mmuGather([...SHORT, '--seconds', '60', '--with', 'freePages=before-flush', '--json']);
  expect(code).toBe(1);
  const { schema, runs } = JSON.parse(out) as { schema: number; runs: unknown[] };
  expect(schema).toBe(1);
  expect(runs).toMatchObject([{ arch: 'x86', outcome: 'violation', seed: 1, cpus: 2 }]);
});

test.each([
  [['--arch', 'vax'], "--arch: there is no 'vax': there are: all, x86"],
  [['--bug', 'free-frist'], "--bug: there is no 'free-frist': did you mean 'free-first'? see list seeded-bugs"],
  [['--bug', 'free-first', '--arch', 'arm64'], "--bug: 'free-first' is one of x86: leave --arch arm64 out"],
  [['--cpus', '1'], 'Give a whole number from 2 to 16.'],
  [['--profile', 'linux-7'], '--profile: '],
])('%j is refused in a line', async (args, line) => {
  const { code, out, err } = await mmuGather(['stress', ...args]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(line);
  expect(err.trimEnd().split('\n')).toHaveLength(1);
});

test('bugs are listed', async () => {
  const { code, out } = await mmuGather(['list', 'seeded-bugs']);
  expect(code).toBe(0);
  expect(out).toContain('free-first');
  expect(out).toContain('freePages=before-flush');
});

test('several runs are a table: what each did and found, and which scenarios are known to break there', async () => {
  const profiles = ['--profile', 'linux-6.18', '--profile', 'rfc-2021-as-posted'];
  const { code, out } = await mmuGather([...SHORT, ...profiles]);
  const [head, right, wrong, , summary] = out.split('\n');
  expect(head).toMatch(/^arch +profile +time +operations +accesses +found +the suite breaks$/);
  expect(right).toMatch(/^x86 +linux-6\.18 +[\d.]+ s +[\d,]+ +[\d,]+ +nothing$/);
  expect(wrong).toMatch(/^x86 +rfc-2021-as-posted +[\d.]+ s .* (nothing|O\d+) +\S+ and \d+ more$/);
  expect(summary).toMatch(/^2 runs: [12] clean, [01] others as expected, 0 not as expected$/);
  expect(code).toBe(0);
});

test('who interrupts it stops it: exit 3, and what is done is there', async () => {
  const args = ['stress', '--arch', 'x86', '--arch', 'arm64', '--cpus', '2', '--seconds', '1'];
  const { code, out, err } = await mmuGather(args, { interruptAt: 'nothing' });
  expect({ code, err }).toEqual({ code: 3, err: 'mmu-gather: stopped before the end\n' });
  expect(out).toMatch(/\nx86 +linux-6\.18 .* nothing\narm64 +linux-6\.18 .* stopped/);
});
