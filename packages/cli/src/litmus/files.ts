/**
 * Files: which litmus tests a command line names.
 */
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Misuse } from '../misuse.ts';

/** Names of files that hold tests. */
const TEST = /\.(litmus|toml)$/;

/**
 * The files that arguments name: a file is itself, a folder all tests in it and below, and `*` and `?` in the last part of a path
 * stand for anything. In order, each once.
 */
export function litmusFiles(args: readonly string[]): string[] {
  const files = new Set<string>();
  for (const arg of args) for (const file of named(arg)) files.add(file);
  return [...files];
}

function named(arg: string): string[] {
  const stat = statSync(arg, { throwIfNoEntry: false });
  if (stat?.isFile() === true) return [arg];
  if (stat?.isDirectory() === true) {
    const found = tests(arg, readdirSync(arg, { recursive: true, withFileTypes: true }));
    if (found.length === 0) throw new Misuse(`${arg}: no litmus tests in this folder: they end in .litmus or .toml`);
    return found;
  }
  if (!/[*?]/.test(basename(arg))) throw new Misuse(`${arg}: no such file or folder`);
  const pattern = new RegExp(`^${basename(arg).split('').map(globbed).join('')}$`);
  const folder = dirname(arg);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Misuse(`${folder}: no such folder`);
  const found = tests(folder, readdirSync(folder, { withFileTypes: true })).filter((file) =>
    pattern.test(basename(file)),
  );
  if (found.length === 0) throw new Misuse(`${arg}: no litmus test has such a name`);
  return found;
}

function globbed(character: string): string {
  if (character === '*') return '.*';
  return character === '?' ? '.' : character.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function tests(folder: string, entries: readonly Dirent[]): string[] {
  const files = entries.filter((entry) => entry.isFile() && TEST.test(entry.name));
  return files.map((entry) => join(entry.parentPath ?? folder, entry.name)).toSorted();
}
