/**
 * Program: the commands and their options. Errors come out as one line, whoever finds them.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { exitCode } from './index.ts';
import { firstLine, Misuse } from './misuse.ts';
import { suggestion } from './nearest.ts';
import { between, count, duration, list as listed, oneOf, pids, seed, several, shard, share } from './values.ts';
import type { RecordingOptions } from './commands/record.ts';
import type { ReplayOptions } from './commands/replay.ts';
import type { MergeOptions } from './commands/merge.ts';
import type { StressCommandOptions } from './commands/stress.ts';
import type { MutantOptions } from './commands/mutants.ts';
import { REDUCTIONS, type SuiteOptions } from './suite/options.ts';
import type { ListName, ListOptions } from './commands/list.ts';
import type { LitmusOptions } from './commands/litmus.ts';

const NAME = 'mmu-gather';

/** Runs a command line. Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCode.expected;
  const program = commands((result) => {
    code = result;
  });
  try {
    if (args.length === 0) {
      const names = program.commands.map((command) => command.name()).join(', ');
      throw new Misuse(`no command: give one of ${names}; '${NAME} --help' says more`);
    }
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.expected : exitCode.misuse;
    if (!(error instanceof Misuse)) return internal(error);
    complain(error.message);
    return exitCode.misuse;
  }
  return code;
}

function commands(done: (code: number) => void): Command {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const program = new Command(NAME)
    .description("Linux's TLB-flush algorithms: checked under every interleaving, replayed on recorded traces.")
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (text) => complain(mended(text, program)) })
    .addHelpText('after', example('conformance --arch x86'))
    .addHelpText('after', EXIT_CODES);

  suiteOptions(program.command('conformance'))
    .description('Run the suite: every scenario must hold, every wrong twin must be refuted.')
    .option(
      '--mutants [files]',
      "instead: mutants of the algorithms, of 'x86/flush*', @FILE (keys) or all, and what notices them",
    )
    .addHelpText('after', example("conformance --profile linux-6.18 --scenario 'bug:B13/*'"))
    .action(async ({ mutants, ...options }: SuiteOptions & Partial<MutantOptions>) => {
      if (mutants !== undefined) {
        const { runMutants } = await import('./commands/mutants.ts');
        done(await runMutants({ ...options, mutants }));
        return;
      }
      const { runSuite } = await import('./commands/suite.ts');
      done(await runSuite([], options));
    });

  suiteOptions(program.command('check'))
    .description('Run scenarios of your own.')
    .argument('<file.ts...>', 'files that export what defineScenario returns')
    .addHelpText('after', example('check my-scenario.ts --json'))
    .action(async (files: string[], options: SuiteOptions) => {
      const { runSuite } = await import('./commands/suite.ts');
      done(await runSuite(files, options));
    });

  program
    .command('merge-reports')
    .description('Put the reports of all shards of a run together: the report of the whole run.')
    .argument('<report.json...>', 'what conformance or check printed with --shard I/N --json, for each I')
    .option('--verbose', 'name every scenario and twin that does not apply to an architecture')
    .option('--json', 'print JSON')
    .option('--junit <file>', 'write JUnit XML, too')
    .option('--coverage [file]', 'what was exercised, of shards that were run with --coverage')
    .option('--html <folder>', 'write a page for each violation that is not expected, and an index')
    .option('--twins', 'with --html: also for wrong twins, which are refuted as they should be')
    .addHelpText('after', example('merge-reports shard-1.json shard-2.json --junit suite.xml'))
    .action(async (files: string[], options: MergeOptions) => {
      const { runMerge } = await import('./commands/merge.ts');
      done(await runMerge(files, options));
    });

  program
    .command('litmus')
    .description("Explore litmus tests: herd's C, X86_64 and AArch64 (page tables too), isla's TOML.")
    .argument('<file|folder...>', "tests; '*' stands for anything")
    .option('--expect <file>', 'a table of expected verdicts, tab-separated (repeatable)', several)
    .option('--column <name>', 'its column: one that is named ets2 stands for --variant ets2, too')
    .addOption(new Option('--variant <name>', 'FEAT_ETS2, for tests with page tables: ets2').argParser(oneOf(['ets2'])))
    .addOption(
      new Option(
        '--memory-model <model>',
        "instead of the language's own: sc, tso, weak-mca (multi-copy atomic), weak; page tables then are those of kernel scenarios",
      ).argParser(oneOf(['sc', 'tso', 'weak-mca', 'weak'])),
    )
    .option('--max-states <n>', 'most states of a test', count)
    .option('--time-limit <time>', 'most time for a test: 500ms, 30s, 5m (default: 60s)', duration)
    .option('--full', 'with --expect: show the states of every test')
    .option('--json', 'print JSON')
    .addHelpText('after', example('litmus tests/ --expect tests/verdicts.tsv --column ets2'))
    .action(async (files: string[], options: LitmusOptions) => {
      const { runLitmus } = await import('./commands/litmus.ts');
      done(await runLitmus(files, options));
    });

  program
    .command('record')
    .description('Record this machine for replay, with tracefs (as root): a command, a process, or everything.')
    .argument('[command...]', 'behind --: what to run, and to record until it ends')
    .option('-o, --output <file>', 'the file to write', 'mmu-gather.dat')
    .option('--pid <n>', 'instead: this process, with what it made and makes, until it ends', count)
    .option('--all', 'instead: the whole machine')
    .option('--seconds <time>', 'how long: 10, or 500ms, 1m', duration)
    .option('--buffer <mib>', "each CPU's ring buffer in MiB (default: 16)", count)
    .option('--stacks', 'also who asks: call stacks of programs with every event, of the kernel with each flush')
    .addHelpText('after', example('record -- make -j2'))
    .action(async (command: string[], options: RecordingOptions) => {
      const { runRecord } = await import('./commands/record.ts');
      done(await runRecord(command, options));
    });

  program
    .command('replay')
    .description(
      'Replay a recording (trace.dat, tracefs text, trace-cmd report, perf script, strace), and compare its TLB flushes.',
    )
    .argument('<trace>', 'the recording')
    .option('--arch <id>', 'the architecture that recorded it (default: x86)')
    .option('--profile <id>', 'what shall run: the kernel that recorded it (default: linux-6.18), or another system')
    .option('--with <switch=value,...>', 'on top of the profile: nestedFinish=range-reset', listed)
    .option(
      '--traced <pids>',
      'tasks that were traced (set_event_pid), with what they made: 8926,8930 (default: all)',
      pids,
    )
    .option('--facts <file>', 'what is known of the machine that recorded it, as JSON')
    .option('--fail-under <score>', 'exit 1 if recall or precision is less, for instance 0.95', share)
    .option('--full', 'list every mismatch')
    .addOption(
      new Option(
        '--what-if [what=value,...]',
        'what it costs, and would cost with: profile=, arch=, cpus=, ceiling=, thp=, or any switch (repeatable; default: the usual ones)',
      )
        .argParser(several)
        .preset(''),
    )
    .option('--no-advice', 'with --what-if: do not try changes of the programs')
    .option('--costs <file>', 'figures of your machine (TOML or JSON) instead of those of list costs')
    .option('--html <file>', 'write a page: flushes over time, who causes them, what would help')
    .option('--perfetto <file>', 'write flushes and interrupts as a trace for ui.perfetto.dev')
    .option('--csv <file>', 'write what it costs as CSV')
    .option('--json', 'print JSON')
    .addHelpText('after', example('replay trace.txt.gz --fail-under 0.95'))
    .addHelpText('after', example('replay trace.txt.gz --what-if profile=flush-ring --what-if arch=arm64'))
    .action(async (trace: string, options: ReplayOptions) => {
      const { runReplay } = await import('./commands/replay.ts');
      done(await runReplay(trace, options));
    });

  program
    .command('stress')
    .description('Let CPUs race on threads: random mm operations and user accesses, with oracles at every access.')
    .option('--arch <id>', 'this architecture instead of x86; all of them: all (repeatable)', several)
    .option('--profile <id>', 'this profile instead of linux-6.18 (repeatable)', several)
    .option('--with <switch=value,...>', 'on top of each profile: fullmm=F2,x86.ceiling=2', listed)
    .option('--cpus <n>', 'CPUs, each on a thread of its own: 2 to 16 (default: 4)', between(2, 16))
    .option('--seconds <n>', 'how long each run lasts (default: 10)', count)
    .option(
      '--seed <n>',
      'seed of what CPUs do; threads interleave as they like (default: another one each time)',
      seed,
    )
    .option('--bug <id>', 'put a bug in, which must be found: see list seeded-bugs')
    .option('--json', 'print JSON')
    .addHelpText('after', example('stress --arch arm64 --seconds 60'))
    .action(async (options: StressCommandOptions) => {
      const { runStress } = await import('./commands/stress.ts');
      done(await runStress(options));
    });

  const names: readonly ListName[] = [
    'archs',
    'profiles',
    'axes',
    'scenarios',
    'oracles',
    'bugs',
    'costs',
    'mutants',
    'seeded-bugs',
  ];
  program
    .command('list')
    .description('List what there is to choose from.')
    .argument('<what>', names.join(', '))
    .option(
      '--arch <id>',
      'of scenarios: what applies to this architecture, and why the rest does not; of costs: its own; of mutants: of its code',
    )
    .option('--backend <file.ts>', 'of archs, axes and scenarios: with a backend of your own')
    .option('--json', 'print JSON')
    .addHelpText('after', example('list scenarios'))
    .action(async (typed: string, options: ListOptions) => {
      const what = names.find((name) => name === typed);
      if (what === undefined)
        throw new Misuse(`list: there is no '${typed}':${suggestion(typed, names)} there are: ${names.join(', ')}`);
      const { list } = await import('./commands/list.ts');
      await list(what, options);
    });

  program
    .command('demo')
    .description('Show in a minute what this is.')
    .addHelpText('after', example('demo'))
    .action(async () => {
      const { demo } = await import('./commands/demo.ts');
      done(await demo());
    });
  return program;
}

/** Options of the commands that run scenarios. */
function suiteOptions(command: Command): Command {
  return command
    .option('--arch <id>', 'only this architecture (repeatable; default: all; with --compare: x86)', several)
    .option('--backend <file.ts>', 'a backend of your own, instead of the architectures here (repeatable)', several)
    .option('--profile <id>', 'this profile instead of linux-5.11 and linux-6.18 (repeatable), or all', several)
    .option('--with <switch=value,...>', 'on top of each profile: fullmm=F2,x86.ceiling=2', listed)
    .option('--scenario <id>', "only these scenarios or twins; '*' stands for anything (repeatable)", several)
    .addOption(
      new Option('--memory-model <model>', "instead of the architecture's own: sc, tso, weak").argParser(
        oneOf(['sc', 'tso', 'weak']),
      ),
    )
    .addOption(
      new Option('--strategy <name>', 'how to search: states, dpor, bounded, random (default: states)').argParser(
        oneOf(['states', 'dpor', 'bounded', 'random']),
      ),
    )
    .addOption(
      new Option(
        '--reduce <name>',
        'local: take steps that concern one CPU alone (states; the default there); commute: additions without result commute (dpor); none',
      ).argParser(oneOf(REDUCTIONS)),
    )
    .option('--max-states <n>', 'most states of a cell (states, bounded)', count)
    .option('--max-executions <n>', 'most executions of a cell (dpor, random)', count)
    .option('--time-limit <time>', 'most time for a cell: 500ms, 30s, 5m', duration)
    .option('--total-time-limit <time>', 'most time for all of it: 45m', duration)
    .option('--seed <n>', 'seed of random', seed)
    .option('--jobs <n>', 'threads to search on (default: number of cores)', count)
    .option('--shard <i/n>', 'only a part of the cells; merge-reports puts the --json of all parts together', shard)
    .option('--checkpoint <file>', 'keep what is finished in this file; started again, go on from there')
    .option('--rerun <id>', 'take one recorded execution again')
    .option('--compare', 'count what profiles cost, all of them if none is named, instead of searching')
    .option('--full', 'show every step in race diagrams')
    .option('--verbose', 'name every scenario and twin that does not apply to an architecture')
    .option('--json', 'print JSON')
    .option('--junit <file>', 'write JUnit XML, too')
    .option('--coverage [file]', 'note what was exercised: sites, racing pairs in both orders; as JSON to a file')
    .option('--html <folder>', 'write a page for each violation that is not expected, and an index')
    .option('--twins', 'with --html: also for wrong twins, which are refuted as they should be');
}

