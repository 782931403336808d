/**
 * Generated programs of loads, stores, TLBIs and barriers, with hardware updates on some CPUs: every final state of each, as a machine found
 * them whose state was a graph of events and which followed Arm's axioms rule by rule. It shared no code with this one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explore, readLitmus } from '../src/index.ts';

/** A program, and its final states. */
interface Generated {
  readonly program: readonly string[];
  readonly base: readonly string[];
  /** With ETS2, if they are others. */
  readonly ets2?: readonly string[];
}

const GENERATED = JSON.parse(readFileSync(join(import.meta.dirname, 'generated.json'), 'utf8')) as readonly Generated[];

test.each([false, true])('final states, ETS2: %s', { timeout: 60_000 }, (ets2) => {
  for (const { program, base, ets2: others } of GENERATED) {
    const { outcomes, complete } = explore(readLitmus('generated.litmus', program.join('\n')), { ets2 });
    const expected = ets2 ? (others ?? base) : base;
    expect({ program, states: outcomes.map(({ text }) => text), complete }).toEqual({
      program,
      states: expected,
      complete: true,
    });
  }
});
