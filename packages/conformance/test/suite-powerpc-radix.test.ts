import { test } from 'vitest';
import { conformanceTests, POWERPC_RADIX } from '../src/index.ts';

// Every scenario that applies holds exhaustively on powerpc radix in an old kernel, and every twin is refuted by the oracle it names. The newest one is run under powerpc's own
// memory model (suite-powerpc-radix-weak.test.ts), in which all of these executions are.
conformanceTests(test, { archs: [POWERPC_RADIX], memoryModel: 'tso', profiles: ['linux-5.11'] });
