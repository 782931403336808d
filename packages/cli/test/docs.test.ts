/**
 * The examples of the documentation do what it says of them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Report, WRONGS } from '@mmu-gather/conformance';
import { describe, expect, test } from 'vitest';
import { exampleOf, FIXTURES, folder, mmuGather } from './command.ts';

const page = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe.each(['README.md', 'docs/scenarios.md'])('the scenario of %s', (path) => {
  const example = exampleOf(page(path));

  test('holds exhaustively, and its twins are refuted', { timeout: 60_000 }, async () => {
    const { code, out } = await mmuGather(['check', 'mine.ts', '--arch', 'x86', '--json'], {
      cwd: folder({ 'mine.ts': example }),
    });
    const { results } = JSON.parse(out) as Report;
    expect(
      results.filter((result) => result.expected === 'holds').map((result) => [result.verdict, result.exhaustive]),
    ).toEqual([
      ['holds', true],
      ['holds', true],
    ]);
    expect(
      results.filter((result) => result.expected === 'violated').map((result) => [result.verdict, result.oracle]),
    ).toEqual([
      ['violated', 'O1'],
      ['violated', 'O1'],
    ]);
    expect(code).toBe(0);
  });
});

describe('docs/new-backend.md', () => {
  const story = page('docs/new-backend.md');

  test('its scenario holds exhaustively, and its twin is refuted', { timeout: 60_000 }, async () => {
    const { code, out } = await mmuGather(
      ['check', 'mine.ts', '--arch', 'riscv', '--profile', 'linux-6.18', '--memory-model', 'tso', '--json'],
      { cwd: folder({ 'mine.ts': exampleOf(story) }) },
    );
    const { results } = JSON.parse(out) as Report;
    expect(results.map(({ scenario, verdict, exhaustive, oracle }) => [scenario, verdict, exhaustive, oracle])).toEqual(
      [
        ['docs/newcomer', 'holds', true, undefined],
        ['docs/newcomer/satp-first', 'violated', false, 'O1'],
      ],
    );
    expect(code).toBe(0);
  });

  test('its race is found, as it shows it', { timeout: 60_000 }, async () => {
    const [, args] = /^\$ npm run --silent mmu-gather -- (conformance .* riscv\/arrival\/as-in-linux)$/m.exec(story)!;
    const { code, out } = await mmuGather(args!.split(' '));
    expect(code).toBe(0);
    const [, race] = /as-in-linux\n( +CPU 0 [^]*?)```/.exec(story)!;
    expect(out).toContain(race);
  });

  test('the files that it names are there', () => {
    const named = [...story.matchAll(/`(packages\/[\w/.-]+\.ts)`/g)].map(([, file]) => file!);
    expect(named.length).toBeGreaterThan(3);
    for (const file of named) expect(() => page(file)).not.toThrow();
  });
});

describe('docs/replay.md', () => {
  const lines = [...page('docs/replay.md').matchAll(/^ {4}mmu-gather (replay trace.*)$/gm)].map(([, line]) => line!);

  test.each(lines)('%s', async (line) => {
    const cwd = folder({ 'trace.dat': readFileSync(`${FIXTURES}f01-ceiling.v7.dat`) });
    const { code, out, err } = await mmuGather(line.split(' '), { cwd });
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('4511 events');
  });

  test('its examples of record are understood', async () => {
    expect(lines).toHaveLength(2);
    const recordings = [...page('docs/replay.md').matchAll(/^ {4}mmu-gather (record .*)$/gm)].map(([, line]) => line!);
    expect(recordings).toHaveLength(3);
    for (const line of recordings) {
      // As a process that is not there, or without root, nothing is recorded.
      const args = line
        .replace('make', './no-such-program')
        .replace('4711', '4194999')
        .replace('-o all.dat', '-o no/all.dat');
      const { code, err } = await mmuGather(args.split(' '), { cwd: folder({}) });
      expect(code).toBe(2);
      expect(err).toMatch(
        /^mmu-gather: record: (there is no process|\S+: there is no such|.* cannot be written|recording needs|tracefs)/,
      );
    }
  });
});

describe('docs/running.md', () => {
  const blocks = [...page('docs/running.md').matchAll(/<!-- run by [^]*?```sh\n([^]*?)```/g)].map(([, text]) => text!);

  test.each(blocks)('%s', { timeout: 60_000 }, async (block) => {
    const cwd = folder({});
    for (const line of block.trim().split('\n')) {
      const [, args, file] = /^mmu-gather (.*?)(?: > (\S+))?$/.exec(line)!;
      const { code, out } = await mmuGather(
        args!.split(' ').map((word) => word.replaceAll("'", '')),
        { cwd },
      );
      if (file !== undefined) writeFileSync(join(cwd, file), out);
      expect({ line, code }).toEqual({ line, code: 0 });
    }
  });

  test('has an example of each', () => {
    for (const option of ['--checkpoint', '--shard', 'merge-reports', '--junit', '--coverage'])
      expect(blocks.join('')).toContain(option);
  });
});

test("the README's scenario has 19 lines, and is violated without its flush", { timeout: 60_000 }, async () => {
  const lines = exampleOf(page('README.md')).trimEnd().split('\n');
  expect(lines).toHaveLength(19);
  const cwd = folder({ 'mine.ts': lines.filter((line) => !line.includes('flushTlbRange')).join('\n') });
  const { code, out } = await mmuGather(['check', 'mine.ts', '--arch', 'x86', '--scenario', 'mine/zap'], { cwd });
  expect(code).toBe(1);
  expect(out).toContain('violated O1, but it should hold');
  expect(out).toMatch(/xchg table1\[0\] := none -> page0 RW dirty +mine\.ts:13\n/);
});

test('docs/scenarios.md shows the oracles that there are', async () => {
  const { out } = await mmuGather(['list', 'oracles', '--json']);
  const { oracles } = JSON.parse(out) as { oracles: { oracle: string; says: string }[] };
  const rows = oracles.map(({ oracle, says }) => `| \`${oracle}\` | ${says} |\n`);
  expect(page('docs/scenarios.md')).toContain(rows.join(''));
});

test('docs/scenarios.md has every mistake that a twin can name', () => {
  const rows = page('docs/scenarios.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const named = rows.map((row) => row.split(' | ')[0]!);
  for (const wrong of Object.keys(WRONGS)) expect(named.some((cell) => cell.includes(`\`${wrong}\``))).toBe(true);
});
