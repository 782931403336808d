/**
 * The two steps of a package's build that `tsc` does not do.
 *
 * `stepped gen` writes the direct form of `src/` to `.gen/direct/`; after `tsc`, `stepped finish` mends what it leaves
 * in `dist/`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { SteppedError, toDirect } from './transform.ts';

const files = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name));

/** Runs one command in the package at `cwd` and gives the exit code: 0, 1 if a source was refused, 2 if misused. */
export function main(args: readonly string[], cwd: string = process.cwd()): number {
  try {
    if (args.length === 1 && args[0] === 'gen') return gen(cwd);
    if (args.length === 1 && args[0] === 'finish') return finish(cwd);
  } catch (error) {
    if (!(error instanceof SteppedError)) throw error;
    console.error(error.message);
    return 1;
  }
  console.error('usage: stepped gen|finish');
  return 2;
}

function gen(cwd: string): number {
  const src = join(cwd, 'src');
  const to = join(cwd, '.gen/direct');
  const wanted = new Set<string>();
  for (const file of files(src)) {
    const target = join(to, relative(src, file));
    wanted.add(target);
    const code = readFileSync(file, 'utf8');
    const text = /\.[cm]?ts$/.test(file) ? toDirect(relative(cwd, file), code) : code;
    // Untouched files keep their time, so tsc -b does not build them again.
    if (existsSync(target) && readFileSync(target, 'utf8') === text) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  if (existsSync(to)) for (const file of files(to)) if (!wanted.has(file)) rmSync(file);
  return 0;
}

function finish(cwd: string): number {
  const direct = join(cwd, 'dist/direct');
  for (const file of files(join(cwd, 'dist'))) {
    if (file.endsWith('.map') && file.startsWith(direct)) {
      // The direct form keeps every position: its maps may point at the file that people wrote.
      const map = JSON.parse(readFileSync(file, 'utf8')) as { sources: string[] };
      map.sources = map.sources.map((s) => s.replace('.gen/direct/', 'src/'));
      writeFileSync(file, JSON.stringify(map));
    } else if (file.endsWith('.js')) {
      // tsc rewrites import specifiers, not the URLs that workers start from.
      const code = readFileSync(file, 'utf8');
      const fixed = code.replace(/(new URL\(\s*(['"])\.{1,2}\/[^'"]*)\.ts(\2,\s*import\.meta\.url)/g, '$1.js$3');
      if (fixed !== code) writeFileSync(file, fixed);
    }
  }
  return 0;
}
