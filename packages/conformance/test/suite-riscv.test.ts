import { test } from 'vitest';
import { conformanceTests, RISCV } from '../src/index.ts';

// Every scenario that applies holds exhaustively on RISC-V in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [RISCV], memoryModel: 'tso' });
// What is about RISC-V alone, under its own memory model.
conformanceTests(test, { archs: [RISCV], scenarios: ['riscv/*'], memoryModel: 'weak' });
