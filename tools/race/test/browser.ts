/**
 * A browser that is installed.
 */
import { accessSync, constants } from 'node:fs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];

/** Where it is; undefined if there is none. MMU_GATHER_BROWSER names another one. */
export function browserPath(): string | undefined {
  const named = process.env['MMU_GATHER_BROWSER'];
  return (named === undefined ? PLACES : [named]).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
