/**
 * Mends: wrong twins that several profiles make harmless, and why.
 */
import type { ProfileSpec } from './spec.ts';

/** Where changes are recorded under a generation of their own, which the flush finds there. */
export const RAISED_BEFORE_FLUSH: NonNullable<ProfileSpec['mends']> = {
  'munmap/thread-away/mask-first': 'the generation was raised long before, when the change was recorded',
  'switch/away-during-flush/mask-first': 'the generation was raised long before, when the change was recorded',
};
