/**
 * Long groups: the cells of the suite that take most steps. Made by tools/long-groups.mjs of a report of all of it; only how evenly shards
 * are dealt depends on it.
 */

/** Thousands of steps of a group that is not in the list: the mean of 3919. */
export const SHORT_GROUP: number = 2;

/** Thousands of steps, by group (conformance's groupOf). */
export const LONG_GROUPS: Readonly<Record<string, number>> = {
  'T10/fixed@x86@tso': 90,
  'T23/fixed@x86@tso': 59,
  'T24/fixed@riscv@weak': 123,
  'T24/fixed@x86@tso': 127,
  'T26/fixed@riscv@weak': 50,
  'T26/fixed@x86@tso': 118,
  'T26/two-words@x86@tso': 69,
  'T8/dec-first@riscv@weak': 101,
  'T8/fixed@riscv@weak': 70,
  'T8/fixed@x86@tso': 69,
  'aggressive/table-gone/unlinked-first@x86@tso': 50,
  'aggressive/table-gone@x86@tso': 155,
  'arm64/active-cpu-reset@arm64@weak': 51,
  'asid/invariants@arm64@weak': 207,
  'generations/batch-completes/newest@powerpc-hash@weak': 222,
  'generations/batch-completes/newest@riscv@weak': 70,
  'generations/batch-completes@powerpc-hash@weak': 171,
  'generations/batch-completes@riscv@weak': 296,
  'generations/batch-completes@x86@tso': 297,
  'global-asid/published@x86@tso': 530,
  'rfc/split-pending@x86@tso': 58,
  'ring/read-in-handler@x86@tso': 67,
  'riscv/not-valid-cached@riscv@weak': 59,
  'sparc64/new-number@sparc64@tso': 73,
  'storm/reclaim-beside-gather/free-first@riscv@weak': 81,
  'storm/reclaim-beside-gather@riscv@weak': 81,
  'storm/reclaim-beside-gather@x86@tso': 171,
  'sync-waiting/gather-twice@arm64@weak': 76,
  'truncate/fault@arm64@weak': 180,
  'truncate/fault@powerpc-hash@weak': 213,
  'truncate/fault@powerpc-radix@weak': 201,
  'truncate/fault@riscv@weak': 342,
  'truncate/fault@s390@tso': 97,
  'truncate/fault@sparc64@tso': 71,
  'truncate/fault@x86@tso': 75,
  'upgrade/nothing-there@riscv@weak': 58,
};
