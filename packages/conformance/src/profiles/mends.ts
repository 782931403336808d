/**
 * Mends: wrong twins that several profiles make harmless, by key (keys.ts), and why.
 */
import type { ProfileSpec } from './spec.ts';

/**
 * Where changes are recorded under a generation of their own, which the flush finds there. On s390, whose order is that of flush_count and its masks,
 * a generation says nothing.
 */
export const RAISED_BEFORE_FLUSH: NonNullable<ProfileSpec['mends']> = {
  'munmap/thread-away/mask-first@x86': 'the generation was raised long before, when the change was recorded',
  'switch/away-during-flush/mask-first@x86': 'the generation was raised long before, when the change was recorded',
};

/** Where a finish waits for the gathers that it meets: what it flushes itself does not matter then. */
export const OTHERS_ARE_AWAITED: NonNullable<ProfileSpec['mends']> = {
  'T8/naive': 'the finish waits for the other gather',
  'bug:B03/buggy': 'the finish waits for the other gather',
  'bug:B03/free/buggy': 'the finish waits for the other gather',
  'rfc/D14': 'the finish waits for the other gather',
};

/**
 * Where a finish looks for what others changed in its range, and reclaim's deferrals are such changes: where deferrals have generations. Elsewhere
 * reclaim does not defer in such a profile, or, as in these twins, defers unseen.
 */
export const DEFERRALS_ARE_SCANNED: NonNullable<ProfileSpec['mends']> = {
  'bug:B02/buggy@x86': 'what reclaim changed is in the ring, where mprotect finds it',
  'rfc/mask-detection/none@x86': 'what reclaim changed is in the ring, where mprotect finds it',
  'clear-refs/reclaim/unseen@x86': 'what reclaim changed is in the ring, where clear_refs finds it',
  'dirty-helpers/reclaim/as-in-linux@x86': 'what reclaim changed is in the ring, where dirty tracking finds it',
  'bug:B31/flusher':
    'the ring is filled between the generation and the read of mm_cpumask, under a lock, which is a barrier',
};

/** Where a flush folds what is not completed yet: one that comes late, or out of order, has the earlier ranges in it. */
export const RANGES_ARE_FOLDED: NonNullable<ProfileSpec['mends']> = {
  'T24/naive': 'the second flush finds the first one in the ring, and is a full one, too',
  'masks/flush-interrupted/gap@x86': 'a flush finds the earlier range in the ring',
};

/** Where finishes, reclaim and MADV_COLD do what the aggressive profile has them do. */
export const DEFERRED_FURTHER: NonNullable<ProfileSpec['mends']> = {
  'bug:B12/buggy': 'a finish looks for changes in the ring, and finds those of reclaim there',
  'T8/dec-first': 'a finish looks for changes in the ring, whether their gather is still counted or not',
  'storm/reclaim-beside-gather/hidden@x86': 'what reclaim changed is in the ring, where the zap finds it',
  'rfc/D6': 'MADV_COLD does not flush, so no CPU leaves the mask for it',
  'rfc/D8': 'MADV_COLD does not flush, so no CPU leaves the mask for it',
};
