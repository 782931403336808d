/**
 * Engine: how V8 runs a replay, which makes many short-lived objects and lasts a few seconds. `npm run bench -- trace-cmd` measures what is gained.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Bytes for new objects, both halves: more make the process larger, and it no faster. They would grow to 128 MiB. */
const YOUNG = 64 * 2 ** 20;
/** Percent of what is alive that garbage may come to: little is alive, and what V8 grants such a heap is several times as much. */
const GARBAGE = 100;

let settled = false;

/** Sets up this process; called again and again, as V8 has room for new objects grow with what it sees. */
export function settleEngine(): void {
  if (settled) return;
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  if (young !== undefined && young.space_size < YOUNG) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--heap-growing-percent=${GARBAGE}`);
  settled = true;
}
