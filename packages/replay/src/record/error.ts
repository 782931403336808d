/**
 * A recording that cannot be made: what is wrong and how to mend it, in one line of text.
 */
export class RecordError extends Error {
  /** Tells it from other errors. */
  override readonly name = 'RecordError';
}
