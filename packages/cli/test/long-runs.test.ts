/**
 * Long runs: threads, shards and checkpoints change nothing of what is reported, but for times.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '@mmu-gather/conformance';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const SLOW = { timeout: 120_000 };

/** Cells that take a second or so, some of them shared by profiles. */
const ARGS =
  'conformance --arch x86 --scenario T8/range-* --scenario T3/* --scenario munmap/tables* --profile linux-5.11 --profile rfc-2021-corrected@1 --profile linux-6.18'.split(
    ' ',
  );

/** A report without times. */
function timeless(json: string): unknown {
  return JSON.parse(json, (key, value: unknown) => (key === 'milliseconds' ? undefined : value));
}

/** Text without times. */
function untimed(text: string): string {
  return text.replaceAll(/ *[\d.]+ (m?s|min)\b/g, ' T').replaceAll(/time="[\d.]+"/g, 'time="T"');
}

const lines = (file: string): number => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0);

/** What one thread makes of all of it. */
const whole = mmuGather([...ARGS, '--jobs', '1', '--json'], { cwd: folder({}) });

test('two jobs report what one does', SLOW, async () => {
  // Long enough for a second thread to join.
  const args = [...ARGS, '--scenario', 'T8/fixed', '--json'];
  const [one, two] = await Promise.all([mmuGather([...args, '--jobs', '1']), mmuGather([...args, '--jobs', '2'])]);
  expect(timeless(two.out)).toEqual(timeless(one.out));
  expect((JSON.parse(two.out) as Report).summary.shared).toBeGreaterThan(0);
  expect({ code: two.code, err: two.err }).toEqual({ code: 0, err: '' });
});

test('two jobs print what files print once', SLOW, async () => {
  const cwd = folder({
    'mine.ts': `
      import { defineScenario, PAGE, setStage, syscall, thread } from '@mmu-gather/conformance';
      import { madviseDontneed, munmap } from '@mmu-gather/mm/stepped';
      console.log('hello');
      console.error('there');
      const of = (id: string) => defineScenario({
        id, title: 'unmap', cpus: 2, setup: (run) => setStage(run), twins: [], profiles: ['linux-6.18'],
        threads: ({ mm }) => [
          thread((cpu) => munmap(cpu, mm, 0, PAGE)),
          thread((cpu) => syscall(cpu, () => madviseDontneed(cpu, mm, PAGE, PAGE))),
        ],
      });
      export default ['a', 'b', 'c', 'd', 'e', 'f'].map(of);
    `,
  });
  const { code, out, err } = await mmuGather(['check', 'mine.ts', '--arch', 'x86', '--jobs', '2', '--json'], { cwd });
  const { results } = JSON.parse(out) as Report;
  expect(results.map(({ scenario }) => scenario)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  expect(new Set(results.map(({ states }) => states)).size).toBe(1);
  expect(err.split('\n').toSorted()).toEqual(['', 'hello', 'there']);
  expect(code).toBe(0);
});

describe('shards', () => {
  const cwd = folder({});
  const shard = async (part: string): Promise<string> => {
    const file = `${part.replace('/', '-of-')}.json`;
    const { out } = await mmuGather([...ARGS, '--shard', part, '--json', '--jobs', '1'], { cwd });
    writeFileSync(join(cwd, file), out);
    return file;
  };
  const made = Promise.all(['1/3', '2/3', '3/3'].map(shard));

  test('are merged to what the whole run reports, in any order', SLOW, async () => {
    const files = await made;
    const merge = ['merge-reports', ...files.toReversed()];
    const env = { COLUMNS: '120' };
    const [json, human, all] = await Promise.all([
      mmuGather([...merge, '--json', '--junit', 'merged.xml'], { cwd }),
      mmuGather(merge, { cwd, env }),
      mmuGather([...ARGS, '--junit', 'whole.xml'], { cwd, env }),
    ]);
    expect(timeless(json.out)).toEqual(timeless((await whole).out));
    expect(untimed(human.out)).toBe(untimed(all.out));
    const [merged, expected] = ['merged.xml', 'whole.xml'].map((file) =>
      untimed(readFileSync(join(cwd, file), 'utf8')),
    );
    expect(merged).toBe(expected);
    expect([json, human, all].map(({ code, err }) => ({ code, err }))).toEqual(
      [0, 0, 0].map((code) => ({ code, err: '' })),
    );
  });

  test('must be all of one run, each once', SLOW, async () => {
    const [one, two, three] = await made;
    const report = JSON.parse(readFileSync(join(cwd, three!), 'utf8')) as Report;
    const foreign = { ...report.run.identity, selection: { archs: ['arm64'] } };
    writeFileSync(join(cwd, 'foreign.json'), JSON.stringify({ ...report, run: { ...report.run, identity: foreign } }));
    writeFileSync(join(cwd, 'whole.json'), (await whole).out);
    writeFileSync(join(cwd, 'cut.json'), '{');
    const refused = async (...files: (string | undefined)[]): Promise<string> => {
      const { code, out, err } = await mmuGather(['merge-reports', ...files.map((file) => file!)], { cwd });
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^mmu-gather: [^\n]+\n$/);
      return err;
    };
    expect(await refused(one, three)).toContain('shard 2/3 is missing');
    expect(await refused(one, two, two)).toContain(`${two}: shard 2/3, as is ${two}: give each shard once`);
    expect(await refused(one, two, 'foreign.json')).toContain('archs x86 there, arm64 here');
    expect(await refused('whole.json')).toContain('no report of a shard');
    expect(await refused('cut.json')).toContain('cut.json: no JSON');
    expect(await refused('gone.json')).toContain('gone.json: no such file');
  });
});

