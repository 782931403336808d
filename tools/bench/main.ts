// npm run bench [-- NAME...]: runs the benchmarks beside this file, all or those that are named.
import { readdirSync } from 'node:fs';

const wanted = process.argv.slice(2);
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length));
const unknown = wanted.find((name) => !names.includes(name));
if (unknown === undefined) {
  for (const name of wanted.length > 0 ? wanted : names) {
    console.log(`## ${name}`);
    await import(`./${name}.bench.ts`);
  }
} else {
  console.error(`no benchmark ${unknown}; there are: ${names.join(', ')}`);
  process.exitCode = 2;
}
