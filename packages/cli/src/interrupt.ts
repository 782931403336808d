/**
 * Interrupt: Ctrl-C ends a run early, with what is known by then; a second one ends the process.
 */
import { exitCode } from './index.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Calls a function once if the process is asked to end. Returns a function that stops listening. */
export function onInterrupt(stop: () => void): () => void {
  let asked = false;
  const handle = (): void => {
    if (asked) process.exit(exitCode.stopped);
    asked = true;
    stop();
  };
  for (const signal of SIGNALS) process.on(signal, handle);
  return () => {
    for (const signal of SIGNALS) process.off(signal, handle);
  };
}
