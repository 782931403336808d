/**
 * The mm operations in both builds, and jobs that run on either.
 *
 * The direct build runs an operation at once. The stepped one is the same source; it can stop where the operation waits
 * for an interrupt or a lock, while the recording goes on.
 */
import type { Cpu } from '@mmu-gather/core';
import type { Cpu as SteppedCpu, Step, Steps } from '@mmu-gather/core/stepped';
import * as direct from '@mmu-gather/mm';
import type { PageCache } from '@mmu-gather/mm';
import * as stepped from '@mmu-gather/mm/stepped';
import type { PageCache as SteppedCache } from '@mmu-gather/mm/stepped';

/** All of mm, typed as in the direct build. In the stepped build each result is the steps that lead to it. */
export type Library = typeof direct;

/** Which build runs what need not wait. */
export type Build = 'direct' | 'stepped';

/** One call of mm. */
export interface Call {
  /** Its flushes are not predictions: it brings the model to where the recording shows the machine to be. */
  readonly quiet: boolean;
  readonly run: (mm: Library, cpu: Cpu, files: PageCache) => unknown;
}

/** What an operation does: calls in order, and what follows from their results. */
export interface Job {
  readonly calls: readonly Call[];
  /** Given the results of the calls. */
  readonly done?: (results: readonly unknown[]) => void;
}

/** Work of the model's own between calls of mm: runs at once, in either build. */
export function meanwhile(work: () => void): Call {
  return {
    quiet: true,
    run: () => {
      work();
      return NOTHING[Symbol.iterator]();
    },
  };
}

const NOTHING: readonly Step[] = [];

/** A call whose flushes are predictions. */
export function call(run: Call['run']): Call {
  return { quiet: false, run };
}

/** A call whose flushes are not. */
export function quietly(run: Call['run']): Call {
  return { quiet: true, run };
}

/** Makes a call at once. */
export function runDirect({ run }: Call, cpu: Cpu, files: PageCache): unknown {
  return run(direct, cpu, files);
}

/** The steps of a call, and the machine that they run on. */
export function stepsOf({ run }: Call, cpu: SteppedCpu, files: SteppedCache): Iterator<Step, unknown> {
  const steps = run(stepped as unknown as Library, cpu as unknown as Cpu, files as unknown as PageCache);
  return steps as Steps<unknown>;
}
