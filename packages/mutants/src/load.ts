/**
 * Load: hooks by which this thread loads the stepped packages instrumented, from their sources. To be installed before any of them is
 * imported, directly or not: the searches of this thread then run mutants.
 */
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Instrumented } from './instrument.ts';
import type { Sources } from './modules.ts';
import { install, Switchboard } from './switchboard.ts';

/** Selects a package's sources, see its package.json. */
const SOURCE = '@mmu-gather/source';

/** What a thread has loaded. */
export interface Loaded {
  /** The code. */
  readonly instrumented: Instrumented;
  /** What it asks. */
  readonly board: Switchboard;
}

/** Installs the hooks and the switchboard of this thread. */
export function loadInstrumented(packages: readonly Sources[]): Loaded {
  const instrumented = new Instrumented(packages);
  const board = new Switchboard(instrumented.mutations.length);
  install(board);
  registerHooks({
    resolve(specifier, context, next) {
      if (!/^@mmu-gather\/[^/]+\/stepped$/.test(specifier)) return next(specifier, context);
      return next(specifier, { ...context, conditions: [SOURCE, ...context.conditions] });
    },
    load(url, context, next) {
      if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
      const path = fileURLToPath(url);
      if (!packages.some(({ folder }) => path.startsWith(folder))) return next(url, context);
      const source = instrumented.code(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'));
      return { format: 'module', source, shortCircuit: true };
    },
  });
  return { instrumented, board };
}
