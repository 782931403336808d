/**
 * Bad input and usage: exit code 2, nothing on standard output, and one line that says what, where, and how to mend it.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIXTURES, folder, mmuGather } from './command.ts';
import { type Driver, startDriver } from './driver.ts';
import type { Answer } from './driver-process.ts';

const DEFINE = "import { defineScenario } from '@mmu-gather/conformance';\n";
/** A scenario file with these fields in place of good ones. */
const scenario = (fields: string): string =>
  `${DEFINE}const good = { id: 'a', title: 'a', cpus: 2, setup() {}, threads: () => [function* (cpu) { yield* cpu.smpMb(); }], twins: [] };\n` +
  `export default defineScenario({ ...good, ${fields} });\n`;

const BACKEND = "import { defineArchitecture, SCENARIOS, X86 } from '@mmu-gather/conformance';\n";

const files = folder({
  'no-backend.ts': scenario("id: 'b'"),
  'backend-id.ts': `${BACKEND}export default defineArchitecture({ ...X86, id: 'y86' });`,
  'backend-plain.ts': `${BACKEND}export default { ...X86, wrongs: { 'no-wait': { wait: false } } };`,
  'backend-skips.ts': `${BACKEND}export default { ...X86, skips: [{ scenario: 'T99/*', why: 'none' }] };`,
  'backend-twice.ts': `${BACKEND}export default [X86, { ...X86 }];`,
  'backend-direct.ts': "import { x86 } from '@mmu-gather/x86';\nexport default x86;",
  'syntax.ts': 'export const x = {',
  'enum.ts': 'export enum A { x }',
  'no-export.ts': "import { nothing } from '@mmu-gather/conformance';\nexport default nothing;",
  'no-package.ts': "import x from 'no-such-package';\nexport default x;",
  'no-file.ts': "import x from './gone.ts';\nexport default x;",
  'throws.ts': "const a: number = 1;\nthrow new Error('boom\\nsecond line');",
  'throws-text.ts': "throw 'text';",
  'none.ts': 'export const a = 1;',
  'direct.ts': "import { munmap } from '@mmu-gather/mm';\nexport default munmap;",
  'exits.ts': 'process.exit(0);',
  'waits.ts': 'await new Promise(() => {});',
  'plain.ts': "export default { id: 'a', setup() {} };",
  'id.ts': scenario("id: 'x y'"),
  'cpus.ts': scenario('cpus: 99'),
  'pools.ts': scenario('pools: { page: 1e9 }'),
  'geometry.ts': scenario('geometry: { pageShift: 12, bits: [9, 9, 9, 9] }'),
  'no-twins.ts': scenario('twins: undefined'),
  'no-change.ts': scenario("twins: [{ id: 'a/b', why: 'b', oracle: 'O1' }]"),
  'oracle.ts': scenario("twins: [{ id: 'a/b', why: 'b', oracle: '01', threads: () => [] }]"),
  'profile.ts': scenario("profile: { freePage: 'before-flush' }"),
  'switch.ts': scenario('backend: { x86: { localFlsh: false } }'),
  'setup.ts': scenario("setup() { throw new Error('no stage'); }"),
  'no-yield.ts': scenario('threads: () => [function* (cpu) { cpu.smpMb(); yield* cpu.smpMb(); }]'),
  'changes.ts': `let n = 0;\n${scenario(
    'threads: () => [function* (cpu) { yield* cpu.atomicAdd(cpu.kernel.zeroPage, 1); yield* cpu.atomicAdd(cpu.kernel.zeroPage, ++n); }, function* (cpu) { yield* cpu.atomicAdd(cpu.kernel.zeroPage, 1); yield* cpu.atomicAdd(cpu.kernel.zeroPage, 1); }]',
  )}`,
  'MP.litmus': 'X86_64 MP\n{ }\n P0 | P1 ;\n movl $1,(x) | movl (x),%eax ;\nexists (1:rax=1)\n',
  'cut.litmus': 'X86_64 cut\n{ x=1;\n P0 ;\n',
  'no-condition.litmus': 'AArch64 none\n{ 0:X1=x; }\n P0 ;\n LDR W0,[X1] ;\n',
  'operand.litmus': 'AArch64 operand\n{ 0:X1=x; }\n P0 ;\n LDR W0,X1 ;\nexists (0:X0=1)\n',
  'thread.litmus': 'AArch64 thread\n{ 0:X1=x; }\n P0 ;\n LDR W0,[X1] ;\nexists (1:X0=1)\n',
  'c.litmus': 'C c\n{}\nP0(int *x)\n{\n  int r0 = READ_ONCE(*x\n}\nexists (0:r0=1)\n',
  'verdicts.tsv': 'file\tname\tbase\tets2\nMP.litmus\tMP\tAllowed\tPerhaps\n',
  'facts.json': '{ "hz": "fast" }',
  'calls.strace': '7 1.000001 brk(NULL) = 0x5500\n',
  'list.json': '[]',
  'costs.toml': '[x86]\nipis = 3\n',
  'garbage.txt': '\u0000\u0001\u0002 no trace',
  'empty.txt': '',
  'page.md': '# A page\n\nThis is no test.\n',
});

