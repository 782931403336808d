import { test } from 'vitest';
import { conformanceTests, POWERPC_RADIX } from '../src/index.ts';

// And under powerpc's own memory model, in the newest kernel.
conformanceTests(test, { archs: [POWERPC_RADIX], profiles: ['linux-6.18'] });
