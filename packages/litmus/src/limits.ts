/**
 * Limits: what a run reports beside its states.
 */
import type { Steps } from '@mmu-gather/core/stepped';
import { Unsupported } from './errors.ts';

/** What a run reports beside its states. */
export interface Limits {
  /** Something was cut: what was found may not be all. */
  limited: boolean;
  /** What the test uses and the machine does not have. */
  unsupported: Unsupported | undefined;
}

/** Runs a thread, and keeps what it does not support: the exploring machine takes what code throws for a finding. */
export function* guarded(limits: Limits, steps: Steps<void>): Steps<void> {
  try {
    yield* steps;
  } catch (error) {
    if (error instanceof Unsupported) limits.unsupported ??= error;
    throw error;
  }
}
