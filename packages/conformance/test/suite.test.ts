import { test } from 'vitest';
import { conformanceTests } from '../src/index.ts';

// Every scenario holds exhaustively on every architecture and profile, and every twin is refuted by the oracle it names.
conformanceTests(test);
