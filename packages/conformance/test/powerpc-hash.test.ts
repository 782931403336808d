/** That scenarios and mends of powerpc-hash are not empty: what is refuted once the hash page table is told too late, or never. */
import { expect, test } from 'vitest';
import { cells, POWERPC_HASH, runCell, SCENARIOS } from '../src/index.ts';

const NEWEST = { profiles: ['linux-6.18'], memoryModel: 'tso' } as const;

test('if the hash page table is never told of a change, no scenario holds but those in which nobody could use what is left', () => {
  const holding = cells(SCENARIOS, [POWERPC_HASH], { ...NEWEST, settings: ['powerpc-hash.hpteFlush=false'] })
    .filter((cell) => cell.id === cell.scenario.id)
    .filter((cell) => runCell(cell).verdict !== 'violated')
    .map(({ id }) => id);
  expect(holding).toEqual([
    'cow/both-write',
    'fork/child-exits',
    // Nothing is unmapped while somebody runs: tags are given and go back.
    'contexts/exec-alone',
    'contexts/at-once',
    'contexts/begin-beside-end',
    'kthread/use-mm',
    'purpose/kthread',
    // Rights are granted, none taken away.
    'upgrade/nothing-there',
    'upgrade/read-only',
    'upgrade/alone/nothing-there',
    'upgrade/alone/read-only',
    // Nobody has used what goes, or nobody can any more.
    'truncate/copy',
    'vmap/two-flushes',
    // Nothing is there, or VMAs alone change.
    'purpose/holes',
    'purpose/merged-vmas',
    'mmap-lock/mmap',
    'mmap-lock/brk',
    'mmap-lock/clear-refs',
    'mmap-lock/pagemap',
    'mmap-lock/migrate',
    'mmap-lock/migrate-hinted',
    'mmap-lock/register',
    'mmap-lock/protect',
    'mmap-lock/pageout',
    'mmap-lock/exit-retract',
    'mmap-lock/fork-retract',
    'two/anonymous-faults',
    'two/rmap',
    'two/thread-exit',
    // Of pages only what is noted of them changes.
    'page-words/flags',
    'page-words/frozen',
    'fullmm/F3-exec',
    // What is recorded is looked at, and no entry changes.
    'queue-records/hull',
    'queue-records/apart',
    'ring-slots/filled-at-once',
    'ring-slots/read-while-filled',
    'ring-slots/hull',
    'ring-slots/newest',
    'T27/stream',
    'sync-waiting/gather',
    'sync-waiting/alone',
    'sync-waiting/no-gather',
    'generations/raised-at-once',
    // Nobody else looks, or no page goes.
    'powerpc-hash/evicted-lpar',
    'powerpc-hash/arrive-together',
    'powerpc-hash/evict-together',
    // Who throws a page out by a call of the hypervisor flushes it, too.
    'powerpc-hash/evicted-meanwhile-lpar',
  ]);
});

test("twins that are mended because nothing is left when the PTL is dropped are refuted where the gather's flush does it", () => {
  const settings = ['powerpc-hash.drainAt=gather', 'powerpc-hash.batch=8'];
  const mended = cells(SCENARIOS, [POWERPC_HASH], { ...NEWEST, settings }).filter(({ title }) =>
    title.includes('before its PTL is dropped'),
  );
  expect(mended.length).toBeGreaterThan(50);
  const holding = mended.filter((cell) => runCell(cell).verdict !== 'violated').map(({ id }) => id);
  // A dirty page of a file is flushed under the PTL in any case.
  expect(holding).toEqual(['truncate/munmap/free-first']);
});
