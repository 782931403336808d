/**
 * Vite, Vitest and Rolldown plugin: the direct form of every module it loads.
 *
 * @packageDocumentation
 */
import type { Plugin } from 'vite';
import { mayBeStepped, steppedSuffix, toDirect } from './transform.ts';

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
    async resolveId(source, importer, options) {
      if (source.startsWith('.') || !source.endsWith(steppedSuffix)) return null;
      const found = await this.resolve(source, importer, { ...options, skipSelf: true });
      if (!found?.id.includes('/node_modules/')) return found;
      return this.resolve(source.slice(0, -steppedSuffix.length), importer, { ...options, skipSelf: true });
    },
    transform(code, id) {
      const file = id.split('?', 1)[0]!;
      if (!/\.[cm]?ts$/.test(file) || file.includes('/node_modules/') || !mayBeStepped(code)) return;
      // Positions are kept, so there is no map to add. Specifiers stay: resolveId has dealt with them.
      return { code: toDirect(file, code, { suffix: false }), map: null };
    },
  };
}
