import { test } from 'vitest';
import { conformanceTests, SPARC64 } from '../src/index.ts';

// Every scenario that applies holds exhaustively on sparc64 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [SPARC64] });
