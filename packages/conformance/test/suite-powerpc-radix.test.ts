import { test } from 'vitest';
import { conformanceTests, POWERPC_RADIX } from '../src/index.ts';

// Every scenario that applies holds exhaustively on powerpc radix in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [POWERPC_RADIX], memoryModel: 'tso' });
