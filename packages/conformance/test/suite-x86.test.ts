import { expect, test } from 'vitest';
import { conformanceTests, SCENARIOS, unusedWrongs, X86 } from '../src/index.ts';

// Every scenario holds exhaustively on x86 in the default profiles, and every twin is refuted by the oracle it names.
conformanceTests(test, { archs: [X86] });

test('every wrong value of a switch is that of a twin', () => expect(unusedWrongs(X86, SCENARIOS)).toEqual([]));