const TRACE = join(FIXTURES, 'm02-lazy.trace.txt.gz');

type Case = [args: string[], line: RegExp];

/** Nothing on standard output, one line on the other. */
function expectRefused(
  answer: { readonly code: number | null; readonly out: string; readonly err: string },
  line: RegExp,
): void {
  const { code, out, err } = answer;
  expect(err).toMatch(/^mmu-gather: [^\n]+\n$/);
  expect(err.trimEnd()).toMatch(line);
  expect(err).not.toContain('internal error');
  expect({ code, out }).toEqual({ code: 2, out: '' });
}

// Some of each command, and all that a worker or the end of a process has to do with.
describe('one line, exit code 2', () => {
  test.for<Case>([
    [[], /no command: give one of conformance, check, merge-reports, litmus, record, replay, stress, list, demo/],
    [['conformance', '--mutants', '@no-such-file'], /--mutants: cannot read 'no-such-file'/],
    [
      ['conformance', '--mutants', `@${files}/empty.txt`],
      /--mutants: .*empty.txt lists none: give the key of a mutant in each line/,
    ],
    [
      ['conformance', '--mutants', `@${files}/list.json`],
      /--mutants: .*list.json: there is no mutant '\[\]': a line is a key, as --json prints it/,
    ],
    [['conformanc'], /unknown command 'conformanc'.*conformance/],
    [['conformance', '--arch'], /'--arch <id>' argument missing/],
    [['conformance', '--arch', 'x87'], /--arch: there is no 'x87': did you mean 'x86'\? there are: x86/],
    [
      ['conformance', '--profile', 'linux-6.81'],
      /--profile: there is no 'linux-6.81': did you mean 'linux-6.1'\? there are: linux-5.11, linux-6.1, /,
    ],
    [['conformance', '--with', 'fulmm=F2'], /--with: there is no switch 'fulmm': did you mean 'fullmm'\? .*list axes/],
    [['conformance', '--with', 'fullmm=F9'], /--with: 'fullmm' has no value 'F9': it has linux, F0, /],
    [['conformance', '--with', 'fullmm=F2,x86.ceiling=x'], /--with: 'x86.ceiling' is a number/],
    [
      ['conformance', '--with', 'gatherBatch=1'],
      /--with: 'gatherBatch' is a group of numbers: set one of gatherBatch\.bundle, /,
    ],
    [
      ['conformance', '--with', 'deferral=ring'],
      /--with: in linux-5.11 these do not go together: deferral=ring needs changeProtection=gather/,
    ],
    [['conformance', '--with', 'F2'], /--with: 'F2' sets nothing: write switch=value/],
    [
      ['conformance', '--scenario', 'munmap/runing'],
      /no scenario 'munmap\/runing': did you mean 'munmap\/running-thread'\?/,
    ],
    [
      ['conformance', '--scenario', 'bug:B13/fixed', '--profile', 'linux-5.11'],
      /nothing to run: 'bug:B13\/fixed' applies to x86, linux-6.18, tso/,
    ],
    [['conformance', '--rerun', 'abc', '--total-time-limit', '1s'], /--total-time-limit is for searches/],
    [['merge-reports'], /missing required argument/],
    [['conformance', '--rerun', 'abc'], /--rerun: bad id 'abc'/],
    [['conformance', '--backend', 'backend-twice.ts'], /a second backend 'x86': ids must differ/],
    [['conformance', '--backend', 'exits.ts'], /exits\.ts: ended the process \(exit code 0\)/],
    [['conformance', '--rerun', 'abc', '--seed', '1'], /--rerun takes one execution again/],
    [['check'], /missing required argument/],
    [['check', 'syntax.ts'], /syntax\.ts:1: Unexpected/],
    [['check', 'throws.ts'], /throws\.ts:2: throws Error: boom$/],
    [['check', 'exits.ts'], /exits\.ts: ended the process \(exit code 0\)/],
    [['check', 'waits.ts'], /waits\.ts: its import never ends/],
    [['check', 'id.ts'], /id\.ts:3: scenario "x y": 'id' must be/],
    [['check', 'setup.ts'], /setup\.ts:3: scenario 'a' on x86, linux-5.11: no stage/],
    [['check', 'no-yield.ts'], /no-yield\.ts:3: .*a yield\* is missing/],
    [['check', 'changes.ts'], /step functions may depend on nothing but what the port returned/],
    [['check', 'no-yield.ts', '--scenario', 'b'], /no scenario 'b':.* there are: a$/],
    [['litmus'], /missing required argument/],
    [['list'], /missing required argument/],
    [['record'], /record: give one of: -- COMMAND, --pid N, --all --seconds N/],
    [['replay'], /missing required argument/],
    [['merge-reports', 'gone.json'], /gone\.json: no such file/],
    [['litmus', 'cut.litmus'], /cut\.litmus:2: this '\{' is not closed/],
    [['list', 'bug'], /list: there is no 'bug': did you mean 'bugs'\? there are: archs, profiles/],
    [['record', '--all'], /record: --all needs --seconds N/],
    [['replay', 'garbage.txt'], /garbage\.txt:1: /],
  ])('%j', { concurrent: true, timeout: 30_000 }, async ([args, line]) =>
    expectRefused(await mmuGather(args, { cwd: files }), line),
  );
});

