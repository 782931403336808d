/**
 * Wrongs: what a twin does wrong, in words that every architecture has. How it is done wrong, the architecture says
 * (`Architecture.wrongs`): on x86 'no-wait' is not to wait for interrupts, where invalidations are broadcast it is a barrier less.
 */

/** A mistake that a backend can make; {@link WRONGS} says which. */
export type Wrong =
  | 'no-wait'
  | 'kernel-no-wait'
  | 'leave-no-wait'
  | 'others-only'
  | 'self-only'
  | 'targets-first'
  | 'arrival-unordered'
  | 'lazy-unchecked'
  | 'walks-kept'
  | 'range-keeps-walks'
  | 'leave-skips-lazy'
  | 'tag-reused'
  | 'tag-comes-round';

/** Each mistake in one line. */
export const WRONGS: Readonly<Record<Wrong, string>> = {
  'no-wait': 'a flush of user addresses returns before it took effect everywhere',
  'kernel-no-wait': 'a flush of kernel addresses returns before it took effect everywhere',
  'leave-no-wait': 'whoever makes all CPUs leave an mm goes on before they have left',
  'others-only': 'the CPU that asks for a flush does not do its own part',
  'self-only': 'only the CPU that asks for a flush does it',
  'targets-first': 'whom a flush must reach is read before what announces the flush to CPUs that arrive',
  'arrival-unordered': 'a CPU that arrives at an mm announces itself, and nothing orders that before its first walk',
  'lazy-unchecked': 'a CPU that comes back from lazy mode does not look for what it missed',
  'walks-kept': 'tables were freed, and CPUs that are lazy, or walk caches, are left out of the flush',
  'range-keeps-walks':
    'a flush of a range keeps the walk caches, or lazy CPUs, out although its tables go later without one',
  'leave-skips-lazy': 'lazy CPUs are not made to leave an mm that ends',
  'tag-reused': 'an address-space tag is given to another mm without a flush',
  'tag-comes-round': 'the numbers that tell one owner of a tag from the next come round, and nothing is flushed then',
};
