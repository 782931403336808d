/**
 * Packages: whose code is mutated.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sources } from './modules.ts';

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
