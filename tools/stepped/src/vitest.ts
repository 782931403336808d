/**
 * Vitest configurations for packages that are written in steps, and for packages that use them.
 *
 * @packageDocumentation
 */
import { fileURLToPath } from 'node:url';
import { defaultServerConditions } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { direct } from './vite.ts';

/** What both configurations need to know. */
export interface SourceOptions {
  /** Export condition under which the packages of the workspace offer their sources. */
  readonly condition: string;
}

const common = (root: string, { condition }: SourceOptions) => {
  const resolve = { conditions: [condition, ...defaultServerConditions] };
  return {
    root,
    resolve,
    ssr: { resolve },
    test: {
      include: ['test/**/*.test.ts'],
      pool: 'forks' as const,
      // Files share a process, and what it has loaded: that takes longer than most of them. Modules of ours keep nothing from one machine to the next.
      isolate: false,
      // A search of all interleavings takes seconds, and longer where others use the same cores.
      testTimeout: 60_000,
      // Threads that a test starts are plain Node: they inherit these flags and strip types themselves.
      execArgv: [`--conditions=${condition}`],
    },
  };
};
const coverage = { provider: 'v8' as const, include: ['src/**'], reporter: ['text-summary'] };

/**
 * For a package with two builds: every test file below `test/` runs twice, in a project `stepped` on the sources as they
 * are written, and in a project `direct` on their direct form. Both see one and the same source file.
 */
export function variants(root: string, options: SourceOptions): ViteUserConfig {
  const stepped = common(root, options);
  const register = fileURLToPath(import.meta.resolve('@mmu-gather/stepped/register'));
  return defineConfig({
    root,
    test: {
      projects: [
        { ...stepped, test: { ...stepped.test, name: 'stepped' } },
        {
          ...stepped,
          plugins: [direct()],
          test: { ...stepped.test, name: 'direct', execArgv: [...stepped.test.execArgv, '--import', register] },
        },
      ],
      coverage,
    },
  });
}

/**
 * For a package with one build: tests run once, on its sources. `'some-package/stepped'` is the stepped source of another
 * package; `'some-package'` is what that package's exports say, so its direct build must be there.
 *
 * Node loads them, and not Vite's module runner, to which each import is a getter of an object: searches take half the time.
 */
export function single(root: string, options: SourceOptions): ViteUserConfig {
  const { test, ...rest } = common(root, options);
  return defineConfig({
    ...rest,
    test: { ...test, experimental: { viteModuleRunner: false, nodeLoader: false }, coverage },
  });
}
