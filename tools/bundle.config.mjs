// vite build --config bundle.config.mjs: the entries of a package, with all of the workspace that they need, in as few files as can be. Hundreds of
// modules take longer to load than some thousand events to replay. Other packages stay outside, and have their licences with them.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.values(exports)
  .map((entry) => entry.default)
  .filter((file) => file?.startsWith('./dist/bundle/'));

export default {
  logLevel: 'warn',
  ssr: { noExternal: [/^@mmu-gather\//] },
  build: {
    ssr: true,
    outDir: 'dist/bundle',
    minify: false,
    target: 'esnext',
    rolldownOptions: {
      input: Object.fromEntries(entries.map((file) => [basename(file, '.js'), `dist/${basename(file)}`])),
      // What entries share is no part of one of them.
      preserveEntrySignatures: 'strict',
      output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
    },
  },
};