test('merged reports have pages, where the sources are those of the run', SLOW, async () => {
  const args = 'conformance --arch x86 --profile linux-6.18 --scenario T3/naive --shard 1/1 --json'.split(' ');
  const { out } = await mmuGather(args);
  const report = JSON.parse(out) as Report;
  const identity = { ...report.run.identity, code: 'other' };
  const cwd = folder({ 'one.json': out, 'old.json': JSON.stringify({ ...report, run: { ...report.run, identity } }) });
  const [merged, refused] = await Promise.all([
    mmuGather(['merge-reports', 'one.json', '--html', 'pages'], { cwd }),
    mmuGather(['merge-reports', 'old.json', '--html', 'none'], { cwd }),
  ]);
  expect(merged.out).toContain('1 page and index.html in pages');
  expect(readdirSync(join(cwd, 'pages'))).toEqual(['T3-naive-x86-linux-6.18-tso.html', 'index.html']);
  expect(refused).toMatchObject({ code: 2, out: '' });
  expect(refused.err).toContain('--html: the code has changed');
});

describe('a checkpoint', () => {
  test('survives kill -9 in the middle: nothing that was finished is lost or run again', SLOW, async () => {
    const cwd = folder({});
    const file = join(cwd, 'run.checkpoint');
    const args = [...ARGS, '--checkpoint', 'run.checkpoint', '--json'];
    const killed = await mmuGather(args, { cwd, killWhen: () => lines(file) > 5 });
    expect(killed).toMatchObject({ code: null, out: '' });
    const before = readFileSync(file, 'utf8');
    const finished = before.split('\n').length - 2;
    const { results } = JSON.parse((await whole).out) as Report;
    expect(finished).toBeGreaterThan(4);
    expect(finished).toBeLessThan(results.length);

    appendFileSync(file, '{"cell":7,"ran":{"resu');
    const again = await mmuGather(args, { cwd });
    expect(again.err).toBe(
      `run.checkpoint: its last line was cut short, and is dropped: that cell runs again\nrun.checkpoint: ${finished} of ${results.length} cells are done\n`,
    );
    expect(timeless(again.out)).toEqual(timeless((await whole).out));
    expect(again.code).toBe(0);
    const after = readFileSync(file, 'utf8');
    expect(after.startsWith(before)).toBe(true);
    expect(after.split('\n')).toHaveLength(results.length + 2);

    const done = await mmuGather(args, { cwd });
    expect(timeless(done.out)).toEqual(timeless((await whole).out));
    expect(readFileSync(file, 'utf8')).toBe(after);
  });

  test('belongs to one run', SLOW, async () => {
    const cwd = folder({ 'other.txt': 'mine\n', 'damaged.checkpoint': '' });
    const args = ['conformance', '--arch', 'x86', '--scenario', 'T3/*'];
    const refused = async (...options: string[]): Promise<string> => {
      const { code, out, err } = await mmuGather([...args, ...options], { cwd });
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^mmu-gather: --checkpoint: [^\n]+\n$/);
      return err;
    };
    const keep = ['--checkpoint', 'damaged.checkpoint'];
    expect((await mmuGather([...args, ...keep], { cwd })).code).toBe(0);
    expect(await refused(...keep, '--max-states', '9')).toContain('maxStates not given there, 9 here');
    expect(await refused(...keep, '--shard', '1/2')).toContain('shard none there, 1/2 here');
    const file = join(cwd, 'damaged.checkpoint');
    writeFileSync(file, readFileSync(file, 'utf8').replace('\n{"cell"', '\n{"cel"'));
    expect(await refused(...keep)).toContain('damaged.checkpoint:2: damaged');
    expect(await refused('--checkpoint', 'other.txt')).toContain('no checkpoint');
    expect(await refused('--checkpoint', '.')).toContain('a folder');
    expect(await refused('--checkpoint', 'gone/run')).toContain('no such folder');
    expect(readFileSync(join(cwd, 'other.txt'), 'utf8')).toBe('mine\n');
  });
});

test('a limit on all of it stops the run, and says what is known', SLOW, async () => {
  const args = ['conformance', '--arch', 'x86', '--scenario', 'global-asid/published', '--scenario', 'T3/fixed'];
  const { code, out } = await mmuGather([...args, '--total-time-limit', '1s', '--jobs', '2']);
  expect(out).toMatch(/^stopped after \d of \d/m);
  expect(code).toBe(3);
});

test('a failure in JUnit XML carries its race', SLOW, async () => {
  const cwd = folder({});
  const args = ['conformance', '--arch', 'x86', '--profile', 'linux-6.18', '--scenario', 'munmap/running-thread'];
  const { code } = await mmuGather([...args, '--with', 'waitForIpis=false', '--junit', 'out.xml'], { cwd });
  expect(code).toBe(1);
  const xml = readFileSync(join(cwd, 'out.xml'), 'utf8');
  expect(xml).toMatch(/<testsuites name="mmu-gather" tests="1" failures="1" errors="0"/);
  expect(xml).toContain('classname="x86.linux-6.18+waitForIpis=false.tso" name="munmap/running-thread: munmap of a');
  expect(xml).toMatch(/<failure message="expected: holds, found: violated O1: page0 is freed[^"]*" type="O1"/);
  expect(xml).toContain('CPU 0');
  expect(xml).toMatch(/mmu-gather conformance --rerun \w+ --full/);
  const nowhere = await mmuGather([...args, '--junit', 'gone/out.xml'], { cwd });
  expect(nowhere).toMatchObject({ code: 2, out: '' });
});
