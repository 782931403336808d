import { test } from 'vitest';
import { ARM64, conformanceTests, SCENARIOS } from '../src/index.ts';

/** A quarter of a minute each under this memory model. */
const LARGE = ['truncate/fault', 'storm/reclaim-beside-gather'];

// And under arm64's own memory model, in the newest kernel.
conformanceTests(test, {
  archs: [ARM64],
  profiles: ['linux-6.18'],
  suite: SCENARIOS.filter(({ id }) => !LARGE.includes(id)),
});
