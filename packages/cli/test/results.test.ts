/**
 * What a run shows: verdicts, tables, races, JSON, exit codes.
 */
import type { CellResult, Comparison, Report } from '@mmu-gather/conformance';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const SLOW = { timeout: 60_000 };
const ESCAPE = '\u001b';

/** Lines are not wider than a terminal of 80 columns. */
function expectNarrow(text: string): void {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
}

describe('the table', () => {
  test('fits into 80 columns, twins below their scenario', SLOW, async () => {
    const { code, out, err } = await mmuGather([
      'conformance',
      '--arch',
      'x86',
      '--scenario',
      'munmap/*',
      '--scenario',
      'exit/*',
      '--scenario',
      'T3/*',
    ]);
    expectNarrow(out);
    expect(out).toMatch(/^ {2}scenario +profile +model +verdict +states +time\n/);
    expect(out).toMatch(
      /^ {2}T3\/fixed +linux-6\.18 +tso +holds +\d+ +[\d.]+ m?s\n {4}T3\/naive +linux-5\.11 +tso +violated O4 +\d+ /m,
    );
    expect(out).toMatch(/^ {2}munmap\/both-ways +.*\n.*\n {4}…\/no-ipi-wait +linux-5\.11 /m);
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(
      / \d+ hold, exhaustive within 1 to 3 CPUs, 4 pages, TSO \(odds that hashing hid a state: \d+e-\d+\); \d+ wrong twins refuted\. /,
    );
    expect(out).toMatch(/\nall \d+ as expected \([\d.]+ m?s\)\n$/);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('is of all architectures, and ends with what does not apply to them', SLOW, async () => {
    const args = ['conformance', '--scenario', 'munmap/three-cpus*'];
    const [brief, verbose, json] = await Promise.all([
      mmuGather([...args, '--arch', 'all']),
      mmuGather([...args, '--arch', 'x86', '--verbose']),
      mmuGather([...args, '--arch', 'x86', '--json']),
    ]);
    const left = "x86 has no 'self-only': only the CPU that asks for a flush does it";
    expect(brief.out).toContain('\n1 wrong twin does not apply to x86; --verbose names it\n');
    expect(verbose.out).toContain(
      `\n1 wrong twin does not apply to x86:\n  1  ${left}\n     (munmap/three-cpus/self-only)\n`,
    );
    expect((JSON.parse(json.out) as Report).notApplicable).toEqual([
      { id: 'munmap/three-cpus/self-only', twinOf: 'munmap/three-cpus', arch: 'x86', why: left },
    ]);
    expect([brief, verbose, json].map(({ code }) => code)).toEqual([0, 0, 0]);
    const alone = await mmuGather(['conformance', '--arch', 'x86', '--scenario', 'munmap/three-cpus/self-only']);
    expect(alone).toMatchObject({ code: 2, out: '' });
    expect(alone.err).toContain(`nothing to run: 'munmap/three-cpus/self-only' does not apply to x86: ${left}`);
  });

  test('says where a scenario may end incomplete, and that it did', SLOW, async () => {
    const cwd = folder({
      'large.ts': `
        import { defineScenario, PAGE, setStage, thread } from '@mmu-gather/conformance';
        import { munmap } from '@mmu-gather/mm/stepped';
        export default defineScenario({
          id: 'large', title: 'unmap', cpus: 2, profiles: ['linux-6.18'], setup: (run) => setStage(run), twins: [],
          threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))], bound: { states: 7, why: 'seven will do' },
        });
      `,
    });
    const { code, out } = await mmuGather(['check', '--arch', 'x86', 'large.ts'], { cwd });
    expect(out).toMatch(/^ {2}large +linux-6\.18 +tso +incomplete +7 /m);
    expect(out).toContain('large incomplete: nothing found in 7 states, because seven will do.');
    expect(out).not.toMatch(/\d holds?\b/);
    expect(code).toBe(0);
    const short = await mmuGather(['check', '--arch', 'x86', 'large.ts', '--max-states', '3'], { cwd });
    expect(short.out).toMatch(/^! large +linux-6\.18 +tso +incomplete +3 /m);
    expect(short.code).toBe(1);
  });

  test('says what is incomplete, and why', SLOW, async () => {
    const { code, out } = await mmuGather([
      'conformance',
      '--arch',
      'x86',
      '--scenario',
      'T8/fixed',
      '--max-states',
      '100',
    ]);
    expect(out).toMatch(/^! T8\/fixed +linux-5\.11 +tso +incomplete +100 /m);
    expect(out).toContain('2 incomplete: nothing found in 100 states each, and not all explored.');
    expect(out).not.toMatch(/\d holds?\b/);
    expect(out).toContain('\n2 of 2 not as expected');
    expect(code).toBe(1);
  });

  test('counts executions where the strategy does', SLOW, async () => {
    const { out } = await mmuGather([
      'conformance',
      '--arch',
      'x86',
      '--scenario',
      'munmap/tables',
      '--strategy',
      'random',
      '--max-executions',
      '9',
      '--seed',
      '1',
    ]);
    expect(out).toMatch(/ verdict +executions +time\n/);
    expect(out).toMatch(/^! munmap\/tables +linux-5\.11 +tso +incomplete +9 /m);
  });

  test('has colours on a terminal only', SLOW, async () => {
    const args = ['conformance', '--arch', 'x86', '--scenario', 'T3/naive', '--profile', 'linux-6.18'];
    const [plain, ci, forced, none] = await Promise.all([
      mmuGather(args),
      mmuGather(args, { env: { CI: 'true' } }),
      mmuGather(args, { env: { FORCE_COLOR: '1' } }),
      mmuGather(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }),
    ]);
    for (const { out } of [plain, ci, none]) expect(out).not.toContain(ESCAPE);
    expect(forced.out).toContain(`${ESCAPE}[32mviolated O4${ESCAPE}[39m`);
  });
});

describe('a race', () => {
  test('is drawn for a twin that is asked for alone, with sites and an id that reruns it', SLOW, async () => {
    const { code, out } = await mmuGather(['conformance', '--arch', 'x86', '--scenario', 'bug:B13/buggy']);
    expectNarrow(out);
    expect(out).toMatch(/^ {5}CPU 0 +CPU 1\n/m);
    expect(out).toMatch(/ core\/generation\.ts:\d+\n/);
    expect(out).toContain('O1: CPU 1 is in user mode and can access page0 at page 0, which was freed');
    const [, id] = /mmu-gather conformance --rerun (\w+) --full\n/.exec(out)!;
    expect(code).toBe(0);

    const again = await mmuGather(['conformance', '--arch', 'x86', '--rerun', id!]);
    expect(again.code).toBe(0);
    expect(again.out).toContain('bug:B13/buggy on x86, linux-6.18, tso: violated O1, as expected');
    expect(out).toContain(again.out.trimEnd());

    const full = await mmuGather(['conformance', '--arch', 'x86', '--rerun', id!.toUpperCase(), '--full', '--json']);
    const [result] = (JSON.parse(full.out) as Report).results;
    expect(result).toMatchObject({
      scenario: 'bug:B13/buggy',
      strategy: 'rerun',
      verdict: 'violated',
      oracle: 'O1',
      ok: true,
    });
    expect(result!.counterexample!.diagram.match(/^ *\d+ {2}/gm)).toHaveLength(result!.counterexample!.steps);
  });

  test('names the lines of the sources when built, too', SLOW, async () => {
    const [source, built] = await Promise.all(
      [true, false].map((sources) =>
        mmuGather(['conformance', '--arch', 'x86', '--scenario', 'munmap/tables/free-first', '--full'], { sources }),
      ),
    );
    const sites = (text: string): string[] => text.match(/\S+\.[jt]s:\d+$/gm) ?? [];
    expect(sites(built!.out).length).toBeGreaterThan(20);
    expect(sites(built!.out)).toEqual(sites(source!.out));
  });

  test('belongs to its file, wherever that is', SLOW, async () => {
    const cwd = folder({
      'package.json': '{ "type": "commonjs" }',
      'mine.ts': `
        import { defineScenario, PAGE, setStage, thread } from '@mmu-gather/conformance';
        import { munmap } from '@mmu-gather/mm/stepped';
        console.log('hello');
        const of = (id: string) => defineScenario({
          id, title: 'unmap', cpus: 2, profiles: ['linux-6.18'], setup: (run) => setStage(run),
          threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))],
          twins: [{ id: id + '/buggy', why: 'frees first', oracle: 'O2', profile: { freePages: 'before-flush' } }],
        });
        export const list = [of('one'), of('two')];
        export const three = of('three');
        export const other = 3;
      `,
    });
    const { code, out, err } = await mmuGather(['check', '--arch', 'x86', 'mine.ts', '--json'], { cwd });
    const { results, summary } = JSON.parse(out) as Report;
    expect(results.map((result) => result.scenario)).toEqual([
      'one',
      'one/buggy',
      'two',
      'two/buggy',
      'three',
      'three/buggy',
    ]);
    // It is O1 that breaks, not the expected one.
    expect(summary).toEqual({ total: 6, ok: 3, failed: 3, shared: 0, bounded: 0 });
    expect({ code, err }).toEqual({ code: 1, err: 'hello\n' });

    const { id } = results[1]!.counterexample!;
    const again = await mmuGather(['check', 'mine.ts', '--rerun', id], { cwd });
    expect(again.out).toContain('one/buggy on x86, linux-6.18, tso: violated O1, but it should be violated by O2');
    expect(again.code).toBe(1);
    const elsewhere = await mmuGather(['conformance', '--arch', 'x86', '--rerun', id]);
    expect(elsewhere).toMatchObject({ code: 2, out: '' });
  });
});

describe('JSON', () => {
  test('is schema 1 and nothing else', SLOW, async () => {
    const { code, out, err } = await mmuGather([
      'conformance',
      '--arch',
      'x86',
      '--scenario',
      'T2/*',
      '--scenario',
      'mprotect/running*',
      '--json',
    ]);
    const parsed = JSON.parse(out) as Report;
    expect(Object.keys(parsed)).toEqual(['schema', 'run', 'results', 'summary', 'notApplicable']);
    expect(parsed.run).toMatchObject({ planned: 8, stopped: false, identity: { command: 'mmu-gather conformance' } });
    expect(parsed.notApplicable).toEqual([]);
    expect(parsed.schema).toBe(1);
    expect(parsed.summary).toMatchObject({ total: 8, ok: 8, failed: 0 });
    for (const result of parsed.results) expectResult(result);
    const ids = parsed.results.map((result) => result.scenario);
    expect(ids).toEqual(expect.arrayContaining(['T2/fixed', 'T2/naive', 'mprotect/running-thread/no-flush']));
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  function expectResult(result: CellResult): void {
    const { expected, verdict, counterexample, twinOf, ...rest } = result;
    expect(rest).toMatchObject({
      arch: 'x86',
      profile: expect.stringMatching(/^linux-/),
      memoryModel: 'tso',
      strategy: 'states',
      bounds: { cpus: 2, pages: 4 },
      ok: true,
      exhaustive: verdict === 'holds',
      states: expect.any(Number),
      steps: expect.any(Number),
      milliseconds: expect.any(Number),
    });
    expect(verdict).toBe(expected);
    expect(twinOf === undefined).toBe(verdict === 'holds');
    if (verdict === 'holds') {
      expect(counterexample).toBeUndefined();
      return;
    }
    expect(rest).toMatchObject({
      oracle: expect.stringMatching(/^O\d+$/),
      property: expect.stringMatching(/^[A-Z]+$/),
    });
    expect(counterexample).toMatchObject({
      id: expect.stringMatching(/^\w+$/),
      preemptions: expect.any(Number),
      steps: expect.any(Number),
      diagram: expect.stringContaining(`${rest.oracle}: `),
    });
  }
});

describe('a comparison', () => {
  const args = [
    'conformance',
    '--arch',
    'x86',
    '--compare',
    '--scenario',
    'T8/fixed',
    '--profile',
    'linux-5.11',
    '--profile',
    'sync-finish',
  ];

  test('is a table of 80 columns, and equal JSON each time', SLOW, async () => {
    const [table, json, again] = await Promise.all([
      mmuGather(args),
      mmuGather([...args, '--json']),
      mmuGather([...args, '--json']),
    ]);
    expectNarrow(table.out);
    expect(table.out).toMatch(/^T8\/fixed\n(?: +\d+){5} {2}linux-5.11\n(?: +\d+){5} {2}sync-finish\n/m);
    expect(table.out).toContain('In total, over 1 scenario that all of these profiles hold:');
    const { schema, common, cells } = JSON.parse(json.out) as Comparison;
    expect({ schema, common }).toEqual({ schema: 1, common: 1 });
    expect(cells.map((cell) => cell.profile)).toEqual(['linux-5.11', 'sync-finish']);
    expect(again.out).toBe(json.out);
    expect([table, json].map(({ code, err }) => ({ code, err }))).toEqual([0, 0].map((code) => ({ code, err: '' })));
  });

  test('is refused together with a search', SLOW, async () => {
    expect(await mmuGather([...args, '--seed', '1'])).toMatchObject({ code: 2, out: '' });
  });
});

describe('an interrupt', () => {
  test.each(['1', '2'])('shows what is known, exit code 3, with %s jobs', SLOW, async (jobs) => {
    const { code, out, err } = await mmuGather(
      ['conformance', '--arch', 'x86', '--scenario', 'T3/*', '--scenario', 'T8/fixed', '--jobs', jobs],
      { interruptAt: 'T8/fixed' },
    );
    expect(out).toMatch(/^ {2}T8\/fixed +linux-5\.11 +tso +holds/m);
    expect(out).toMatch(/^! T8\/fixed +linux-6\.18 +tso +(incomplete|stopped)/m);
    expect(out).toMatch(/\nstopped after \d of 6: (all \d )?as expected/);
    expect({ code, err }).toEqual({ code: 3, err: '' });
  });

  test('ends a file that does not', SLOW, async () => {
    const cwd = folder({ 'endless.ts': "console.error('begins'); for (;;);" });
    const { code, out } = await mmuGather(['check', 'endless.ts'], { cwd, interruptAt: 'begins' });
    expect({ code, out }).toEqual({ code: 3, out: '' });
  });
});
