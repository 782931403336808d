/**
 * litmus: what is shown of a test, how it compares with a table, and the exit codes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const SLOW = { timeout: 60_000 };
const FILES = fileURLToPath(new URL('../../litmus/test/files/', import.meta.url));
const TLBI = join(FILES, 'aarch64-vmsa', 'unmap-tlbi-no-isb.litmus');

const files = folder({
  'MP.litmus':
    'X86_64 MP\n{ }\n P0 | P1 ;\n movl $1,(x) | movl (y),%eax ;\n movl $1,(y) | movl (x),%ebx ;\nexists (1:rax=1 /\\ 1:rbx=0)\n',
  'vector.litmus': 'AArch64 vector\n{ 0:X1=x; }\n P0 ;\n LD1 {V0.4S},[X1] ;\nexists (x=1)\n',
  'counts.litmus': 'AArch64 counts\n{ 0:X1=x; }\n P0 ;\n L0: LDADD W2,W3,[X1] ;\n CBZ W3,L0 ;\nexists (x=1)\n',
  'right.tsv': 'file\tname\tverdict\nMP.litmus\tMP\tNever\n',
  'wrong.tsv':
    'file\tname\tverdict\nMP.litmus\tMP\tAllowed\nvector.litmus\tvector\tAllowed\ncounts.litmus\tcounts\tForbidden\n',
});

/** The console block of a page that begins with a command. */
function shown(page: string, command: string): string {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  const block = [...text.matchAll(/^```console\n\$ (.*)\n([\s\S]*?)^```$/gm)].find((match) => match[1] === command);
  if (block === undefined) throw new Error(`docs/${page} does not show '${command}'`);
  return block[2]!;
}

const timeless = (text: string): string => text.replaceAll(/^(Time \S+).*$/gm, '$1').trimEnd();

describe('one test', () => {
  test('is shown as docs/litmus.md shows it', SLOW, async () => {
    const { code, out, err } = await mmuGather(['litmus', TLBI]);
    expect(timeless(out)).toBe(timeless(shown('litmus.md', 'mmu-gather litmus unmap-tlbi-no-isb.litmus')));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('knows FEAT_ETS2', SLOW, async () => {
    const { out } = await mmuGather(['litmus', TLBI, '--variant', 'ets2']);
    expect(out).toContain('\nNo\n');
    expect(out).toContain('\nObservation unmap-tlbi-no-isb Never 0 1\n');
  });

  test('that is cut says so, and not Never', SLOW, async () => {
    const { out } = await mmuGather(['litmus', 'counts.litmus'], { cwd: files });
    expect(out).toMatch(/^Observation counts Undecided 0 \d$/m);
    expect(out).toContain('Limit: a loop was cut');
  });

  test('that is not supported is named, with its line', SLOW, async () => {
    const { code, out } = await mmuGather(['litmus', 'vector.litmus'], { cwd: files });
    expect(out).toBe("unsupported vector.litmus:4: unknown instruction 'LD1 {V0.4S},[X1]'\n\n");
    expect(code).toBe(1);
  });
});

describe('a table of verdicts', () => {
  test('that is right gives a summary, and exit code 0', SLOW, async () => {
    const { code, out } = await mmuGather(['litmus', 'MP.litmus', '--expect', 'right.tsv'], { cwd: files });
    expect(out).toMatch(
      /^suite +tests +agree +forbidden +missed +undecided +unsupported +time\n\. +1 +1 +0 +0 +0 +0 +[\d.]+ m?s\n$/,
    );
    expect(code).toBe(0);
  });

  test('that is wrong gives a line for each difference, and exit code 1', SLOW, async () => {
    const { code, out } = await mmuGather(['litmus', '.', '--expect', 'wrong.tsv'], { cwd: files });
    expect(out).toContain('MP.litmus: not observed, and is allowed\n');
    expect(out).toContain('counts.litmus: undecided (loop), and is forbidden\n');
    expect(out).toContain("unsupported vector.litmus:4: unknown instruction 'LD1");
    expect(out).toMatch(/^\. +3 +0 +0 +1 +1 +1 /m);
    expect(code).toBe(1);
  });

  test('beside another with more columns needs no column of its own', SLOW, async () => {
    const suites = ['aarch64', 'aarch64-vmsa'].map((name) => join(FILES, name));
    const tables = suites.flatMap((suite) => ['--expect', join(suite, 'verdicts.tsv')]);
    const { code, out, err } = await mmuGather(['litmus', ...suites, ...tables, '--column', 'ets2', '--json']);
    const { summary } = JSON.parse(out) as { summary: { tests: number; agree: number }[] };
    expect(summary.map(({ tests, agree }) => tests - agree)).toEqual([0, 0]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('says of a wrong model what it observed', SLOW, async () => {
    const suite = join(FILES, 'x86_64');
    const { code, out } = await mmuGather([
      'litmus',
      suite,
      '--expect',
      join(suite, 'verdicts.tsv'),
      '--memory-model',
      'weak',
    ]);
    expect(out).toMatch(/mp\.litmus: observed, and\s+is\s+forbidden/);
    expect(code).toBe(1);
  });

  test('fits 80 columns', SLOW, async () => {
    const suite = join(FILES, 'aarch64-vmsa');
    const { code, out } = await mmuGather([
      'litmus',
      suite,
      '--expect',
      join(suite, 'verdicts.tsv'),
      '--column',
      'ets2',
      '--full',
    ]);
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).toContain('\nExpected Forbidden, found Forbidden\n');
    expect(code).toBe(0);
  });
});

test('JSON has schema 1', SLOW, async () => {
  const { code, out } = await mmuGather(['litmus', 'M*.litmus', 'vector.litmus', '--expect', 'right.tsv', '--json'], {
    cwd: files,
  });
  const report = JSON.parse(out) as { tests: unknown[] };
  expect(report).toMatchObject({
    schema: 1,
    ets2: false,
    summary: [{ suite: '.', tests: 2, agree: 1, unsupported: 1 }],
  });
  expect(report.tests).toMatchObject([
    {
      file: 'MP.litmus',
      name: 'MP',
      language: 'X86_64',
      model: 'tso',
      verdict: 'Forbidden',
      expected: 'Forbidden',
      comparison: 'agree',
      observation: 'Never',
      positive: 0,
      negative: 3,
      states: [{ positive: false }, { positive: false }, { positive: false }],
      complete: true,
    },
    { file: 'vector.litmus', unsupported: expect.stringContaining('unknown instruction') },
  ]);
  expect(code).toBe(1);
});
