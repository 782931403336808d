// Who may import whom: docs/architecture.md has the picture. Calls run down it, imports are fewer than calls.
const backends = 'x86|arm64|powerpc|sparc|s390|riscv';
const machines = 'checker|counting|threads';

/** Packages of `layer` import, of all packages, only those of `allowed` (and themselves). */
const only = (name, layer, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^packages/(${layer})/src/` },
  to: { path: '^packages/', pathNot: [`^packages/$1/`, ...(allowed ? [`^packages/(?:${allowed})/`] : [])] },
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'modules that only name the types of one another are no cycle: nothing of it is left at run time',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'core-is-the-bottom',
      comment: 'core holds the port and the backend interface; it calls a backend through it, and imports nothing',
      severity: 'error',
      from: { path: '^packages/core/src/' },
      to: { pathNot: '^packages/core/' },
    },
    only('backends-and-mm-import-core', `mm|${backends}`, 'core', 'a backend does not know another, nor mm'),
    only('machines-import-core', machines, 'core', 'a machine is handed the isa of a backend'),
    only('stress-runs-threads', 'stress', `core|mm|threads|${backends}`, 'a stress run is the direct build alone'),
    only('explorer-imports-checker', 'explorer', 'checker', 'a page shows what the exploring machine has filmed'),
    only('litmus-imports-core-and-checker', 'litmus', `core|checker|${backends}`),
    {
      name: 'litmus-knows-isa-tables-only',
      severity: 'error',
      from: { path: '^packages/litmus/src/' },
      to: { path: `^packages/(?:${backends})/`, pathNot: '/(?:index|isa)\\.' },
    },
    {
      name: 'only-the-top-knows-all',
      comment: 'a package that no other rule names is below conformance, mutants, replay, stress and cli',
      severity: 'error',
      from: {
        path: `^packages/(?!(?:core|mm|${backends}|${machines}|litmus|explorer|conformance|mutants|replay|stress|cli)/)[^/]+/src/`,
      },
      to: { path: '^packages/', pathNot: '^packages/core/' },
    },
    {
      name: 'nothing-imports-the-command',
      severity: 'error',
      from: { pathNot: '^packages/cli/' },
      to: { path: '^packages/cli/' },
    },
    {
      name: 'packages-only-by-name',
      comment: 'no relative import into another package',
      severity: 'error',
      from: { path: '^(packages|tools)/([^/]+)/' },
      to: { path: '^(?:packages|tools)/', pathNot: '^$1/$2/', dependencyTypes: ['local'] },
    },
    {
      name: 'src-uses-no-tool',
      comment: 'tools are development dependencies, which dependency-cruiser does not see of a workspace package',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '^tools/' },
    },
    {
      name: 'src-has-no-dev-deps',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // Built files are seen (the direct form of a package resolves to one), not looked into.
    doNotFollow: { path: ['node_modules', '^(packages|tools)/[^/]+/(dist|\\.gen)/'] },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@mmu-gather/source', 'import', 'types', 'default'],
      mainFields: ['types', 'main'],
      extensions: ['.ts', '.js'],
    },
  },
};
