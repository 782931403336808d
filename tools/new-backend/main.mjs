// Makes a backend: a package that compiles, passes its unit tests, is registered with the suite, and fails it with a useful list.
//
//   npm run new-backend -- ID [NAME]      npm run new-backend -- loongarch64 LoongArch
//
// The files come from template/, where __ID__, __NAME__, __camel__, __Pascal__ and __UPPER__ stand for the name. Nothing that exists is
// overwritten, and nothing is written before all is known to fit. docs/new-backend.md goes on from here.
//
//   --root DIR       into this workspace instead of the one that the tool is in
//   --files-only     writes the files, and neither installs nor formats
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const template = join(here, 'template');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { root: { type: 'string', default: dirname(dirname(here)) }, 'files-only': { type: 'boolean' } },
});
const { root } = options;
const [id, name = id] = positionals;

if (id === undefined || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(id))
  stop(
    `'${id ?? ''}' is no id for a backend: give lower-case letters and digits, for instance 'npm run new-backend -- loongarch64 LoongArch'`,
  );
const home = join(root, 'packages', id);
const suite = join(root, 'packages/conformance');
if (existsSync(home)) stop(`packages/${id} exists: choose another id, or remove it first`);

const words = id.split('-');
const pascal = words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
const upper = id.toUpperCase().replaceAll('-', '_');
/** What stands for the name in the template, and the name. */
const names = [
  ['__ID__', id],
  ['__NAME__', name],
  ['__camel__', pascal[0].toLowerCase() + pascal.slice(1)],
  ['__Pascal__', pascal],
  ['__UPPER__', upper],
];

/** Content by path: what is written, if nothing stands in the way. */
const files = new Map();
addPackage();
register();
for (const [path, content] of files) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
if (!options['files-only']) {
  must(process.execPath, join(root, 'tools/sync.mjs'), '--write');
  must('npx', '--yes', JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager, 'install');
  must(join(root, 'node_modules/.bin/biome'), 'format', '--write', home, ...[...files.keys()].filter(isSource));
}
console.log(`packages/${id} is there. See what it does not do yet:
  npm run --silent mmu-gather -- conformance --arch ${id} --profile linux-6.18`);

/** x86's package.json with another name, and the template. */
function addPackage() {
  const json = JSON.parse(readFileSync(join(root, 'packages/x86/package.json'), 'utf8'));
  json.name = `@mmu-gather/${id}`;
  json.description = `The ${name} backend of mmu-gather.`;
  json.repository.directory = `packages/${id}`;
  json.dependencies = { '@mmu-gather/core': json.dependencies['@mmu-gather/core'] };
  json.devDependencies = { '@mmu-gather/stepped': json.devDependencies['@mmu-gather/stepped'] };
  files.set(join(home, 'package.json'), text(json));
  for (const file of filesIn(template)) {
    const to = placeOf(relative(template, file).replace(/\.txt$/, ''));
    if (existsSync(to)) stop(`${relative(root, to)} exists: remove it first`);
    files.set(to, filled(readFileSync(file, 'utf8')));
  }
}

/** Where a file of the template belongs. */
function placeOf(file) {
  if (file === 'architecture.ts') return join(suite, `src/architectures/${id}.ts`);
  if (file === 'suite.test.ts') return join(suite, `test/suite-${id}.test.ts`);
  return join(home, file.replace('src/backend.ts', `src/${id}.ts`));
}

/** The suite, the release and the rules of imports know it. */
function register() {
  change(join(suite, 'package.json'), (before) => {
    const json = JSON.parse(before);
    json.dependencies[`@mmu-gather/${id}`] = 'workspace:^';
    return text(json);
  });
  change(join(suite, 'src/architectures/index.ts'), (before) =>
    before
      .replace(/(?:\nimport \{[^\n]* from '\.\/[^\n]*)+/, `$&\nimport { ${upper} } from './${id}.ts';`)
      .replace(/(?:\nexport \* from '\.\/[^\n]*)+/, `$&\nexport * from './${id}.ts';`)
      .replace(/(ARCHITECTURES: readonly Architecture\[\] = \[[^\]]*?),?\s*\]/, `$1, ${upper}]`),
  );
  change(join(root, '.changeset/config.json'), (before) =>
    before.replace(/^( *)"@mmu-gather\/x86",$/m, `$&\n$1"@mmu-gather/${id}",`),
  );
  const rules = join(root, '.dependency-cruiser.mjs');
  const known = /const backends = '([^']*)'/.exec(readFileSync(rules, 'utf8'))?.[1]?.split('|') ?? [];
  if (!known.includes(id)) change(rules, (before) => before.replace(/const backends = '[^']*/, `$&|${id}`));
}

function filled(of) {
  return names.reduce((all, [key, value]) => all.replaceAll(key, value), of);
}
function text(json) {
  return `${JSON.stringify(json, null, 2)}\n`;
}
/** All files below a folder. */
function filesIn(dir) {
  return readdirSync(dir).flatMap((entry) => {
    const path = join(dir, entry);
    return statSync(path).isDirectory() ? filesIn(path) : [path];
  });
}
function isSource(path) {
  return path.endsWith('.ts');
}
function change(path, how) {
  const before = readFileSync(path, 'utf8');
  const after = how(before);
  if (after === before)
    stop(
      `${relative(root, path)} is not as it was when this tool was written: nothing was changed; add ${id} to it by hand`,
    );
  files.set(path, after);
}
function must(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
function stop(message) {
  console.error(message);
  process.exit(2);
}
