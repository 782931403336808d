import { test } from 'vitest';
import { conformanceTests, POWERPC_HASH, SCENARIOS } from '../src/index.ts';

/** More than minutes under this memory model. */
const LARGE = ['truncate/fault'];

// And under powerpc's own memory model, in the newest kernel.
conformanceTests(test, {
  archs: [POWERPC_HASH],
  profiles: ['linux-6.18'],
  suite: SCENARIOS.filter(({ id }) => !LARGE.includes(id)),
});
