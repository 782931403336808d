// What the switches of the search save in the suite: a table in docs/search.md, made by searching every cell of an architecture with and
// without each of them. It takes minutes, so no test asks whether it is what it would be.
//
//     docs-reductions [ARCH...]     x86 if none is named
//
//     <!-- measured: suite reductions -->  ...  <!-- /measured -->
import { readFileSync, writeFileSync } from 'node:fs';
import { suiteReductions } from './bench/suite-reductions.ts';

const PAGE = new URL('../docs/search.md', import.meta.url);
const BLOCK = /(<!-- measured: suite reductions -->\n)[^]*?(<!-- \/measured -->)/;

const archs = process.argv.slice(2);
const count = (number) => number.toLocaleString('en-US');
const percent = (part, whole) => (whole === 0 ? '' : `-${Math.round((100 * (whole - part)) / whole)} %`);
const rows = (archs.length > 0 ? archs : ['x86']).flatMap((arch) =>
  suiteReductions(arch).map(({ name, cells, compared, violated, smaller, larger, off, on }) => [
    arch,
    name,
    ...[cells, compared, violated, smaller, larger, off, on].map(count),
    percent(on, off),
  ]),
);
const head = ['of', 'switch', 'cells', 'compared', 'violated', 'smaller', 'too large', 'off', 'on', 'saved'];
const lines = [head, head.map((_, i) => (i < 2 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
const page = readFileSync(PAGE, 'utf8');
if (!BLOCK.test(page)) throw new Error('docs/search.md has no block for what is measured');
writeFileSync(PAGE, page.replace(BLOCK, `$1\n${lines.join('\n')}\n\n$2`));
console.log(lines.join('\n'));
