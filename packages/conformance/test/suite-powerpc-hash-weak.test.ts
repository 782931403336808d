import { test } from 'vitest';
import { conformanceTests, POWERPC_HASH, SCENARIOS } from '../src/index.ts';

/** Holds under this memory model, too, in half a minute: 144,701 states. */
const LARGE = ['truncate/fault'];

// And under powerpc's own memory model, in the newest kernel.
conformanceTests(test, {
  archs: [POWERPC_HASH],
  profiles: ['linux-6.18'],
  suite: SCENARIOS.filter(({ id }) => !LARGE.includes(id)),
});
