// node tools/long-groups.mjs REPORT.json: makes packages/cli/src/suite/long-groups.ts of what `conformance --arch all --json` printed:
// the cells that take most steps, so that shards are about as long. Nothing but that depends on it.
import { readFileSync, writeFileSync } from 'node:fs';

/** Groups with fewer steps are short. */
const LONG = 50_000;

const { results } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const steps = new Map();
for (const { scenario, arch, memoryModel, sharedWith, steps: own } of results) {
  const group = `${scenario}@${arch}@${memoryModel}`;
  // What is shared is searched once.
  steps.set(group, (steps.get(group) ?? 0) + (sharedWith === undefined ? own : 0));
}
const long = [...steps].filter(([, count]) => count >= LONG).toSorted(([a], [b]) => (a < b ? -1 : 1));
const short = [...steps.values()].filter((count) => count < LONG);
const thousands = (count) => Math.max(1, Math.round(count / 1000));
const mean = thousands(short.reduce((sum, count) => sum + count, 0) / short.length);
writeFileSync(
  new URL('../packages/cli/src/suite/long-groups.ts', import.meta.url),
  `/**
 * Long groups: the cells of the suite that take most steps. Made by tools/long-groups.mjs of a report of all of it; only how evenly shards
 * are dealt depends on it.
 */

/** Thousands of steps of a group that is not in the list: the mean of ${short.length}. */
export const SHORT_GROUP: number = ${mean};

/** Thousands of steps, by group (conformance's groupOf). */
export const LONG_GROUPS: Readonly<Record<string, number>> = {
${long.map(([group, count]) => `  '${group}': ${thousands(count)},`).join('\n')}
};
`,
);
