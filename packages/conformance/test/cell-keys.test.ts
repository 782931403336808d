// Keys of mends and breaks: what they are about, and that the names in them exist.
import { AXES, LINUX_5_11 } from '@mmu-gather/core/stepped';
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES, architecturesOf, PROFILES, speaksOf, switchesOf, type Whereabouts } from '../src/index.ts';

const HERE: Whereabouts = { arch: 's390', kernel: 'linux-5.11', model: 'tso', switches: LINUX_5_11 };

describe('a key', () => {
  test.each([
    ['T8/naive', true],
    ['T8/*', true],
    ['T9/*', false],
    ['T8/naive@linux-5.11,linux-6.1', true],
    ['T8/naive@linux-6.1', false],
    ['T8/naive@tso', true],
    ['T8/naive@weak', false],
    ['T8/naive@s390', true],
    ['T8/naive@x86,riscv', false],
    ['T8/naive@x86,s390,linux-5.11', true],
    ['T8/naive@s390,linux-6.18', false],
    ['T8/naive@deferral=counter', true],
    ['T8/naive@deferral=ring', false],
    ['T8/naive@deferral=ring,deferral=counter', true],
    ['T8/naive@deferral=counter,finishSync=epoch', false],
    ['T8/naive@mergeVmas=true', true],
  ])('%s: %s', (key, speaks) => expect(speaksOf(key, 'T8/naive', HERE)).toBe(speaks));

  test('does not hold where nothing is known', () => {
    for (const key of ['id@linux-5.11', 'id@weak', 'id@x86', 'id@deferral=counter'])
      expect(speaksOf(key, 'id', {})).toBe(false);
    expect(speaksOf('id', 'id', {})).toBe(true);
  });
});

test('keys name architectures and switches that exist', () => {
  const keys = [...ARCHITECTURES, ...PROFILES].flatMap(({ mends, breaks }) => [
    ...Object.keys(mends ?? {}),
    ...Object.keys(breaks ?? {}),
  ]);
  const ids = ARCHITECTURES.map(({ id }) => id);
  expect(keys.length).toBeGreaterThan(100);
  expect(keys.filter((key) => !architecturesOf(key).every((id) => ids.includes(id)))).toEqual([]);
  expect(keys.filter((key) => !switchesOf(key).every((name) => name in AXES))).toEqual([]);
});
