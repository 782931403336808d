import { test } from 'vitest';
import { RISCV, conformanceTests } from '../src/index.ts';

// Every scenario that applies holds exhaustively on RISC-V in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [RISCV] });
