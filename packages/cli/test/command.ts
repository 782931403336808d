/**
 * The command as a child process, as it was built: the test target depends on the build.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** Folders of this test file. */
const made: string[] = [];
afterAll(() => made.forEach((path) => rmSync(path, { recursive: true, force: true })));

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'mmu-gather-'));
  made.push(path);
  return path;
}

/** A cache folder of the tests' own. */
const CACHE = temporary();

/** Recordings of the replay package. */
export const FIXTURES: string = fileURLToPath(new URL('../../replay/test/fixtures/', import.meta.url));

const SOURCE = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const BUILT = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** What a run of the command came to. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** How to run it. */
export interface How {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Interrupts it once this is seen on standard output or standard error. */
  readonly interruptAt?: string;
  /** Kills it, as kill -9 does, once this is so. */
  readonly killWhen?: () => boolean;
  /** Runs the sources instead. */
  readonly sources?: boolean;
}

/** Runs `mmu-gather` with arguments. */
export function mmuGather(args: readonly string[], how: How = {}): Promise<Ran> {
  const command = how.sources === true ? ['--conditions=@mmu-gather/source', SOURCE] : [BUILT];
  const {
    FORCE_COLOR: _force,
    NO_COLOR: _no,
    COLUMNS: _columns,
    CI: _ci,
    NODE_OPTIONS: _options,
    ...env
  } = process.env;
  const child = spawn(process.execPath, [...command, ...args], {
    cwd: how.cwd,
    env: { ...env, XDG_CACHE_HOME: CACHE, ...how.env },
  });
  let out = '';
  let err = '';
  let interrupted = false;
  const interrupt = (): void => {
    if (!interrupted) child.kill('SIGINT');
    interrupted = true;
  };
  const poll = setInterval(() => how.killWhen?.() === true && child.kill('SIGKILL'), 10);
  const look = (text: string): void => {
    if (how.interruptAt !== undefined && text.includes(how.interruptAt)) interrupt();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    look(out);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    look(err);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(poll);
      resolve({ code, out, err });
    });
  });
}

/** A new folder, far from any package, with these files. */
export function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = temporary();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

/** The first TypeScript example of a page that defines a scenario. */
export function exampleOf(page: string): string {
  const found = [...page.matchAll(/^```ts\n(.*?)^```/gms)]
    .map((m) => m[1]!)
    .find((code) => code.includes('defineScenario('));
  if (found === undefined) throw new Error('no example');
  return found;
}
