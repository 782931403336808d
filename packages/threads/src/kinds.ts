/**
 * Kinds of words: which are 32 bits wide. All others are 64 bits wide: page-table entries, addresses of user space, generations.
 *
 * A kind belongs to a field's name, so every worker finds the same one. A number that does not fit is an error where it is stored. A name
 * that is not here is wide, which is always right and only slower.
 */

/** Counts, masks, flags, and addresses in the arena. */
const NARROW: ReadonlySet<string> = new Set([
  'activeMm',
  'cpumask',
  'data',
  'deposit',
  'flags',
  'gathers',
  'hardirqCount',
  'isLazy',
  'lazyMmu',
  'lazyMmuPaused',
  'mapcount',
  'mm',
  'mmCount',
  'mmUsers',
  'notifierCount',
  'pgd',
  'preemptCount',
  'refcount',
  'tlbFlushPending',
]);

/** Is a field 32 bits wide? @param field its name; that of the struct does not matter (`rq.mm@1`: the part behind the last dot) */
export function isNarrow(field: string): boolean {
  return NARROW.has(field.slice(field.lastIndexOf('.') + 1).replace(/@\d+$/, ''));
}
