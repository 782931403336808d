/**
 * What the set of visited states takes: 100 million keys of 64 bits, beside the goal of 2 GiB. While it grows for the last time, the table
 * before stands beside the new one.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { met, print } from './table.ts';

/** What packages/checker/src/search/visited.ts offers. */
interface Keys {
  add(low: number, high: number): boolean;
  readonly size: number;
}

const KEYS = 100_000_000;
const GOAL = 2 ** 31;

const { Visited } = (await import(new URL('../../packages/checker/src/search/visited.ts', import.meta.url).href)) as {
  Visited: new () => Keys;
};

const visited = new Visited();
const before = process.memoryUsage().arrayBuffers;
const began = process.cpuUsage();
let [low, high] = [1, 2];
for (let i = 0; i < KEYS; i++) {
  low = Math.imul(low ^ i, 0x9e3779b1) ^ (low >>> 15);
  high = Math.imul(high + i, 0x85ebca6b) ^ (high >>> 13);
  visited.add(low, high);
}
const { user, system } = process.cpuUsage(began);
// Tables that were outgrown do not count.
setFlagsFromString('--expose-gc');
(runInNewContext('gc') as () => void)();
const bytes = process.memoryUsage().arrayBuffers - before;
const most = process.resourceUsage().maxRSS / 1024;
print(
  ['keys', 'of them new', 'MiB', 'goal', 'met', 'MiB of the process at most', 'CPU s'],
  [[KEYS, visited.size, bytes / 2 ** 20, GOAL / 2 ** 20, met(bytes <= GOAL), most, (user + system) / 1e6]],
);
