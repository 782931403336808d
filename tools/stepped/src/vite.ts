/**
 * Vite, Vitest and Rolldown plugin: the direct form of every module it loads.
 *
 * @packageDocumentation
 */
import type { Plugin } from 'vite';
import { mayBeStepped, toDirect } from './transform.ts';

/**
 * Turns every stepped source into its direct form on load.
 *
 * An import of `'some-package/stepped'` goes to the sources, if the package is of the same workspace (they are made
 * direct, too), and to `'some-package'`, its direct build, if it is an installed one.
 */
export function direct(): Plugin {
  return {
    name: 'stepped:direct',
    enforce: 'pre',
    async transform(code, id) {
      const file = id.split('?', 1)[0]!;
      if (!/\.[cm]?ts$/.test(file) || file.includes('/node_modules/') || !mayBeStepped(code)) return null;
      // Vite leaves imports of installed packages to Node without asking a plugin: they are settled in the text.
      const installed = new Set<string>();
      for (const [, specifier] of code.matchAll(/['"]([^'".\s][^'"\s]*\/stepped)['"]/g))
        if ((await this.resolve(specifier!, id))?.id.includes('/node_modules/')) installed.add(specifier!);
      // Positions are kept, so there is no map to add.
      return { code: toDirect(file, code, { cut: (specifier) => installed.has(specifier) }), map: null };
    },
  };
}
