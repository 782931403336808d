/**
 * Engine: how V8 runs a replay, which makes many short-lived objects and lasts a few seconds. `npm run bench -- trace-cmd` measures what is gained.
 */
import { setFlagsFromString } from 'node:v8';

/** Sets up this process; once all that it needs is loaded. */
export function settleEngine(): void {
  // Room for new objects stays as large as loading has made it: it would grow to 128 MiB, and save no time.
  setFlagsFromString('--semi-space-growth-factor=1');
}
