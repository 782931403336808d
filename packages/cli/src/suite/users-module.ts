/**
 * A user's module: what a TypeScript file exports. Whatever is wrong with it becomes one line.
 */
import { statSync } from 'node:fs';
import module from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { firstLine, Misuse } from '../misuse.ts';
import { fromHere, siteOf } from './site.ts';

/** @throws Misuse if this Node cannot load TypeScript files that import packages of ours */
export function mustLoadUsersModules(): void {
  if (!('registerHooks' in module))
    throw new Misuse(`files of your own need Node 22.18 or newer, and this is ${process.version}`);
}

/**
 * What a file exports, lists taken apart: its default, and then everything else.
 * @param what it should export, for messages
 */
export async function exportsOf(file: string, what: string): Promise<readonly (readonly unknown[])[]> {
  const path = resolve(file);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Misuse(`${file}: no such file`);
  if (!stat.isFile()) throw new Misuse(`${file}: not a file: give a TypeScript file that exports ${what}`);
  const { ended, listen } = nothingLeft();
  try {
    const imported = import(pathToFileURL(path).href) as Promise<Record<string, unknown>>;
    const { default: main, ...others } = await Promise.race([imported, ended]);
    return [main === undefined ? [] : [main].flat(1), Object.values(others).flat(1)];
  } catch (error) {
    throw new Misuse(`${where(file, error)}: ${whatIsWrong(error)}`, { cause: error });
  } finally {
    process.off('beforeExit', listen);
  }
}

/** Fails when nothing is left that could wake the thread: the file waits at its top level for what never comes. Until nobody listens any more. */
function nothingLeft(): { readonly ended: Promise<never>; readonly listen: () => void } {
  let listen = (): void => {};
  const ended = new Promise<never>((_, reject) => {
    listen = () => reject(new Misuse('its import never ends: a file of scenarios or backends may only define them'));
  });
  process.once('beforeExit', listen);
  return { ended, listen };
}

/** The file, with the line if that can be told. */
function where(file: string, error: unknown): string {
  // Node puts `file:///path/to/file.ts:3` on top of a syntax error's stack.
  return siteOf(error) ?? fromHere(resolve(file));
}

function whatIsWrong(error: unknown): string {
  if (!(error instanceof Error)) return `throws ${firstLine(error)}`;
  if (
    error instanceof Misuse ||
    ['ScenarioError', 'ArchitectureError'].includes(error.name) ||
    error.name === 'SyntaxError'
  )
    return firstLine(error);
  if ((error as NodeJS.ErrnoException).code?.includes('MODULE_NOT_FOUND') === true) {
    return firstLine(error)
      .replace(/ imported from .*$/, '')
      .replace(/^Cannot/, 'cannot');
  }
  return `throws ${error.name}: ${firstLine(error)}`;
}
