import { test } from 'vitest';
import { ARM64, conformanceTests } from '../src/index.ts';

// Every scenario that applies holds exhaustively on arm64 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [ARM64], memoryModel: 'tso' });
