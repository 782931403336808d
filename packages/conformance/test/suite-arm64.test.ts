import { test } from 'vitest';
import { ARM64, conformanceTests } from '../src/index.ts';

// Every scenario that applies holds exhaustively on arm64 in an old kernel, and every twin is refuted by the oracle it names. The newest one is run under arm64's own
// memory model (suite-arm64-weak.test.ts), in which all of these executions are, but for what is large there.
conformanceTests(test, { archs: [ARM64], memoryModel: 'tso', profiles: ['linux-5.11'] });
conformanceTests(test, {
  archs: [ARM64],
  memoryModel: 'tso',
  profiles: ['linux-6.18'],
  scenarios: ['truncate/fault', 'storm/reclaim-beside-gather'],
});

// And with what was proposed, or is newer than the newest kernel here: flushes that stay on one CPU.
conformanceTests(test, {
  archs: [ARM64],
  memoryModel: 'tso',
  profiles: ['linux-6.18'],
  settings: ['arm64.localFlush=active-cpu', 'arm64.accessFlagsFlush=local'],
});
