/**
 * Load: hooks by which this thread loads the stepped packages instrumented, from their sources. To be installed before any of them is
 * imported, directly or not: the searches of this thread then run mutants.
 */
import { readFileSync } from 'node:fs';
import { createRequire, registerHooks, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Instrumented, type Sources } from './instrument.ts';
import { install, Switchboard } from './switchboard.ts';

/** Selects a package's sources, see its package.json. */
const SOURCE = '@mmu-gather/source';

/** The packages whose code the suite checks: what it depends on and has a stepped build. */
export function suitePackages(): Sources[] {
  const suite = fileURLToPath(import.meta.resolve('@mmu-gather/conformance/package.json'));
  const require = createRequire(suite);
  const { dependencies } = JSON.parse(readFileSync(suite, 'utf8')) as { dependencies: Record<string, string> };
  return Object.keys(dependencies).flatMap((name) => {
    const file = require.resolve(`${name}/package.json`);
    const { exports } = JSON.parse(readFileSync(file, 'utf8')) as { exports: Record<string, unknown> };
    if (!('./stepped' in exports)) return [];
    return [{ name: name.replace('@mmu-gather/', ''), folder: join(dirname(file), 'src') }];
  });
}

/** Installs the hooks and the switchboard of this thread. */
export function loadInstrumented(packages: readonly Sources[]): {
  readonly instrumented: Instrumented;
  readonly board: Switchboard;
} {
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
