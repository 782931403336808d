/**
 * Hooks: how a user's file is loaded. It may lie anywhere, without a package.json or packages beside it.
 *
 * - `@mmu-gather/...` means the packages that this command uses: one instance of each, of one version.
 * - A `.ts` file is an ES module whatever the nearest package.json says.
 * - `@mmu-gather/mm` instead of `@mmu-gather/mm/stepped` is refused: the functions of the direct build do not pause.
 */
import { registerHooks } from 'node:module';
import { Misuse } from '../misuse.ts';
import { isUsersModule } from './site.ts';

const OURS = '@mmu-gather/';

/** Installs the hooks in this thread. */
export function hookUsersModules(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const parent = context.parentURL ?? '';
      if (!specifier.startsWith(OURS) || !isUsersModule(parent)) return next(specifier, context);
      const here = { ...context, parentURL: import.meta.url };
      if (specifier.split('/').length === 2 && exists(() => next(`${specifier}/stepped`, here))) {
        throw new Misuse(`'${specifier}' does not pause between accesses: import '${specifier}/stepped'`);
      }
      return exists(() => next(specifier, here)) ?? next(specifier, context);
    },
    load(url, context, next) {
      if (!isUsersModule(url) || !/\.ts(\?|$)/.test(url)) return next(url, context);
      return next(url, { ...context, format: 'module-typescript' });
    },
  });
}

function exists<T>(resolve: () => T): T | undefined {
  try {
    return resolve();
  } catch {
    return undefined;
  }
}
