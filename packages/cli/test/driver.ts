/**
 * A process that is asked many times. It is for what each question tells by itself: a process for each takes half a second to start.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Asked } from './driver-process.ts';

/** Nothing that is asked takes longer, on a busy machine. */
const HANGS = 60_000;

/** The process, in a folder. */
export interface Driver {
  /** Asks one thing: the next one when there is an answer. Fails if it hangs, or ends the process. */
  ask(asked: Asked): Promise<Answer>;
  /** Ends it, and waits until it is gone. */
  end(): Promise<void>;
}

/** Starts one. */
export function startDriver(cwd: string): Driver {
  const { FORCE_COLOR: _force, ...env } = process.env;
  const child = fork(fileURLToPath(new URL('driver-process.ts', import.meta.url)), {
    cwd,
    execArgv: ['--conditions=@mmu-gather/source', '--no-warnings'],
    env,
  });
  return {
    ask: (asked) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`hangs: ${JSON.stringify(asked)}`)), HANGS);
        const ended = (code: number | null): void => reject(new Error(`the process ended (${code})`));
        child.once('exit', ended);
        child.once('message', (answer: Answer) => {
          clearTimeout(late);
          child.off('exit', ended);
          resolve(answer);
        });
        child.send(asked);
      }),
    end: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill();
      }),
  };
}
