/**
 * Identity: what makes two runs the same run, so that one may go on where the other ended, or be a part of the same whole.
 *
 * Of the code it is the sources' hash that counts: version numbers do not change with every change.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GivenFile, Identity } from '@mmu-gather/conformance';
import type { Request } from './request.ts';
import { PACKAGES } from './site.ts';

/** The identity of a run. */
export function identityOf({ files, backends, selection, run }: Request): Identity {
  // How wide diagrams are, and how much they show, makes no other run.
  const { width: _width, full: _full, ...options } = run;
  return {
    version: version(),
    code: hashOfSources(),
    command: commandOf(files, backends),
    files: files.map(given),
    backends: backends.map(given),
    selection: { ...selection },
    options,
  };
}

/** The request that an identity is of. */
export function requestOf({ files, backends, selection, options }: Identity): Request {
  const names = (of: readonly GivenFile[]): string[] => of.map(({ name }) => name);
  return { files: names(files), backends: names(backends), selection, run: options };
}

/** The command that runs these, without options. */
export function commandOf(files: readonly string[], backends: readonly string[]): string {
  const own = backends.flatMap((backend) => ['--backend', backend]);
  return ['mmu-gather', files.length > 0 ? 'check' : 'conformance', ...files, ...own].join(' ');
}

/** What makes two runs different, in a few words; undefined if they are the same. */
export function difference(one: Identity, other: Identity): string | undefined {
  const isSame = (part: keyof Identity): boolean => JSON.stringify(one[part]) === JSON.stringify(other[part]);
  for (const part of ['command', 'version'] as const)
    if (!isSame(part)) return `${one[part]} there, ${other[part]} here`;
  for (const part of ['selection', 'options'] as const) {
    const [then, now] = [one[part] ?? {}, other[part] ?? {}];
    const key = Object.keys({ ...then, ...now }).find((name) => said(then[name]) !== said(now[name]));
    if (key !== undefined) return `${key} ${said(then[key])} there, ${said(now[key])} here`;
  }
  if (!isSame('files') || !isSame('backends')) return 'the files have changed';
  return isSame('code') ? undefined : 'the code has changed';
}

function said(value: unknown): string {
  return value === undefined
    ? 'not given'
    : JSON.stringify(value)
        .replaceAll(/["[\]]/g, '')
        .replaceAll(',', ', ');
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function hashOfSources(): string {
  const root = fileURLToPath(PACKAGES);
  const sum = createHash('sha256');
  for (const name of readdirSync(root).toSorted()) {
    for (const file of sourcesIn(join(root, name, 'src'))) {
      sum.update(`${file.slice(root.length)}\0`);
      sum.update(readFileSync(file));
    }
  }
  return sum.digest('hex').slice(0, 16);
}

function sourcesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return names
      .filter((name) => name.endsWith('.ts'))
      .toSorted()
      .map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** A file that cannot be read has no hash: the planning says so. */
function given(name: string): GivenFile {
  try {
    return { name, hash: createHash('sha256').update(readFileSync(name)).digest('hex').slice(0, 16) };
  } catch {
    return { name, hash: '' };
  }
}
