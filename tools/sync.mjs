// The files of a package that follow from its package.json: TypeScript configurations (references are its workspace
// dependencies), vitest and typedoc configurations. Without arguments: says which differ. With --write: writes them.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const condition = '@mmu-gather/source';
const write = process.argv.includes('--write');

/** Every package of the workspace that has sources to build, by name. */
const packages = new Map();
for (const group of ['packages', 'tools'])
  for (const entry of readdirSync(join(root, group))) {
    const dir = join(root, group, entry);
    if (!existsSync(join(dir, 'package.json'))) continue;
    const json = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
    packages.set(json.name, {
      dir,
      json,
      dual: json.exports?.['./stepped'] !== undefined,
      built: existsSync(join(dir, 'src')),
    });
  }

/** References to the packages that `dependencies` name. */
function references(from, dependencies, config = 'tsconfig.build.json') {
  return Object.keys(dependencies ?? {})
    .map((name) => packages.get(name))
    .filter((p) => p?.built && (config !== 'tsconfig.direct.json' || p.dual))
    .map((p) => ({ path: join(relative(from, p.dir), config) }));
}

function filesOf({ dir, json, dual, built }) {
  const extend = join(relative(dir, root), 'tsconfig.base.json');
  const check = {
    noEmit: true,
    composite: false,
    incremental: true,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    rewriteRelativeImportExtensions: false,
    tsBuildInfoFile: 'dist/.test.tsbuildinfo',
    types: ['node'],
    customConditions: [condition],
  };
  const all = { ...json.dependencies, ...json.devDependencies };
  // tsconfig.json is what editors and the linter look for: it holds the tests, and refers to the sources.
  const files = {
    'tsconfig.json': {
      extends: extend,
      compilerOptions: check,
      include: built ? ['test', 'vitest.config.ts'] : ['**/*.ts'],
      references: [...(built ? [{ path: './tsconfig.build.json' }] : []), ...references(dir, all)],
    },
  };
  if (!built) return files;
  const out = dual ? 'dist/stepped' : 'dist';
  files['tsconfig.build.json'] = {
    extends: extend,
    compilerOptions: {
      rootDir: 'src',
      outDir: out,
      tsBuildInfoFile: `${out}/.tsbuildinfo`,
      ...(dual ? {} : { types: ['node'] }),
      customConditions: [condition],
    },
    include: ['src'],
    references: references(dir, json.dependencies),
  };
  // The direct form sets no condition: there, another package means its built direct form.
  if (dual)
    files['tsconfig.direct.json'] = {
      extends: extend,
      compilerOptions: {
        rootDir: '.gen/direct',
        outDir: 'dist/direct',
        tsBuildInfoFile: 'dist/direct/.tsbuildinfo',
      },
      include: ['.gen/direct'],
      references: references(dir, json.dependencies, 'tsconfig.direct.json'),
    };
  files['typedoc.json'] = {
    extends: [join(relative(dir, root), 'docs/typedoc.package.json')],
    entryPoints: Object.entries(json.exports)
      .filter(([key]) => key !== './package.json' && key !== './stepped')
      .map(([, to]) => (dual ? '.gen/direct/index.ts' : to[condition])),
    tsconfig: dual ? 'tsconfig.direct.json' : 'tsconfig.build.json',
  };
  if (json.name !== '@mmu-gather/stepped') files['vitest.config.ts'] = vitestConfig(dual ? 'variants' : 'single');
  return files;
}

const vitestConfig = (helper) => `import { ${helper} } from '@mmu-gather/stepped/vitest';

export default ${helper}(import.meta.dirname, { condition: '${condition}' });
`;

const stale = [];
for (const p of packages.values())
  for (const [name, content] of Object.entries(filesOf(p))) {
    const file = join(p.dir, name);
    const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`;
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
    stale.push(relative(root, file));
    if (write) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

// Published packages are released together.
const { fixed } = JSON.parse(readFileSync(join(root, '.changeset/config.json'), 'utf8'));
for (const { json } of packages.values())
  if (!json.private && !fixed[0].includes(json.name)) {
    console.error(`.changeset/config.json: 'fixed' lacks ${json.name}`);
    process.exitCode = 1;
  }
if (write) console.log(stale.length === 0 ? 'all up to date' : `written: ${stale.join(', ')}`);
else if (stale.length > 0) {
  console.error(`not as their package.json says: ${stale.join(', ')}\n  mend with: npm run sync`);
  process.exitCode = 1;
}
