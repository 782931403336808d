/**
 * Groups: which cells are looked at together when they share searches, and when they are dealt out to threads and shards.
 */

/** Cells with one group may share a search. */
export function groupOf({ id, arch, memoryModel }: Readonly<Record<'id' | 'arch' | 'memoryModel', string>>): string {
  return `${id}@${arch}@${memoryModel}`;
}
