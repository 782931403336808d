import { test } from 'vitest';
import { conformanceTests, X86 } from '../src/index.ts';

// Every scenario holds exhaustively on x86 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [X86] });
