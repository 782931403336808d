/**
 * Checkpoint: a file that keeps what has become of mutants, so that a campaign goes on from there.
 *
 *     { "mmu-gather": "mutants", "schema": 1, "code": ... }      of which code it speaks
 *     { "arch": "x86", "fate": ... }                             one line a mutant, as they finish
 *
 * Of other code than this its kills are good as hints alone: where a mutant was killed, it is tried first. A line is written at once; a last one
 * that was cut short is dropped.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sources } from './modules.ts';
import type { Fate } from './fate.ts';

const SCHEMA = 1;

/** A file that is no checkpoint, or cannot be written. */
export class CheckpointError extends Error {
  /** Name in messages. */
  override readonly name = 'CheckpointError';
}

interface Line {
  readonly arch: string;
  readonly fate: Fate;
}

/** The file of a campaign. */
export class FateFile {
  readonly #descriptor: number;
  readonly #known: readonly Line[];
  readonly #hints: readonly Line[];

  private constructor(descriptor: number, known: readonly Line[], hints: readonly Line[]) {
    this.#descriptor = descriptor;
    this.#known = known;
    this.#hints = hints;
  }

  /**
   * Opens a file, which need not be there. If it speaks of other code, it begins anew.
   * @throws CheckpointError if it cannot be written, or is none
   */
  static open(file: string, code: string): FateFile {
    const head = `${JSON.stringify({ 'mmu-gather': 'mutants', schema: SCHEMA, code })}\n`;
    const text = textOf(file);
    const [first, ...lines] = text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '');
    if (text !== '' && !first?.startsWith('{"mmu-gather":"mutants"'))
      throw new CheckpointError(`${file}: no checkpoint of mutants: name another file`);
    const found = lines.flatMap((line, i) => lineOf(file, i + 2, line));
    const same = `${first}\n` === head;
    writeFileSync(file, [head.trimEnd(), ...(same ? lines : []), ''].join('\n'));
    return new FateFile(openSync(file, 'a'), same ? found : [], found);
  }

  /** What has become of an architecture's mutants, by key. */
  known(arch: string): ReadonlyMap<string, Fate> {
    return new Map(of(this.#known, arch).map((fate) => [fate.mutation.key, fate]));
  }

  /** Where mutants were killed, `scenario@profile`, by key. */
  hints(arch: string): ReadonlyMap<string, string> {
    return new Map(
      of(this.#hints, arch).flatMap(({ mutation, kill }) =>
        kill === undefined ? [] : [[mutation.key, `${kill.scenario}@${kill.profile}`]],
      ),
    );
  }

  /** Keeps a fate. */
  add(arch: string, fate: Fate): void {
    appendFileSync(this.#descriptor, `${JSON.stringify({ arch, fate })}\n`);
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.#descriptor);
  }
}

function of(lines: readonly Line[], arch: string): Fate[] {
  return lines.filter((line) => line.arch === arch).map(({ fate }) => fate);
}

function textOf(file: string): string {
  try {
    closeSync(openSync(file, 'a'));
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EISDIR' ? 'a folder' : code === 'ENOENT' ? 'no such folder' : `cannot be written (${code})`;
    throw new CheckpointError(`${file}: ${why}: name a file that is new, or one of a campaign`, { cause: error });
  }
}

function lineOf(file: string, number: number, text: string): Line[] {
  try {
    const found = JSON.parse(text) as Partial<Line>;
    if (typeof found.arch === 'string' && typeof found.fate?.mutation.key === 'string') return [found as Line];
  } catch {
    // Below.
  }
  throw new CheckpointError(`${file}:${number}: damaged: delete this line, and its mutant is tried again`);
}

/** Names the code that a campaign runs: the mutated packages, the suite, the checker and this package, but for its claims. */
export function codeOf(packages: readonly Sources[]): string {
  const others = ['conformance', 'checker'].map((name) =>
    join(dirname(fileURLToPath(import.meta.resolve(`@mmu-gather/${name}/package.json`))), 'src'),
  );
  const own = dirname(fileURLToPath(import.meta.url));
  const hash = createHash('sha256');
  for (const folder of [...packages.map((each) => each.folder), ...others, own]) {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /(?<!\.d)\.[jt]s$/.test(name) && !name.startsWith('claims'),
    );
    for (const name of names.toSorted()) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
