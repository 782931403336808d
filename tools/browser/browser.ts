/**
 * A browser that is installed, or why there is none.
 */
import { accessSync, constants } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

export type { Browser, Page } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];

/** A browser that can be started. */
export interface Found {
  /** Starts it. */
  launch(): Promise<Browser>;
}

/** Finds a browser: the one that MMU_GATHER_BROWSER names, or one in its usual place. */
export function browserOf(): Found | string {
  const named = process.env['MMU_GATHER_BROWSER'];
  const places = named === undefined ? PLACES : [named];
  const executablePath = places.find(isExecutable);
  if (executablePath === undefined) return `no browser at ${places.join(', ')}; MMU_GATHER_BROWSER names another`;
  // As root, in a container, its sandbox does not start; the pages are our own.
  return { launch: () => chromium.launch({ executablePath, args: ['--no-sandbox'] }) };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
