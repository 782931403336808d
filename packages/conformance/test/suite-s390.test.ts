import { test } from 'vitest';
import { conformanceTests, S390 } from '../src/index.ts';

// Every scenario that applies holds exhaustively on s390 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [S390] });
