import { test } from 'vitest';
import { ARM64, conformanceTests } from '../src/index.ts';

// Every scenario that applies holds exhaustively on arm64 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [ARM64], memoryModel: 'tso' });

// And with what was proposed, or is newer than the newest kernel here: flushes that stay on one CPU.
conformanceTests(test, {
  archs: [ARM64],
  memoryModel: 'tso',
  profiles: ['linux-6.18'],
  settings: ['arm64.localFlush=active-cpu', 'arm64.accessFlagsFlush=local'],
});
