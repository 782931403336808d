/**
 * A test without page tables as one with them: every location has a valid entry of its own, and every access walks.
 */
import type { LitmusTest, Value } from '../src/index.ts';
import { defaultEntry, entryOf } from '../src/values.ts';

/** The test, translated. Its verdict must stay. */
export function translated(test: LitmusTest): LitmusTest {
  const memory = new Map<string, Value>(test.memory);
  for (const location of test.memory.keys()) memory.set(entryOf(location), defaultEntry(location));
  return { ...test, vmsa: true, memory };
}
