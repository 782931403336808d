import { expect, test } from 'vitest';
import { nearest } from '../src/nearest.ts';

test.for([
  ['stats', ['states', 'dpor', 'random'], 'states'],
  ['linux-6.81', ['linux-5.11', 'linux-6.18'], 'linux-6.18'],
  ['6.18', ['linux-5.11', 'linux-6.18'], 'linux-6.18'],
  ['T88', ['T1/fixed', 'T8/fixed', 'T10/fixed'], 'T8/fixed'],
  ['MUNMAP/runing', ['munmap/tables', 'munmap/running-thread'], 'munmap/running-thread'],
  ['x87', ['x86', 'arm64'], 'x86'],
  ['sparc', ['x86', 'arm64'], undefined],
  ['', ['x86'], undefined],
] as const)('%s of %j', ([typed, names, meant]) => {
  expect(nearest(typed, names)).toBe(meant);
});
