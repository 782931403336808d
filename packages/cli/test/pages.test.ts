/**
 * `--html`: a page for each violation that is not expected, for twins that are asked for, and an index of them.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folder, mmuGather } from './command.ts';

const ZAP = `import { defineScenario, mappingOf, putUnmapped, setStage, thread } from '@mmu-gather/conformance';
export default defineScenario({
  id: 'mine/zap', title: 'no flush', cpus: 2,
  setup: (run) => mappingOf(run, setStage(run).mm, 0),
  threads: (p0) => [thread(function* (cpu) { yield* cpu.xchg(p0.pte, 0); yield* putUnmapped(cpu, p0.page); })],
  twins: [],
});`;

describe('--html', { timeout: 60_000 }, () => {
  test('writes a page for what is not expected, and its index', async () => {
    const cwd = folder({ 'zap.ts': ZAP });
    const args = ['check', 'zap.ts', '--arch', 'x86', '--arch', 'arm64', '--profile', 'linux-6.18', '--html', 'a/b'];
    const { code, out, err } = await mmuGather(args, { cwd });
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(/\n2 pages and index\.html in a\/b\n$/);
    const names = ['index.html', 'mine-zap-arm64-linux-6.18-weak.html', 'mine-zap-x86-linux-6.18-tso.html'];
    expect(readdirSync(join(cwd, 'a/b')).toSorted()).toEqual(names);
    const [index, , page] = names.map((name) => readFileSync(join(cwd, 'a/b', name), 'utf8'));
    expect(index).toContain('href="mine-zap-x86-linux-6.18-tso.html"');
    expect(page).toContain('zap.ts:5');
    // The command that the page gives takes the same execution again.
    const [, again] = /<code>mmu-gather (.*?)<\/code>/.exec(page!)!;
    const rerun = await mmuGather(again!.split(' '), { cwd });
    expect(rerun.out).toContain('free page0');
    const [, message] = /<strong>O1<\/strong> <span>(.*?)<\/span>/.exec(page!)!;
    expect(rerun.out).toContain(`O1: ${message}`);
  });

  test('writes nothing but an index where all is as expected, and twins if they are asked for', async () => {
    const cwd = folder({});
    const args = ['conformance', '--arch', 'x86', '--profile', 'linux-6.18', '--scenario', 'munmap/running-thread*'];
    await mmuGather([...args, '--html', 'none'], { cwd });
    expect(readdirSync(join(cwd, 'none'))).toEqual(['index.html']);
    const { out, code } = await mmuGather([...args, '--html', 'twins', '--twins', '--json'], { cwd });
    expect(code).toBe(0);
    expect(() => JSON.parse(out)).not.toThrow();
    expect(readdirSync(join(cwd, 'twins'))).toHaveLength(3);
    expect(readFileSync(join(cwd, 'twins/index.html'), 'utf8')).toContain('Wrong twins, refuted');
  });

  test('refuses what it cannot write, before anything runs', async () => {
    const cwd = folder({ file: 'no folder' });
    for (const [args, line] of [
      [['--html', 'file'], /^mmu-gather: --html: file: cannot be made a folder \(EEXIST\)\n$/],
      [['--twins'], /^mmu-gather: --twins is for --html DIR\n$/],
      [['--compare', '--html', 'x'], /^mmu-gather: --compare finds no counterexamples: leave out --html\n$/],
    ] as const) {
      const { code, out, err } = await mmuGather(['conformance', ...args], { cwd });
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(line);
    }
    expect(existsSync(join(cwd, 'x'))).toBe(false);
  });
});
