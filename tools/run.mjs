// Fresh checkout to result in one command: installs with the pinned pnpm, builds with nx, runs under the pinned Node.
// Plain JavaScript without dependencies: it starts under whatever Node the machine has.
//
//   setup            install
//   test             all that a change must pass, and the closing line `N passed, N failed, N skipped`
//   check            the same, and the packages as they would be published: their form, and what third parties run with them
//   cli ARGS         build, then the command
//   quiet-cli ARGS   the same; install and build are heard only if they fail, and then on stderr
//   bench ARGS       build, then the benchmarks
//   race             build, then a page on which CPUs race
//   tables           build, then the tables in docs/*.md that are made from what the command prints; --check: are they what they would be?
//   scores           build, then the page in docs about recordings of real kernels, if they are there
//   reductions ARCH  build, then the table in docs/search.md of what the search's switches save in the suite
//   what-if ARGS     build, then the page in docs about what recordings would cost elsewhere
//   mutants ARGS     build, then every mutant of the algorithms, and the page in docs about them
//   shared ID ...    build, then replay recordings that lie beside the checkout: all that have a bar, or these
//   guest KERNEL     build, then boot a kernel in QEMU, record a program there, and replay the recording
//   new-backend ID   a package for another architecture
//   nx ARGS          nx
//   bin NAME ARGS    a tool of node_modules/.bin
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...path) => join(root, ...path);
const [mode, ...args] = process.argv.slice(2);
const quiet = mode === 'quiet-cli';

// npm hands its own settings to scripts; pnpm and nested npm must not take them for theirs.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(registry|cafile)$)/i.test(name)),
);
env.NX_DAEMON = 'false';

/** Runs a tool in the root; its output is shown, or in quiet mode only if it fails. Ends the process if it fails. */
function must(command, ...rest) {
  const code = run(command, ...rest);
  if (code !== 0) process.exit(code);
}
function run(command, ...rest) {
  const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit';
  const r = spawnSync(command, rest, { cwd: root, stdio, env, maxBuffer: 1 << 28 });
  if (r.error) throw r.error;
  const code = r.status ?? 128 + (constants.signals[r.signal] ?? 0);
  if (quiet && code !== 0) process.stderr.write(Buffer.concat([r.stdout, r.stderr]));
  return code;
}
const nx = (...rest) => [at('node_modules', '.bin', 'nx'), ...rest];

function install() {
  const stampFile = at('node_modules', '.installed');
  const hash = createHash('sha256');
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...packageFiles()])
    hash.update(readFileSync(at(file)));
  const stamp = hash.digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  const { packageManager } = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  must('npx', '--yes', packageManager, 'install', '--frozen-lockfile');
  writeFileSync(stampFile, stamp);
}

/** package.json of every package, tool and docs. */
function packageFiles() {
  return ['packages', 'tools']
    .flatMap((group) => readdirSync(at(group)).map((name) => join(group, name, 'package.json')))
    .concat('docs/package.json')
    .filter((file) => existsSync(at(file)));
}

/** Builds the command with all it needs; nx is asked only if a source is newer than the last build. */
function build() {
  const stampFile = at('node_modules', '.built');
  const stamp = builtFrom();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  must(...nx('run', '@mmu-gather/cli:build'));
  writeFileSync(stampFile, builtFrom());
}

/** What a build depends on and what it leaves, by name, size and time. */
function builtFrom() {
  const seen = [];
  const see = (path) => {
    const s = statSync(at(path), { throwIfNoEntry: false });
    if (s?.isDirectory()) for (const name of readdirSync(at(path))) see(join(path, name));
    else seen.push(`${path} ${s?.size} ${s?.mtimeMs}`);
  };
  ['tsconfig.base.json', 'nx.json', 'pnpm-lock.yaml', 'tools/nx-targets.mjs'].forEach(see);
  for (const file of packageFiles()) {
    const dir = dirname(file);
    see(file);
    for (const part of ['src', 'dist', 'tsconfig.build.json', 'tsconfig.direct.json']) see(join(dir, part));
  }
  return createHash('sha256').update(seen.join('\n')).digest('hex');
}

/** Becomes `node ARGS` of the workspace in the caller's folder: same streams, signals passed on, its exit code. */
function become(...rest) {
  const pinned = at('node_modules', '.bin', 'node');
  const node = existsSync(pinned) ? pinned : process.execPath;
  const child = spawn(node, ['--enable-source-maps', ...rest], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    stdio: 'inherit',
    env,
  });
  // A terminal sends its interrupt to the whole group: passing it on would interrupt the command twice.
  const terminal = process.stdin.isTTY || process.stderr.isTTY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !terminal) child.kill(signal);
    });
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** Test results of the packages and tools, also those that nx took from its cache. */
function results() {
  return ['packages', 'tools']
    .flatMap((group) => readdirSync(at(group)).map((name) => at(group, name, '.result')))
    .filter((dir) => existsSync(dir));
}

function test(targets) {
  // What an earlier run left must not be counted for a package that is not reached in this one.
  for (const dir of results()) rmSync(dir, { recursive: true });
  const code = run(...nx('run-many', '-t', ...targets, ...args));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const dir of results()) {
    const r = JSON.parse(readFileSync(join(dir, 'vitest.json'), 'utf8'));
    sum.passed += r.numPassedTests;
    sum.failed += r.numFailedTests;
    sum.skipped += r.numPendingTests + r.numTodoTests;
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  process.exitCode = code;
}

const tested = ['build', 'typecheck', 'lint', 'test', 'boundaries', 'format', 'api'];
const modes = {
  setup: () => {},
  test: () => test(tested),
  check: () => test([...tested, 'package']),
  cli: () => {
    build();
    become(at('packages', 'cli', 'dist', 'main.js'), ...args);
  },
  bench: () => {
    build();
    become(at('tools', 'bench', 'main.ts'), ...args);
  },
  race: () => {
    build();
    become(at('tools', 'race', 'main-server.ts'));
  },
  tables: () => {
    build();
    become(at('tools', 'docs-tables.mjs'), ...(args[0] === '--check' ? [] : ['--write', ...args]));
  },
  scores: () => {
    build();
    become(at('tools', 'docs-scores.mjs'), ...args);
  },
  reductions: () => {
    build();
    become(at('tools', 'docs-reductions.mjs'), ...args);
  },
  'what-if': () => {
    build();
    become(at('tools', 'docs-what-if.mjs'), ...args);
  },
  mutants: () => {
    build();
    become(at('tools', 'docs-mutants.mjs'), ...args);
  },
  shared: () => {
    build();
    become(at('tools', 'with-shared.mjs'), ...args);
  },
  guest: () => {
    build();
    become(at('tools', 'guest.mjs'), ...args);
  },
  'new-backend': () => must(process.execPath, at('tools', 'new-backend', 'main.mjs'), ...args),
  nx: () => must(...nx(...args)),
  bin: () => must(at('node_modules', '.bin', args[0]), ...args.slice(1)),
};
modes['quiet-cli'] = modes.cli;

if (!(mode in modes)) {
  console.error(`usage: node tools/run.mjs ${Object.keys(modes).join('|')} [ARGS]`);
  process.exit(2);
}
install();
env.PATH = at('node_modules', '.bin') + delimiter + env.PATH;
modes[mode]();
