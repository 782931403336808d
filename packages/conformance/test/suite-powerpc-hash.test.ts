import { test } from 'vitest';
import { conformanceTests, POWERPC_HASH } from '../src/index.ts';

// Every scenario that applies holds exhaustively on powerpc-hash in an old kernel, and every twin is refuted by the oracle it names. The newest one is run under powerpc's own
// memory model (suite-powerpc-hash-weak.test.ts), in which all of these executions are, but for what is large there.
conformanceTests(test, { archs: [POWERPC_HASH], memoryModel: 'tso', profiles: ['linux-5.11'] });
conformanceTests(test, {
  archs: [POWERPC_HASH],
  memoryModel: 'tso',
  profiles: ['linux-6.18'],
  scenarios: ['truncate/fault'],
});
