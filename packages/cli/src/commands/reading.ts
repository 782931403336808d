/**
 * Reading a recording: progress on the terminal, an end on Ctrl-C, and one line if it cannot be read.
 */
import { TraceError } from '@mmu-gather/replay/predict';
import { settleEngine } from '../engine.ts';
import { Status } from '../human/status.ts';
import { number } from '../human/text.ts';
import { onInterrupt } from '../interrupt.ts';
import { Misuse } from '../misuse.ts';

/** Told how many events were read; false: end there. */
export type OnProgress = (events: number) => boolean;

/** Does what reads a recording. @returns what comes of it, and whether the user ended it early */
export async function reading<T>(
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<{ result: T; stopped: boolean }> {
  let stopped = false;
  const deaf = onInterrupt(() => (stopped = true));
  const status = new Status();
  const onProgress = (events: number): boolean => {
    settleEngine();
    if (status.shown) status.update(0, `${number(events)} events`);
    return !stopped;
  };
  try {
    const result = await work(onProgress);
    return { result, stopped };
  } catch (error) {
    if (error instanceof TraceError) throw new Misuse(error.message, { cause: error });
    throw error;
  } finally {
    status.end();
    deaf();
  }
}
