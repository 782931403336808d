// Gives every package its targets by what it holds; what a target does stands once, in nx.json. Only the build
// differs: a package that offers './stepped' is built twice, from one source, and one that offers 'dist/bundle' is bundled.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const builds = {
  dual: ['stepped gen', 'tsc -b tsconfig.build.json tsconfig.direct.json', 'stepped finish'],
  single: ['tsc -b tsconfig.build.json', 'stepped finish'],
  tool: ['tsc -b tsconfig.build.json'],
};
const bundle = 'vite build --config ../../tools/bundle.config.mjs';

export const name = 'mmu-gather-targets';
export const createNodesV2 = [
  '{packages,tools}/*/package.json',
  (files, _options, { workspaceRoot }) =>
    files.map((file) => {
      const root = dirname(file);
      const has = (path) => existsSync(join(workspaceRoot, root, path));
      const { exports, private: unpublished } = JSON.parse(readFileSync(join(workspaceRoot, file), 'utf8'));
      const targets = { typecheck: {}, lint: {} };
      if (has('src')) {
        const build = builds[file.startsWith('tools/') ? 'tool' : exports?.['./stepped'] ? 'dual' : 'single'];
        const bundled = exports?.['.']?.default?.startsWith('./dist/bundle/');
        targets.build = {
          executor: 'nx:run-commands',
          options: {
            cwd: '{projectRoot}',
            parallel: false,
            commands: bundled ? [...build, bundle] : build,
          },
        };
        targets.docs = {};
        if (!unpublished) targets.package = {};
      }
      if (has('test')) Object.assign(targets, { test: {}, coverage: {} });
      return [file, { projects: { [root]: { targets } } }];
    }),
];
export const createNodes = createNodesV2;