describe('the same, asked of one process', { timeout: 60_000 }, () => {
  let driver: Driver;
  beforeAll(() => {
    driver = startDriver(files);
  });
  afterAll(() => driver.end());

  test.for<Case>([
    [['conformance', '--jsn'], /unknown option '--jsn'.*--json/],
    [['conformance', 'extra'], /too many arguments/],
    [['conformance', '--memory-model', 'pso'], /'pso' is invalid\. Did you mean 'tso'\? There are: sc, tso, weak/],
    [
      ['conformance', '--strategy', 'stats'],
      /'stats' is invalid\. Did you mean 'states'\? There are: states, dpor, bounded, random/,
    ],
    [['conformance', '--max-states', '0'], /'0' is invalid\. Give a whole number from 1 on/],
    [['conformance', '--max-states', '-5'], /'-5' is invalid/],
    [['conformance', '--time-limit', 'soon'], /'soon' is invalid\. Give a time such as 500ms/],
    [['conformance', '--strategy', 'random', '--seed', 'x'], /'x' is invalid\. Give a whole number/],
    [['conformance', '--seed', '1'], /--seed is for --strategy random/],
    [['conformance', '--reduce', 'commute'], /--reduce commute is for --strategy dpor, not states/],
    [['conformance', '--strategy', 'dpor', '--reduce', 'local'], /--reduce local is for --strategy states, not dpor/],
    [['conformance', '--reduce', 'symmetry'], /There are: local, commute, none/],
    [
      ['conformance', '--strategy', 'dpor', '--max-states', '9'],
      /--max-states does not limit dpor: give --max-executions/,
    ],
    [['conformance', '--jobs', '0'], /'0' is invalid\. Give a whole number from 1 on/],
    [['conformance', '--shard', '5/4'], /'5\/4' is invalid\. Give a part and the number of parts: 1\/4 to 4\/4/],
    [['conformance', '--shard', '1'], /'1' is invalid\. Give a part/],
    [['conformance', '--total-time-limit', 'soon'], /'soon' is invalid\. Give a time/],
    [['conformance', '--compare', '--shard', '1/2'], /--shard is for searches: leave it out, or --compare/],
    [['litmus', 'gone.litmus'], /gone\.litmus: no such file or folder/],
    [['litmus', 'gone*.litmus'], /gone\*\.litmus: no litmus test has such a name/],
    [['litmus', 'no-condition.litmus'], /no-condition\.litmus:\d+: there is no condition/],
    [['litmus', 'operand.litmus'], /operand\.litmus:4: 'LDR W0,X1': 'X1' is no address such as \[X0\]/],
    [['litmus', 'thread.litmus'], /thread\.litmus: the condition speaks of P1, and there are 1 threads/],
    [['litmus', 'c.litmus'], /c\.litmus:6: expected ',', found '}'/],
    [['litmus', 'garbage.txt'], /garbage\.txt: this is no text/],
    [['litmus', 'empty.txt'], /empty\.txt:1: an empty file/],
    [['litmus', 'page.md'], /page\.md:1: a litmus test begins with its language/],
    [
      ['litmus', 'MP.litmus', '--expect', 'verdicts.tsv'],
      /verdicts\.tsv:1: several columns of verdicts: there are base, ets2/,
    ],
    [['litmus', 'MP.litmus', '--expect', 'verdicts.tsv', '--column', 'x'], /verdicts\.tsv:1: no column 'x'/],
    [
      ['litmus', 'MP.litmus', '--expect', 'verdicts.tsv', '--column', 'ets2'],
      /verdicts\.tsv:2: 'Perhaps' is no verdict/,
    ],
    [['litmus', 'MP.litmus', '--expect', 'none.tsv'], /none\.tsv: no such file/],
    [['litmus', 'MP.litmus', '--column', 'base'], /--column goes with --expect FILE/],
    [
      ['litmus', 'MP.litmus', '--memory-model', 'pso'],
      /'pso' is invalid\. Did you mean 'tso'\? There are: sc, tso, weak-mca, weak/,
    ],
    [['litmus', 'MP.litmus', '--variant', 'ets3'], /'ets3' is invalid/],
    [['record', '--pid', '1', '--all'], /record: give one of/],
    [['record', '--seconds', '1', '--', 'true'], /a command is recorded until it ends: leave --seconds out/],
    [['record', '--buffer', '0', '--', 'true'], /'0' is invalid\. Give a whole number/],
    [['replay', 'gone.txt'], /gone\.txt: no such file/],
    [['replay', 'empty.txt'], /empty\.txt: an empty file/],
    [['replay', TRACE, '--profile', 'all'], /--profile: one system can run at a time: name it/],
    [['replay', TRACE, '--profile', '6.18'], /--profile: there is no '6.18': did you mean 'linux-6.18'\?/],
    [['replay', TRACE, '--arch', 'arm64'], /--arch: there is no 'arm64': there are: x86/],
    [['replay', TRACE, '--fail-under', '95'], /'95' is invalid\. Give a number from 0 to 1/],
    [['replay', TRACE, '--traced', '8926,x'], /'8926,x' is invalid\. Give ids of tasks/],
    [['replay', 'calls.strace', '--fail-under', '0.5'], /--fail-under: calls\.strace holds no flushes/],
    [['replay', TRACE, '--facts', 'none.json'], /none\.json: no such file/],
    [['replay', TRACE, '--facts', 'none.ts'], /none\.ts: no JSON/],
    [['replay', TRACE, '--what-if', 'arm64'], /--what-if: 'arm64' asks nothing: write what=value/],
    [
      ['replay', TRACE, '--what-if', 'arch=arm'],
      /--what-if: there is no arch 'arm': did you mean 'arm64'\? there are: x86/,
    ],
    [
      ['replay', TRACE, '--what-if', 'profile=flush-rig'],
      /--profile: there is no 'flush-rig': did you mean 'flush-ring'\?/,
    ],
    [['replay', TRACE, '--what-if', 'profile=all'], /--profile: one system can run at a time: name it/],
    [['replay', TRACE, '--what-if', 'cpus=0'], /--what-if: cpus is '0': give a whole number from 1 on/],
    [
      ['replay', TRACE, '--what-if', 'thp=some'],
      /--what-if: there is no thp 'some': there are: always, madvise, never/,
    ],
    [['replay', TRACE, '--what-if', 'fullmm=F9'], /--with: 'fullmm' has no value 'F9'/],
    [['replay', TRACE, '--costs', 'none.toml'], /--costs: none\.toml: no such file/],
    [
      ['replay', TRACE, '--costs', 'costs.toml'],
      /--costs: costs\.toml: there is no cost 'x86\.ipis': there are ghz, page/,
    ],
    [['replay', TRACE, '--csv', 'none/a.csv'], /none\/a\.csv: cannot be written/],
    [['replay', TRACE, '--facts', 'list.json'], /list\.json: give one JSON object/],
    [['replay', TRACE, '--facts', 'facts.json'], /facts\.json: 'hz' is "fast": give a number/],
  ])('%j', async ([args, line]) =>
    expectRefused((await driver.ask({ args })) as Extract<Answer, { readonly code: number }>, line),
  );

  // What loading a file says; the command prints it as it prints those above.
  test.for<[what: 'file' | 'backend', name: string, line: RegExp]>([
    ['backend', 'gone.ts', /gone\.ts: no such file/],
    ['backend', '.', /\.: not a file: give a TypeScript file that exports a backend/],
    ['backend', 'no-backend.ts', /exports no backend: add 'export default defineArchitecture\(/],
    ['backend', 'backend-id.ts', /backend-id\.ts:2: .*"y86": its backend has the id 'x86'/],
    ['backend', 'backend-plain.ts', /backend-plain\.ts: .*'no-wait' sets 'wait', which is no switch/],
    ['backend', 'backend-skips.ts', /x86 skips 'T99\/\*', and there is no such scenario: leave it out/],
    ['backend', 'backend-direct.ts', /import '@mmu-gather\/x86\/stepped'/],
    ['file', 'gone.ts', /gone\.ts: no such file/],
    ['file', '.', /\.: not a file/],
    ['file', 'enum.ts', /enum\.ts:1: .*enum is not supported/],
    ['file', 'no-export.ts', /no-export\.ts:1: .*'nothing'/],
    ['file', 'no-package.ts', /no-package\.ts: cannot find package 'no-such-package'/],
    ['file', 'no-file.ts', /no-file\.ts: cannot find module '.*gone\.ts'/],
    ['file', 'throws-text.ts', /throws-text\.ts: throws text$/],
    ['file', 'none.ts', /none\.ts: exports no scenario: add 'export default defineScenario/],
    ['file', 'direct.ts', /direct\.ts: .*import '@mmu-gather\/mm\/stepped'/],
    ['file', 'plain.ts', /plain\.ts: scenario "a": 'title' is missing/],
    ['file', 'cpus.ts', /cpus\.ts:3: .*'cpus' is 99: give a number from 1 to 8/],
    ['file', 'pools.ts', /'pools\.page' is 1000000000: give a number from 0 to 1000$/],
    ['file', 'geometry.ts', /'geometry' must be .* with at most 12 bits in all, for instance TINY$/],
    ['file', 'no-twins.ts', /'twins' is missing/],
    ['file', 'no-change.ts', /twin 'a\/b' changes nothing/],
    ['file', 'oracle.ts', /names oracle '01': there are O1 to O17/],
    ['file', 'profile.ts', /profile switch 'freePage', which does not exist: there are .*freePages/],
    ['file', 'switch.ts', /scenario 'a': x86 has no switch 'localFlsh': it has .*localFlush/],
  ])('%s %s', async ([what, name, line]) => {
    const answer = await driver.ask(what === 'file' ? { file: name } : { backend: name });
    expect(answer).toEqual({ refused: expect.stringMatching(line) });
    expect((answer as { refused: string }).refused).not.toContain('\n');
  });
});
