/** The event log: what each architecture is known for shows, and nothing else does. */
import { expect, test } from 'vitest';
import { ARCHITECTURES, eventLog } from '../src/index.ts';

const LOGS = new Map(ARCHITECTURES.map((arch) => [arch.id, eventLog(arch)]));

function asked(arch: string, operation: string): readonly string[] {
  return LOGS.get(arch)!.find((of) => of.operation === operation)!.asked;
}

test('all run the same operations', () => {
  for (const log of LOGS.values())
    expect(log.map(({ operation }) => operation)).toEqual(LOGS.get('x86')!.map(({ operation }) => operation));
});

test('x86 interrupts, arm64 broadcasts and waits, s390 purges with the change', () => {
  expect(asked('x86', 'munmap of one page')).toEqual([
    'CPU 0: interrupt CPU 1',
    'CPU 1: drop page 1 of ASID 1, walk caches too',
    'CPU 0: drop page 1 of ASID 1, walk caches too',
  ]);
  expect(asked('arm64', 'munmap of one page')).toEqual([
    'CPU 0: drop page 1 of ASID 1, level 0 only everywhere',
    'CPU 0: wait for invalidations',
  ]);
  expect(asked('s390', 'munmap of one page')[0]).toMatch(/^CPU 0: change the entry and drop page 1 /);
});

test('broadcasts interrupt nobody', () => {
  const sent = LOGS.get('arm64')!.flatMap((of) => of.asked.filter((line) => line.includes('interrupt')));
  expect(sent).toEqual([]);
});

test('beyond the ceiling x86 drops everything, and sparc64 still goes page by page', () => {
  expect(asked('x86', 'fork')).toContain('CPU 1: drop everything of ASID 1, walk caches too');
  expect(asked('sparc64', 'fork').join()).toMatch(/CPU 1: drop pages 1 to 39 .*\(39 times\)/);
});

test('tracepoints stand in the words of their kernel', () => {
  const traced = (arch: string): string =>
    LOGS.get(arch)!
      .flatMap((of) => of.traced)
      .join();
  expect(traced('x86')).toContain('tlb_flush(4, 1)');
  expect(traced('powerpc-hash')).toContain('tlbie');
});
