/**
 * Site: where in a user's file something was thrown.
 */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the packages of this repository; installed, it is `node_modules/@mmu-gather`. */
export const PACKAGES: string = new URL('../../../', import.meta.url).href;

/** Is this module the user's own, and not a package's? */
export function isUsersModule(url: string): boolean {
  return url.startsWith('file:') && !url.startsWith(PACKAGES) && !url.includes('/node_modules/');
}

/** A path as people write it from where they are. */
export function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}

/** `file.ts:12` of the innermost frame in the user's own code; undefined if there is none. */
export function siteOf(error: unknown): string | undefined {
  for (const line of String(error instanceof Error ? error.stack : '').split('\n')) {
    const m = /(file:\/\/[^\s()]+?):(\d+)(?::\d+)?\)?$/.exec(line.trim());
    if (m !== null && isUsersModule(m[1]!)) return `${fromHere(fileURLToPath(m[1]!.replace(/\?.*$/, '')))}:${m[2]}`;
  }
  return undefined;
}
