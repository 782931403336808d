/**
 * What a run has exercised, and proofs that prove nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '@mmu-gather/conformance';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const SLOW = { timeout: 60_000 };

/** A scenario of two CPUs with these fields. */
const scenario = (fields: string): string => `
  import { defineScenario, PAGE, setStage, syscall, thread } from '@mmu-gather/conformance';
  import { madviseDontneed, munmap } from '@mmu-gather/mm/stepped';
  export default defineScenario({
    id: 'mine', title: 'unmap', cpus: 2, profiles: ['linux-6.18'], twins: [], setup: (run) => setStage(run), ${fields}
  });
`;
const UNMAP = 'threads: ({ mm }) => [thread((cpu) => munmap(cpu, mm, 0, PAGE))]';
const NOTHING = 'threads: ({ mm }) => [thread((cpu) => cpu.readOnce(mm.tlbGen))]';
const check = (text: string, ...options: string[]) =>
  mmuGather(['check', 'mine.ts', '--arch', 'x86', ...options], { cwd: folder({ 'mine.ts': text }) });

interface Coverage {
  readonly sites: string[];
  readonly untaken: string[];
  readonly both: [string, string][];
  readonly one: [string, string][];
  readonly cells: { readonly scenario: string; readonly both: [string, string][] }[];
}

describe('coverage', () => {
  const args = 'conformance --arch x86 --profile linux-6.18 --scenario munmap/tables* --scenario T3/*'.split(' ');

  test('is of sites, and of racing pairs in both orders', SLOW, async () => {
    const cwd = folder({});
    const [file, plain] = await Promise.all([
      mmuGather([...args, '--coverage', 'coverage.json', '--json'], { cwd }),
      mmuGather([...args, '--json']),
    ]);
    const { sites, untaken, both, one, cells } = JSON.parse(
      readFileSync(join(cwd, 'coverage.json'), 'utf8'),
    ) as Coverage;
    expect(sites.length).toBeGreaterThan(20);
    for (const site of sites) expect(site).toMatch(/^[\w-]+\/[\w/-]+\.ts:\d+$/);
    for (const site of untaken) expect(site).toMatch(/^(core|mm|x86)\/[\w/-]+\.ts:\d+$/);
    expect(untaken).toContainEqual(expect.stringMatching(/^mm\/fork\.ts/));
    expect(untaken.filter((site) => sites.includes(site))).toEqual([]);
    expect(both).toContainEqual([expect.stringMatching(/^core\/pte-ops\.ts:\d+$/), 'page walk']);
    expect(one).toContainEqual([expect.stringMatching(/^core\/generation/), expect.stringMatching(/^x86\/flush-func/)]);
    expect(cells.map((cell) => cell.scenario)).toEqual(['T3/fixed', 'munmap/tables']);
    // It changes nothing else.
    const bare = (json: string): unknown =>
      (JSON.parse(json) as Report).results.map((result) => ({ ...result, exercise: undefined, milliseconds: 0 }));
    expect(bare(file.out)).toEqual(bare(plain.out));
    expect((JSON.parse(plain.out) as Report).results.every(({ exercise }) => exercise === undefined)).toBe(true);
    expect([file.code, plain.code]).toEqual([0, 0]);
  });

  test('is shown if no file is named, and survives shards', SLOW, async () => {
    const cwd = folder({});
    const shown = await mmuGather([...args, '--coverage', '--verbose']);
    const [first, second] = await Promise.all(
      ['1/2', '2/2'].map((part) => mmuGather([...args, '--coverage', '--shard', part, '--json'])),
    );
    const files = folder({ 'one.json': first!.out, 'two.json': second!.out });
    const merged = await mmuGather(['merge-reports', 'one.json', 'two.json', '--coverage', '--verbose'], {
      cwd: files,
    });
    const section = /\nscenario +arch .*\nT3\/fixed +x86 +linux-6\.18 +\d+ +\d+ +\d+\n[^]* before .*, never after it\n/;
    expect(shown.out).toMatch(
      /^\d+ sites exercised, \d+ of the same packages not\.\nOf \d+ racing pairs \d+ were seen in both orders\.$/m,
    );
    expect(section.exec(merged.out)?.[0]).toBe(section.exec(shown.out)![0]);
    const none = await mmuGather([...args, '--shard', '1/1', '--json'], { cwd });
    const plain = folder({ 'plain.json': none.out });
    const refused = await mmuGather(['merge-reports', 'plain.json', '--coverage'], { cwd: plain });
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toContain('--coverage: these shards did not ask for it');
  });
});

describe('a proof is vacuous', () => {
  test('if what shall be so sometimes never is', SLOW, async () => {
    const never = "sometimes: [{ what: 'ten generations are made', when: (peek, { mm }) => peek(mm.tlbGen) > 9 }]";
    const once = "sometimes: [{ what: 'a generation is made', when: (peek, { mm }) => peek(mm.tlbGen) > 0 }]";
    const [vacuous, real] = await Promise.all([
      check(scenario(`${UNMAP}, ${never}`)),
      check(scenario(`${UNMAP}, ${once}`)),
    ]);
    expect(vacuous.out).toMatch(/^! mine +linux-6\.18 +tso +vacuous +\d/m);
    expect(vacuous.out.replaceAll(/\s+/g, ' ')).toContain(
      'mine holds and proves nothing: it is never so that ten generations are made.',
    );
    expect(vacuous.out).not.toMatch(/\d holds/);
    expect(vacuous.code).toBe(1);
    expect(real.out).toMatch(/^ {2}mine +linux-6\.18 +tso +holds/m);
    expect(real.code).toBe(0);
  });

  test('if nothing races, which coverage tells, unless the scenario says why', SLOW, async () => {
    const [unseen, seen, meant, racing] = await Promise.all([
      check(scenario(NOTHING)),
      check(scenario(NOTHING), '--coverage'),
      check(scenario(`${NOTHING}, sequential: 'it is about nothing'`), '--coverage'),
      check(scenario(UNMAP), '--coverage'),
    ]);
    expect(seen.out.replaceAll(/\s+/g, ' ')).toContain('no two accesses of different CPUs were seen in both orders');
    expect([unseen, seen, meant, racing].map(({ code }) => code)).toEqual([0, 1, 0, 0]);
  });

  test('and conditions have a form', SLOW, async () => {
    const { code, err } = await check(scenario(`${UNMAP}, sometimes: [{ what: 'x' }]`));
    expect(err).toMatch(/mine\.ts:\d+: scenario "mine": each of 'sometimes' needs 'what' and 'when'/);
    expect(code).toBe(2);
  });
});