const EXIT_CODES = `
Exit codes: 0 every verdict is the expected one, 1 it is not, 2 bad input or usage,
            3 stopped before the end.`;

function example(line: string): string {
  return `\nExample: ${NAME} ${line}`;
}

/** What commander says, in one line, with the way to mend it where it gives none. */
function mended(text: string, program: Command): string {
  const line = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ');
  const names = program.commands.map((command) => command.name()).join(', ');
  if (line.startsWith('unknown command')) return `${line}: there are: ${names}`;
  return /^(unknown option|missing|too many|option .* argument missing)/.test(line)
    ? `${line.replace(/\.$/, '')}; see '${NAME} COMMAND --help'`
    : line;
}

/** One line on standard error. */
function complain(message: string): void {
  process.stderr.write(`${NAME}: ${message}\n`);
}

/** A mistake of ours: one line, too; the stack for those who ask. What an older Node does not have is none. */
function internal(error: unknown): number {
  if (error instanceof SyntaxError && error.message.startsWith("The requested module 'node:")) {
    complain(`this command needs Node 22.18 or newer, and this is ${process.version}`);
    return exitCode.misuse;
  }
  if (process.env['MMU_GATHER_DEBUG'] !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  complain(`internal error: ${firstLine(error)} (please report it; MMU_GATHER_DEBUG=1 prints the stack)`);
  return exitCode.unexpected;
}
